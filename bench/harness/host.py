"""Facts about the machine that decide whether two reports can be compared."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import psutil

COMPARED = ("cpu", "cores", "virtual", "governor", "isolated", "mitigations", "smt")
"""Facts that must be the same in two reports that are compared."""


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _chosen(path: str) -> str:
    """What stands in brackets: always [madvise] never."""
    found = re.search(r"\[(\S+)\]", _read(path))
    return found[1] if found else "unknown"


def _cpu() -> str:
    return next(
        (line.partition(": ")[2] for line in _read("/proc/cpuinfo").splitlines() if line.startswith("model name")),
        platform.machine(),
    )


def _virtual() -> str:
    """The hypervisor's name where it is told, `yes` where there is one, `no` on bare metal."""
    flags = next((line for line in _read("/proc/cpuinfo").splitlines() if line.startswith("flags")), "")
    if " hypervisor" not in flags:
        return "no"
    return _read("/sys/hypervisor/type") or _read("/sys/class/dmi/id/sys_vendor") or "yes"


def _idle_states() -> str:
    states = sorted(Path("/sys/devices/system/cpu/cpu0/cpuidle").glob("state*/name"))
    return " ".join(_read(str(state)) for state in states) or "none"


def _mitigations() -> str:
    """`off` if none is on, otherwise the names of vulnerabilities that are mitigated."""
    found = sorted(Path("/sys/devices/system/cpu/vulnerabilities").glob("*"))
    return " ".join(each.name for each in found if _read(str(each)).startswith("Mitigation")) or "off"


def facts() -> dict[str, str]:
    """The machine as it is now."""
    usable = sorted(os.sched_getaffinity(0))
    return {
        "cpu": _cpu(),
        "cores": str(len(usable)),
        "caches": _shared_caches(usable),
        "memory_gib": f"{psutil.virtual_memory().total / 2**30:.0f}",
        "kernel": platform.release(),
        "virtual": _virtual(),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "none",
        "idle_states": _idle_states(),
        "isolated": _read("/sys/devices/system/cpu/isolated") or "none",
        "nohz_full": _read("/sys/devices/system/cpu/nohz_full").replace("(null)", "") or "none",
        "smt": _read("/sys/devices/system/cpu/smt/control") or "unknown",
        "clocksource": _read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "transparent_huge_pages": _chosen("/sys/kernel/mm/transparent_hugepage/enabled"),
        "huge_pages": _read("/proc/sys/vm/nr_hugepages") or "0",
        "numa_balancing": _read("/proc/sys/kernel/numa_balancing") or "none",
        "mitigations": _mitigations(),
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def _shared_caches(cores: list[int]) -> str:
    """Whether the first and the last core share their last-level cache."""
    shared = {_read(f"/sys/devices/system/cpu/cpu{core}/cache/index3/shared_cpu_list") for core in cores}
    if shared == {""}:
        return "unknown"
    return "one L3" if len(shared) == 1 else f"{len(shared)} L3s"


def differences(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Why two reports cannot be compared; empty if they can."""
    return [
        f"{fact}: {one.get(fact, 'unknown')} and {other.get(fact, 'unknown')}"
        for fact in COMPARED
        if one.get(fact) != other.get(fact)
    ]
