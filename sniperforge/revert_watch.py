"""Asks the chain what our transactions that failed had found, while it still knows: the summary of a run needs it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from ipc._core import lib
from ipc.errors import CoreError
from sniperforge import requote
from sniperforge.journal import Reader
from sniperforge.journal.records import decode
from sniperforge.rpc import RpcClient, RpcError, RpcUnavailable

_STEP_S = 0.5


class RevertWatch:
    """A thread with its own connection to the node, which follows the fills of a run's journal; nothing waits for it.

    Args:
        rpc: for this thread alone; closed with it.
        journal: directory.
    """

    def __init__(self, rpc: RpcClient, journal: Path, run: int) -> None:
        self._rpc = rpc
        self._journal = journal
        self._run_number = run
        self._evidence: dict[str, requote.Evidence] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="revert watch", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def close(self) -> Mapping[str, requote.Evidence]:
        """Ends the thread, also one that waits for the node; returns what the chain has told, by signature."""
        self._stop.set()
        self._rpc.cancel()
        if self._thread.ident is not None:
            self._thread.join()
        self._rpc.close()
        return self._evidence

    def _run(self) -> None:
        unasked: deque[str] = deque()
        reader: Reader | None = None
        while not self._stop.wait(_STEP_S):
            try:
                reader = reader or Reader(self._journal, self._run_number)
                for record in reader.records((lib.SF_MSG_FILL,)):
                    fill = decode(record.kind, record.payload)
                    if fill["outcome"] == "reverted":
                        unasked.append(fill["signature"])
            except CoreError:
                pass  # not begun yet, or a block is being written: the next time
            while unasked and not self._stop.is_set():
                try:
                    told = requote.evidence(self._rpc.call, unasked[0])
                except RpcUnavailable:
                    break
                except (RpcError, CoreError):
                    told = None  # asked once more at the end
                signature = unasked.popleft()
                if told is not None:
                    self._evidence[signature] = told
        if reader is not None:
            reader.close()
