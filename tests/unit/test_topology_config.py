"""The graph of an instance from its configuration: what is wrong is told by key, before anything is created."""

from __future__ import annotations

import copy
import os
import random
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sniperforge import config as config_module
from sniperforge.config import DEFAULT_CONFIG, ConfigError, load
from sniperforge.topology import check, graph, group_cores, spinning_cores

DEFAULTS: dict[str, Any] = tomllib.loads(DEFAULT_CONFIG.read_text())
SHM = Path("/dev/shm")


@pytest.fixture(autouse=True)
def _nothing_is_created(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from ipc import topology

    def create(*_: object) -> None:
        raise AssertionError("something was created")

    monkeypatch.setattr(topology.Topology, "create", create)
    yield
    assert not (SHM / f"sf-t{os.getpid()}-topology").exists()


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The default configuration as plain data; `load` reads it as it is then."""
    changed = copy.deepcopy(DEFAULTS)
    changed["instance"]["name"] = f"t{os.getpid()}-topology"
    monkeypatch.setattr(config_module, "_read", lambda path: copy.deepcopy(changed))
    return changed


def refused(data: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as error:
        check(load())
    return str(error.value)


def test_the_default_runs_here(data: dict[str, Any]) -> None:
    check(load())


@pytest.mark.parametrize(("left_out", "tiles"), [("rebalance", {"strategies", "safety"}), ("arb", {"arb"})])
def test_bots_that_are_not_configured_take_their_tile_out(data: dict[str, Any], left_out: str, tiles: set[str]) -> None:
    del data["bots"][left_out]
    found = graph(load())
    assert set(data["topology"]["tiles"]) - set(found.tiles) == tiles
    assert not any(link.startswith("intent.") and link.removeprefix("intent.") in tiles for link in found.consumers)
    check(load())


def _change(path: str, value: Any) -> Any:
    *tables, name = path.split("/")

    def apply(data: dict[str, Any]) -> None:
        table = data["topology"]
        for part in tables:
            table = table[part]
        if value is None:
            del table[name]
        else:
            table[name] = value

    return apply


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ("tiles/confirm", None, "topology.tiles.confirm"),
        ("tiles/risk/kind", "arb", "topology.tiles.risk.kind"),
        ("tiles/risk/in", ["command", "intent.arb"], "topology.tiles.risk.in"),
        ("tiles/risk/out", ["order"], "topology.tiles.risk.out"),
        ("tiles/book/tables", ["pools"], "topology.tiles.book.tables"),
        ("tiles/feed/group", "nowhere", "topology.tiles.feed.group"),
        ("tiles/feed/group", "confirm", "topology.groups.confirm"),
        ("tiles/feed/out", ["raw", "nothing"], "topology.tiles.feed.out"),
        ("tiles/feed/out", ["raw", "market"], "market"),
        ("tiles/feed/in", ["nothing"], "topology.tiles.feed.in"),
        ("tiles/feed/in", ["raw"], "raw"),
        ("tiles/book/in", ["raw", "raw"], "raw"),
        ("tiles/feed/tables", ["nothing"], "topology.tiles.feed.tables"),
        ("tiles/feed/tables", ["pools"], "pools"),
        ("tiles/arb", None, "bots.arb"),
        ("tiles/build/burst", 1024, "burst"),
        ("links/raw/depth", 1000, "raw"),
        ("links/raw/slot_bytes", 10304, "topology.links.raw.slot_bytes"),
        ("links/wire/slot_bytes", 1280, "topology.links.wire.slot_bytes"),
        ("links/intent.arb/slot_bytes", 192, "topology.links.intent.arb.slot_bytes"),
        ("links/market/slot_bytes", 3712, "topology.links.market.slot_bytes"),
        ("links/raw/slot_bytes", 10433, "raw"),
        ("links/raw/slot_bytes", 65536, "raw"),
        ("tables/pools/row", "int", "topology.tables.pools.row"),
        ("tables/pools/row", "sf_token_row_t", "topology.tables.pools.row"),
        ("tables/bots/rows", 1, "topology.tables.bots.rows"),
        ("groups/hot/core", 4000, "core"),
        ("groups/hot/wait", "sleep", "topology.groups.hot.wait"),
        ("groups/hot/core", "cold", "topology.groups.hot.core"),
    ],
)
def test_what_is_wrong_is_named(data: dict[str, Any], path: str, value: Any, key: str) -> None:
    _change(path, value)(data)
    if (path, value) == ("links/raw/slot_bytes", 65536):
        check(load())  # large is allowed
        return
    sentence = refused(data)
    assert key in sentence
    assert ";" in sentence or "use " in sentence


def test_a_table_nobody_knows(data: dict[str, Any]) -> None:
    data["topology"]["tables"]["weather"] = {"row": "sf_token_row_t", "rows": 1}
    assert "topology.tables.weather" in refused(data)


def test_a_kind_nobody_knows(data: dict[str, Any]) -> None:
    data["topology"]["tiles"]["weather"] = data["topology"]["tiles"]["build"] | {"kind": "weather"}
    assert "topology.tiles.weather.kind" in refused(data)


def test_more_spinners_than_cores_fall_back_and_say_so(data: dict[str, Any]) -> None:
    from sniperforge.topology import build

    for group in data["topology"]["groups"].values():
        group["wait"] = "spin"
        group["core"] = "any"
    _, notes = build(load(), {})
    assert notes and all("yield" in note or "park" in note for note in notes)


def test_the_cores_that_groups_spin_on(data: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    groups = data["topology"]["groups"]
    groups["hot"] = {"wait": "spin", "core": "hot"}
    groups["sign"] = {"wait": "spin", "core": 1}
    groups["journal"] = {"wait": "park", "core": 2}
    config = load()
    assert spinning_cores(config) == (1, 3)
    cores = group_cores(config, graph(config).tiles)
    assert cores["journal"] == 2 and cores["strategies"] is None


def test_a_host_that_refuses_to_stay_awake_is_told_of_once(
    data: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from sniperforge import topology

    device = tmp_path / "cpu_dma_latency"
    monkeypatch.setattr(topology, "_LATENCY_DEVICE", str(device))
    assert not any("stay_awake" in note for note in topology.build(load(), {})[1])
    data["topology"]["stay_awake"] = True
    said = [note for note in topology.build(load(), {})[1] if "stay_awake" in note]
    assert len(said) == 1 and str(device) in said[0]
    device.touch()
    assert not any("stay_awake" in note for note in topology.build(load(), {})[1])


def test_a_thousand_wrong_graphs(data: dict[str, Any]) -> None:
    rng = random.Random(20_261_120)
    original = copy.deepcopy(data)
    wrong = 0
    for number in range(1000):
        data.clear()
        data.update(copy.deepcopy(original))
        section = data["topology"]
        for _ in range(rng.randrange(1, 4)):
            tile = section["tiles"][rng.choice(list(section["tiles"]))]
            links, tables, groups = list(section["links"]), list(section["tables"]), list(section["groups"])
            choice = rng.randrange(8)
            if choice == 0:
                tile["in"] = rng.sample(links, rng.randrange(4))
            elif choice == 1:
                tile["out"] = rng.sample(links, rng.randrange(4))
            elif choice == 2:
                tile["tables"] = rng.sample(tables, rng.randrange(3))
            elif choice == 3:
                tile["group"] = rng.choice([*groups, "", "x"])
            elif choice == 4:
                tile["burst"] = rng.randrange(1, 1025)
            elif choice == 5 and links:
                section["links"][rng.choice(links)] = {
                    "slot_bytes": rng.choice((64, 128, 192, 1344, 65536)),
                    "depth": rng.choice((2, 3, 16, 1 << 20, 1 << 24)),
                }
            elif choice == 6 and tables:
                del section["tables"][rng.choice(tables)]
            else:
                section["groups"][rng.choice([*groups, "new"])] = {
                    "wait": rng.choice(("spin", "yield", "park")),
                    "core": rng.choice(("hot", "any", 0, 1, 4095)),
                }
        try:
            check(load())
        except ConfigError as error:
            wrong += 1
            assert "topology" in str(error) or "bots" in str(error), f"{number}: {error}"
    assert wrong > 500
