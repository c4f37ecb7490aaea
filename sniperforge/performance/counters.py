"""The processor's counters of a thread (perf_event_open): counted in user mode; nothing is sampled or stopped."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from types import TracebackType

_PERF_EVENT_OPEN = 298  # x86-64
_HARDWARE, _CACHE = 0, 3
_DTLB_LOAD_MISSES = 3 | 0 << 8 | 1 << 16
_EVENTS = {
    "cycles": (_HARDWARE, 0),
    "instructions": (_HARDWARE, 1),
    "cache_misses": (_HARDWARE, 3),
    "dtlb_misses": (_CACHE, _DTLB_LOAD_MISSES),
}
_ATTRIBUTE_BYTES = 112
_EXCLUDE_KERNEL, _EXCLUDE_HYPERVISOR = 1 << 5, 1 << 6
_REASONS = {
    errno.ENOENT: "this processor shows none (a virtual machine without a performance monitor)",
    errno.EOPNOTSUPP: "this processor shows none (a virtual machine without a performance monitor)",
    errno.EACCES: "kernel.perf_event_paranoid does not allow it to this user",
    errno.EPERM: "kernel.perf_event_paranoid does not allow it to this user",
    errno.ENOSYS: "this kernel has no perf events",
}


def _open(kind: int, config: int, tid: int) -> int:
    attribute = struct.pack("=IIQ", kind, _ATTRIBUTE_BYTES, config).ljust(40, b"\0")
    attribute += struct.pack("=Q", _EXCLUDE_KERNEL | _EXCLUDE_HYPERVISOR)
    buffer = ctypes.create_string_buffer(attribute, _ATTRIBUTE_BYTES)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = int(libc.syscall(_PERF_EVENT_OPEN, buffer, tid, -1, -1, 0))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "perf_event_open")
    return fd


class Counters:
    """Counters of some threads from now on.

    Attributes:
        refused: why there are none; empty if there are.
    """

    def __init__(self, threads: dict[str, int]) -> None:
        self.refused = ""
        self._files: dict[str, dict[str, int]] = {}
        for name, tid in threads.items():
            self._files[name] = {}
            for event, (kind, config) in _EVENTS.items():
                try:
                    self._files[name][event] = _open(kind, config, tid)
                except OSError as error:
                    if error.errno != errno.ESRCH and event == "cycles":
                        self.refused = _REASONS.get(error.errno or 0, os.strerror(error.errno or 0))

    def read(self) -> dict[str, dict[str, int]]:
        """By name, what each event was counted."""
        return {
            name: {event: struct.unpack("=Q", os.read(fd, 8))[0] for event, fd in files.items()}
            for name, files in self._files.items()
        }

    def __enter__(self) -> Counters:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for files in self._files.values():
            for fd in files.values():
                os.close(fd)
        self._files.clear()
