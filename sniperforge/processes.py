"""Processes of an instance: forks that die with their parent, and what `/proc` says of a process."""

from __future__ import annotations

import ctypes
import errno
import gc
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_LARGE_BYTES = 128 << 10
#: the file system is full, or not to be written to
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


def die_with_parent(parent: int) -> None:
    """Has the kernel end this process when its parent, process `parent`, ends, however it ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os._exit(1)


def set_name(name: str) -> None:
    """Names this process for `ps` and `top` (15 bytes)."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def keep_small() -> None:
    """Has what is freed go back to the system, so that a process is as large as what it holds, not as the most that it
    ever held: glibc would keep large blocks once one was freed, and for every thread apart."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def give_back() -> None:
    """Gives the system back what is not needed now: the interpreter's free lists, which only a full collection empties
    and which else grow for an hour, and what was freed between blocks of the heap that are still held. Takes a few
    milliseconds where what was there at the start is frozen (`gc.freeze`)."""
    gc.collect()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def fork(name: str, run: Callable[[], int]) -> int:
    """Forks a child that runs `run` and exits with its result; returns the child's pid.

    The child dies with this process, leaves Ctrl-C to it, and writes no core dump.
    """
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    # a SIGTERM before the child has a handler of its own must end it, not be lost in the parent's
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    pid = os.fork()
    if not pid:
        _child(name, parent, run, mask)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return pid


def _child(name: str, parent: int, run: Callable[[], int], mask: Iterable[int]) -> NoReturn:
    code = 1
    try:
        die_with_parent(parent)
        set_name(name)
        os.setpgid(0, 0)  # Ctrl-C goes to the foreground group only: the guardian stops the rest in order
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        no_core_dump()
        keep_small()
        gc.freeze()
        code = run()
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else 1
    except OSError as error:
        if error.errno in _NO_ROOM:
            where = f": {error.filename}" if error.filename else ""
            print(f"{name}: {error.strerror}{where}; free space, or name another instance.state_dir", file=sys.stderr)
        else:
            traceback.print_exc()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def no_core_dump() -> None:
    """Keeps this process and its children from writing core dumps, which would hold what it knows."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def alive(pid: int) -> bool:
    """Whether process `pid` exists and is no zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in ("Z", "X")


def proportional_bytes(pid: int, *, without: str) -> int:
    """Proportional set size of process `pid` in bytes, mappings of files below `without` left out; 0 if it is gone."""
    total_kib = 0
    counted = True
    try:
        lines = Path(f"/proc/{pid}/smaps").read_text().splitlines()
    except OSError:
        return 0
    for line in lines:
        first, _, rest = line.partition(" ")
        if not first.endswith(":"):
            counted = without not in rest
        elif first == "Pss:" and counted:
            total_kib += int(rest.split()[0])
    return total_kib * 1024
