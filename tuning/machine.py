"""The map of a machine: which CPU is a thread of which core, with which L3 cache, on which NUMA node."""

from __future__ import annotations

from dataclasses import dataclass

from tuning.cpus import cpu_list
from tuning.host import CPU, Host


@dataclass(frozen=True)
class Cpu:
    """One CPU as the kernel counts them: a thread of a core."""

    cpu: int
    core: int
    """The lowest CPU of the same physical core."""
    socket: int
    node: int
    l3: int
    """The lowest CPU that shares the last cache."""


Machine = tuple[Cpu, ...]


def read_machine(host: Host) -> Machine:
    """Reads the map of the CPUs that are online from sysfs."""
    nodes: dict[int, int] = {}
    for name in host.names("/sys/devices/system/node/node[0-9]*/cpulist"):
        for cpu in cpu_list(host.read(name)):
            nodes[cpu] = int(name.split("/")[5].removeprefix("node"))
    machine = []
    for cpu in host.online():
        here = f"{CPU}/cpu{cpu}"
        socket = int(host.read(f"{here}/topology/physical_package_id") or 0)
        l3 = cpu_list(host.read(f"{here}/topology/core_siblings_list")) or host.online()
        for level in host.names(f"{here}/cache/index*/level"):
            if host.read(level) == "3":
                l3 = cpu_list(host.read(level.replace("/level", "/shared_cpu_list")))
        machine.append(Cpu(cpu, min(host.siblings(cpu)), socket, nodes.get(cpu, 0), min(l3)))
    return tuple(machine)


def parse_lscpu(text: str) -> Machine:
    """Reads what `lscpu -p` prints, of this machine or another.

    Raises ValueError if a line is not of that form.
    """
    rows = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        words = line.replace(":", ",").split(",")
        if len(words) < 5 or not all(word.isdigit() for word in (words[0], words[1])):
            raise ValueError(f"not a line of lscpu -p: {line}")
        cpu, core, socket, node = (int(word or 0) for word in words[:4])
        rows.append((cpu, (socket, core), socket, node, (socket, words[-1])))
    if not rows:
        raise ValueError("no CPU in it: give the output of lscpu -p")
    cores: dict[tuple[int, int], int] = {}
    caches: dict[tuple[int, str], int] = {}
    for cpu, core_key, _, _, l3_key in sorted(rows):
        cores.setdefault(core_key, cpu)
        caches.setdefault(l3_key, cpu)
    return tuple(Cpu(cpu, cores[core], socket, node, caches[l3]) for cpu, core, socket, node, l3 in sorted(rows))


def default_nic(host: Host) -> str | None:
    """Returns the card through which the default route leaves."""
    for line in (host.read("/proc/net/route") or "").splitlines()[1:]:
        fields = line.split()
        if fields[1] == "00000000" and fields[7] == "00000000":
            return fields[0]
    return None


def nic_node(host: Host, nic: str) -> int | None:
    """Returns the NUMA node of a card, or None if the machine does not say."""
    text = host.read(f"/sys/class/net/{nic}/device/numa_node")
    return int(text) if text is not None and int(text) >= 0 else None
