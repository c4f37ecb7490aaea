"""Forked processes of an instance."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor

from sniperforge.processes import fork, proportional_bytes


def use_and_free() -> None:
    for _ in range(4):
        b"x" * (8 << 20)


def grown_bytes() -> int:
    """By how much a forked process has grown once three of its threads have used and freed large blocks."""
    read, write = os.pipe()

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
    grown = int(os.read(read, 64))
    os.close(read)
    os.close(write)
    return grown


def test_a_forked_process_is_as_large_as_what_it_holds() -> None:
    # from an interpreter of its own: what the tests' process shares with its forks counts as theirs once others end
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
        assert fresh.submit(grown_bytes).result() < 4 << 20
