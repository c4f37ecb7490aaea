"""Frequency governor: a core that sleeps its clock down answers the first message late."""

from __future__ import annotations

from tuning.action import Action, Write
from tuning.host import Host
from tuning.stage import Stage, Verdict
from tuning.state import State

WANTED = "performance"


def judge(host: Host, state: State) -> Verdict:
    files = host.names("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")
    if not files:
        return Verdict("ok", "the kernel does not set the frequency here (virtual machine or fixed clock)")
    governors = {file: host.read(file) or "unknown" for file in files}
    found = ", ".join(sorted(set(governors.values())))
    wrong = [file for file, governor in governors.items() if governor != WANTED]
    if not wrong:
        return Verdict("ok", found)
    offered = (host.read(wrong[0].replace("scaling_governor", "scaling_available_governors")) or WANTED).split()
    if WANTED not in offered:
        return Verdict("advice", found, f"the driver offers only {' '.join(offered)}: set it in the firmware")
    actions: list[Action] = [Write(file, WANTED) for file in wrong]
    return Verdict("advice", f"{found} on {len(wrong)} of {len(files)} cores", "", actions)


STAGE = Stage("governor", "frequency governor", judge)
