"""The guardian: starts again what dies, backs off, ends on a final exit, and stops in reverse order."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from sniperforge import exits, guardian
from sniperforge.config import SupervisorConfig, load
from sniperforge.guardian import Guardian
from sniperforge.processes import alive, fork

CONFIG = msgspec.structs.replace(load().supervisor, backoff_min_ms=10, backoff_max_ms=80, stop_timeout_ms=20_000)


def _guard(
    tmp_path: Path,
    arrange: Callable[[Guardian], None],
    duration_s: float | None,
    *,
    config: SupervisorConfig = CONFIG,
    stop_after: str = "",
) -> tuple[int, str]:
    """Runs a guardian in a process of its own, stopped once it has said `stop_after`; its exit code and all it said.

    A SIGTERM waits until a child has a handler of its own, however slow the machine is.
    """
    log = tmp_path / "said"

    def run() -> int:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

        def say(text: str) -> None:
            with log.open("a") as file:
                file.write(text + "\n")

        guardian = Guardian(config, say)
        arrange(guardian)
        return guardian.run(duration_s)

    pid = fork("test-guardian", run)
    if stop_after:
        deadline = time.monotonic() + 30
        while not (log.exists() and stop_after in log.read_text()) and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(pid, signal.SIGHUP)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), log.read_text() if log.exists() else ""


def _until_term(code: int, note: Path, name: str) -> int:
    def leave(number: int, frame: object) -> None:
        with note.open("a") as file:
            file.write(f"{name}\n")
        os._exit(code)

    signal.signal(signal.SIGTERM, leave)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    time.sleep(60)
    return 1


def test_stops_in_reverse_order_after_its_time(tmp_path: Path) -> None:
    note = tmp_path / "note"

    def arrange(guardian: Guardian) -> None:
        guardian.add("one", lambda _: _until_term(0, note, "one"))
        guardian.add("two", lambda _: _until_term(0, note, "two"))

    code, _ = _guard(tmp_path, arrange, 0.1)
    assert code == exits.OK
    assert note.read_text().split() == ["two", "one"]


def test_the_code_of_a_child_that_was_stopped_is_that_of_the_run(tmp_path: Path) -> None:
    for child_code, code in ((exits.DIFFERENT, exits.DIFFERENT), (exits.RESTART, exits.FAILED)):
        note = tmp_path / f"note{child_code}"
        found, _ = _guard(
            tmp_path, lambda g, c=child_code, n=note: g.add("one", lambda _: _until_term(c, n, "one")), 0.1
        )
        assert found == code


def test_a_child_that_is_down_at_the_end_fails_the_run(tmp_path: Path) -> None:
    def run(_: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    again = "child ended with code 1; starting it again in 10 ms"
    code, said = _guard(tmp_path, lambda g: g.add("child", run), None, stop_after=again)
    assert code == exits.FAILED
    assert again in said


def test_restarts_with_back_off_and_counts_the_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guardian, "_PROVEN_S", 60.0)  # no child here is proven because it stood still
    note = tmp_path / "note"

    def run(start: int) -> int:
        with note.open("a") as file:
            file.write(f"{start} {time.monotonic()}\n")
        return exits.RESTART if start < 6 else exits.USAGE

    code, said = _guard(tmp_path, lambda g: g.add("child", run, frozenset({exits.USAGE})), 60.0)
    assert code == exits.USAGE
    starts = [line.split() for line in note.read_text().splitlines()]
    assert [int(start) for start, _ in starts] == [1, 2, 3, 4, 5, 6]
    assert [line.rpartition(" in ")[2] for line in said.splitlines()] == ["10 ms", "20 ms", "40 ms", "80 ms", "80 ms"]
    times = [float(at) for _, at in starts]
    assert times[-1] - times[0] >= 0.23


def test_a_killed_child_is_started_again_and_said_so(tmp_path: Path) -> None:
    def run(start: int) -> int:
        if start == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return exits.OK

    code, said = _guard(tmp_path, lambda g: g.add("child", run, frozenset({exits.OK})), 60.0)
    assert code == exits.OK
    assert "child was killed by signal 9; starting it again in 10 ms" in said


@pytest.mark.timeout(60)
def test_a_child_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    def run(_: int) -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
        return 0

    hasty = msgspec.structs.replace(CONFIG, stop_timeout_ms=100)
    code, said = _guard(tmp_path, lambda g: g.add("deaf", run), 0.1, config=hasty)
    assert code == exits.FAILED
    assert "deaf did not stop in time; killing it" in said


ORPHANS = """
import os, sys, time
from sniperforge.processes import fork
print(fork("child", lambda: time.sleep(60) or 0), flush=True)
time.sleep(60)
"""


def test_children_die_with_their_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", ORPHANS], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
        parent.wait()
        deadline = time.monotonic() + 30
        while alive(child):
            assert time.monotonic() < deadline
            time.sleep(0.005)
