"""All stages, in the order in which they are shown and applied; undone in the opposite one."""

from __future__ import annotations

from tuning.host import Host
from tuning.stage import Finding, Setup, Stage
from tuning.stages import clock, cores, memory, network, power, scheduler
from tuning.state import Goal

STAGES: tuple[Stage, ...] = (
    *cores.STAGES,
    *power.STAGES,
    *memory.STAGES,
    *clock.STAGES,
    *scheduler.STAGES,
    *network.STAGES,
)


def check_all(host: Host | None = None, goal: Goal | None = None) -> list[Finding]:
    """Returns what each stage finds.  Needs no root and changes nothing."""
    setup = Setup(host or Host(), goal)
    return [stage.check(setup) for stage in STAGES]
