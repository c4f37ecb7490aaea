"""On which NUMA node a workspace lies: with the pinned tiles that read its links, on recorded maps of machines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ipc.topology import Topology
from tests.unit.test_tuning_plan import NAMES, machine
from tuning.plan import Group, make_plan, physical_cores

SPREAD = ("feed", "book", "near", "sign")
TWO_NODES = [name for name in NAMES if len({cpu.node for cpu in machine(name)}) > 1]
ENOUGH_CORES = [name for name in NAMES if len(physical_cores(machine(name))) > len(SPREAD) + 1]


def spread(cores: Mapping[str, int | None]) -> Topology:
    """A feed, a book read by two groups, a signer behind a pair link, a journal that is pinned nowhere."""
    topology = Topology(state_dir=Path("/var/lib/nowhere"))
    for group in ("feed", "book", "near", "sign", "journal"):
        topology.group(group, wait="spin" if group != "journal" else "park", core=cores.get(group))
        topology.tile(group, kind=group, group=group)
    topology.tile("supervisor", kind="supervisor", group=None)
    topology.link("raw", producer="feed", depth=512, slot_bytes=8192)
    topology.link("market", producer="book", depth=1024, slot_bytes=4096)
    topology.link("ask", producer="near", depth=64, slot_bytes=64)
    for link, consumer in (("raw", "book"), ("raw", "journal"), ("market", "near"), ("market", "journal")):
        topology.edge(link, consumer=consumer)
    topology.edge("ask", consumer="sign")
    return topology


def nodes(topology: Topology, cpus: Mapping[int, int]) -> dict[str, int]:
    topology.validate(cores=list(cpus))
    return topology.place(cpus)


@pytest.mark.parametrize("name", TWO_NODES)
def test_a_workspace_lies_with_who_reads_it(name: str) -> None:
    cpus = {cpu.cpu: cpu.node for cpu in machine(name)}
    here, there = (next(cpu for cpu, node in cpus.items() if node == which) for which in (0, 1))
    others = [cpu for cpu, node in cpus.items() if node == 0 and cpu != here]
    found = nodes(spread({"feed": here, "book": there, "near": others[0], "sign": others[1]}), cpus)
    assert found["feed"] == 1, "book reads raw, on node 1"
    assert found["book"] == 0, "near reads market, on node 0"
    assert found["near"] == found["link ask"] == 0
    assert found["sign"] == 0 and found["journal"] == cpus[min(cpus)]


@pytest.mark.parametrize("name", ENOUGH_CORES)
def test_with_the_plan_of_the_machine_all_is_on_the_node_of_the_hot_cores(name: str) -> None:
    found = machine(name)
    cpus = {cpu.cpu: cpu.node for cpu in found}
    groups = [Group(group, "spin") for group in SPREAD] + [Group("journal", "park")]
    plan = make_plan(found, groups, nic_node=max(cpus.values()))
    placed = nodes(spread(plan.cores), cpus)
    assert {placed[tile] for tile in (*SPREAD, "link ask")} == {max(cpus.values())}
