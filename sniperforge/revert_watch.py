"""Finds out why our orders revert while the run goes on: the chain forgets, and the end of a run must not take long."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from ipc.errors import CoreError
from sniperforge.requote import Explainer
from sniperforge.reverts import Causes
from sniperforge.rpc import RpcClient, RpcUnavailable

_STEP_S = 0.5
_ASKING_S = 1.0
"""Longest that a step asks: what the chain told is kept until its end."""


class RevertWatch:
    """A thread with its own connection to the node, which follows a run's journal; nothing waits for it.

    What it keeps does not grow with the run: of reverts it counts the causes, of the journal see `History`.

    Args:
        rpc: for this thread alone; closed with it.
        journal: directory.
    """

    def __init__(self, rpc: RpcClient, journal: Path, run: int) -> None:
        self._rpc = rpc
        self._explainer = Explainer(journal, run)
        self._causes = Causes()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="revert watch", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def close(self) -> None:
        """Ends the thread, also one that waits for the node."""
        self._halt()
        self._rpc.close()
        self._explainer.close()

    def end(self, rpc: RpcClient, timeout_s: float) -> Causes:
        """Ends the thread and goes on from where it stands to the end of the journal, which is not written any more.

        Args:
            rpc: the caller's connection.
            timeout_s: what the chain was not asked about after so long stays unknown.

        Raises:
            CoreError, OSError: the journal cannot be read.
            RpcUnavailable: the node does not answer.
        """
        self._halt()
        self._explainer.read_on()
        self._explainer.ask(rpc, timeout_s)
        self._causes.add(self._explainer.explained(ended=True))
        return self._causes

    def _halt(self) -> None:
        self._stop.set()
        self._rpc.cancel()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_STEP_S):
            with contextlib.suppress(CoreError):  # not begun yet, or a block is being written: the next time
                self._explainer.read_on()
            with contextlib.suppress(RpcUnavailable):
                self._explainer.ask(self._rpc, _ASKING_S)
            with contextlib.suppress(CoreError, OSError):
                self._causes.add(self._explainer.explained())
