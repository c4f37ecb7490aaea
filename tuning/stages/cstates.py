"""C-states: waking a parked group from a deep sleep state takes longer than everything it does then."""

from __future__ import annotations

from tuning.action import Hold
from tuning.host import Host
from tuning.stage import Stage, Verdict
from tuning.state import State

DEVICE = "/dev/cpu_dma_latency"
CPUIDLE = "/sys/devices/system/cpu/cpuidle"


def judge(host: Host, state: State) -> Verdict:
    driver = host.read(f"{CPUIDLE}/current_driver") or "none"
    for change in state.of("cstates"):
        if change.in_force(host) and Hold.held(host, change.found):
            return Verdict("ok", f"idle driver {driver}; {DEVICE} is held at 0 by process {change.found}")
    if not host.exists(DEVICE):
        return Verdict("advice", f"idle driver {driver}", f"this kernel has no {DEVICE}; boot with idle=poll")
    return Verdict(
        "advice",
        f"idle driver {driver}; nobody of ours holds {DEVICE}, so a parked group wakes late",
        "",
        [Hold(DEVICE)],
    )


STAGE = Stage("cstates", "C-states (cpu_dma_latency)", judge)
