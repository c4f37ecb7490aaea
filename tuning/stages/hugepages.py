"""Huge pages for the workspaces in /dev/shm: fewer TLB misses on large links; never a precondition."""

from __future__ import annotations

from tuning.action import Write, chosen
from tuning.host import Host
from tuning.stage import Stage, Verdict
from tuning.state import State

PATH = "/sys/kernel/mm/transparent_hugepage/shmem_enabled"


def judge(host: Host, state: State) -> Verdict:
    found = chosen(host.read(PATH))
    if found is None:
        return Verdict("ok", "not in this kernel: workspaces use 4 KiB pages")
    if found in ("advise", "within_size", "always", "force"):
        return Verdict("ok", f"{found}: workspaces that ask for them get them")
    return Verdict("advice", f"{found}: workspaces use 4 KiB pages", "", [Write(PATH, "advise")])


STAGE = Stage("hugepages", "huge pages for shared memory", judge)
