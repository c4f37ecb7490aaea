"""Cores and isolation: a spinning group wants a core that nothing else is scheduled on."""

from __future__ import annotations

from tuning.host import Host
from tuning.stage import Stage, Verdict
from tuning.state import State

CPU = "/sys/devices/system/cpu"
ENOUGH_TO_ISOLATE = 4
"""Below this, taking a core away from the rest of the system costs more than it brings."""


def cpu_list(text: str | None) -> list[int]:
    """Reads the kernel's list format: `0-3,8` is 0, 1, 2, 3, 8."""
    cpus: list[int] = []
    for part in (text or "").split(","):
        first, _, last = part.strip().partition("-")
        if first.isdigit():
            cpus.extend(range(int(first), int(last or first) + 1))
    return cpus


def judge(host: Host, state: State) -> Verdict:
    online = cpu_list(host.read(f"{CPU}/online"))
    isolated = cpu_list(host.read(f"{CPU}/isolated"))
    siblings = {host.read(f"{CPU}/cpu{cpu}/topology/thread_siblings_list") or str(cpu) for cpu in online}
    found = f"{len(online)} online on {len(siblings)} physical, {len(isolated)} isolated"
    if len(online) < 2:
        return Verdict(
            "problem",
            found,
            "a spinning group and Python cannot share one core: give the machine two, or set every group to park",
        )
    if isolated or len(online) < ENOUGH_TO_ISOLATE:
        return Verdict("ok", found)
    cores = f"{online[1]}-{online[-2]}"
    return Verdict(
        "advice",
        found,
        "isolation is decided at boot: add "
        f"`isolcpus=managed_irq,domain,{cores} nohz_full={cores} rcu_nocbs={cores}` to the kernel command line",
    )


STAGE = Stage("cores", "cores and isolation", judge)
