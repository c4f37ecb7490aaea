"""What came of a recorded run, from its fills: results, costs, hit rate, drawdown, latency."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from solders.pubkey import Pubkey

from ipc._core import lib
from ipc.errors import CoreError
from ipc.layout import dtype
from sniperforge.journal import Reader
from sniperforge.replay.recording import Recording


@dataclass(frozen=True)
class Summary:
    """Fills of the bots that were replayed.  Lamports: results of cycles in the base mint, fees and tips taken off.

    Attributes:
        hit_rate: landed with a positive result, over all orders that left (landed, reverted, expired).
        drawdown_lamports: deepest fall of the running sum of results below its highest point before.
        latency_us: percentiles of landed orders, from the account bytes that caused them to the confirmation seen.
    """

    fills: int
    landed: int
    reverted: int
    expired: int
    dropped: int
    profitable: int
    profit_lamports: int
    fee_lamports: int
    tip_lamports: int
    hit_rate: float
    drawdown_lamports: int
    latency_us: dict[str, int]
    simulated: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def summarize(recording: Recording) -> Summary:
    """Reads the fills of a recording.  Raises CoreError if the journal cannot be read."""
    fills, base_token = _read(recording)
    numbers = list(recording.bots.values())
    fills = fills[np.isin(fills["bot"], numbers)]
    outcome = fills["outcome"]
    landed = outcome == lib.SF_FILL_LANDED
    left = outcome != lib.SF_FILL_DROPPED
    results = fills["delta_lamports"].copy()
    cycles = (fills["kind"] == lib.SF_INTENT_CYCLE) & (fills["token_in"] == base_token)
    results[cycles] += fills["delta_in"][cycles]
    profitable = int(np.count_nonzero(landed & (results > 0)))
    running = np.concatenate([np.zeros(1, np.int64), np.cumsum(results)])
    latency = fills["latency_us"][landed]
    return Summary(
        fills=len(fills),
        landed=int(np.count_nonzero(landed)),
        reverted=int(np.count_nonzero(outcome == lib.SF_FILL_REVERTED)),
        expired=int(np.count_nonzero(outcome == lib.SF_FILL_EXPIRED)),
        dropped=int(np.count_nonzero(~left)),
        profitable=profitable,
        profit_lamports=int(results.sum()),
        fee_lamports=int(fills["fee_lamports"].sum()),
        tip_lamports=int(fills["tip_lamports"][landed].sum()),
        hit_rate=profitable / int(np.count_nonzero(left)) if left.any() else 0.0,
        drawdown_lamports=int((np.maximum.accumulate(running) - running).max()),
        latency_us={f"p{q}": int(np.percentile(latency, q)) for q in (50, 90, 99)} if len(latency) else {},
        simulated=bool(((fills["flags"] & lib.SF_FILL_SIMULATED) != 0).any()),
    )


def _read(recording: Recording) -> tuple[npt.NDArray[np.void], int]:
    """All fills, and the row of the base mint in this run (-1 if no balance record tells)."""
    base_mint = bytes(Pubkey.from_string(recording.config.risk.base_mint))
    base_token = -1
    found = [np.empty(0, dtype("sf_fill_t"))]
    with Reader(recording.directory, recording.run) as reader:
        try:
            for batch in reader.batches([lib.SF_MSG_FILL, lib.SF_MSG_BALANCE]):
                found.append(batch.payloads(lib.SF_MSG_FILL))
                if base_token < 0:
                    for balance in batch.payloads(lib.SF_MSG_BALANCE):
                        if balance["mint"].tobytes() == base_mint and balance["token"] != 0xFFFFFFFF:
                            base_token = int(balance["token"])
        except CoreError as error:
            if error.code != lib.SF_ERR_DATA:
                raise
    return np.concatenate(found), base_token
