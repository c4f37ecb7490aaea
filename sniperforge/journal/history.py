"""What a run's orders wanted, and on which market messages: found without reading all of its journal.

A journal is a row of segments. Along it the numbers of orders rise, and so do the seqs of market messages; so little
has to be kept of a segment to know whether it can hold what is looked for: its first order, its first market message,
and which pools it has messages about. A search goes backward, segment by segment, and reads none that cannot. Of a run
that was not followed nothing is known, and none is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ipc._core import lib
from sniperforge.journal.reader import Batch, Place, Reader, beginning, run_files

KINDS = (lib.SF_MSG_ORDER, lib.SF_MSG_POOL)
"""The kinds of message that `note` takes note of."""


@dataclass
class _Segment:
    order: int | None = None
    """Its first order."""
    seq: int | None = None
    """Of its first market message."""
    pools: int = 0
    """A bit for each pool that it has market messages about."""


class History:
    """Orders and market messages of one run.

    Args:
        directory: of the journal.
    """

    def __init__(self, directory: Path, run: int) -> None:
        self._directory = directory
        self._run = run
        self._noted: dict[int, _Segment] = {}
        self._end: Place | None = None
        self.last_order = -1
        """Of those noted."""
        self.last_seq = -1
        """Of the market messages noted."""

    def note(self, batch: Batch, end: Place) -> None:
        """Takes note of a run's next block with messages of `KINDS`; `end`: the place behind it."""
        self._end = end
        segment = self._noted.setdefault(end.segment, _Segment())
        heads = batch.headers()["message"]
        market = heads[heads["kind"] == lib.SF_MSG_POOL]
        if len(market):
            self.last_seq = int(market["seq"][-1])
            segment.seq = int(market["seq"][0]) if segment.seq is None else segment.seq
            for pool in np.unique(market["tag"]).tolist():
                segment.pools |= 1 << pool
        orders = batch.payloads(lib.SF_MSG_ORDER)["order"]
        if len(orders):
            self.last_order = max(self.last_order, int(orders.max()))
            segment.order = int(orders[0]) if segment.order is None else segment.order

    def intents(self, orders: Collection[int]) -> dict[int, np.void]:
        """What was wanted with each of these orders (sf_intent_t), as far as the run made them.

        Raises:
            CoreError, OSError: the journal cannot be read.
        """
        found: dict[int, np.void] = {}
        missing = set(orders)
        for number in self._newest_first():
            segment = self._noted.get(number)
            if not missing:
                break
            if segment is not None and (segment.order is None or segment.order > max(missing)):
                continue
            first: int | None = None
            for batch in self._blocks(number, lib.SF_MSG_ORDER):
                rows = batch.payloads(lib.SF_MSG_ORDER)
                if not len(rows):
                    continue
                first = int(rows["order"][0]) if first is None else first
                for row in rows[np.isin(rows["order"], np.array(list(missing), np.uint64))]:
                    found[int(row["order"])] = row["intent"].copy()
            if first is not None:
                missing = {order for order in missing if order < first}
        return found

    def messages(self, wanted: Collection[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
        """For each (pool, seq): the last market message about the pool with a seq that is not above this one.

        Raises:
            CoreError, OSError: the journal cannot be read.
        """
        found: dict[tuple[int, int], bytes] = {}
        missing = set(wanted)
        for number in self._newest_first():
            segment = self._noted.get(number)
            looked_for = sorted(missing if segment is None else (each for each in missing if _may_hold(segment, *each)))
            if not looked_for:
                continue
            seqs: dict[int, list[int]] = {}
            for pool, seq in looked_for:
                seqs.setdefault(pool, []).append(seq)
            last: dict[int, bytes] = {}
            for batch in self._blocks(number, lib.SF_MSG_POOL):
                heads = batch.headers()["message"]
                for pool, due in seqs.items():
                    rows = np.flatnonzero(heads["tag"] == pool)
                    there = heads["seq"][rows]
                    while len(rows) and due and due[0] < there[-1]:
                        seq = due.pop(0)
                        before = np.searchsorted(there, seq, side="right")
                        if before or pool in last:
                            found[pool, seq] = batch.payload(rows[before - 1]) if before else last[pool]
                    if len(rows):
                        last[pool] = batch.payload(rows[-1])
            found |= {(pool, seq): last[pool] for pool, due in seqs.items() if pool in last for seq in due}
            missing -= found.keys()
        return found

    def _newest_first(self) -> Iterator[int]:
        if self._end is not None:
            return reversed(self._noted)
        return reversed(range(len(run_files(self._directory).get(self._run, ()))))

    def _blocks(self, segment: int, kind: int) -> Iterator[Batch]:
        """A segment's blocks with messages of this kind, as far as they were noted."""
        with Reader(self._directory, self._run, beginning(self._directory, self._run, segment)) as reader:
            for batch in reader.batches((kind,)):
                place = reader.place
                if place.segment != segment or (self._end and place.number > self._end.number):
                    break
                yield batch


def _may_hold(segment: _Segment, pool: int, seq: int) -> bool:
    return segment.seq is not None and segment.seq <= seq and bool(segment.pools >> pool & 1)
