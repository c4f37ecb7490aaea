"""What the kernel says of a process that it does not feel: threads, mappings, NUMA nodes. All from /proc and /sys."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
CPU0 = Path("/sys/devices/system/cpu/cpu0")
NODES = Path("/sys/devices/system/node")
SHMEM = Path("/sys/kernel/mm/transparent_hugepage/shmem_enabled")


def text(path: Path) -> str:
    """What stands in a file of the kernel; empty if it cannot be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


@dataclass(frozen=True)
class Thread:
    """What a thread has done since it began."""

    cpu_ns: int = 0
    run_delay_ns: int = 0
    voluntary_switches: int = 0
    involuntary_switches: int = 0
    migrations: int = 0
    minor_faults: int = 0
    major_faults: int = 0

    def since(self, before: Thread) -> Thread:
        return Thread(*(getattr(self, name) - getattr(before, name) for name in self.__dataclass_fields__))


def thread(pid: int, tid: int) -> Thread:
    """The counts of a thread; zeros if it is gone."""
    task = PROC / str(pid) / "task" / str(tid)
    schedstat = text(task / "schedstat").split()
    stat = text(task / "stat").rpartition(")")[2].split()
    status = dict(line.split(":", 1) for line in text(task / "status").splitlines() if ":" in line)
    moved = re.search(r"se\.nr_migrations\s*:\s*(\d+)", text(task / "sched"))
    if len(schedstat) < 2 or len(stat) < 10:
        return Thread()
    return Thread(
        cpu_ns=int(schedstat[0]),
        run_delay_ns=int(schedstat[1]),
        voluntary_switches=int(status.get("voluntary_ctxt_switches", "0")),
        involuntary_switches=int(status.get("nonvoluntary_ctxt_switches", "0")),
        migrations=int(moved[1]) if moved else 0,
        minor_faults=int(stat[7]),
        major_faults=int(stat[9]),
    )


_FIELDS = {
    "Rss": "rss",
    "Pss": "pss",
    "ShmemPmdMapped": "huge",
    "AnonHugePages": "anonymous_huge",
    "Locked": "locked",
}


@dataclass
class Mapping:
    """A mapped file, or all that is no file of interest (`path` empty); sizes in bytes."""

    path: str
    rss: int = 0
    pss: int = 0
    huge: int = 0
    anonymous_huge: int = 0
    locked: int = 0

    def add(self, key: str, kib: int) -> None:
        name = _FIELDS.get(key)
        if name:
            setattr(self, name, getattr(self, name) + kib * 1024)


def mappings(pid: int, below: str) -> dict[str, Mapping]:
    """The mappings of process `pid` by path for files below a directory, all others together under the empty path."""
    found: dict[str, Mapping] = {}
    now = found.setdefault("", Mapping(""))
    for line in text(PROC / str(pid) / "smaps").splitlines():
        key, _, rest = line.partition(":")
        words = rest.split()
        if len(words) == 2 and words[1] == "kB":
            now.add(key, int(words[0]))
        elif " " in key:  # 7f49ef3e4000-7f49f081d000 rw-s 00000000 00:1b 154905   /dev/shm/...
            fields = line.split(maxsplit=5)
            path = fields[5] if len(fields) > 5 and fields[5].startswith(below + "/") else ""
            now = found.setdefault(path, Mapping(path))
    return found


@dataclass(frozen=True)
class Placed:
    """Where the pages of a file lie."""

    policy: str = ""
    nodes: dict[str, int] = field(default_factory=dict)
    """Pages by node."""


def placed(pid: int, below: str) -> dict[str, Placed]:
    """NUMA policy and nodes of the files below a directory that process `pid` has mapped; empty without NUMA."""
    found = {}
    for line in text(PROC / str(pid) / "numa_maps").splitlines():
        words = line.split()
        path = next((word.removeprefix("file=") for word in words if word.startswith("file=")), "")
        if path.startswith(below + "/"):
            pages = (re.fullmatch(r"(N\d+)=(\d+)", word) for word in words)
            found[path] = Placed(words[1], {match[1]: int(match[2]) for match in pages if match})
    return found


def caches() -> dict[str, int]:
    """Bytes of the caches of the first core: l1 (data), l2, l3; 0 where it has none."""
    found = {"l1": 0, "l2": 0, "l3": 0}
    for index in sorted(CPU0.glob("cache/index*")):
        if text(index / "type") != "Instruction":
            size = re.match(r"(\d+)([KM]?)", text(index / "size"))
            if size:
                found[f"l{text(index / 'level')}"] = int(size[1]) << {"": 0, "K": 10, "M": 20}[size[2]]
    return found


def tlb_pages() -> int:
    """Entries of the data TLB for 4 KiB pages; 0 if the kernel does not say."""
    found = re.search(r"^TLB size\s*: (\d+) 4K pages", text(PROC / "cpuinfo"), re.MULTILINE)
    return int(found[1]) if found else 0


def shmem_huge() -> str:
    """Who gets huge pages in /dev/shm: always, within_size, advise, never, deny, force; `absent` if there are none."""
    found = re.search(r"\[(\S+)\]", text(SHMEM))
    return found[1] if found else "absent"


def node_distances() -> tuple[tuple[int, ...], ...]:
    """The kernel's table of distances between NUMA nodes, 10 = the same."""
    rows = (text(path) for path in _in_order(NODES.glob("node[0-9]*/distance")))
    return tuple(tuple(int(word) for word in row.split()) for row in rows if row) or ((10,),)


def usable_cores() -> set[int]:
    """The cores that this process may use."""
    return os.sched_getaffinity(0)


def node_of(core: int) -> int:
    """The NUMA node of a core."""
    for path in _in_order((CPU0.parent / f"cpu{core}").glob("node[0-9]*")):
        return int(path.name.removeprefix("node"))
    return 0


def _in_order(paths: Iterator[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: [int(digits) for digits in re.findall(r"\d+", str(path))])
