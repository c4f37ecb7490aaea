"""From the configuration to the graph of an instance.

`[topology]` names tiles, links, tables and groups; the sections of the tiles give their parameters. Bots that are
not configured take their tile and links out of the graph. Rules are checked by the C core before anything is made.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ipc._core import ffi, lib
from ipc.errors import CoreError
from ipc.topology import Topology
from sniperforge.config import Config, ConfigError, TileConfig, TopologyConfig
from sniperforge.tile_config import ArbConfig

#: kinds whose tile is Python; the rest are in the C tile table
PYTHON_KINDS = {
    "confirm": "sniperforge.tiles.confirm:Confirm",
    "safety": "sniperforge.tiles.safety:Safety",
    "strategies": "sniperforge.tiles.strategies:Strategies",
}
EXTERNAL_KINDS = frozenset({"supervisor"})
_LATENCY_DEVICE = "/dev/cpu_dma_latency"

#: tiles that every engine has, under these names, and what each has to have: in-links, out-links, tables
_PARTS: Mapping[str, tuple[frozenset[str], frozenset[str], frozenset[str]]] = {
    name: (frozenset(inputs), frozenset(outputs), frozenset(tables))
    for name, (inputs, outputs, tables) in {
        "supervisor": ((), ("command",), ("events",)),
        "feed": ((), ("raw",), ()),
        "book": (("raw",), ("market",), ("tokens", "pools")),
        "risk": (("command", "fill"), ("order", "denied"), ("positions", "bots", "limits")),
        "build": (("order",), ("message", "refused"), ()),
        "sign": (("order", "message"), ("wire",), ()),
        "send": (("wire",), ("sent",), ()),
        "confirm": (("order", "refused", "wire", "sent"), ("fill",), ("chain",)),
        "journal": (("order", "refused", "wire", "sent", "fill", "command"), (), ("durable",)),
    }.items()
}

#: what travels on a link: its slots hold the largest of these
_PAYLOADS: Mapping[str, tuple[str, ...]] = {
    "raw": ("sf_raw_account_t", "sf_raw_slot_t"),
    "market": ("sf_pool_update_t",),
    "order": ("sf_order_t",),
    "denied": ("sf_denied_t",),
    "message": ("sf_wire_t",),
    "refused": ("sf_refused_t",),
    "wire": ("sf_wire_t", "sf_refused_t"),
    "sent": ("sf_sent_t", "sf_refused_t"),
    "fill": ("sf_fill_t", "sf_balance_t"),
    "command": ("sf_command_t",),
    "verdict": ("sf_verdict_t",),
}
_INTENTS = ("sf_intent_t", "sf_turn_t")
_BEHIND = {"raw": 10_240, "market": lib.SF_POOL_STATE_MAX}
"""Most bytes behind the payload: a tick array's account, a pool's state."""

#: layout of each table's rows, and how many rows it has at least
_ROWS: Mapping[str, tuple[str, int]] = {
    "tokens": ("sf_token_row_t", 1),
    "pools": ("sf_pool_row_t", 1),
    "chain": ("sf_chain_row_t", 1),
    "positions": ("sf_position_row_t", 1),
    "bots": ("sf_bot_row_t", 64),
    "limits": ("sf_limit_row_t", 1),
    "events": ("sf_event_row_t", 1),
    "durable": ("sf_durable_row_t", 1),
}

Params = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Graph:
    """The tiles and links that are left when bots without configuration are taken out.

    Attributes:
        tiles: by name, in order.
        producers: link -> tile.
        consumers: link -> (tile, reliable), in order of the tiles.
    """

    tiles: Mapping[str, TileConfig]
    producers: Mapping[str, str]
    consumers: Mapping[str, list[tuple[str, bool]]]


def graph(config: Config) -> Graph:
    """The graph of `config`.

    Raises:
        ConfigError: a name is used that is not there.
    """
    section = config.topology
    _check_parts(section)
    wanted = _bot_tiles(config)
    tiles = {name: tile for name, tile in section.tiles.items() if tile.kind not in _BOT_KINDS or name in wanted}
    left_out = {link for name, tile in section.tiles.items() if name not in tiles for link in tile.out}
    for name in wanted:
        if name not in section.tiles:
            raise ConfigError(f"bots.{name}: has no tile; add [topology.tiles.{name}] and its link intent.{name}")
    producers: dict[str, str] = {}
    consumers: dict[str, list[tuple[str, bool]]] = {}
    for name, tile in tiles.items():
        if tile.kind not in EXTERNAL_KINDS | PYTHON_KINDS.keys() and not lib.ipc_tile_known(tile.kind.encode()):
            raise ConfigError(
                f"topology.tiles.{name}.kind: there is no tile of kind {tile.kind!r}; correct or remove it"
            )
        if tile.kind not in EXTERNAL_KINDS and tile.group not in section.groups:
            raise ConfigError(
                f"topology.tiles.{name}.group: there is no group {tile.group!r}; {_one_of(section.groups)}"
            )
        for link in tile.out:
            if link not in section.links:
                raise ConfigError(f"topology.tiles.{name}.out: there is no link {link!r}; {_one_of(section.links)}")
            if link in producers:
                raise ConfigError(
                    f"topology.tiles.{name}.out: link {link} is already produced by {producers[link]}; "
                    "a link has exactly one producer"
                )
            producers[link] = name
        for port in tile.in_:
            link = port.removesuffix("~")
            if link not in section.links:
                raise ConfigError(f"topology.tiles.{name}.in: there is no link {link!r}; {_one_of(section.links)}")
            if link not in left_out:
                consumers.setdefault(link, []).append((name, not port.endswith("~")))
        for table in tile.tables:
            if table not in section.tables:
                raise ConfigError(
                    f"topology.tiles.{name}.tables: there is no table {table!r}; {_one_of(section.tables)}"
                )
    for link in consumers:
        if link not in producers:
            raise ConfigError(f"topology.links.{link}: has no producer; add it to a tile's `out`")
    return Graph(tiles, producers, consumers)


def _check_parts(section: TopologyConfig) -> None:
    """What the code of the tiles and of the supervisor takes for granted."""
    for name, parts in _PARTS.items():
        tile = section.tiles.get(name)
        if tile is None:
            raise ConfigError(f"topology.tiles.{name}: is missing; put it back as in configs/default.toml")
        if tile.kind != name:
            raise ConfigError(f'topology.tiles.{name}.kind: must be "{name}"; put it back')
        has = ({port.removesuffix("~") for port in tile.in_}, set(tile.out), set(tile.tables))
        for key, needed, found in zip(("in", "out", "tables"), parts, has, strict=True):
            for missing in sorted(needed - found):
                raise ConfigError(f"topology.tiles.{name}.{key}: {missing} is missing; put it back")
    for name, link in section.links.items():
        layouts = _INTENTS if name.startswith("intent.") else _PAYLOADS.get(name, ())
        payload = max((ffi.sizeof(layout) for layout in layouts), default=0)
        least = ffi.sizeof("sf_message_t") + payload + _BEHIND.get(name, 0)
        if link.slot_bytes < least:
            raise ConfigError(
                f"topology.links.{name}.slot_bytes: {link.slot_bytes} holds no message of it; "
                f"use {-(-least // 64) * 64} or more"
            )
    for name, table in section.tables.items():
        if name not in _ROWS:
            raise ConfigError(f"topology.tables.{name}: no tile knows it; {_one_of(_ROWS)}")
        row, least = _ROWS[name]
        if table.row != row:
            raise ConfigError(f'topology.tables.{name}.row: must be "{row}"; put it back')
        if table.rows < least:
            raise ConfigError(f"topology.tables.{name}.rows: is {table.rows}; use {least} or more")


#: kinds of tiles that are there only for configured bots
_BOT_KINDS = frozenset({"arb", "strategies", "safety"})


def _bot_tiles(config: Config) -> set[str]:
    """Tiles that run the configured bots: one each for the C searcher, one for all Python strategies; and with those
    the one that checks tokens, if risk asks for verdicts."""
    wanted = {name if isinstance(bot, ArbConfig) else "strategies" for name, bot in config.bots.items()}
    return wanted | {"safety"} if config.safety.gate and "strategies" in wanted else wanted


def _one_of(names: Mapping[str, object]) -> str:
    return "use one of " + ", ".join(names)


def check(config: Config) -> None:
    """Whether `config` makes a topology that can run on this machine; nothing is created.

    Raises:
        ConfigError: it does not; the sentence names the key and the fix.
    """
    try:
        build(config, {})
    except CoreError as error:
        raise ConfigError(error.sentence) from None


def group_cores(config: Config, tiles: Mapping[str, TileConfig]) -> dict[str, int | None]:
    """The core of each group that has tiles on this machine, None for any: "hot" ones are given out from the last core
    downwards, and one core is left to the rest."""
    groups = {tile.group for tile in tiles.values() if tile.kind not in EXTERNAL_KINDS}
    cores = sorted(os.sched_getaffinity(0), reverse=True)
    hot_cores = iter(cores[: max(len(cores) - 1, 1)])
    found: dict[str, int | None] = {}
    for name, group in config.topology.groups.items():
        if name not in groups:
            continue
        if group.core == "hot":
            found[name] = next(hot_cores, None)
        else:
            found[name] = None if group.core == "any" else int(group.core)
    return found


def spinning_cores(config: Config) -> tuple[int, ...]:
    """The cores that groups of their own spin on."""
    groups = config.topology.groups
    cores = group_cores(config, graph(config).tiles)
    return tuple(sorted(core for name, core in cores.items() if core is not None and groups[name].wait == "spin"))


def build(config: Config, params: Params) -> tuple[Topology, list[str]]:
    """The validated topology of `config`, and one sentence for each group whose wait fell back, and one if
    the host refuses what `topology.stay_awake` asks for.

    Args:
        params: tile -> its parameters.

    Raises:
        ConfigError: the graph is wrong.
        ipc.errors.CoreError: a rule of the core is broken; the sentence names the key.
    """
    section = config.topology
    found = graph(config)
    topology = Topology(
        state_dir=config.state_dir,
        huge_pages=section.huge_pages,
        lock_memory=section.lock_memory,
        stay_awake=section.stay_awake,
    )
    cores = group_cores(config, found.tiles)
    for name, group in section.groups.items():
        if name not in cores:
            continue
        kinds = {found.tiles[tile].kind in PYTHON_KINDS for tile in found.tiles if found.tiles[tile].group == name}
        if len(kinds) > 1:
            raise ConfigError(
                f"topology.groups.{name}: holds tiles in C and in Python; give the Python tiles their own"
            )
        topology.group(name, wait=group.wait, core=cores[name], python=kinds == {True})
    for name, tile in found.tiles.items():
        group_name = None if tile.kind in EXTERNAL_KINDS else tile.group
        topology.tile(name, kind=tile.kind, group=group_name, params=params.get(name), burst=tile.burst)
    for name, tile in found.tiles.items():
        for link in tile.out:
            if link in found.consumers:
                shape = section.links[link]
                topology.link(link, producer=name, depth=shape.depth, slot_bytes=shape.slot_bytes)
    for name, tile in found.tiles.items():
        for port in tile.in_:
            link = port.removesuffix("~")
            if link in found.producers:
                topology.edge(link, consumer=name, reliable=not port.endswith("~"))
    for name, tile in found.tiles.items():
        for table in tile.tables:
            topology.table(table, writer=name, layout=section.tables[table].row, rows=section.tables[table].rows)
    notes = topology.validate()
    refused = _latency_refused() if section.stay_awake else ""
    return topology, [*notes, refused] if refused else notes


def _latency_refused() -> str:
    """Why the processes of this user cannot keep cores from sleeping, as a sentence; empty if they can."""
    try:
        os.close(os.open(_LATENCY_DEVICE, os.O_WRONLY))
    except OSError as error:
        return (
            f"topology.stay_awake: {_LATENCY_DEVICE}: {error.strerror}; wake-ups take as long as the host's idle "
            "states: give this user the right to write it, or let sniperforge-dma-latency.service hold it"
        )
    return ""
