"""bench engine: a whole engine on its simnet: a control request and its answer, and from `kill -9` to trading again.

    python -m bench.engine [--short] [--json]

`sniperforge run` as its own processes, with the embedded Solana, a market of 100 trades a second and the shipped
bots.

*Control*: `ping` and `status` from a client over ZeroMQ ipc, request to answer, beside a bare pyzmq REQ/REP echo
between two processes; and a whole command (`sniperforge bot arb start`), from its start to its end, beside one that
only starts and ends (`sniperforge --version`).

*Recovery*: `kill -9` at once until a run trades again, its books rebuilt from the journal and reconciled with the
chain. `engine`: every tile and the supervisor; the guardian starts them again. `everything`: guardian and simnet,
too; this process starts `run` again at once, as systemd would, and Python's start and the simnet's are in it. The
texts say how large the journal was.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import zmq

from bench.harness import cases
from bench.harness.floor import Floors
from bench.harness.hdr import Histogram
from bench.harness.program import ProgramError
from bench.harness.result import Case, Floor, Target, latency
from ipc.control import Client
from ipc.views import directory
from sniperforge.journal.reader import Reader, run_files
from tests.engine import Engine, running

TEXT = "a live engine: control round trip, kill -9 to trading"
LOAD = ("simnet.market.trades_per_second=100", "simnet.slot_ms=200", "risk.max_daily_loss_lamports=1000000000000")
TRIPS, COMMANDS, ROUNDS = 2_000, 7, 7
BETWEEN_S = 1.0
TIMEOUT_MS = 5_000


def _timed(count: int, ask: Callable[[], object]) -> Histogram:
    """Nanoseconds of each; the first tenth is warm-up."""
    times = []
    for _ in range(count):
        begin = time.perf_counter_ns()
        ask()
        times.append(time.perf_counter_ns() - begin)
    return Histogram.of(times[count // 10 :])


def _command(engine: Engine, *words: str) -> None:
    done = engine.command(*words)
    if done.returncode:
        raise ProgramError(f"bench engine: {' '.join(words)} ended with {done.returncode}: {done.stderr}")


def _echo(address: str, trips: int) -> None:
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        socket.connect(address)
        for _ in range(trips):
            socket.send(socket.recv())


def echo(trips: int, size: int) -> Histogram:
    """REQ/REP of so many bytes to another process and back."""
    with tempfile.TemporaryDirectory(prefix="sf-bench-") as scratch:
        address = f"ipc://{scratch}/echo"
        with zmq.Context() as context, context.socket(zmq.REQ) as socket:
            socket.bind(address)
            other = multiprocessing.get_context("spawn").Process(target=_echo, args=(address, trips), daemon=True)
            other.start()
            data = bytes(size)
            found = _timed(trips, lambda: (socket.send(data), socket.recv()))
            other.join(timeout=10)
    return found


def _journal(state_dir: Path, last: int) -> str:
    """How large the journal of the runs up to `last` is."""
    records = bytes_ = 0
    for run, files in run_files(state_dir / "journal").items():
        if run <= last:
            with Reader(state_dir / "journal", run) as reader:
                records += sum(len(batch) for batch in reader.batches())
                place = reader.place
            bytes_ += sum(path.stat().st_size for path in files[: place.segment]) + place.offset
    return f"{records:,} records, {bytes_ / 1e6:.1f} MB"


def _kill(engine: Engine, everything: bool) -> int:
    """Kills what is to be killed, all at once; returns the run that ended."""
    run = engine.run_number()
    pids = engine.pids()
    if everything:
        os.kill(engine.guardian, signal.SIGKILL)  # the others die with it, and are killed all the same
    else:
        pids.pop("simnet", None)
    for pid in set(pids.values()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if everything:
        engine.kill()
    return run


def recoveries(engine: Engine, rounds: int, *, everything: bool, between_s: float) -> tuple[list[float], str]:
    """Nanoseconds from each kill to a run that trades, and how large the journal was at the last of them."""
    found = []
    run = 0
    for _ in range(rounds):
        engine.await_trading()
        time.sleep(between_s)  # so that there is something to rebuild
        begin = time.perf_counter_ns()
        run = _kill(engine, everything)
        if everything:
            engine.start()
        engine.await_trading(after=run)
        found.append(float(time.perf_counter_ns() - begin))
    return found, _journal(engine.state_dir, run)


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    case = Case("engine", TEXT, __doc__ or "")
    trips, commands, rounds, between_s = (200, 1, 1, 0.0) if short else (TRIPS, COMMANDS, ROUNDS, BETWEEN_S)
    bare = latency("echo", [echo(trips, 256)], text="pyzmq REQ/REP over ipc, 256 bytes", group="control", peer=True)
    floor = Floor("echo", bare.value)
    name = f"bench{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="sf-bench-") as scratch:
        engine = Engine(name, Path(scratch) / "state", LOAD)
        with running(engine):
            with Client(directory(name), timeout_ms=TIMEOUT_MS) as client:
                ping = _timed(trips, lambda: client.ask("ping"))
                status = _timed(trips // 10, lambda: client.ask("status"))
            command = _timed(commands, lambda: _command(engine, "bot", "arb", "start"))
            start = _timed(commands, lambda: _command(engine, "--version"))
            killed, said = recoveries(engine, rounds, everything=False, between_s=between_s)
            if not short:
                gone, said_all = recoveries(engine, rounds, everything=True, between_s=between_s)
            engine.end()
    whole = Floor("start", start.percentile(50))
    case.results = [
        bare,
        latency("ping", [ping], text="request to answer, from a client", group="control", floor=floor),
        latency("status", [status], text="the whole state as JSON", group="control", floor=floor),
        latency("start", [start], text="`sniperforge --version`: Python's start and end", group="control", peer=True),
        latency(
            "command", [command], text="`sniperforge bot arb start`, the whole process", group="control", floor=whole
        ),
        latency(
            "engine",
            [Histogram.of(killed)],
            text=f"kill -9 of all tiles and the supervisor to trading; journal of {said}",
            group="recovery",
            targets=[Target("kill to trading under 1 s", most=1e9)],
        ),
    ]
    if short:
        case.skipped.append("everything: kill -9 of guardian and simnet, too, is left out of the short form")
    else:
        text = f"kill -9 of guardian and simnet, too, `run` again at once, to trading; journal of {said_all}"
        case.results.append(latency("everything", [Histogram.of(gone)], text=text, group="recovery"))
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
