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


def raise_word(control: Path, level: int) -> int:
    """Raises the kill word in a control workspace to at least `level`; returns it, 0 if that is no control workspace.

    A store of an aligned 8-byte word is one instruction; the word is only ever raised here.
    """
    try:
        fd = os.open(control, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        if os.fstat(fd).st_size < KILL_NS_OFFSET + 8:
            return 0
        with mmap.mmap(fd, 0) as memory:
            magic, kind = struct.unpack_from("<QI", memory, 0)
            if magic != MAGIC or kind != KIND_CONTROL:
                return 0
            words = memoryview(memory).cast("Q")
            try:
                if words[KILL_OFFSET // 8] < level:
                    words[KILL_OFFSET // 8] = level
                    words[KILL_BY_OFFSET // 8] = _BY_PERSON
                    words[KILL_NS_OFFSET // 8] = time.monotonic_ns()
                now = int(words[KILL_OFFSET // 8])
            finally:
                words.release()
        return now
    finally:
        os.close(fd)


def kill(instance: str, state_dir: Path, level: str) -> tuple[str, bool]:
    """Stops the trading of `instance` now and over restarts; returns a sentence and whether it was done.

    The mark on disk comes first: a supervisor that restarts between the two still finds it.
    """
    known = state_dir.exists()
    if known:
        StateDirectory(state_dir).set_killed(_LEVELS[level])
    now = raise_word(Path("/dev/shm") / f"sf-{instance}" / "control", _LEVELS[level])
    if now:
        word = {number: name for name, number in _LEVELS.items()}.get(now, level)
        return f"kill word of {instance} is {word}; it stays so over restarts until `sniperforge resume`", True
    if known:
        allowed = "only exits are allowed" if level == "reduce" else "it will not trade"
        return f"{instance} is not running; {allowed} when it starts, until `sniperforge resume`", True
    return f"there is no instance {instance}, neither running nor with a state directory {state_dir}", False
