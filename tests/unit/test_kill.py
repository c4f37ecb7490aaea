"""`sniperforge kill` without anything but the standard library: its offsets are those of the C layout."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ipc._core import ffi, lib
from ipc.topology import Topology
from sniperforge import exits, kill
from sniperforge.state import StateDirectory
from tests.graphs import created, one_link


def test_offsets_are_those_of_the_layout() -> None:
    assert kill.MAGIC == lib.SF_OBJECT_MAGIC
    assert kill.KIND_CONTROL == lib.SF_KIND_CONTROL
    assert ffi.offsetof("sf_control_t", "kill") == kill.KILL_OFFSET
    assert ffi.offsetof("sf_control_t", "kill_by") == kill.KILL_BY_OFFSET
    assert ffi.offsetof("sf_control_t", "kill_ns") == kill.KILL_NS_OFFSET
    assert kill._BY_PERSON == lib.SF_KILL_BY_PERSON
    assert kill._LEVELS == {"reduce": lib.SF_KILL_REDUCE, "halt": lib.SF_KILL_HALT}


def test_it_needs_no_extension_module() -> None:
    words = "import sys, sniperforge.kill; print([m for m in sys.modules if m.startswith(('ipc', 'zmq', 'numpy'))])"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _topology() -> Topology:
    return one_link(depth=64, slot_bytes=64)


def test_the_word_is_raised_and_never_lowered(instance_name: str, tmp_path: Path) -> None:
    with created(_topology(), instance_name) as instance:
        control = instance.directory / "control"
        assert instance.control.kill == "run"
        assert kill.raise_word(control, 1)
        assert (instance.control.kill, instance.control.kill_by) == ("reduce", "person")
        assert kill.raise_word(control, 2) and instance.control.kill == "halt"
        at = instance.control.kill_ns
        assert kill.raise_word(control, 1) and instance.control.kill == "halt"
        assert instance.control.kill_ns == at
        sentence, code = kill.kill(instance_name, tmp_path / "none", "halt")
        assert code == exits.OK and "until `sniperforge resume`" in sentence
        assert not (tmp_path / "none").exists()


def test_files_that_are_no_control_workspace_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control"
    assert not kill.raise_word(path, 2)
    for content in (b"", b"\0" * 100, b"\0" * 4096):
        path.write_bytes(content)
        assert not kill.raise_word(path, 2)
        assert path.read_bytes() == content


def test_the_mark_is_left_also_when_nothing_runs(instance_name: str, tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    sentence, code = kill.kill(instance_name, state.path, "reduce")
    assert code == exits.OK and "not running" in sentence and state.killed() == 1
    sentence, code = kill.kill(instance_name, tmp_path / "other", "halt")
    assert code == exits.NOT_RUNNING and instance_name in sentence


def test_a_disk_that_refuses_the_mark_does_not_keep_the_word_down(
    instance_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    state = StateDirectory(tmp_path / "state")
    monkeypatch.setattr(StateDirectory, "write", staticmethod(refuse))
    with created(_topology(), instance_name) as instance:
        sentence, code = kill.kill(instance_name, state.path, "halt")
        assert instance.control.kill == "halt"
        assert code == exits.FAILED and "will not outlive" in sentence


def test_a_running_engine_whose_control_page_is_gone_is_not_said_to_be_stopped(
    instance_name: str, tmp_path: Path
) -> None:
    state = StateDirectory(tmp_path / "state")
    lock = state.lock()
    try:
        sentence, code = kill.kill(instance_name, state.path, "halt")
        assert code == exits.FAILED and "is gone" in sentence and state.killed() == 2
    finally:
        os.close(lock)
