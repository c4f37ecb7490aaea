"""The topology builder: what is wrong is refused before anything is created, with the sentence of C."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipc import views
from ipc._core import lib
from ipc.errors import CoreError
from ipc.topology import Topology
from ipc.views import Instance
from tests.graphs import created, one_link


def small() -> Topology:
    topology = Topology(state_dir=Path("/var/lib/nowhere"))
    topology.group("hot", wait="spin")
    topology.group("strategies", python=True)
    topology.tile("feed", kind="feed", group="hot", params={"url": "ws://127.0.0.1:1", "simulated": True}, burst=4)
    topology.tile("watch", kind="watch", group="strategies")
    topology.tile("supervisor", kind="supervisor", group=None)
    topology.link("raw", producer="feed", depth=64, slot_bytes=1024)
    topology.edge("raw", consumer="watch", reliable=False)
    topology.edge("raw", consumer="supervisor")
    topology.table("pools", writer="feed", layout="sf_pool_row_t", rows=16)
    return topology


def test_an_instance_is_what_was_asked_for(instance_name: str) -> None:
    topology = small()
    assert topology.validate(cores=[0, 1]) == []
    with created(topology, instance_name) as instance:
        assert list(instance.tiles) == ["feed", "watch", "supervisor"]
        feed, watch, supervisor = instance.tiles.values()
        assert (feed.kind, feed.group, feed.runs, feed.outputs, feed.burst) == ("feed", "hot", "c", ("raw",), 4)
        assert (watch.runs, watch.inputs, watch.outputs) == ("python", ("raw",), ())
        assert (supervisor.runs, supervisor.group) == ("external", "")
        assert instance.params("feed") == {"url": "ws://127.0.0.1:1", "simulated": "1"}
        assert instance.params("watch") == {}
        assert instance.groups["hot"].wait == "spin" and instance.groups["hot"].core is not None
        assert instance.groups["strategies"].python and instance.groups["strategies"].tiles == ("watch",)
        assert instance.link_names == ("raw",) and instance.table_names == ("pools",)
        assert instance.state_dir == Path("/var/lib/nowhere")
        link = instance.link("raw")
        assert (link.producer, link.depth, link.slot_bytes, link.broadcast) == ("feed", 64, 1024, True)
        assert [(edge.consumer, edge.reliable) for edge in link.edges()] == [("watch", False), ("supervisor", True)]
        assert instance.table("pools").rows == 16
        assert instance.cnc("feed").state == "new"
        assert (instance.directory.stat().st_mode & 0o777) == 0o700


def test_more_spinners_than_cores_fall_back_and_say_so() -> None:
    topology = small()
    notes = topology.validate(cores=[3])
    assert len(notes) == 1 and "hot" in notes[0]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda t: t.link("odd", producer="feed", depth=1000, slot_bytes=64), ["odd", "1000", "1024"]),
        (lambda t: t.link("thin", producer="feed", depth=64, slot_bytes=100), ["thin", "100", "128"]),
        (lambda t: t.link("alone", producer="feed", depth=64, slot_bytes=64), ["alone", "consumer"]),
        (lambda t: t.edge("raw", consumer="feed"), ["raw", "feed"]),
        (lambda t: t.group("empty"), ["empty", "no tile"]),
        (lambda t: t.tile("feed", kind="feed", group="hot"), ["feed", "two"]),
        (lambda t: t.tile("control", kind="feed", group="hot"), ["control", "rename"]),
        (lambda t: t.tile("a/b", kind="feed", group="hot"), ["a/b", "name"]),
        (lambda t: t.tile("x" * 40, kind="feed", group="hot"), ["name"]),
        (lambda t: t.tile("late", kind="feed", group="cold"), ["cold"]),
        (lambda t: t.edge("raw", consumer="nobody"), ["nobody"]),
        (lambda t: t.group("far", core=999) or t.tile("x", kind="x", group="far"), ["far", "999"]),
    ],
)
def test_refusals_name_the_key_and_the_fix(change, names: list[str], instance_name: str) -> None:  # type: ignore[no-untyped-def]
    topology = small()
    with pytest.raises(CoreError) as refused:
        change(topology)
        topology.create(instance_name)
    assert all(name in str(refused.value) for name in names), str(refused.value)
    assert not views.directory(instance_name).exists()


def test_parameters_are_one_line() -> None:
    with pytest.raises(ValueError, match="one line"):
        small().tile("evil", kind="feed", group="hot", params={"url": "a\nkey=b"})


def test_a_running_instance_is_not_replaced(instance_name: str) -> None:
    with created(one_link(depth=4, slot_bytes=64), instance_name):
        assert views.owner(instance_name) is not None
        assert instance_name in views.instances()
        with pytest.raises(CoreError) as refused:
            one_link(depth=4, slot_bytes=64).create(instance_name)
        assert refused.value.code == lib.SF_ERR_STATE
    assert views.owner(instance_name) is None
    assert not views.remove(instance_name)


def test_there_is_no_such_instance(instance_name: str) -> None:
    with pytest.raises(CoreError) as refused:
        Instance.open(instance_name)
    assert refused.value.code == lib.SF_ERR_NOTFOUND and refused.value.name == "SF_ERR_NOTFOUND"


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "-x", "x" * 60])
def test_names_that_are_no_directory_of_ours(name: str) -> None:
    with pytest.raises(ValueError, match="instance name"):
        Instance.open(name)


def test_damage_is_refused_with_a_sentence(instance_name: str) -> None:
    with created(one_link(depth=4, slot_bytes=64), instance_name) as instance:
        path = instance.directory / "topology"
        path.chmod(0o600)
        with path.open("r+b") as file:
            file.seek(16)  # abi_hash
            file.write(b"\1" * 8)
        with pytest.raises(CoreError) as refused:
            Instance.open(instance_name)
        assert refused.value.code == lib.SF_ERR_ABI and len(str(refused.value)) > 20
