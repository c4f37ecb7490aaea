"""The supervisor: makes an instance, starts its groups, watches them, answers control, and stops in order.

One run from start to end. It never repairs: when a tile dies it raises the kill word, ends everything and exits with
RESTART, and the guardian forks a new supervisor, which starts from the journal. Starting is recovering.
"""

from __future__ import annotations

import functools
import gc
import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import zmq

from ipc.control import ControlError, CurveServer, Server
from ipc.errors import CoreError
from ipc.pages import KILLS
from ipc.tile import halt_on_kill_signal
from ipc.views import Instance
from sniperforge import exits, status
from sniperforge.checkpoints import Checkpoints
from sniperforge.commands import Commands
from sniperforge.config import Config, to_builtins
from sniperforge.groups import Groups, place
from sniperforge.launch import Launch, LaunchError, prepare
from sniperforge.market_watch import MarketWatch, last_use
from sniperforge.report import line
from sniperforge.revert_watch import RevertWatch
from sniperforge.state import StateDirectory

Say = Callable[[str], None]

_BEAT_S = 0.05
_WATCH_S = 0.1


class Supervisor:
    """One run of one instance.

    Args:
        config: the resolved configuration.
        say: prints one line for the person.
        passphrase: of an encrypted key file; handed to the signer through a pipe and to nobody else.
        progress: print a line of the instance each `supervisor.report_ms`.
    """

    def __init__(self, config: Config, say: Say, *, passphrase: str | None, progress: bool) -> None:
        self._config = config
        self._say = say
        self._passphrase = passphrase
        self._progress = progress
        self._state = StateDirectory(config.state_dir)
        self._signal = 0
        self._stopping = False
        self._start = 1
        self._kept = 0
        self._kept_error = ""

    def run(self, start: int) -> int:
        """Runs until stopped or until something dies; returns an exit code of `exits`.

        Args:
            start: number of this start under its guardian. When the first one does not get as far as trading, that
                is told to a person instead of tried again: then it is the configuration, not bad luck.
        """
        self._start = start
        signal.signal(signal.SIGTERM, self._leave)
        try:
            launch = prepare(self._config, self._state, self._say)
        except LaunchError as error:
            self._say(str(error))
            return exits.RESTART if error.passing else exits.USAGE
        signal.signal(signal.SIGTERM, self._on_signal)
        with ExitStack() as closing:
            try:
                instance = launch.create()
            except CoreError as error:
                self._say(error.sentence)
                return exits.USAGE
            closing.callback(instance.remove)
            halt_on_kill_signal(instance)
            closing.callback(signal.signal, signal.SIGUSR1, signal.SIG_IGN)
            killed = self._state.killed()
            if killed:
                instance.control.raise_kill(KILLS[killed], by="person")
                self._say("the kill of a person is in force: nothing is traded until `sniperforge resume`")
            instance.control.start_run(launch.run, supervisor_pid=os.getpid())
            instance.control.beat()
            place(instance)
            groups = Groups(instance, self._config, self._passphrase)
            closing.callback(groups.kill)
            return self._run(closing, instance, groups, launch)

    def _leave(self, number: int, frame: object) -> None:
        """Ends this process at once, even while it waits for the chain: there is no instance yet to stop in order."""
        raise SystemExit(exits.OK)

    def _on_signal(self, number: int, frame: object) -> None:
        self._signal = number

    def _run(self, closing: ExitStack, instance: Instance, groups: Groups, launch: Launch) -> int:
        groups.start()
        checkpoints = Checkpoints(self._state.journal_path, launch.recovered, self._config.journal.checkpoint_s)
        checkpoints.start()
        closing.callback(checkpoints.close)
        commands = Commands(instance, self._state)
        commands.boot()
        closing.callback(commands.close)
        curve = self._config.control
        tcp = CurveServer(curve.tcp, Path(curve.curve_secret_file), Path(curve.curve_clients)) if curve.tcp else None
        try:
            server = Server(instance.directory, self._handlers(instance, commands), tcp)
        except (ValueError, zmq.ZMQError) as error:
            self._say(f"control: {error}")
            return exits.USAGE
        closing.callback(server.close)
        gc.collect()
        gc.freeze()
        watch = MarketWatch(self._config, launch.ends, self._state, launch.pools, functools.partial(last_use, instance))
        closing.callback(watch.close)
        reverts = launch.revert_watch()
        closing.callback(reverts.close)
        return _Loop(self, instance, groups, commands, server, launch, watch, reverts, checkpoints).run()

    # -- control verbs ------------------------------------------------------------------------------

    def _handlers(self, instance: Instance, commands: Commands) -> Mapping[str, Callable[[dict[str, Any]], Any]]:
        control = instance.control

        def kill(level: str) -> dict[str, str]:
            control.raise_kill(level, by="person")  # first of all, also when the disk refuses the mark
            commands.event("kill", f"raised to {level} by a person")
            try:
                self._state.set_killed(KILLS.index(level))
            except OSError as error:
                raise ControlError(
                    "refused", f"the kill word is {control.kill}, but it will not outlive a restart: {error}"
                ) from None
            return {"kill": control.kill}

        def resume(_: dict[str, Any]) -> dict[str, str]:
            down = [
                name
                for name, tile in instance.tiles.items()
                if tile.runs != "external" and instance.cnc(name).state != "run"
            ]
            if down:
                raise ControlError("refused", f"{', '.join(down)} does not run; resume when every tile runs")
            self._state.clear_killed()
            control.lower_kill()
            self._kept = 0
            commands.resume()
            commands.event("resume", "a person resumed trading")
            return {"kill": control.kill}

        def stop(_: dict[str, Any]) -> dict[str, bool]:
            self._stopping = True
            return {"stopping": True}

        return {
            "ping": lambda _: {
                "instance": instance.name,
                "run": control.run,
                "pid": os.getpid(),
                "uptime_ms": (time.time_ns() - control.created_ns) // 1_000_000,
            },
            "status": lambda _: status.collect(instance, memory=True),
            "config": lambda _: to_builtins(self._config),
            "halt": lambda _: kill("halt"),
            "reduce": lambda _: kill("reduce"),
            "resume": resume,
            "limit": lambda arguments: commands.limit(arguments["name"], arguments["value"]),
            "bot": lambda arguments: commands.bot(arguments["name"], arguments["action"]),
            "stop": stop,
        }

    def keep_kill(self, instance: Instance) -> None:
        """Leaves a mark on disk of every kill but the supervisor's own, so that it outlives a restart; and heeds
        a mark that somebody left there while the kill word could not be reached."""
        control = instance.control
        marked = self._state.killed()
        if marked > KILLS.index(control.kill):
            control.raise_kill(KILLS[marked], by="person")
        level, by = KILLS.index(control.kill), control.kill_by
        if level <= self._kept or by in ("none", "supervisor"):
            return
        try:
            self._state.set_killed(level)
        except OSError as error:
            if self._kept_error != str(error):
                self._say(f"kill word is {control.kill}, but it will not outlive a restart: {error}")
            self._kept_error = str(error)
            return
        self._kept = level
        if by != "person":
            self._say(f"kill word is {control.kill}, raised by {by}: nothing is traded until a resume")

    @property
    def stopping(self) -> bool:
        """Whether somebody asked for an orderly stop."""
        return self._stopping or bool(self._signal)

    @property
    def first(self) -> bool:
        """Whether this is the guardian's first start."""
        return self._start == 1

    @property
    def config(self) -> Config:
        """The configuration of this run."""
        return self._config

    def say(self, text: str) -> None:
        """Prints one line for the person."""
        self._say(text)

    @property
    def progress(self) -> bool:
        """Whether lines of progress are wanted."""
        return self._progress


#: pools that are no longer followed may hold this part of the rows before their room is needed
_CROWDED = 8


class _Loop:
    """The supervisor's loop: beats, watches, brings trading up, answers, and notices the end."""

    def __init__(
        self,
        supervisor: Supervisor,
        instance: Instance,
        groups: Groups,
        commands: Commands,
        server: Server,
        launch: Launch,
        watch: MarketWatch,
        reverts: RevertWatch,
        checkpoints: Checkpoints,
    ) -> None:
        self._supervisor = supervisor
        self._config = supervisor.config
        self._instance = instance
        self._groups = groups
        self._commands = commands
        self._server = server
        self._launch = launch
        self._watch = watch
        self._reverts = reverts
        self._checkpoints = checkpoints
        self._poller = select.poll()
        for router in server.routers:
            self._poller.register(int(router.getsockopt(zmq.FD)), select.POLLIN)
        for fd in groups.descriptors():
            self._poller.register(fd, select.POLLIN)
        self._started = time.monotonic()
        self._trading = False
        self._due: dict[str, float] = {}
        self._watched = time.monotonic()
        self._heard: dict[str, tuple[int, float]] = {}
        self._control_path = instance.directory / "control"
        self._control_inode = self._control_path.stat().st_ino

    def run(self) -> int:
        while True:
            if self._supervisor.stopping:
                return self._stop()
            self._instance.control.beat()
            self._commands.turn(0)
            more = self._server.poll()
            if self._is_due("watch", _WATCH_S):
                self._supervisor.keep_kill(self._instance)
                fault = self._fault()
                if fault:
                    return self._fail(fault)
                if self._crowded():
                    self._stop()
                    return exits.RESTART
            while self._watch.news:
                self._commands.event("market", self._watch.news.popleft())
            if not self._trading:
                self._trading = self._bring_up()
            if self._is_due("publish", self._config.control.publish_ms / 1000):
                self._server.publish("snapshot", status.collect(self._instance, memory=False))
            if self._supervisor.progress and self._is_due("report", self._config.supervisor.report_ms / 1000):
                self._supervisor.say(line(status.collect(self._instance, memory=False)))
            wait_ms = 0 if more else 2 if not self._trading else int(_BEAT_S * 1000)
            if self._poller.poll(wait_ms):
                ended = self._groups.ended()
                if ended:
                    return self._fail(ended)

    def _is_due(self, name: str, period_s: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(name, self._started + (period_s if name == "report" else 0)):
            return False
        self._due[name] = now + period_s
        return True

    def _bring_up(self) -> bool:
        """Lets trading begin once the market is there and the books are reconciled; returns whether it did."""
        waiting = self._launch.waiting_for(self._instance)
        if waiting:
            overdue = time.monotonic() - self._started > self._config.supervisor.start_timeout_ms / 1000
            if overdue and self._is_due("waiting", 5.0):
                self._supervisor.say(f"still waiting for {waiting}")
            return False
        self._launch.send_recovery(self._instance, self._commands)
        self._watch.start()
        if self._launch.ends.simulated:  # no other chain tells
            self._reverts.start()
        if self._launch.may_trade:
            self._commands.trade()
            self._instance.control.set_trading(True)
            ready_ms = (time.time_ns() - self._instance.control.created_ns) / 1e6
            self._commands.event("trading", f"run {self._launch.run} trades {ready_ms:.0f} ms after its creation")
            doing = "trading" if self._instance.control.kill == "run" else "ready, and held by the kill word"
            self._supervisor.say(f"run {self._launch.run} is {doing} ({ready_ms:.0f} ms after its creation)")
        else:
            self._supervisor.say(
                "dry run: prices only, every order is denied; set chain.armed = true to trade on this chain"
            )
        return True

    def _fault(self) -> str:
        """What is wrong with the tiles or their shared memory, as a sentence; empty if nothing is."""
        try:
            reachable = self._control_path.stat().st_ino == self._control_inode
        except OSError:
            reachable = False
        if not reachable:
            return f"{self._control_path} was removed: the kill word could not be reached any more"
        ended = self._groups.ended()
        if ended:
            return ended
        now = time.monotonic()
        booting = now - self._started
        watched_ms = min(now - self._watched, 2 * _WATCH_S) * 1000
        self._watched = now
        for name, tile in self._instance.tiles.items():
            if tile.runs == "external":
                continue
            cnc = self._instance.cnc(name)
            state = cnc.state
            if state == "fail":
                return f"tile {name} failed: {cnc.error}"
            if state == "run":
                silent_ms = self._silent_ms(name, cnc.heartbeat_ns, watched_ms)
                if silent_ms > self._config.supervisor.heartbeat_timeout_ms:
                    return f"tile {name} shows no sign of life for {silent_ms:.0f} ms"
            elif booting > self._config.supervisor.start_timeout_ms / 1000:
                return f"tile {name} is still in state {state} after {booting:.1f} s"
        return ""

    def _silent_ms(self, name: str, heartbeat_ns: int, watched_ms: float) -> float:
        """How long a tile's heartbeat has stood still while this process looked at it.

        Time in which the supervisor itself did not run says nothing about a tile: the machine stood still.
        """
        before, silent_ms = self._heard.get(name, (0, 0.0))
        silent_ms = silent_ms + watched_ms if heartbeat_ns == before else 0.0
        self._heard[name] = (heartbeat_ns, silent_ms)
        return silent_ms

    def _crowded(self) -> bool:
        """Whether a new pool found no room while pools that are no longer followed hold a share of it.

        A row keeps its pool for the life of an instance, since orders, journal and bots name pools by row.
        """
        book = self._instance.cnc("book")
        rows = self._config.topology.tables["pools"].rows
        left = book.value("pools_known") - self._watch.followed
        if not self._trading or left * _CROWDED < rows or not book.value("refused_no_room"):
            return False
        self._supervisor.say(
            f"{left} of {rows} rows hold pools that are no longer followed: beginning anew without them"
        )
        return True

    def _fail(self, fault: str) -> int:
        """Fails the whole instance fast."""
        self._supervisor.keep_kill(self._instance)
        self._instance.control.set_trading(False)
        self._instance.control.raise_kill("halt", by="supervisor")
        self._supervisor.say(fault)
        never_ran = not self._trading
        self._groups.kill(grace_s=0.05)
        return exits.FAILED if never_ran and self._supervisor.first else exits.RESTART

    def _stop(self) -> int:
        """Stops in order: no new order, open ones resolved, tiles halted along the data path."""
        self._supervisor.say("stopping")
        self._supervisor.keep_kill(self._instance)
        self._instance.control.set_trading(False)
        self._checkpoints.last()
        deadline = time.monotonic() + self._config.supervisor.stop_timeout_ms / 1000
        while time.monotonic() < deadline and not self._groups.ended():
            limits = self._instance.table("limits").read_all()
            if not len(limits) or not int(limits[0]["open_orders"]):
                break
            self._instance.control.beat()
            self._commands.turn(0)
            time.sleep(0.01)
        clean = self._groups.halt(deadline + self._config.supervisor.stop_timeout_ms / 1000)
        self._supervisor.keep_kill(self._instance)
        self._checkpoints.close()
        return self._launch.finish(status.collect(self._instance, memory=False), clean, self._reverts)
