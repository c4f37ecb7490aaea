"""What is known of a live instance's performance: plain data, as `--json` prints it and the rules read it.

Times are nanoseconds, sizes bytes. What rises (counts, times, histograms) is that of `seconds` only.
"""

from __future__ import annotations

import msgspec

from ipc.histogram import Histogram

#: tiles in the order in which an order passes them
PATH = ("feed", "book", "arb", "strategies", "risk", "build", "sign", "send")


class Spread(msgspec.Struct, frozen=True):
    """A distribution of durations."""

    count: int = 0
    mean_ns: float = 0.0
    p50_ns: int = 0
    p90_ns: int = 0
    p99_ns: int = 0
    p999_ns: int = 0
    max_ns: int = 0

    @classmethod
    def of(cls, histogram: Histogram) -> Spread:
        p50, p90, p99, p999 = (histogram.quantile(share) for share in (0.5, 0.9, 0.99, 0.999))
        return cls(histogram.count, histogram.mean, p50, p90, p99, p999, histogram.max)


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    kind: str
    group: str
    messages_in: int
    messages_out: int
    turns: int
    busy_turns: int
    parks: int
    backpressure_turns: int
    overrun_messages: int
    turn: Spread
    """Turns that had work (of those of tiles in C one in sixteen)."""
    residual_ns: float
    """What is left of a busy turn on average when a message comes in the middle of it."""
    wait: Spread
    """From the publication of a turn's first message to this tile beginning with it."""
    stage: Spread
    """From a message's publication to this tile being done with it."""
    origin: Spread
    """From the outside bytes that caused it to what this tile published."""
    counters: dict[str, int]
    """The tile's own; gauges are as they stand."""

    @property
    def busy_ns(self) -> float:
        return self.busy_turns * self.turn.mean_ns


class Group(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    wait: str
    wait_asked: str
    core: int | None
    node: int | None
    """NUMA node of the core; None if it is pinned to none."""
    pid: int
    tid: int
    tiles: tuple[str, ...]
    turn: Spread
    busy_ns: float
    """In turns that had work."""
    cpu_ns: int
    """On a core, as the kernel counts."""
    run_delay_ns: int
    """Ready to run, but not on a core."""
    voluntary_switches: int
    involuntary_switches: int
    migrations: int
    minor_faults: int
    major_faults: int
    counters: dict[str, int]
    """The processor's own (cycles, instructions, cache_misses, dtlb_misses) in user mode; empty if the kernel allows
    none (`Host.counters_refused`)."""


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    consumer: str
    reliable: bool
    most_lag: int
    """Messages it was behind at most, of some samples."""
    lost: int


class Link(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    producer: str
    depth: int
    slot_bytes: int
    published: int
    stalls: int
    """Turns in which the producer had no credit."""
    edges: tuple[Edge, ...]

    @property
    def ring_bytes(self) -> int:
        return self.depth * self.slot_bytes


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    writer: str
    bytes: int
    huge_bytes: int
    """Mapped by huge pages in its writer."""
    locked: bool
    nodes: dict[str, int]
    """Pages by NUMA node."""
    wanted_node: int | None
    """Where its readers are; None if they are pinned nowhere."""
    numa_policy: str


class Process(msgspec.Struct, frozen=True, kw_only=True):
    pid: int
    tiles: tuple[str, ...]
    private_bytes: int
    """Proportional, workspaces left out."""
    shared_bytes: int
    """Its part of the workspaces, by the kernel's proportional count."""
    anonymous_huge_bytes: int


class Host(msgspec.Struct, frozen=True, kw_only=True):
    cores: int
    l1_bytes: int
    l2_bytes: int
    l3_bytes: int
    tlb_pages: int
    """Entries of the data TLB for 4 KiB pages as /proc/cpuinfo says; 0 if it does not."""
    shmem_huge: str
    """What /sys/kernel/mm/transparent_hugepage/shmem_enabled says."""
    node_distances: tuple[tuple[int, ...], ...]
    counters_refused: str
    """Why the processor's counters cannot be read; empty if they can."""
    advice: tuple[tuple[str, str, str], ...]
    """Stages of the host that are not as they should be: stage, what was found, the fix."""


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine takes, measured now, in private memory."""

    small_line_ns: float
    """A random cache line among `bytes`, on ordinary pages."""
    huge_line_ns: float
    """The same on huge pages."""
    fault_ns: float
    """A minor page fault."""
    bytes: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    instance: str
    run: int
    seconds: float
    """The time that everything that rises belongs to."""
    whole_run: bool
    huge_pages: bool
    before_send: bool
    ladder: str
    """Whether likely transactions are signed ahead of the order: on, off, or absent from this build."""
    host: Host
    groups: tuple[Group, ...]
    tiles: tuple[Tile, ...]
    links: tuple[Link, ...]
    workspaces: tuple[Workspace, ...]
    processes: tuple[Process, ...]
    probe: Probe | None = None

    def tile(self, name: str) -> Tile:
        """A tile by name.

        Raises:
            KeyError: there is none.
        """
        for tile in self.tiles:
            if tile.name == name:
                return tile
        raise KeyError(name)

    def group_of(self, tile: str) -> Group | None:
        """The group that runs a tile; None for an external one."""
        return next((group for group in self.groups if tile in group.tiles), None)

    def rings_of(self, group: Group) -> int:
        """Bytes of the rings that a group goes round in: those it reads and those it writes."""
        return sum(
            link.ring_bytes
            for link in self.links
            if link.producer in group.tiles or any(edge.consumer in group.tiles for edge in link.edges)
        )
