"""Size of /dev/shm: an instance that does not fit is refused at the start."""

from __future__ import annotations

from tuning.action import Resize
from tuning.host import Host
from tuning.stage import Stage, Verdict
from tuning.state import State

MOUNT = "/dev/shm"
ENOUGH_BYTES = 256 << 20
WANTED_BYTES = 1 << 30


def judge(host: Host, state: State) -> Verdict:
    try:
        size, free = host.size_of(MOUNT)
    except OSError as error:
        return Verdict("problem", f"{MOUNT}: {error.strerror}", f"mount it: mount -t tmpfs tmpfs {MOUNT}")
    found = f"{free >> 20} MiB free of {size >> 20} MiB"
    if free >= ENOUGH_BYTES:
        return Verdict("ok", found)
    if size >= WANTED_BYTES:
        return Verdict("problem", found, f"{MOUNT} is full: remove what is not needed, or `sniperforge clean`")
    return Verdict("problem", found, "", [Resize(MOUNT, WANTED_BYTES)])


STAGE = Stage("shm", "size of /dev/shm", judge)
