"""Python views of an instance in shared memory: what runs, how it is, what it holds.

Everything here reads; the few writes are those of the supervisor (control words), of anybody (the
kill word) and of a process that owns a tile's workspace (tables).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from ipc._core import ffi, lib
from ipc.errors import attached, check, text
from ipc.histogram import Histogram
from ipc.link import Link
from ipc.pages import Cnc, Control, now_ns
from ipc.table import Table

__all__ = [
    "Cnc",
    "Control",
    "GroupInfo",
    "Histogram",
    "Instance",
    "Link",
    "Table",
    "TileInfo",
    "directory",
    "instances",
    "now_ns",
    "owner",
    "remove",
]

SHM = Path("/dev/shm")
PREFIX = "sf-"

WAITS = ("spin", "yield", "park")


def directory(name: str) -> Path:
    """Returns the directory of an instance.  Raises ValueError for a name that cannot be one."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,47}", name):
        raise ValueError(
            f"instance name {name!r}: use up to 48 letters, digits, '-', '_' and '.', the first a letter or digit"
        )
    return SHM / (PREFIX + name)


def instances() -> list[str]:
    """Returns the names of all instances in shared memory, stale ones too."""
    return sorted(path.name.removeprefix(PREFIX) for path in SHM.glob(PREFIX + "*") if path.is_dir())


def owner(name: str) -> int | None:
    """Returns the pid of the process that created an instance, or None if it is gone or there is no instance."""
    path = str(directory(name)).encode()
    return int(lib.sf_instance_owner(path)) if lib.sf_instance_stale(path) == 0 else None


def remove(name: str) -> bool:
    """Removes an instance from shared memory; returns False if there is none.  Does not look at who runs."""
    code = lib.sf_instance_remove(str(directory(name)).encode())
    if code == lib.SF_ERR_NOTFOUND:
        return False
    check(code)
    return True


@dataclass(frozen=True)
class TileInfo:
    """A tile as the topology has it."""

    index: int
    name: str
    kind: str
    group: str
    """Empty for an external tile."""
    runs: str
    """`c`, `python` or `external`."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    burst: int
    numa_node: int
    workspace_bytes: int


@dataclass(frozen=True)
class GroupInfo:
    """A group as the topology has it."""

    index: int
    name: str
    wait: str
    wait_asked: str
    core: int | None
    python: bool
    tiles: tuple[str, ...]


class Instance:
    """A running (or stale) engine in shared memory.  Read-only but for the control words."""

    def __init__(self, pointer: Any, name: str) -> None:
        self._instance = pointer
        self.name = name
        self._topology: Any = pointer.topology
        self.control = Control(pointer.control, lambda name: self.tile(name).index)

    @classmethod
    def open(cls, name: str) -> Instance:
        """Attaches to an instance.  Raises CoreError: NOTFOUND, or ABI with what to do."""
        box = ffi.new("sf_instance_t **")
        check(lib.sf_instance_new(box, str(directory(name)).encode()))
        return cls(box[0], name)

    def close(self) -> None:
        """Unmaps everything.  No view of this instance may be used after it."""
        if self._instance is not None:
            lib.sf_instance_delete(self._instance)
            self._instance = None

    def remove(self) -> None:
        """Closes this view and removes the instance from shared memory."""
        self.close()
        remove(self.name)

    def __enter__(self) -> Instance:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pointer(self) -> Any:
        """The `sf_instance_t *`, for functions of `lib`."""
        if self._instance is None:
            raise ValueError(f"instance {self.name} is closed")
        return self._instance

    @property
    def directory(self) -> Path:
        return directory(self.name)

    @property
    def state_dir(self) -> Path:
        return Path(text(self._topology.state_dir))

    @cached_property
    def tiles(self) -> dict[str, TileInfo]:
        """All tiles by name, in the order of the topology."""
        topology = self._topology
        found = {}
        for index in range(topology.tile_cnt):
            tile = topology.tile[index]
            inputs = [topology.edge[getattr(tile, "in")[port]].link for port in range(tile.in_cnt)]
            outputs = [tile.out[port] for port in range(tile.out_cnt)]
            found[text(tile.name)] = TileInfo(
                index=index,
                name=text(tile.name),
                kind=text(tile.kind),
                group="" if tile.flags & lib.SF_TILE_EXTERNAL else text(topology.group[tile.group].name),
                runs=_runs(tile.flags),
                inputs=tuple(text(topology.link[link].name) for link in inputs),
                outputs=tuple(text(topology.link[link].name) for link in outputs),
                burst=tile.burst,
                numa_node=tile.numa_node,
                workspace_bytes=tile.workspace_bytes,
            )
        return found

    @cached_property
    def groups(self) -> dict[str, GroupInfo]:
        """All groups by name, in the order of the topology."""
        found = {}
        for index in range(self._topology.group_cnt):
            group = self._topology.group[index]
            name = text(group.name)
            found[name] = GroupInfo(
                index=index,
                name=name,
                wait=WAITS[group.wait],
                wait_asked=WAITS[group.wait_asked],
                core=None if group.core == lib.SF_CORE_NONE else group.core,
                python=bool(group.flags & lib.SF_TILE_PYTHON),
                tiles=tuple(tile.name for tile in self.tiles.values() if tile.group == name),
            )
        return found

    @cached_property
    def link_names(self) -> tuple[str, ...]:
        """The names of all links, by index."""
        return tuple(text(self._topology.link[i].name) for i in range(self._topology.link_cnt))

    @cached_property
    def table_names(self) -> tuple[str, ...]:
        """The names of all tables, by index."""
        return tuple(text(self._topology.table[i].name) for i in range(self._topology.table_cnt))

    def params(self, tile: str) -> dict[str, str]:
        """Returns the parameters of a tile."""
        record = self._topology.tile[self.tile(tile).index]
        block = ffi.buffer(self._topology.params + record.param_off, record.param_len)[:]
        lines = (line.partition("=") for line in block.rstrip(b"\0").decode().splitlines())
        return {key: value for key, _, value in lines if key}

    def tile(self, name: str) -> TileInfo:
        """Returns a tile.  Raises KeyError."""
        return _by_name(self.tiles, "tile", name)

    def cnc(self, tile: str) -> Cnc:
        """Returns the page of a tile."""
        return Cnc(attached(lib.sf_instance_cnc(self.pointer, self.tile(tile).index)))

    def link(self, name: str) -> Link:
        """Returns a link."""
        index = check(lib.sf_topology_link_find(self._topology, name.encode()))
        return Link(self, index)

    def table(self, name: str) -> Table:
        """Returns a table."""
        index = check(lib.sf_topology_table_find(self._topology, name.encode()))
        return Table(attached(lib.sf_instance_table_at(self.pointer, index)), name)

    def map_writable(self, tile: str) -> None:
        """Maps a tile's workspace writable.  For the process that is the tile.

        Comes before anything of it is looked at through this instance, by a reader of its links too; a
        process that is several tiles maps all of them first.  Raises CoreError STATE otherwise.
        """
        box = ffi.new("sf_workspace_t **")
        check(lib.sf_instance_workspace(self.pointer, self.tile(tile).index, 1, box))


def _by_name(found: dict[str, TileInfo], what: str, name: str) -> TileInfo:
    if name not in found:
        raise KeyError(f"no {what} {name}; there are {', '.join(found)}")
    return found[name]


def _runs(flags: int) -> str:
    if flags & lib.SF_TILE_EXTERNAL:
        return "external"
    return "python" if flags & lib.SF_TILE_PYTHON else "c"
