"""Mints and their Token-2022 extensions: every extension has a verdict, and broken bytes are no mint."""

from __future__ import annotations

import random
import struct

import pytest
from solders.pubkey import Pubkey

from sniperforge.safety import extensions
from sniperforge.safety.extensions import TABLE, Terms, judge
from sniperforge.safety.mint import TOKEN, TOKEN_2022, Extension, NotAMintError, decode, holding

KEY = Pubkey([9] * 32)
TERMS = Terms(max_transfer_fee_bps=100, epoch=700)
ON_ACCOUNTS = {2, 5, 7, 8, 11, 13, 15, 17, 27}
LAST = 28
"""Of the extensions that are known."""


def base(
    *, authority: Pubkey | None = None, freezer: Pubkey | None = None, supply: int = 10**15, decimals: int = 6
) -> bytes:
    keys = [struct.pack("<I", key is not None) + bytes(key or Pubkey.default()) for key in (authority, freezer)]
    return keys[0] + struct.pack("<QBB", supply, decimals, 1) + keys[1]


def extended(*entries: tuple[int, bytes]) -> bytes:
    body = b"".join(struct.pack("<HH", kind, len(data)) + data for kind, data in entries)
    return base().ljust(165, b"\0") + b"\1" + body


def fee(bps: int, *, authority: Pubkey | None = None, older: int | None = None, epoch: int = 0) -> bytes:
    who = bytes(authority or Pubkey.default()) + bytes(32) + bytes(8)
    first = struct.pack("<QQH", 0, 2**64 - 1, bps if older is None else older)
    return who + first + struct.pack("<QQH", epoch, 2**64 - 1, bps)


def test_authorities_supply_and_decimals() -> None:
    mint = decode(TOKEN, base(authority=KEY, supply=7, decimals=3))
    assert (mint.authority, mint.freeze_authority, mint.supply, mint.decimals) == (KEY, None, 7, 3)
    assert decode(TOKEN_2022, base(freezer=KEY)).freeze_authority == KEY


def test_broken_bytes_are_no_mint() -> None:
    whole = extended((1, fee(5)), (12, bytes(KEY)))
    decode(TOKEN_2022, whole)
    for length in range(len(whole)):
        try:
            decode(TOKEN_2022, whole[:length])
        except NotAMintError:
            continue
        assert length in (82, 166, 166 + 4 + 108) or not any(whole[length - 3 : length]), length
    for program, data in (
        (TOKEN, whole),
        (Pubkey.default(), base()),
        (TOKEN, bytes(82)),
        (TOKEN, b"\2" + base()[1:]),
        (TOKEN_2022, base().ljust(165, b"\0") + b"\2"),
        (TOKEN_2022, base().ljust(164, b"\0") + b"\1\1"),
    ):
        with pytest.raises(NotAMintError):
            decode(program, data)


def test_flipped_bits_give_a_mint_or_none() -> None:
    rng = random.Random(1)
    whole = bytearray(extended((1, fee(5)), (14, bytes(64)), (19, bytes(40))))
    for _ in range(5000):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            for extension in decode(TOKEN_2022, bytes(data)).extensions:
                judge(extension, TERMS)
        except NotAMintError:
            continue


def test_every_extension_of_mints_is_in_the_table() -> None:
    assert set(TABLE) == set(range(1, LAST + 1)) - ON_ACCOUNTS
    for kind, known in TABLE.items():
        name, judgement = judge(Extension(kind, bytes(known.length or 10)), TERMS)
        assert name == known.name and judgement.sentence
        if known.length:
            assert judge(Extension(kind, bytes(known.length + 1)), TERMS)[1].outcome == "refuse"


@pytest.mark.parametrize("kind", [*sorted(ON_ACCOUNTS), LAST + 1, 60000])
def test_what_is_not_known_is_refused(kind: int) -> None:
    assert judge(Extension(kind, b""), TERMS)[1].outcome == "refuse"


@pytest.mark.parametrize(
    ("kind", "data", "outcome"),
    [
        (1, fee(100), "pass"),
        (1, fee(101), "refuse"),
        (1, fee(9000), "refuse"),
        (1, fee(0, older=9000, epoch=701), "refuse"),  # of this epoch still the older
        (1, fee(0, older=9000, epoch=700), "pass"),
        (1, fee(9000, older=0, epoch=702), "refuse"),  # announced
        (1, fee(50, authority=KEY), "warn"),
        (1, fee(65535), "refuse"),
        (6, b"\1", "pass"),
        (6, b"\2", "refuse"),
        (9, b"", "refuse"),
        (12, bytes(32), "pass"),
        (12, bytes(KEY), "refuse"),
        (14, bytes(64), "pass"),
        (14, bytes(KEY) + bytes(32), "refuse"),
        (14, bytes(32) + bytes(KEY), "refuse"),
        (26, bytes(33), "pass"),
        (26, bytes(KEY) + b"\0", "refuse"),
        (26, bytes(32) + b"\1", "refuse"),
    ],
)
def test_extensions_are_judged_by_what_they_say(kind: int, data: bytes, outcome: str) -> None:
    assert judge(Extension(kind, data), TERMS)[1].outcome == outcome


def test_fees_are_read_as_the_program_writes_them() -> None:
    fees = extensions.transfer_fees(fee(30, authority=KEY, older=20, epoch=5))
    assert fees == (KEY, 20, 30, 5, 2**64 - 1)
    assert (fees.now_bps(4), fees.now_bps(5)) == (20, 30)


def test_holdings() -> None:
    data = bytes(KEY) + bytes(KEY) + struct.pack("<Q", 5) + bytes(36) + b"\1" + bytes(56)
    assert holding(TOKEN, data) == (KEY, KEY, 5, False)
    assert holding(TOKEN, data[:108] + b"\2" + data[109:]) == (KEY, KEY, 5, True)
    assert holding(TOKEN_2022, data + b"\2") == (KEY, KEY, 5, False)
    for program, wrong in (
        (Pubkey.default(), data),
        (TOKEN, data[:-1]),
        (TOKEN_2022, data + b"\1"),
        (TOKEN, data[:108] + b"\0" + data[109:]),
    ):
        assert holding(program, wrong) is None
