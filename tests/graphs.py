"""Small instances for tests: external tiles, so that the test itself is every tile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ipc.topology import Topology
from ipc.views import Instance


def one_link(*, depth: int, slot_bytes: int, reliable: int = 1, lossy: int = 0, rows: int = 0) -> Topology:
    """A writer with the link `numbers`, and readers r0, r1, ... and l0, l1, ... of it.

    With rows, the writer also has the table `tokens`.
    """
    topology = Topology(state_dir=Path("/nonexistent"))
    topology.tile("writer", kind="test", group=None)
    topology.link("numbers", producer="writer", depth=depth, slot_bytes=slot_bytes)
    for prefix, count in (("r", reliable), ("l", lossy)):
        for number in range(count):
            topology.tile(f"{prefix}{number}", kind="test", group=None)
            topology.edge("numbers", consumer=f"{prefix}{number}", reliable=prefix == "r")
    if rows:
        topology.table("tokens", writer="writer", layout="sf_token_row_t", rows=rows)
    return topology


@contextmanager
def created(topology: Topology, name: str) -> Iterator[Instance]:
    """Creates an instance, all of it writable for this process, and removes it at the end."""
    instance = topology.create(name)
    try:
        for tile in instance.tiles:
            instance.map_writable(tile)
        yield instance
    finally:
        instance.remove()
