"""Session groups of the scheduler: a spinning group shares its core by session, and some kernels starve it then.

Seen on Linux 6.18: the virtual time of another session's group did not advance while that ran, and a pinned spinner
was runnable for 20 s without its core. Without session groups it gets its share of every few milliseconds.
"""

from __future__ import annotations

from tuning.action import Write
from tuning.host import Host
from tuning.stage import Stage, Verdict
from tuning.state import State

PATH = "/proc/sys/kernel/sched_autogroup_enabled"


def judge(host: Host, state: State) -> Verdict:
    found = host.read(PATH)
    if found is None:
        return Verdict("ok", "not in this kernel")
    if found == "0":
        return Verdict("ok", "off")
    return Verdict("advice", "on: load of another session can starve a spinning group", "", [Write(PATH, "0")])


STAGE = Stage("autogroup", "session groups of the scheduler", judge)
