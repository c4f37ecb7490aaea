"""Left alone: no restart, no growth of descriptors or memory, books equal at the end.

`make stress` runs it for five minutes; SNIPERFORGE_MINUTES sets another time, without it a short form runs.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from sniperforge import exits
from sniperforge.processes import proportional_bytes
from tests.engine import Engine, running, until

SHORT_MINUTES = 0.5
WARM_UP_SHARE = 0.3
"""Share of the time after which growth counts: links and caches have been filled by then."""
MOST_GROWTH_BYTES = 6 << 20


def _sizes(engine: Engine) -> dict[str, tuple[int, int]]:
    """Descriptors and proportional bytes of each process, by the tiles in it."""
    processes: dict[int, str] = {engine.guardian: "guardian"}
    for name, pid in engine.pids().items():
        processes[pid] = f"{processes[pid]},{name}" if pid in processes else name
    return {
        names: (len(os.listdir(f"/proc/{pid}/fd")), proportional_bytes(pid, without="/dev/shm/"))
        for pid, names in processes.items()
    }


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_left_alone(instance_name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    minutes = float(os.environ.get("SNIPERFORGE_MINUTES", SHORT_MINUTES))
    engine = Engine(instance_name, tmp_path / "state", ["risk.max_daily_loss_lamports=1000000000000"])
    with running(engine, "--json"):
        run = engine.run_number()
        begun = time.monotonic()
        time.sleep(minutes * 60 * WARM_UP_SHARE)  # what is tested is time going by
        early = _sizes(engine)
        step = min(5.0, minutes * 6)
        while time.monotonic() - begun < minutes * 60 - 3 - step:
            time.sleep(step)
            assert engine.trading() == run, engine.said()
        late = _sizes(engine)
        assert engine.end() == exits.OK, engine.said()
        assert engine.process is not None and engine.process.stdout is not None
        out = engine.process.stdout.read()
    summary = json.loads(out)
    lines = [f"{'process':<48}{'descriptors':>14}{'MB':>16}"]
    for names, (descriptors, size) in late.items():
        before = early[names]
        lines.append(f"{names[:46]:<48}{before[0]:>7} ->{descriptors:>4}{before[1] / 1e6:>8.1f} ->{size / 1e6:>6.1f}")
    with capsys.disabled():
        print("\n" + "\n".join(lines))
        print(f"{summary['fills']} orders resolved in {summary['uptime_s']:.0f} s, run {summary['run']}")
    assert summary["run"] == run and summary["books_equal_chain"] and summary["fills"] > 0
    assert early.keys() == late.keys()
    for names, (descriptors, size) in late.items():
        assert descriptors <= early[names][0] + 2, f"{names}: {early[names][0]} -> {descriptors} descriptors"
        assert size < early[names][1] + MOST_GROWTH_BYTES or names == "simnet", f"{names}: {early[names]} -> {size}"
    until("nothing to be left", lambda: not engine.left_behind(), 30.0)
