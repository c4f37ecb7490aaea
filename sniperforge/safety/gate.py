"""The gate in front of every buy of a mint that is not listed.

    with Gate(url, config.safety, wallet, timeout_ms=2000) as gate:
        verdict = gate.check(mint, pool, amount)      # waits for the node
        gate.ask(mint, pool, amount)                  # does not wait
        for verdict in gate.results(): ...            # what has come of it since

A passing verdict is kept and given again for `safety.verdict_slots` slots, for amounts up to its own, as long as the
mint's account (its supply apart) has not changed; that costs one small call. Refusals are not kept.
"""

from __future__ import annotations

import queue
import threading
from types import TracebackType
from typing import NamedTuple

from solders.pubkey import Pubkey

from sniperforge.rpc import RpcClient, RpcError, RpcUnavailable
from sniperforge.safety.checks import Checker
from sniperforge.safety.mint import apart_from_supply
from sniperforge.safety.reader import Reader
from sniperforge.safety.verdict import Check, Verdict
from sniperforge.tile_config import SafetyConfig


class _Question(NamedTuple):
    mint: str
    pool: str | None
    amount: int | None


class Gate:
    """Checks mints before they are bought. Every method may be called from any thread.

    Args:
        url: http(s) URL of the node.
        wallet: address of who would buy; None = nothing but listed mints passes.
        timeout_ms: longest wait for one answer of the node.
        ca_path: file with the certificates to trust for https; empty = the system's.
    """

    def __init__(
        self, url: str, config: SafetyConfig, wallet: Pubkey | None, *, timeout_ms: int, ca_path: str = ""
    ) -> None:
        self._config = config
        self._rpc = RpcClient(url, timeout_ms=timeout_ms, ca_path=ca_path)
        self._reader = Reader(self._rpc)
        self._checker = Checker(self._reader, config, wallet)
        self._using = threading.Lock()  # the connection, and with it the cache
        self._kept: dict[tuple[str, str | None], Verdict] = {}
        self._questions: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Verdict] = queue.SimpleQueue()
        self._worker: threading.Thread | None = None

    def check(self, mint: str, pool: str | None = None, amount: int | None = None) -> Verdict:
        """The verdict on buying `mint` with `amount` base units of the other token of `pool`; waits for the node.

        Args:
            pool: None = the deepest there is.
            amount: None = `safety.amount_lamports`.

        A node that does not answer, and an address that is none, refuse like any other check.
        """
        with self._using:
            try:
                kept = self._kept.get((mint, pool))
                if kept is not None and self._still_good(kept, amount):
                    return kept
                verdict = self._checker.check(mint, pool, amount)
            except (RpcError, RpcUnavailable, ValueError) as error:
                failed = Check("node", "refuse", str(error), 0)
                return Verdict(mint=mint, pool=pool or "", amount=amount or 0, slot=0, unix_s=0, checks=(failed,))
            if verdict.passes:
                self._kept[mint, pool] = verdict
            else:
                self._kept.pop((mint, pool), None)
            return verdict

    def _still_good(self, kept: Verdict, amount: int | None) -> bool:
        if (amount if amount is not None else self._config.amount_lamports) > kept.amount and kept.pool:
            return False
        read = self._reader.accounts([Pubkey.from_string(kept.mint)])
        (account,) = read.accounts
        if account is None or read.slot > kept.slot + self._config.verdict_slots:
            return False
        return not kept.mint_account or apart_from_supply(account.data) == apart_from_supply(kept.mint_account)

    def ask(self, mint: str, pool: str | None = None, amount: int | None = None) -> None:
        """Begins a `check` in the background; its verdict comes with `results`."""
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, name="gate", daemon=True)
            self._worker.start()
        self._questions.put(_Question(mint, pool, amount))

    def results(self) -> list[Verdict]:
        """The verdicts on what was asked that have come since the last call; does not wait."""
        found = []
        while True:
            try:
                found.append(self._answers.get_nowait())
            except queue.Empty:
                return found

    def forget(self, mint: str) -> None:
        """Drops what is kept of `mint`, so that the next check reads all again: after an event of the guards."""
        with self._using:
            for key in [key for key in self._kept if key[0] == mint]:
                del self._kept[key]

    def _work(self) -> None:
        while (question := self._questions.get()) is not None:
            self._answers.put(self.check(*question))

    def close(self) -> None:
        """Ends the background thread and the connection; a check under way refuses."""
        self._rpc.cancel()
        if self._worker is not None:
            self._questions.put(None)
            self._worker.join()
        self._rpc.close()

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
