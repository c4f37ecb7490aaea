"""A whole engine as its own processes, for tests: started by the command line, watched through shared memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from ipc.errors import CoreError
from ipc.views import Instance, directory, owner, remove
from sniperforge import chain
from sniperforge.processes import alive, die_with_parent

REPO = Path(__file__).resolve().parents[1]
CLI = (sys.executable, "-m", "sniperforge.cli")
#: commands that the supervisor answers
ASKING = ("halt", "resume", "stop", "limit", "bot")

#: A busy host must not look dead, ports must not clash, and two engines must not spin on one core.
QUIET = (
    "simnet.rpc_port=0",
    "topology.groups.hot.wait=park",
    "topology.groups.hot.core=any",
    "supervisor.stop_timeout_ms=20000",
    "supervisor.heartbeat_timeout_ms=20000",
    "supervisor.start_timeout_ms=60000",
    "risk.supervisor_timeout_ms=20000",
    "chain.timeout_ms=20000",
)


def until(what: str, found: Callable[[], Any], timeout_s: float, period_s: float = 0.002) -> Any:
    """Waits until `found` returns something true and returns it.  Raises AssertionError after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = found()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout_s} s")
        time.sleep(period_s)


class Engine:
    """One instance with its state directory.

    Args:
        name: of the instance.
        state_dir: its directory on disk.
        settings: `section.key=value`, after `QUIET`.
        flags: further arguments of `run`.
    """

    def __init__(self, name: str, state_dir: Path, settings: Sequence[str] = (), flags: Sequence[str] = ()) -> None:
        self.name = name
        self.state_dir = state_dir
        self.settings = [f'instance.state_dir="{state_dir}"', *QUIET, *settings]
        self.flags = list(flags)
        self.log = state_dir.with_name(state_dir.name + ".log")
        self.process: subprocess.Popen[str] | None = None

    # -- the command line --

    def arguments(self) -> list[str]:
        """What names this instance, for any command."""
        return ["--instance", self.name, *(word for setting in self.settings for word in ("--set", setting))]

    def command(self, *words: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Runs one command about this instance to its end; the supervisor may take its time to answer."""
        patience = ("--timeout-ms", "20000") if words[0] in ASKING and "--timeout-ms" not in words else ()
        return subprocess.run(
            [*CLI, *words, *patience, *self.arguments()], cwd=REPO, capture_output=True, text=True, timeout=timeout_s
        )

    def start(self, *flags: str) -> None:
        """Starts `run`; its stderr goes to the log, its stdout to `process.stdout`."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*CLI, "run", *self.arguments(), *self.flags, *flags],
                cwd=REPO,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
                preexec_fn=partial(die_with_parent, os.getpid()),
            )

    def end(self, number: int = signal.SIGTERM, timeout_s: float = 60.0) -> int:
        """Sends a signal to the guardian and returns its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        """Kills the guardian, and with it everything; for the end of a failed test."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30.0)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None

    # -- what is seen of it --

    @property
    def guardian(self) -> int:
        assert self.process is not None
        return self.process.pid

    def said(self) -> str:
        """Everything its processes have written to stderr."""
        return self.log.read_text(errors="replace")

    @contextmanager
    def view(self) -> Iterator[Instance | None]:
        """The instance in shared memory; None if it is not there (completely)."""
        try:
            instance = Instance.open(self.name)
        except (CoreError, OSError):
            yield None
            return
        with instance:
            yield instance

    def read(self, found: Callable[[Instance], Any]) -> Any:
        """`found` of the instance now; None if there is none."""
        with self.view() as instance:
            if instance is None:
                return None
            try:
                return found(instance)
            except (CoreError, OSError, KeyError, IndexError):
                return None  # it is being made or removed

    def run_number(self) -> int:
        """The run that is there; 0 if none."""
        return int(self.read(lambda instance: instance.control.run) or 0)

    def trading(self) -> int:
        """The run that trades; 0 if none does."""
        return int(
            self.read(
                lambda instance: (
                    instance.control.run if instance.control.trading and instance.control.kill == "run" else 0
                )
            )
            or 0
        )

    def orders(self) -> int:
        """Orders of the run that is there."""
        return int(self.read(lambda instance: instance.link("order").published) or 0)

    def pids(self) -> dict[str, int]:
        """Processes of tiles, of the supervisor and of the simnet, by name; only those that live."""
        found = self.read(
            lambda instance: (
                {name: instance.cnc(name).pid for name, tile in instance.tiles.items() if tile.runs != "external"}
                | {"supervisor": instance.control.supervisor_pid}
            )
        )
        pids: dict[str, int] = dict(found or {})
        pids["simnet"] = self.simnet()
        return {name: pid for name, pid in pids.items() if pid and alive(pid)}

    def simnet(self) -> int:
        """The process of the simnet that last announced itself; 0 if none has."""
        announced = self.announced()
        return announced.pid if announced else 0

    def announced(self) -> chain.Announcement | None:
        """What the simnet announced."""
        try:
            return msgspec.json.decode(chain.announcement_path(self.state_dir).read_bytes(), type=chain.Announcement)
        except (OSError, msgspec.DecodeError):
            return None

    def await_trading(self, timeout_s: float = 60.0, after: int = 0) -> int:
        """Waits until a run above `after` trades; returns its number."""

        def found() -> int:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"run ended with {self.process.returncode}:\n{self.said()}")
            run = self.trading()
            return run if run > after else 0

        try:
            return int(until(f"a run above {after} trades", found, timeout_s))
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.said()[-4000:]}") from None

    def summary(self) -> dict[str, Any]:
        """The summary that the last run wrote."""
        found: dict[str, Any] = json.loads((self.state_dir / "summary.json").read_text())
        return found

    def left_behind(self) -> str:
        """What is left after the end: shared memory or processes of this instance; empty if nothing."""
        if directory(self.name).exists():
            return f"{directory(self.name)} is still there"
        mark = f"--instance\0{self.name}\0".encode()
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words = (path / "cmdline").read_bytes()
            except OSError:
                continue
            if (mark in words or str(directory(self.name)).encode() in words) and int(path.name) != os.getpid():
                return f"process {path.name} still runs: {words.replace(bytes(1), b' ').decode()}"
        return ""


@contextmanager
def running(engine: Engine, *flags: str) -> Iterator[Engine]:
    """Starts an engine and waits until it trades; kills it at the end if it is still there, and leaves nothing in
    /dev/shm."""
    engine.start(*flags)
    try:
        engine.await_trading()
        yield engine
    finally:
        engine.kill()
        with suppress(AssertionError):
            until("the engine to be gone", lambda: owner(engine.name) is None, 10.0, 0.01)
        remove(engine.name)


def settle(engine: Engine, timeout_s: float = 60.0) -> None:
    """Stops the trading of an engine and waits until every order has its outcome."""
    assert engine.command("halt").returncode == 0

    def open_orders() -> int:
        return int(
            engine.read(
                lambda instance: (
                    int(instance.table("limits").read_all()[0]["open_orders"])
                    + instance.cnc("confirm").value("open_orders")
                    + 1
                )
            )
            or 2
        )

    until("every order to have its outcome", lambda: open_orders() == 1, timeout_s, 0.05)
