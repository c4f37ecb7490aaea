"""Commands that need the chain of an instance: without one they say so at once."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from sniperforge import exits, lookup_command
from sniperforge.config import load, to_builtins
from sniperforge.journal import cli as journal
from sniperforge.options import config as configured


@pytest.mark.parametrize("command", ["why", "why --run 9", "list", "create"])
def test_no_chain_is_said_at_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    began = time.monotonic()
    argv = [*command.split(), "--instance", "nope", "--set", "supervisor.start_timeout_ms=60000"]
    assert (journal.main if "why" in argv else lookup_command.main)(argv) == exits.NOT_RUNNING
    assert "instance nope has no chain running" in (said := capsys.readouterr().err) and "sniperforge run" in said
    assert time.monotonic() - began < 30 and not (tmp_path / "var").exists()


def test_a_node_that_does_not_answer(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    away = ["--set", "chain.url=http://127.0.0.1:1", "--set", f"instance.state_dir={tmp_path / 'state'}"]
    assert lookup_command.main(["create", *away]) == exits.NOT_RUNNING
    assert "127.0.0.1:1" in capsys.readouterr().err


def test_lookup_tables_are_for_what_the_instance_was_started_with(tmp_path: Path) -> None:
    here = ["--set", f"instance.state_dir={tmp_path}"]
    started = load((), [f"instance.state_dir={tmp_path}", "pools.limit=2"])
    (tmp_path / "journal").mkdir()
    for run, config in ((9, load()), (10, started)):
        record = {"run": run, "time_ns": 1, "config": to_builtins(config), "tiles": {}}
        (tmp_path / f"journal/{run}.config.json").write_bytes(msgspec.json.encode(record))
    arguments = lookup_command._parser().parse_args(["create", *here])
    assert lookup_command.started(configured(arguments)).pools.limit == 2
