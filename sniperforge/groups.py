"""The processes of an instance: one per group, C groups as `sf-group`, Python groups as forks of the supervisor."""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import ipc
from ipc._core import lib
from ipc.errors import check
from ipc.tile import Tile, halt_on_kill_signal, run
from ipc.views import GroupInfo, Instance
from sniperforge.config import Config
from sniperforge.processes import fork
from sniperforge.topology import PYTHON_KINDS

GROUP_PROGRAM = Path(ipc.__file__).resolve().parent / "bin" / "sf-group"

#: order in which tiles are halted: along the data path, the journal last
_HALT_ORDER = ("feed", "book", "safety", "arb", "strategies", "risk", "build", "sign", "send", "confirm", "journal")


@dataclass
class _Process:
    name: str
    tiles: tuple[str, ...]
    pid: int
    pidfd: int
    exit_code: int | None = None


def tile_class(kind: str) -> type[Tile]:
    """The class of a Python kind."""
    module, _, name = PYTHON_KINDS[kind].partition(":")
    found: type[Tile] = getattr(importlib.import_module(module), name)
    return found


def place(instance: Instance, group: str | None = None) -> None:
    """Puts this thread where `sf-group` would put a group's: on its core, or off the cores that groups spin on.

    Args:
        group: None: this thread is of no group.
    """
    core = instance.groups[group].core if group else None
    if core is not None:
        check(lib.sf_cpu_pin(core))
        return
    spinning = [each.core for each in instance.groups.values() if each.wait == "spin" and each.core is not None]
    check(lib.sf_cpu_avoid(spinning, len(spinning)))


def run_python_group(name: str, group: str, tiles: Iterable[tuple[str, str]]) -> int:
    """Runs the (name, kind) tiles of a Python group in this process until they are halted; returns an exit code."""
    with Instance.open(name) as instance:
        place(instance, group)
        halt_on_kill_signal(instance)
        made = [tile_class(kind)(instance, tile) for tile, kind in tiles]

        def on_term(number: int, frame: object) -> None:
            for tile in made:
                tile.halt()

        signal.signal(signal.SIGTERM, on_term)
        run(made)
    return 0


class Groups:
    """Starts, watches and ends the processes of an instance's groups.

    Args:
        instance: the instance, created by this process.
        config: for the signer's key.
        passphrase: written into a pipe that only the signer's process inherits.
    """

    def __init__(self, instance: Instance, config: Config, passphrase: str | None) -> None:
        self._instance = instance
        self._config = config
        self._passphrase = passphrase
        self._processes: list[_Process] = []

    def start(self) -> None:
        """Starts all groups; Python first, because they take longest."""
        groups = [group for group in self._instance.groups.values() if group.tiles]
        for group in groups:
            if group.python:
                self._add(group.name, group.tiles, self._fork_python(group))
        compiled = [group for group in groups if not group.python]
        if self._config.topology.single:
            tiles = tuple(tile for group in compiled for tile in group.tiles)
            self._add("single", tiles, self._spawn(["--single", str(self._instance.directory)], tiles))
        else:
            for group in compiled:
                self._add(
                    group.name, group.tiles, self._spawn([str(self._instance.directory), group.name], group.tiles)
                )

    def _add(self, name: str, tiles: tuple[str, ...], pid: int) -> None:
        self._processes.append(_Process(name, tiles, pid, os.pidfd_open(pid)))

    def _fork_python(self, group: GroupInfo) -> int:
        tiles = [(name, self._instance.tiles[name].kind) for name in group.tiles]
        name = self._instance.name
        return fork(f"sf-{group.name}", lambda: run_python_group(name, group.name, tiles))

    def _spawn(self, arguments: list[str], tiles: tuple[str, ...]) -> int:
        program = self._config.topology.program or str(GROUP_PROGRAM)
        fds: tuple[int, ...] = ()
        holds_key = any(self._instance.tiles[tile].kind == "sign" for tile in tiles)
        if holds_key and self._passphrase is not None:
            read, write = os.pipe2(os.O_CLOEXEC)
            os.write(write, self._passphrase.encode())
            os.close(write)
            os.dup2(read, PASSPHRASE_FD, inheritable=True)
            os.close(read)
            fds = (PASSPHRASE_FD,)
        process = subprocess.Popen([program, *arguments], stdin=subprocess.DEVNULL, pass_fds=fds, process_group=0)
        for fd in fds:
            os.close(fd)
        process.returncode = 0  # waited for here, by pidfd; keep Popen from complaining
        return process.pid

    def descriptors(self) -> list[int]:
        """Descriptors that become readable when a process ends."""
        return [process.pidfd for process in self._processes if process.exit_code is None]

    def ended(self) -> str:
        """What ended, as a sentence; empty if all live."""
        self._reap(0.0)
        for process in self._processes:
            if process.exit_code is not None:
                tiles = process.tiles
                errors = [self._instance.cnc(tile).error for tile in tiles if self._instance.cnc(tile).state == "fail"]
                how = (
                    f"was killed by signal {-process.exit_code}"
                    if process.exit_code < 0
                    else (f"ended with code {process.exit_code}")
                )
                why = f": {errors[0]}" if errors else ""
                return f"group {process.name} ({', '.join(tiles)}) {how}{why}"
        return ""

    def _reap(self, timeout_s: float) -> None:
        """Takes note of ended processes, waiting up to `timeout_s` for one."""
        alive = self.descriptors()
        if not alive:
            return
        poller = select.poll()
        for fd in alive:
            poller.register(fd, select.POLLIN)
        ready = {fd for fd, _ in poller.poll(int(timeout_s * 1000))}
        for process in self._processes:
            if process.exit_code is None and process.pidfd in ready:
                _, code = os.waitpid(process.pid, 0)
                process.exit_code = os.waitstatus_to_exitcode(code)

    def halt(self, deadline: float) -> bool:
        """Halts the tiles along the data path; returns whether all ended by themselves before `deadline`."""
        order = {kind: place for place, kind in enumerate(_HALT_ORDER)}
        tiles = [tile for tile in self._instance.tiles.values() if tile.runs != "external"]
        for tile in sorted(tiles, key=lambda tile: order.get(tile.kind, 0)):
            cnc = self._instance.cnc(tile.name)
            self._instance.control.halt_tile(tile.name)
            while cnc.state in ("boot", "run") and time.monotonic() < deadline and not self._dead(tile.name):
                self._instance.control.beat()
                self._reap(0.002)
        while self.descriptors() and time.monotonic() < deadline:
            self._reap(0.01)
        clean = not self.descriptors() and all(process.exit_code == 0 for process in self._processes)
        self.kill()
        return clean

    def _dead(self, tile: str) -> bool:
        return any(process.exit_code is not None for process in self._processes if tile in process.tiles)

    def kill(self, *, grace_s: float = 0.0) -> None:
        """Ends everything at once; with a grace, the journal's process gets so long to write what it has."""
        for process in self._processes:
            if process.exit_code is None:
                keeps = grace_s and any(self._instance.tiles[tile].kind == "journal" for tile in process.tiles)
                _signal(process.pidfd, signal.SIGTERM if keeps else signal.SIGKILL)
        deadline = time.monotonic() + grace_s
        while self.descriptors() and time.monotonic() < deadline:
            self._reap(0.005)
        for process in self._processes:
            if process.exit_code is None:
                _signal(process.pidfd, signal.SIGKILL)
        while self.descriptors():
            self._reap(1.0)
        for process in self._processes:
            if process.pidfd >= 0:
                os.close(process.pidfd)
        self._processes.clear()


#: the descriptor on which the signer's process finds its passphrase
PASSPHRASE_FD = 9


def _signal(pidfd: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, number)
