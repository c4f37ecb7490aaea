"""The guardian: the small parent of everything `sniperforge run` starts.

It imports all there is once, then forks the supervisor and, for an embedded chain, the simnet, and forks again
whichever dies. Recovery is therefore a fork and a start, not a new interpreter. It holds no state of the engine:
when it is killed, everything below it dies by the kernel's hand, and the next start recovers from the journal.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from sniperforge import exits
from sniperforge.config import SupervisorConfig
from sniperforge.processes import fork, set_name

#: A child that ran this long has proven itself: its back-off starts anew.
_PROVEN_S = 1.0


@dataclass
class Child:
    """One process to keep alive; ends of it in `final` end the guardian instead of a restart.

    `run` gets the number of this start, 1 for the first.
    """

    name: str
    run: Callable[[int], int]
    final: frozenset[int]
    starts: int = 0
    pid: int = 0
    pidfd: int = -1
    started: float = 0.0
    failures: int = 0
    restart_at: float = 0.0


class Guardian:
    """Keeps children alive until a signal, the duration, or a final exit of one of them.

    Args:
        config: back-off and stop time-outs.
        say: prints one line for the person.
    """

    def __init__(self, config: SupervisorConfig, say: Callable[[str], None]) -> None:
        self._config = config
        self._say = say
        self._children: list[Child] = []
        self._signal = 0
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def add(self, name: str, run: Callable[[int], int], final: frozenset[int] = frozenset()) -> None:
        """Adds a child; the order of adding is the order of starting, and the reverse that of stopping."""
        self._children.append(Child(name=name, run=run, final=final))

    def run(self, duration_s: float | None) -> int:
        """Runs until stopped; returns the exit code.

        Args:
            duration_s: stop in order after so many seconds; None = run until stopped.
        """
        set_name("sf-guardian")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # the kill word is a matter of those below
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        deadline = None if duration_s is None else time.monotonic() + duration_s
        code = exits.OK
        try:
            while True:
                now = time.monotonic()
                if self._signal or (deadline is not None and now >= deadline):
                    break
                for child in self._children:
                    if not child.pid and now >= child.restart_at:
                        self._start(child)
                final = self._wait(now, deadline)
                if final is not None:
                    code = final
                    break
        finally:
            stopped = self._stop_all()
        if code == exits.OK and stopped != exits.OK:
            code = stopped
        return exits.FAILED if code == exits.RESTART else code

    def _on_signal(self, number: int, frame: object) -> None:
        self._signal = number

    def _start(self, child: Child) -> None:
        child.starts += 1
        child.pid = fork(f"sf-{child.name}", lambda: child.run(child.starts))
        child.pidfd = os.pidfd_open(child.pid)
        child.started = time.monotonic()

    def _wait(self, now: float, deadline: float | None) -> int | None:
        """Waits for the next thing to do; returns an exit code when a child ended for good."""
        until = [child.restart_at for child in self._children if not child.pid]
        if deadline is not None:
            until.append(deadline)
        timeout = max(0.0, min(until) - now) if until else None
        fds = [child.pidfd for child in self._children if child.pid]
        ready, _, _ = select.select([*fds, self._wake_read], [], [], timeout)
        if self._wake_read in ready:
            os.read(self._wake_read, 64)
        for child in self._children:
            if child.pid and child.pidfd in ready:
                code = self._reap(child)
                if code in child.final:
                    return code
                self._schedule(child, code)
        return None

    def _reap(self, child: Child) -> int:
        _, status = os.waitpid(child.pid, 0)
        os.close(child.pidfd)
        child.pid, child.pidfd = 0, -1
        return os.waitstatus_to_exitcode(status)

    def _schedule(self, child: Child, code: int) -> None:
        now = time.monotonic()
        child.failures = 1 if now - child.started > _PROVEN_S else child.failures + 1
        wait_ms = min(self._config.backoff_min_ms << min(child.failures - 1, 16), self._config.backoff_max_ms)
        child.restart_at = now + wait_ms / 1000
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        self._say(f"{child.name} {how}; starting it again in {wait_ms} ms")

    def _stop_all(self) -> int:
        """Stops the children in reverse order; returns the first exit code that is not 0 (FAILED: it is down)."""
        code = exits.OK
        for child in reversed(self._children):
            if not child.pid:
                if child.restart_at > child.started and not code:
                    code = exits.FAILED
                continue
            os.kill(child.pid, signal.SIGTERM)
            # the supervisor needs its own time-outs first: for open orders, for its tiles, for reverts to be explained
            if not select.select([child.pidfd], [], [], 3 * self._config.stop_timeout_ms / 1000 + 2)[0]:
                self._say(f"{child.name} did not stop in time; killing it")
                os.kill(child.pid, signal.SIGKILL)
            ended = self._reap(child)
            if ended and ended != -signal.SIGTERM and not code:  # by SIGTERM: it had not begun yet
                code = ended if ended > 0 else exits.FAILED
        return code


def say_line(text: str) -> None:
    """Prints one line at once."""
    print(text, file=sys.stderr, flush=True)
