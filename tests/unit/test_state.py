"""The state directory: run numbers rise, the kill outlives restarts, one guardian at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sniperforge.state import StateDirectory, StateLocked

HOLDER = """
import os, sys, time
from pathlib import Path
from sniperforge.state import StateDirectory
StateDirectory(Path(sys.argv[1])).lock()
child = os.fork()
if child:
    print(child, flush=True)
    if sys.argv[2] == "leave":
        os._exit(0)
time.sleep(float(sys.argv[3]))
"""


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path / "a" / "state")


def test_the_directory_is_made_for_its_owner_only(state: StateDirectory) -> None:
    assert state.path.stat().st_mode & 0o777 == 0o700


def test_run_numbers_rise(state: StateDirectory) -> None:
    assert [state.next_run() for _ in range(3)] == [1, 2, 3]
    assert StateDirectory(state.path).next_run() == 4


@pytest.mark.parametrize("content", [None, "", "x", "7x"])
def test_a_lost_run_number_is_taken_from_the_journal(state: StateDirectory, content: str | None) -> None:
    state.journal_path.mkdir()
    for name in ("00000007-00000000.sfj", "00000012-00000003.sfj", "lock", "x-y.sfj"):
        (state.journal_path / name).touch()
    if content is not None:
        (state.path / "run").write_text(content)
    assert state.next_run() == 13
    assert state.next_run() == 14


def test_the_kill_stays_until_it_is_cleared(state: StateDirectory) -> None:
    assert state.killed() == 0
    state.set_killed(1)
    assert StateDirectory(state.path).killed() == 1
    state.set_killed(2)
    state.set_killed(1)
    assert state.killed() == 2
    state.clear_killed()
    state.clear_killed()
    assert state.killed() == 0


@pytest.mark.parametrize("content", [b"", b"x", b"\xff"])
def test_a_mark_that_cannot_be_read_stops_everything(state: StateDirectory, content: bytes) -> None:
    (state.path / "killed").write_bytes(content)
    assert state.killed() == 2


def test_write_replaces_in_one_step(state: StateDirectory) -> None:
    path = state.path / "file"
    state.write(path, "one")
    state.write(path, "two")
    assert path.read_text() == "two"
    assert [each.name for each in state.path.iterdir()] == ["file"]


def _holder(state: StateDirectory, what: str, seconds: float) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(state.path), what, str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_one_guardian_at_a_time(state: StateDirectory) -> None:
    process, child = _holder(state, "stay", 30.0)
    try:
        with pytest.raises(StateLocked, match=f"process {process.pid}"):
            state.lock()
    finally:
        for pid in (child, process.pid):
            os.kill(pid, 9)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    os.close(state.lock())
    os.close(state.lock())


def test_children_of_a_dead_guardian_are_waited_for(state: StateDirectory) -> None:
    process, _ = _holder(state, "leave", 0.5)
    process.wait()
    os.close(state.lock())
    assert process.stdout is not None
    process.stdout.close()
