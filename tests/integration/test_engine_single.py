"""The whole engine with its C groups as threads of one process: for gdb, and under the sanitizers.

`make asan` and `make tsan` set SNIPERFORGE_GROUP_PROGRAM to a build of sf-group with that sanitizer; a report of it
ends the process with its own exit code and stands in the log, so the test fails.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.engine import Engine, running, until


def test_the_engine_trades_in_one_process(instance_name: str, tmp_path: Path) -> None:
    settings = ["topology.single=true", "supervisor.stop_timeout_ms=20000"]
    program = os.environ.get("SNIPERFORGE_GROUP_PROGRAM")
    if program:
        settings.append(f'topology.program="{Path(program).absolute()}"')
    engine = Engine(instance_name, tmp_path / "state", settings)
    with running(engine):
        engine.await_trading()
        pids = engine.pids()
        in_c = {pids[tile] for tile in ("feed", "book", "arb", "risk", "build", "sign", "send", "journal")}
        assert len(in_c) == 1
        until("orders landed", lambda: engine.orders() >= 5, 60)
        assert engine.end(timeout_s=90) == 0
    said = engine.said()
    assert "Sanitizer" not in said and "runtime error" not in said, said
    assert engine.summary()["books_equal_chain"]
