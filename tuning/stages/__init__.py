"""All stages, in the order in which they are shown and applied; undone in the opposite one."""

from __future__ import annotations

from tuning.host import Host
from tuning.stage import Finding, Stage
from tuning.stages import autogroup, clocksource, cores, cstates, governor, hugepages, memlock, realtime, shm, thp
from tuning.state import State

STAGES: tuple[Stage, ...] = (
    cores.STAGE,
    governor.STAGE,
    cstates.STAGE,
    thp.STAGE,
    hugepages.STAGE,
    memlock.STAGE,
    clocksource.STAGE,
    shm.STAGE,
    realtime.STAGE,
    autogroup.STAGE,
)


def check_all(host: Host | None = None) -> list[Finding]:
    """Returns what each stage finds.  Needs no root and changes nothing."""
    host = host or Host()
    state = State(host)
    return [stage.check(host, state) for stage in STAGES]
