"""Transparent huge pages for private memory: `always` lets the kernel stop a process to move its pages."""

from __future__ import annotations

from tuning.action import Write, chosen
from tuning.host import Host
from tuning.stage import Stage, Verdict
from tuning.state import State

PATH = "/sys/kernel/mm/transparent_hugepage/enabled"


def judge(host: Host, state: State) -> Verdict:
    found = chosen(host.read(PATH))
    if found is None:
        return Verdict("ok", "not in this kernel")
    if found in ("madvise", "never"):
        return Verdict("ok", found)
    return Verdict("advice", found, "", [Write(PATH, "madvise")])


STAGE = Stage("thp", "transparent huge pages", judge)
