"""A whole recorded day of Orca Whirlpool: every swap and every change of liquidity is what the reference says."""

from __future__ import annotations

import csv
import gzip
from collections import Counter

import pytest

from sniperforge.venues import whirlpool_tape
from tests.data import data_dir

SWAPS = {
    "65shmpuYmxx5p7ggNCZbyrGLCXVqbBR1ZD5aAocRBUNG": 4692,
    "24WZto6BNjNamZFUPf3nQZZaFpuvBwdqT5B8QQjpNjGb": 3813,
    "FSBDeuLQ19Hse2jzhHfDwTvEoeRWD7UKK4BM1zgbV7pY": 930,
    "HJPjoWUrhoZzkNfRpHuieeFk9WcZWjwy6PBjZ81ngndJ": 14,
    "AiMZS5U3JMvpdvsr1KeaMiS354Z1DeSg5XjA4yYRxtFf": 12,
    "5Z66YYYaTmmx1R4mATAGLSc8aV4Vfy5tNdJQzk1GP9RF": 2,
    "4fuUiYxTQ6QCrdSq9ouBYcTM7bqSwYTSyLueGZLTy4T4": 2,
    "HyBtxWGiYKzHG5WERyA6Ks9tq6k33UyXrU9Aj1BUFK2J": 1,
}


@pytest.mark.slow
def test_every_swap_of_the_day_is_explained() -> None:
    tape = data_dir("tx/whirlpool") / "whirlpool-transaction-20220406.jsonl.gz"
    closing = data_dir("accounts/orca_whirlpool") / "all_accounts_20220406_eod.json.gz"
    results = whirlpool_tape.replay_day(tape, closing)
    assert {pool: result.swaps for pool, result in results.items()} == SWAPS and sum(SWAPS.values()) == 9466
    assert {pool: result.explained for pool, result in results.items()} == SWAPS
    assert sum(result.changes for result in results.values()) == 475
    assert all(result.changes_explained == result.changes for result in results.values())
    assert all(result.closing and not result.reasons for result in results.values())


def test_the_tape_is_the_recorded_one() -> None:
    day = whirlpool_tape.read_day(data_dir("tx/whirlpool") / "whirlpool-transaction-20220406.jsonl.gz")
    read = Counter(
        (
            event.slot,
            pool,
            *((event.amount_in, event.amount_out) if event.a_to_b else (event.amount_out, event.amount_in)),
        )
        for pool, events in day.events.items()
        for event in events
        if isinstance(event, whirlpool_tape.Swap)
    )
    with gzip.open(data_dir("prices") / "whirlpool_swaps_20220406.csv.gz", "rt") as file:
        rows = Counter(
            (int(row["slot"]), row["pool"], int(row["amount_a"]), int(row["amount_b"])) for row in csv.DictReader(file)
        )
    assert read == rows
