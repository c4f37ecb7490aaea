"""`sniperforge kill` without anything but the standard library: its offsets are those of the C layout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ipc._core import ffi, lib
from ipc.topology import Topology
from sniperforge import kill
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
        sentence, done = kill.kill(instance_name, tmp_path / "none", "halt")
        assert done and "until `sniperforge resume`" in sentence
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
    sentence, done = kill.kill(instance_name, state.path, "reduce")
    assert done and "not running" in sentence and state.killed() == 1
    sentence, done = kill.kill(instance_name, tmp_path / "other", "halt")
    assert not done and instance_name in sentence
