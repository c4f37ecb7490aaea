"""`sniperforge kill`: the kill word, written straight into shared memory.

Four bytes' worth of work, with nothing but the standard library: no C extension, no ZeroMQ, no supervisor has to
be alive for it. The offsets are those of `ipc/include/sf_control.h`; a test holds them against the C layout.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path

from sniperforge.state import StateDirectory

MAGIC = 0x53464F424A454354
KIND_CONTROL = 2
KILL_OFFSET = 128
KILL_BY_OFFSET = 136
KILL_NS_OFFSET = 144
_LEVELS = {"reduce": 1, "halt": 2}
_BY_PERSON = 1


def raise_word(control: Path, level: int) -> bool:
    """Raises the kill word in a control workspace to at least `level`; returns False if it is no control workspace.

    A store of an aligned 8-byte word is one instruction; the word is only ever raised here.
    """
    try:
        fd = os.open(control, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if os.fstat(fd).st_size < KILL_NS_OFFSET + 8:
            return False
        with mmap.mmap(fd, 0) as memory:
            magic, kind = struct.unpack_from("<QI", memory, 0)
            if magic != MAGIC or kind != KIND_CONTROL:
                return False
            words = memoryview(memory).cast("Q")
            try:
                if words[KILL_OFFSET // 8] < level:
                    words[KILL_OFFSET // 8] = level
                    words[KILL_BY_OFFSET // 8] = _BY_PERSON
                    words[KILL_NS_OFFSET // 8] = time.monotonic_ns()
            finally:
                words.release()
        return True
    finally:
        os.close(fd)


def kill(instance: str, state_dir: Path, level: str) -> tuple[str, bool]:
    """Stops the trading of `instance` now and over restarts; returns a sentence and whether it was done.

    The mark on disk comes first: a supervisor that restarts between the two still finds it.
    """
    known = state_dir.exists()
    if known:
        StateDirectory(state_dir).set_killed(_LEVELS[level])
    raised = raise_word(Path("/dev/shm") / f"sf-{instance}" / "control", _LEVELS[level])
    if raised:
        return f"kill word of {instance} is {level}; it stays so over restarts until `sniperforge resume`", True
    if known:
        return f"{instance} is not running; it will not trade when it starts, until `sniperforge resume`", True
    return f"there is no instance {instance}, neither running nor with a state directory {state_dir}", False
