"""Why a program refuses a swap, in words: the codes that quotes carry (csrc/dex/<venue>.h), by venue."""

from __future__ import annotations

_LARGE = "the amounts grow beyond what the program's numbers hold, or the pool does not hold as much; ask for less"
_TINY = "nothing is left after rounding and fees; ask for more"
_SHUT = "the pool does not let anybody swap now"
_WITHHELD = "a mint's transfer fee changed the amount more than the program accepts"
_RESERVES = "the pool does not hold that much; ask for less"
_OPENS = f"{_SHUT}, or has not opened"
_ARRAYS = "the price would leave the tick arrays that one swap may name; ask for less"
_PRICE = "the price would leave the range that the program allows; ask for less"

_SENTENCES = {
    "raydium_amm_v4": {22: _SHUT, 29: _TINY, 40: _RESERVES},
    "raydium_cpmm": {
        2505: _TINY,
        6000: _OPENS,
        6006: "the config's fees leave nothing to swap",
        6010: _WITHHELD,
    },
    "raydium_clmm": {
        2501: "the liquidity does not give the exact amount; ask for another",
        2505: "the pool has not opened",
        2506: _LARGE,
        6001: _SHUT,
        6013: _PRICE,
        6019: "no liquidity is left in this direction; ask for less",
        6024: _TINY,
        6026: _TINY,
        6027: _ARRAYS,
        6041: "no liquidity is in this direction",
        6044: _WITHHELD,
    },
    "orca_whirlpool": {
        6011: _PRICE,
        6022: "the oracle's time is behind the clock's",
        6023: "no tick array is at the price",
        6034: "the price is at the end of its range in this direction",
        6035: _TINY,
        6038: _ARRAYS,
        6052: _WITHHELD,
        6057: "the liquidity does not give the exact amount; ask for less",
        6064: "the pool has not opened",
    },
    "meteora_dlmm": {
        1: "the reserve does not hold what the bins say; ask for less",
        13: "the receiving account has no room for what the mint withholds",
        6012: "no liquidity is left in this direction; ask for less",
        6018: _LARGE,
        6036: "liquidity is beyond the pair's own bitmap, and there is no extension of it",
        6037: "no bin array with liquidity is left in this direction; ask for less",
        6042: _OPENS,
        6085: "orders and liquidity of a bin do not give the exact amount; ask for another",
    },
    "meteora_damm_v2": {
        6000: _LARGE,
        6003: _OPENS,
        6006: _TINY,
        6007: _LARGE,
        6015: _PRICE,
        6051: "the fee of an exact output is not determined; ask for another amount, or exact in",
    },
    "pump_swap": {
        6001: _TINY,
        6016: _RESERVES,
        6020: "the pool does not let anybody buy",
        6021: "the pool does not let anybody sell",
        6023: _LARGE,
        6039: _TINY,
        6063: _RESERVES,
    },
    "pump_fun": {
        6005: "the curve is complete: its coin trades elsewhere",
        6020: _TINY,
        6021: "the curve does not have as many tokens left; ask for less",
        6022: _TINY,
        6024: _LARGE,
    },
}


def why(venue: str, error: int) -> str:
    """A sentence for the code of a refused quote; 0 is a failure without a custom code, an overflow."""
    return _SENTENCES[venue].get(error, _LARGE if not error else "the program fails")
