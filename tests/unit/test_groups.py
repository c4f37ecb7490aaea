"""Where the processes of groups run: on their core, or off the cores that others spin on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ipc.topology import Topology
from sniperforge.groups import place
from tests.graphs import created

CORES = sorted(os.sched_getaffinity(0))


@pytest.mark.skipif(len(CORES) < 2, reason="two cores are needed, there is one")
def test_python_keeps_off_the_cores_that_spin(instance_name: str) -> None:
    topology = Topology(state_dir=Path("/nonexistent"))
    topology.group("hot", wait="spin", core=CORES[-1])
    topology.group("floating", python=True)
    topology.group("pinned", python=True, core=CORES[0])
    for group in ("hot", "floating", "pinned"):
        topology.tile(group, kind="test", group=group)
    rest = set(CORES[:-1])
    with created(topology, instance_name) as instance:
        expected: tuple[tuple[str | None, set[int]], ...]
        expected = ("floating", rest), ("pinned", {CORES[0]}), (None, rest)
        for name, cores in expected:
            child = os.fork()
            if not child:
                place(instance, name)
                os._exit(0 if os.sched_getaffinity(0) == cores else 1)
            assert os.waitpid(child, 0)[1] == 0
