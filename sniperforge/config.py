"""The configuration: `configs/default.toml`, files laid over it, single keys set on the command line.

Every default lives in `configs/default.toml`; the structures here hold types and ranges only. Unknown keys,
wrong types, values out of range and combinations that cannot work are errors that name the key.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import tomllib
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sniperforge import rules
from sniperforge.simnet.config import SimnetConfig, VenueName
from sniperforge.tile_config import (
    Address,
    Amount,
    BookConfig,
    BotConfig,
    BuildConfig,
    FeedConfig,
    JournalConfig,
    ReplayConfig,
    RiskConfig,
    SafetyConfig,
    SendConfig,
    SignConfig,
)

DEFAULT_CONFIG = Path(__file__).resolve().parents[1] / "configs" / "default.toml"

_LARGEST_FILE = 1 << 20

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,22}$")]


class ConfigError(ValueError):
    """A key is unknown, missing, of the wrong type or out of range; the text names the key and the fix."""


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A section; the meaning of each key stands in configs/default.toml."""


class InstanceConfig(_Section, frozen=True):
    name: Name
    state_dir: str


class ChainConfig(_Section, frozen=True):
    url: str
    websocket_url: str
    armed: bool
    commitment: Literal["processed", "confirmed", "finalized"]
    poll_ms: Annotated[int, Meta(ge=1, le=60_000)]
    timeout_ms: Annotated[int, Meta(ge=10, le=600_000)]
    ca_path: str

    @property
    def embedded(self) -> bool:
        """Whether a simnet is started with the engine."""
        return self.url == "embedded"


class WalletConfig(_Section, frozen=True):
    path: str
    fund_sol: Annotated[int, Meta(ge=1, le=1_000_000)]
    wrap_sol: Annotated[int, Meta(ge=0, le=1_000_000)]
    fund_usdc: Annotated[int, Meta(ge=0, le=1_000_000_000)]


class SupervisorConfig(_Section, frozen=True):
    heartbeat_timeout_ms: Annotated[int, Meta(ge=50, le=600_000)]
    start_timeout_ms: Annotated[int, Meta(ge=100, le=600_000)]
    stop_timeout_ms: Annotated[int, Meta(ge=100, le=600_000)]
    backoff_min_ms: Annotated[int, Meta(ge=1, le=60_000)]
    backoff_max_ms: Annotated[int, Meta(ge=1, le=600_000)]
    report_ms: Annotated[int, Meta(ge=100, le=3_600_000)]


class ControlConfig(_Section, frozen=True):
    publish_ms: Annotated[int, Meta(ge=10, le=60_000)]
    tcp: str
    curve_secret_file: str
    curve_clients: str


class PoolsConfig(_Section, frozen=True):
    venues: Annotated[list[VenueName], Meta(min_length=1)]
    path: str
    limit: Annotated[int, Meta(ge=1, le=4096)]
    watch: bool
    refresh_ms: Annotated[int, Meta(ge=1, le=3_600_000)]
    cold_s: Annotated[int, Meta(ge=1, le=1_000_000)]


class GroupConfig(_Section, frozen=True):
    wait: Literal["spin", "yield", "park"]
    core: Literal["hot", "any"] | Annotated[int, Meta(ge=0, le=4095)]


class TileConfig(_Section, frozen=True):
    kind: Name
    group: str
    in_: list[str] = msgspec.field(name="in")
    out: list[Name]
    tables: list[Name]
    burst: Annotated[int, Meta(ge=1, le=1024)]


class LinkConfig(_Section, frozen=True):
    slot_bytes: Annotated[int, Meta(ge=64, le=65536)]
    depth: Annotated[int, Meta(ge=2, le=1 << 24)]


class TableConfig(_Section, frozen=True):
    row: str
    rows: Annotated[int, Meta(ge=1, le=1 << 20)]


class TopologyConfig(_Section, frozen=True):
    huge_pages: bool
    lock_memory: bool
    stay_awake: bool
    single: bool
    program: str
    groups: dict[Name, GroupConfig]
    tiles: dict[Name, TileConfig]
    links: dict[Name, LinkConfig]
    tables: dict[Name, TableConfig]


class Config(_Section, frozen=True):
    """The whole configuration, resolved."""

    instance: InstanceConfig
    chain: ChainConfig
    wallet: WalletConfig
    supervisor: SupervisorConfig
    control: ControlConfig
    pools: PoolsConfig
    topology: TopologyConfig
    simnet: SimnetConfig
    feed: FeedConfig
    book: BookConfig
    bots: dict[Name, BotConfig]
    risk: RiskConfig
    safety: SafetyConfig
    build: BuildConfig
    sign: SignConfig
    send: SendConfig
    journal: JournalConfig
    replay: ReplayConfig

    @property
    def state_dir(self) -> Path:
        """The state directory, absolute."""
        return Path(self.instance.state_dir).absolute()

    @property
    def wallet_path(self) -> Path:
        """The key file, absolute."""
        return self.state_dir / self.wallet.path


def _lay_over(base: dict[str, Any], over: dict[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _lay_over(base[key], value)
        else:
            base[key] = value


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; name a file that exists") from None
    if len(data) > _LARGEST_FILE:
        raise ConfigError(f"{path}: is larger than {_LARGEST_FILE} bytes; name a configuration file")
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:  # of TOML, of UTF-8, and of numbers with thousands of digits
        raise ConfigError(f"{path}: is not TOML: {error}; correct it") from None


def _parse_setting(setting: str) -> dict[str, Any]:
    """`section.key=value` as a table; the value is TOML, or a bare string."""
    key, separator, text = setting.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"--set {setting!r}: write section.key=value")
    for value in (text.strip(), json.dumps(text.strip())):
        with contextlib.suppress(ValueError, RecursionError):
            found = tomllib.loads(f"{key.strip()} = {value}")
            if len(found) == 1:
                return found
    raise ConfigError(f"--set {setting!r}: is no key and value; write section.key=value")


def load(files: Sequence[Path] = (), settings: Sequence[str] = ()) -> Config:
    """The configuration: the defaults, then each file, then each `section.key=value`.

    Raises:
        ConfigError: names the key and the fix.
    """
    data = _read(DEFAULT_CONFIG)
    for path in files:
        _lay_over(data, _read(path))
    for setting in settings:
        _lay_over(data, _parse_setting(setting))
    _leave_out_bots(data)
    try:
        config = msgspec.convert(data, Config)
        plain = to_builtins(config)
    except msgspec.ValidationError as error:
        raise ConfigError(_explain(error, data)) from None
    except RecursionError:
        raise ConfigError("configuration: tables are nested too deeply; flatten them") from None
    for sentence in rules.broken(config, plain):
        raise ConfigError(sentence)
    return config


def _leave_out_bots(data: dict[str, Any]) -> None:
    """Takes bots with `enabled = false` out, as if they were not configured."""
    bots = data.get("bots")
    if not isinstance(bots, dict):
        return
    for name, bot in list(bots.items()):
        if isinstance(bot, dict) and "enabled" in bot:
            enabled = bot.pop("enabled")
            if not isinstance(enabled, bool):
                raise ConfigError(
                    f"bots.{name}.enabled: expected bool, got {type(enabled).__name__}; use true or false"
                )
            if not enabled:
                del bots[name]


#: tables whose keys are names that the configuration gives, and what stands below each
_NAMED: dict[str, Any] = {
    "bots": BotConfig,
    "topology.groups": GroupConfig,
    "topology.tiles": TileConfig,
    "topology.links": LinkConfig,
    "topology.tables": TableConfig,
    "risk.mint_max_amount": Amount,
    "safety.min_liquidity": Amount,
    "safety.amount": Amount,
}


def _explain(error: msgspec.ValidationError, data: dict[str, Any]) -> str:
    """msgspec's text with the key first: `risk.max_open_orders: expected int, got str`."""
    text, _, path = str(error).partition(" - at `")
    key = path.rstrip("`").rpartition("$")[2].removeprefix(".")
    section, _, rest = key.partition("[...]")
    if section in _NAMED and (rest != "" or key != section or path.startswith("key")):
        key = f"{section}.{_wrong_name(section, data)}{rest}"
    what = text[:1].lower() + text[1:]
    fix = "see configs/default.toml for the keys, their types and ranges"
    return f"{key or 'configuration'}: {what}; {fix}"


def _wrong_name(section: str, data: dict[str, Any]) -> str:
    """The first name in a section of names that cannot be one, or what it names cannot be."""
    for part in section.split("."):
        data = data[part]
    named = Address if _NAMED[section] is Amount else Name
    for name, value in data.items():
        try:
            msgspec.convert(name, named)
            msgspec.convert(value, _NAMED[section])
        except (msgspec.ValidationError, RecursionError):
            return name if name.isprintable() and name else json.dumps(name)
    return "..."


def to_builtins(config: Config) -> dict[str, Any]:
    """The configuration as plain data; holds paths of keys, never keys."""
    result: dict[str, Any] = msgspec.to_builtins(config)
    return result


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine by a loopback address."""
    host = urllib.parse.urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
