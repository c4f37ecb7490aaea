"""Forked processes of an instance."""

from __future__ import annotations

import os
import threading

from sniperforge.processes import fork, proportional_bytes


def test_a_forked_process_is_as_large_as_what_it_holds() -> None:
    read, write = os.pipe()

    def use_and_free() -> None:
        for _ in range(4):
            b"x" * (8 << 20)

    def child() -> int:
        before = proportional_bytes(os.getpid(), without="/dev/shm/")
        for _ in range(3):
            thread = threading.Thread(target=use_and_free)
            thread.start()
            thread.join()
        os.write(write, str(proportional_bytes(os.getpid(), without="/dev/shm/") - before).encode())
        return 0

    pid = fork("sf-test", child)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert int(os.read(read, 64)) < 4 << 20
    os.close(read)
    os.close(write)
