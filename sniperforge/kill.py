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

from sniperforge import exits
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


def kill(instance: str, state_dir: Path, level: str) -> tuple[str, int]:
    """Stops the trading of `instance` now and over restarts; returns a sentence and the exit code.

    The word goes up before anything that can fail, and once more behind the mark: a supervisor that restarts
    between the two finds one of them.
    """
    control = Path("/dev/shm") / f"sf-{instance}" / "control"
    now = raise_word(control, _LEVELS[level])
    known = state_dir.exists()
    lost = ""
    if known:
        try:
            StateDirectory(state_dir).set_killed(_LEVELS[level])
        except OSError as error:
            lost = f"{error}"
    now = raise_word(control, _LEVELS[level]) or now
    if now:
        word = {number: name for name, number in _LEVELS.items()}.get(now, level)
        if lost:
            return f"kill word of {instance} is {word}, but it will not outlive a restart: {lost}", exits.FAILED
        return f"kill word of {instance} is {word}; it stays so over restarts until `sniperforge resume`", exits.OK
    if not known:
        return (
            f"there is no instance {instance}, neither running nor with a state directory {state_dir}",
            exits.NOT_RUNNING,
        )
    if lost:
        return f"{instance} is not running, and no mark could be left for its next start: {lost}", exits.FAILED
    holder = StateDirectory(state_dir).holder()
    if holder:
        return (
            f"{instance} runs as process {holder}, but {control} is gone: its supervisor heeds the mark that was left "
            f"on disk; to be sure, kill -TERM {holder}"
        ), exits.FAILED
    allowed = "only exits are allowed" if level == "reduce" else "it will not trade"
    return f"{instance} is not running; {allowed} when it starts, until `sniperforge resume`", exits.OK
