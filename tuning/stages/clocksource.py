"""Clock source: the engine reads the TSC; the kernel's clock is its reference and must be cheap to read."""

from __future__ import annotations

from tuning.action import Write
from tuning.host import Host
from tuning.stage import Stage, Verdict
from tuning.state import State

DIRECTORY = "/sys/devices/system/clocksource/clocksource0"
CURRENT = f"{DIRECTORY}/current_clocksource"
CHEAP = ("tsc", "kvm-clock", "hyperv_clocksource_tsc_page")


def judge(host: Host, state: State) -> Verdict:
    current = host.read(CURRENT)
    if current is None:
        return Verdict("ok", "the kernel does not say")
    flags = (host.read("/proc/cpuinfo") or "").split()
    invariant = "constant_tsc" in flags and "nonstop_tsc" in flags
    found = f"{current}, TSC {'invariant' if invariant else 'not invariant: the engine asks the kernel instead'}"
    if current in CHEAP:
        return Verdict("ok", found)
    if "tsc" in (host.read(f"{DIRECTORY}/available_clocksource") or "").split():
        return Verdict("advice", found, "", [Write(CURRENT, "tsc")])
    return Verdict("advice", found, "the kernel does not trust this machine's TSC and does not offer it")


STAGE = Stage("clocksource", "clock source", judge)
