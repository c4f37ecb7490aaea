"""From the configuration to the parameters of each tile, as text that C and Python tiles read in `init`."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from ipc.pages import now_ns
from sniperforge.chain import Endpoints
from sniperforge.config import Config
from sniperforge.state import StateDirectory
from sniperforge.tile_config import ArbConfig, StrategyConfig

Params = dict[str, dict[str, object]]


def _plain(section: msgspec.Struct, *without: str) -> dict[str, object]:
    values: dict[str, Any] = msgspec.to_builtins(section)
    return {key: value for key, value in values.items() if key not in without and key != "kind"}


def tile_params(config: Config, chain: Endpoints, wallet: str, state: StateDirectory, *, passphrase_fd: int) -> Params:
    """The parameters of every tile.

    Args:
        passphrase_fd: descriptor the signer reads its passphrase from; negative = the key file is not encrypted.
    """
    ca_path = {"ca_path": config.chain.ca_path} if config.chain.ca_path else {}
    feed = (
        _plain(config.feed)
        | ca_path
        | {
            "url": chain.websocket_url,
            "rpc_url": chain.rpc_url,
            "accounts_path": state.accounts_path,
            "simulated": chain.simulated,
        }
    )
    risk = _plain(config.risk, "mint_max_amount")
    risk |= {f"bot.{bot.bot}": name for name, bot in config.bots.items()}
    risk |= {"safety_gate": int(config.safety.gate), "verdict_slots": config.safety.verdict_slots}
    risk |= {f"listed.{mint}": 1 for mint in config.safety.listed_mints}
    risk |= {f"mint.{mint}": amount for mint, amount in config.risk.mint_max_amount.items()}
    for key in ("cu_limit_base", "cu_limit_per_hop", "cu_price_micro_lamports"):
        risk[key] = getattr(config.build, key)
    build = _plain(config.build, "lookup_tables") | {"wallet": wallet, "ladder": int(config.sign.ladder)}
    if not config.build.tip_account:
        del build["tip_account"]
    if config.build.lookup_tables or state.own_lookup_tables():
        build["lookup_tables_path"] = state.lookup_tables_path("build")
    sign = _plain(config.sign, "programs", "tip_accounts", "lookup_tables") | {
        "ladder": int(config.sign.ladder),
        "nonce_pool_force": int(config.sign.nonce_pool_force),
        "key_path": config.wallet_path,
        "programs": ",".join(config.sign.programs),
    }
    if config.sign.tip_accounts:
        sign["tip_accounts"] = ",".join(config.sign.tip_accounts)
    if config.sign.lookup_tables or state.own_lookup_tables():
        sign["lookup_tables_path"] = state.lookup_tables_path("sign")
    if passphrase_fd >= 0:
        sign["key_passphrase_fd"] = passphrase_fd
    confirm: dict[str, object] = {
        "rpc_url": chain.rpc_url,
        "wallet": wallet,
        "poll_ms": config.chain.poll_ms,
        "timeout_ms": config.chain.timeout_ms,
        "commitment": config.chain.commitment,
        "ca_path": config.chain.ca_path,
        "simulated": chain.simulated,
        "open_orders_path": state.open_orders_path,
    }
    strategies = [
        {"bot": bot.bot, "name": name, "class": bot.class_, "settings": bot.settings}
        for name, bot in config.bots.items()
        if isinstance(bot, StrategyConfig)
    ]
    params: Params = {
        "feed": feed,
        "book": _plain(config.book) | {"wall_offset_ns": time.time_ns() - now_ns()},
        "risk": risk,
        "build": build,
        "sign": sign,
        "send": _plain(config.send) | ca_path | {"rpc_url": chain.rpc_url},
        "confirm": confirm,
        "journal": _plain(config.journal, "checkpoint_s", "keep_gb") | {"dir": state.journal_path},
        "safety": {
            "rpc_url": chain.rpc_url,
            "ca_path": config.chain.ca_path,
            "timeout_ms": config.chain.timeout_ms,
            "wallet": wallet,
            "config": msgspec.json.encode(config.safety).decode(),
        },
        "strategies": {"bots": msgspec.json.encode(strategies).decode()},
    }
    for name, bot in config.bots.items():
        if isinstance(bot, ArbConfig):
            params[name] = _plain(bot)
    return params
