"""Memory lock limit: workspaces and the signer's key are locked so that they are never paged out."""

from __future__ import annotations

import os
import resource

from tuning.action import Put
from tuning.host import Host
from tuning.stage import Stage, Verdict
from tuning.state import State

PATH = "/etc/security/limits.d/50-sniperforge.conf"
TEXT = "# put here by `python3 -m tuning apply memlock`\n* - memlock unlimited\nroot - memlock unlimited\n"
ENOUGH_BYTES = 512 << 20
CAP_IPC_LOCK = 14


def may_lock_all(host: Host) -> bool:
    """Says whether this process is above the limit (CAP_IPC_LOCK)."""
    for line in (host.read("/proc/self/status") or "").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> CAP_IPC_LOCK & 1)
    return os.geteuid() == 0


def judge(host: Host, state: State) -> Verdict:
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    text = "unlimited" if limit == resource.RLIM_INFINITY else f"{limit >> 10} KiB"
    if limit == resource.RLIM_INFINITY or limit >= ENOUGH_BYTES:
        return Verdict("ok", text)
    if may_lock_all(host):
        return Verdict("ok", f"{text}, but this user may lock beyond it")
    if host.read(PATH) == TEXT.strip():
        return Verdict("problem", text, "the new limit counts from the next login: log in again")
    return Verdict("problem", text, "then log in again", [Put(PATH, TEXT)])


STAGE = Stage("memlock", "memory lock limit", judge)
