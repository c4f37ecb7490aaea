"""Configuration of the simnet: the [simnet] section of a TOML file, checked before anything starts.

Every default lives in configs/default.toml; a structure here has none.  A later file replaces single keys
of an earlier one, and flags replace keys of both.
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

DEFAULT_CONFIG = Path(__file__).resolve().parents[2] / "configs" / "default.toml"

Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Weight = Annotated[int, Meta(ge=1, le=1000)]
VenueName = Literal[
    "raydium_cpmm",
    "raydium_amm_v4",
    "orca_whirlpool",
    "raydium_clmm",
    "meteora_dlmm",
    "meteora_damm_v2",
    "pump_swap",
    "pump_fun",
]
"""A venue that the market can have pools of."""


class ConfigError(ValueError):
    """A key is unknown, missing, of the wrong type or out of range; the text names the key and the fix."""


class AccountFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An account dump; `address` overrides the dump's own "pubkey" and is needed where the dump has none."""

    file: str
    address: str | None = None


class ProgramFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An SBF program: its id and the ELF file."""

    id: str
    file: str


class WeightsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[simnet.market.weights]; the meaning of each key stands in configs/default.toml."""

    raydium_cpmm: Weight
    raydium_amm_v4: Weight
    orca_whirlpool: Weight
    raydium_clmm: Weight
    meteora_dlmm: Weight
    meteora_damm_v2: Weight
    pump_swap: Weight
    pump_fun: Weight


class MarketConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[simnet.market]; the meaning of each key stands in configs/default.toml."""

    enabled: bool
    venues: Annotated[list[VenueName], Meta(min_length=1)]
    weights: WeightsConfig
    mints: Annotated[int, Meta(ge=2, le=400)]
    pools: Annotated[int, Meta(ge=1, le=1000)]
    transfer_fee_bps: Annotated[int, Meta(ge=0, le=1000)]
    traders: Annotated[int, Meta(ge=1, le=200)]
    trades_per_second: Annotated[float, Meta(ge=0.0, le=2000.0)]
    launches_per_minute: Annotated[float, Meta(ge=0.0, le=600.0)]
    burst_share: Annotated[float, Meta(gt=0.0, lt=1.0)]
    burst_factor: Annotated[float, Meta(ge=1.0, le=100.0)]
    informed_share: Share
    trade_size_bps: Annotated[int, Meta(ge=1, le=500)]
    volatility_bps: Annotated[int, Meta(ge=0, le=5000)]
    pool_value_usd: Annotated[int, Meta(ge=1000, le=1_000_000_000)]
    sol_price_usd: Annotated[float, Meta(ge=0.01, le=1_000_000.0)]


class FaultsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[simnet.faults]; the meaning of each key stands in configs/default.toml."""

    latency_ms: Annotated[int, Meta(ge=0, le=60_000)]
    drop_notifications: Share
    duplicate_notifications: Share
    close_sockets: Share
    too_many_requests: Share
    drop_transactions: Share
    stall_slots: bool


class SimnetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[simnet]; the meaning of each key stands in configs/default.toml."""

    listen: str
    rpc_port: Annotated[int, Meta(ge=0, le=65534)]
    ledger: str
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    slot_ms: Annotated[int, Meta(ge=10, le=60_000)]
    tick_ms: Annotated[int, Meta(ge=1, le=60_000)]
    speed: Annotated[float, Meta(ge=0.01, le=100.0)]
    confirmed_after_slots: Annotated[int, Meta(ge=1, le=1000)]
    finalized_after_slots: Annotated[int, Meta(ge=1, le=1000)]
    blockhash_valid_blocks: Annotated[int, Meta(ge=2, le=300)]
    skipped_slots_rate: Annotated[float, Meta(ge=0.0, le=0.5)]
    slots_per_epoch: Annotated[int, Meta(ge=32, le=10_000_000)]
    block_compute_units: Annotated[int, Meta(ge=1_400_000, le=1_000_000_000)]
    faucet_sol: Annotated[int, Meta(ge=1, le=10_000_000_000)]
    airdrop_limit_sol: Annotated[int, Meta(ge=1, le=10_000_000_000)]
    history_mb: Annotated[int, Meta(ge=1, le=1_000_000)]
    snapshot_log_mb: Annotated[int, Meta(ge=1, le=1024)]
    max_request_bytes: Annotated[int, Meta(ge=4096, le=100_000_000)]
    max_subscriptions: Annotated[int, Meta(ge=1, le=10_000_000)]
    send_buffer_mb: Annotated[int, Meta(ge=1, le=4096)]
    accounts: list[AccountFile]
    account_directories: list[str]
    programs: list[ProgramFile]
    clone: str
    market: MarketConfig
    faults: FaultsConfig

    @property
    def ticks_per_slot(self) -> int:
        """Execution ticks in one slot."""
        return self.slot_ms // self.tick_ms


def load(paths: Sequence[Path], overrides: Mapping[str, Any]) -> SimnetConfig:
    """The [simnet] section of the files in `paths`, later ones winning, then `overrides` (nested like the section).

    Raises ConfigError naming the key and the fix.
    """
    table: dict[str, Any] = {}
    for path in paths:
        try:
            section = tomllib.loads(path.read_bytes().decode()).get("simnet", {})
        except OSError as error:
            raise ConfigError(
                f"cannot read configuration {path}: {error.strerror}; name a readable TOML file"
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is not TOML: {error}") from error
        if not isinstance(section, dict):
            raise ConfigError(f"{path}: simnet is not a table; write [simnet]")
        merge(table, section)
    merge(table, overrides)
    return from_table(table)


def merge(table: dict[str, Any], other: Mapping[str, Any]) -> None:
    """Put the keys of `other` into `table`, key by key in nested tables."""
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(table.get(key), dict):
            merge(table[key], value)
        else:
            table[key] = dict(value) if isinstance(value, Mapping) else value


def from_table(table: Mapping[str, Any]) -> SimnetConfig:
    """A checked configuration from the [simnet] table.  Raises ConfigError naming the key and the fix."""
    try:
        config = msgspec.convert(table, SimnetConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(_sentence(str(error))) from error
    check(config)
    return config


def faults_from_table(current: FaultsConfig, changes: Mapping[str, Any]) -> FaultsConfig:
    """`current` with `changes` applied.  Raises ConfigError naming the key and the fix."""
    try:
        return msgspec.convert({**msgspec.structs.asdict(current), **changes}, FaultsConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(_sentence(str(error), section="simnet.faults")) from error


def _sentence(text: str, section: str = "simnet") -> str:
    message, _, where = text.partition(" - at `$")
    key = section + where.rstrip("`").replace("[...]", "[]")
    if "unknown field" in message or "missing required field" in message:
        field = message.split("`")[1]
        if "unknown field" in message:
            return f"{key}.{field} is not a key of the simnet; remove it or see configs/default.toml for the right name"
        return f"{key}.{field} is missing; put it back as in configs/default.toml"
    return f"{key}: {message[0].lower()}{message[1:]}; see configs/default.toml for the range"


def check(config: SimnetConfig) -> None:
    """Raise ConfigError, naming the key and the fix, for a combination that cannot work."""
    try:
        loopback = ipaddress.ip_address(config.listen).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigError(f'simnet.listen: "{config.listen}" is not a loopback address; use "127.0.0.1" or "::1"')
    if config.slot_ms % config.tick_ms:
        raise ConfigError(f"simnet.tick_ms: {config.tick_ms} does not divide slot_ms {config.slot_ms}; use 5")
    if config.finalized_after_slots <= config.confirmed_after_slots:
        raise ConfigError(
            f"simnet.finalized_after_slots: {config.finalized_after_slots} must be larger than"
            f" confirmed_after_slots {config.confirmed_after_slots}; use 32"
        )
    if len(set(config.market.venues)) < len(config.market.venues):
        raise ConfigError(f"simnet.market.venues: {config.market.venues} names one twice; name each once")
    if config.market.burst_factor * config.market.burst_share >= 1.0:
        raise ConfigError(
            f"simnet.market.burst_factor: {config.market.burst_factor} times burst_share {config.market.burst_share}"
            " must be below 1, or nothing is left for the calm; lower one of them"
        )
