"""The venues that the market has pools of, a file each."""

from __future__ import annotations

from collections.abc import Mapping

from sniperforge.simnet.venue_pools.base import Venue
from sniperforge.simnet.venue_pools.meteora_damm_v2 import MeteoraDammV2
from sniperforge.simnet.venue_pools.meteora_dlmm import MeteoraDlmm
from sniperforge.simnet.venue_pools.orca_whirlpool import OrcaWhirlpool
from sniperforge.simnet.venue_pools.pump_fun import PumpFun
from sniperforge.simnet.venue_pools.pump_swap import PumpSwap
from sniperforge.simnet.venue_pools.raydium_amm_v4 import RaydiumAmmV4
from sniperforge.simnet.venue_pools.raydium_clmm import RaydiumClmm
from sniperforge.simnet.venue_pools.raydium_cpmm import RaydiumCpmm

VENUES: Mapping[str, Venue] = {
    "raydium_cpmm": RaydiumCpmm(),
    "raydium_amm_v4": RaydiumAmmV4(),
    "orca_whirlpool": OrcaWhirlpool(),
    "raydium_clmm": RaydiumClmm(),
    "meteora_dlmm": MeteoraDlmm(),
    "meteora_damm_v2": MeteoraDammV2(),
    "pump_swap": PumpSwap(),
    "pump_fun": PumpFun(),
}
"""By the names that [simnet.market] knows."""
