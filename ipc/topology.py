"""Building an instance: its graph is checked before anything is created.

    topology = Topology(state_dir=Path("var/main"))
    topology.group("hot", wait="spin")
    topology.tile("feed", kind="feed", group="hot", params={"url": "ws://127.0.0.1:8900"})
    topology.tile("book", kind="book", group="hot")
    topology.link("raw", producer="feed", depth=2048, slot_bytes=1024)
    topology.edge("raw", consumer="book")
    topology.table("pools", writer="book", layout="sf_pool_row_t", rows=4096)
    with topology.create("main") as instance: ...

Every method raises CoreError with the sentence of the C core, which names the key and the fix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from ipc._core import ffi, lib
from ipc.errors import check, text
from ipc.views import Instance, directory

Wait = Literal["spin", "yield", "park"]

_WAITS = {"spin": lib.SF_WAIT_SPIN, "yield": lib.SF_WAIT_YIELD, "park": lib.SF_WAIT_PARK}


class Topology:
    """The graph of an instance while it is being built.  Order of calls is order of ports and indices."""

    def __init__(
        self, *, state_dir: Path, huge_pages: bool = False, lock_memory: bool = False, stay_awake: bool = False
    ) -> None:
        self._topology: Any = ffi.gc(lib.sf_topology_alloc(), lib.sf_topology_free)
        path = str(state_dir.absolute()).encode()
        if len(path) >= ffi.sizeof(self._topology.state_dir):
            raise ValueError(f"state_dir: the path {state_dir} is too long; use one of less than 256 bytes")
        self._topology.state_dir = path
        self._topology.huge_pages = int(huge_pages)
        self._topology.lock_memory = int(lock_memory)
        self._topology.stay_awake = int(stay_awake)
        self._validated = False

    def group(self, name: str, *, wait: Wait = "park", core: int | None = None, python: bool = False) -> None:
        """Adds a group.  Without a core, a spinning group is given one and a parking one floats."""
        number = lib.SF_CORE_NONE if core is None else core
        flags = lib.SF_TILE_PYTHON if python else 0
        check(lib.sf_topology_group_add(self._topology, name.encode(), _WAITS[wait], number, flags))

    def tile(
        self,
        name: str,
        *,
        kind: str,
        group: str | None,
        params: Mapping[str, object] | None = None,
        burst: int = 1,
    ) -> None:
        """Adds a tile to a group; in C or in Python, as the group is.

        Without a group it is external: a process that is no group's (the supervisor) does its work.
        """
        if group is None:
            number, flags = 0, lib.SF_TILE_EXTERNAL
        else:
            number = check(lib.sf_topology_group_find(self._topology, group.encode()))
            flags = self._topology.group[number].flags & lib.SF_TILE_PYTHON
        index = check(lib.sf_topology_tile_add(self._topology, name.encode(), kind.encode(), number, flags, burst))
        if params:
            lines = "".join(f"{key}={_value(key, value)}\n" for key, value in params.items())
            check(lib.sf_topology_params_set(self._topology, index, lines.encode()))

    def link(self, name: str, *, producer: str, depth: int, slot_bytes: int) -> None:
        """Adds a link to the producer's out-links."""
        tile = self._tile(producer)
        check(lib.sf_topology_link_add(self._topology, name.encode(), tile, depth, slot_bytes))

    def edge(self, link: str, *, consumer: str, reliable: bool = True) -> None:
        """Adds a consumer of a link to the consumer's in-links."""
        index = check(lib.sf_topology_link_find(self._topology, link.encode()))
        check(lib.sf_topology_edge_add(self._topology, index, self._tile(consumer), int(reliable)))

    def table(self, name: str, *, writer: str, layout: str, rows: int) -> None:
        """Adds a table whose rows have a layout of `ipc/include/sf_rows.h`."""
        row_bytes = ffi.sizeof(layout)
        check(lib.sf_topology_table_add(self._topology, name.encode(), self._tile(writer), row_bytes, rows))

    def validate(self, *, cores: Iterable[int] | None = None) -> list[str]:
        """Checks all rules on the cores this process may use, or on the given ones.

        Returns one sentence for each group whose wait had to fall back.
        """
        if cores is None:
            check(lib.sf_topology_validate(self._topology))
        else:
            numbers = list(cores)
            check(lib.sf_topology_validate_on(self._topology, numbers, len(numbers)))
        self._validated = True
        notes = ffi.new("char[]", 8192)
        check(lib.sf_topology_notes(self._topology, notes, len(notes)))
        return text(notes).splitlines()

    def place(self, node_of_core: Mapping[int, int]) -> dict[str, int]:
        """Gives each workspace its NUMA node on a machine of these cores, as `validate` does on this one.

        Returns the nodes by tile, and of `link <name>` for links in a file of their own.  After `validate`.
        """
        lib.sf_topology_place(self._topology, list(node_of_core), list(node_of_core.values()), len(node_of_core))
        topology = self._topology
        tiles = {text(topology.tile[i].name): int(topology.tile[i].numa_node) for i in range(topology.tile_cnt)}
        links = {
            f"link {text(topology.link[i].name)}": int(topology.link[i].numa_node)
            for i in range(topology.link_cnt)
            if lib.sf_topology_is_pair(topology, i)
        }
        return tiles | links

    def create(self, name: str) -> Instance:
        """Validates if that was not done, creates the instance and opens it; this process is its owner.

        A stale instance of that name is removed first.  Raises CoreError if one of that name runs.
        """
        path = str(directory(name)).encode()
        if not self._validated:
            self.validate()
        check(lib.sf_topology_layout(self._topology))
        check(lib.sf_instance_create(path, self._topology))
        return Instance.open(name)

    def _tile(self, name: str) -> int:
        return check(lib.sf_topology_tile_find(self._topology, name.encode()))


def _value(key: str, value: object) -> str:
    """Returns a parameter as the C core reads it: one line, booleans as 0 and 1."""
    line = str(int(value)) if isinstance(value, bool) else str(value)
    if "\n" in line or "\0" in line:
        raise ValueError(f"parameter {key}: a value is one line of text")
    return line
