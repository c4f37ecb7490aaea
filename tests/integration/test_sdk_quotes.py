"""Our quotes beside those of the vendors' own JavaScript SDKs, on real pools."""

from __future__ import annotations

import random
from base64 import b64decode
from pathlib import Path

import msgspec
import pytest
from solders.pubkey import Pubkey

from sniperforge.venues import dumps, pools
from sniperforge.venues import raydium_clmm as clmm
from sniperforge.venues.golden import raydium_clmm as golden_clmm
from sniperforge.venues.quote import Quote
from tests.data import data_dir
from tests.sdk_quotes import Answer, Ask, Request, quotes_or_skip

NOW = 1_750_000_000
ROUNDS = 150
EXACT_IN_ONLY = {"raydium_amm_v4"}
"""Venues whose SDK rounds an exact output's input down, where the program (and a golden row) rounds up."""

POOLS = [
    ("raydium_amm_v4/sol_usdc", "58oQChx4yWmvKdwLLZzBi4ChoCc2fqCUWBkwMihLYQo2"),
    ("raydium_cpmm/sol_usdc", "7JuwJuNU88gurFnyWeiyGKbFmExMWcmRZntn9imEzdny"),
    ("orca_whirlpool/sol_usdc_ts64_2023", "HJPjoWUrhoZzkNfRpHuieeFk9WcZWjwy6PBjZ81ngndJ"),
    ("orca_whirlpool/samo_usdc_and_sol_usdc_ts64", "9vqYJjDUFecLL2xPUC4Rc7hyCtZ6iJ4mDiVZX7aFXoAe"),
    ("meteora_dlmm/EtAdVRLFH22rjWh3mcUasKFF27WtHhsaCvK27tPFFWig", "EtAdVRLFH22rjWh3mcUasKFF27WtHhsaCvK27tPFFWig"),
    ("meteora_dlmm/B5Eia4cE71tKuEDaqPHucJLG2fxySKyKzLMewd2nUvoc", "B5Eia4cE71tKuEDaqPHucJLG2fxySKyKzLMewd2nUvoc"),
    ("pump_amm/usdc_sol", "Gf7sXMoP8iRw4iiXmJ1nq4vxcRycbGXy5RL8a8LnTd3v"),
]


def random_asks(seed: str) -> list[Ask]:
    """Amounts of every size from one unit to 2^44, both directions and modes."""
    chosen = random.Random(seed)
    return [
        Ask(chosen.random() < 0.5, chosen.random() < 0.5, max(1, int(2 ** chosen.uniform(0, 44))))
        for _ in range(ROUNDS)
    ]


def compare(name: str, ours: list[Quote], theirs: list[Answer], asks: list[Ask], at_least: int) -> None:
    """Equal wherever the program executes ours; of an exact output the SDKs only repeat what was asked."""
    compared = 0
    wrong = []
    for ask, mine, amounts in zip(asks, ours, theirs, strict=True):
        if mine.status != "ok" or (name in EXACT_IN_ONLY and not ask.exact_in):
            continue
        compared += 1
        same = mine[:2] == amounts[:2] if ask.exact_in else mine.amount_in == amounts.amount_in and not amounts.error
        if not same:
            wrong.append(f"{ask}: {mine.amount_in} -> {mine.amount_out}, SDK {amounts[0]} -> {amounts[1]} {amounts[2]}")
    assert not wrong, f"{name}: {len(wrong)} of {compared} differ; {wrong[:5]}"
    assert compared >= at_least, f"{name}: only {compared} swaps compared"


@pytest.mark.parametrize(
    ("directory", "pool"), POOLS, ids=[f"{place.split('/')[0]}-{pool[:4]}" for place, pool in POOLS]
)
def test_pool(directory: str, pool: str, tmp_path: Path) -> None:
    found = dumps.load(data_dir("accounts") / directory)
    priced = pools.load(found, pool)
    asks = random_asks(pool)
    request = Request(priced.venue, pool, NOW, list(found), asks)
    [(answers, _)] = quotes_or_skip([request], tmp_path)
    ours = [priced.c[0 if ask.exact_in else 1](ask.a_to_b, ask.amount, NOW) for ask in asks]
    compare(priced.venue, ours, answers, asks, at_least=ROUNDS // 4)


def config_of(trade_rate: int) -> bytes:
    """A config account of the trade rate, which the captures do not have."""
    return bytes(8 + 1 + 2 + 32 + 4) + trade_rate.to_bytes(4, "little") + bytes(117 - 51)


def test_raydium_clmm_captures(tmp_path: Path) -> None:
    directory = data_dir("accounts") / "raydium_clmm"
    captures = golden_clmm.Captures(directory)
    program = str(clmm.PROGRAM)
    requests, ours = [], []
    for name in sorted(path for path in captures.paths if path.startswith("swap_")):
        capture = msgspec.json.decode(captures.paths[name].read_bytes(), type=golden_clmm._Capture)
        _, _, now = captures.state(name)
        pool = b64decode(capture.pool_b64)
        asks = random_asks(name)
        ours.append([captures.in_c(name, *ask) for ask in asks])
        accounts = [
            dumps.Account(capture.pool_address, program, pool, Path(name)),
            dumps.Account(str(clmm.decode_pool(pool).config), program, config_of(captures.rates.trade), Path(name)),
        ]
        for number, array in enumerate(capture.tick_arrays):
            address = str(Pubkey([number + 1] * 32))  # the SDK does not look at it
            accounts.append(dumps.Account(address, program, b64decode(array.data_b64), Path(name)))
        requests.append(Request("raydium_clmm", capture.pool_address, now, accounts, asks))
    for request, mine, (answers, _) in zip(requests, ours, quotes_or_skip(requests, tmp_path), strict=True):
        compare("raydium_clmm", mine, answers, list(request.asks), at_least=ROUNDS // 4)
