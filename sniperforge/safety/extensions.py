"""Every Token-2022 extension of a mint: harmless, priced, or refused, and why.

The numbers are those of token-2022's `ExtensionType`. One that is not in the table is refused: what is not known
cannot be priced. Extensions of token accounts (2, 5, 7, 8, 11, 13, 15, 17, 27) are not in it: no mint has them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

from solders.pubkey import Pubkey

from sniperforge.safety.mint import Extension
from sniperforge.safety.verdict import Outcome

_FROZEN = 2
_BPS = 10_000


class Terms(NamedTuple):
    """What the judgement depends on besides the mint."""

    max_transfer_fee_bps: int
    epoch: int


class Judgement(NamedTuple):
    """What came of one extension."""

    outcome: Outcome
    sentence: str


Judge = Callable[[bytes, Terms], Judgement]


class Known(NamedTuple):
    """An extension of the table. `length` is that of its data, None where it varies."""

    name: str
    length: int | None
    judge: Judge


class TransferFees(NamedTuple):
    """A transfer-fee extension: who may change it, and the fee now and from its epoch on, in basis points."""

    authority: Pubkey | None
    older_bps: int
    newer_bps: int
    newer_epoch: int
    newer_maximum: int

    def now_bps(self, epoch: int) -> int:
        """The fee of `epoch`."""
        return self.newer_bps if epoch >= self.newer_epoch else self.older_bps


def transfer_fees(data: bytes) -> TransferFees:
    """The transfer-fee extension in its 108 bytes."""
    (older,) = struct.unpack_from("<H", data, 88)
    epoch, maximum, newer = struct.unpack_from("<QQH", data, 90)
    return TransferFees(_key(data, 0), older, newer, epoch, maximum)


def _key(data: bytes, offset: int) -> Pubkey | None:
    """An address that is none when it is all zero."""
    raw = data[offset : offset + 32]
    return Pubkey.from_bytes(raw) if any(raw) else None


def _harmless(sentence: str) -> Judge:
    return lambda data, terms: Judgement("pass", sentence)


def _refused(sentence: str) -> Judge:
    return lambda data, terms: Judgement("refuse", sentence)


def _transfer_fee(data: bytes, terms: Terms) -> Judgement:
    fees = transfer_fees(data)
    worst = max(fees.now_bps(terms.epoch), fees.newer_bps)
    if worst > _BPS:
        return Judgement("refuse", f"its transfer fee of {worst} bps is more than all")
    if worst > terms.max_transfer_fee_bps:
        return Judgement(
            "refuse",
            f"each transfer costs {worst} bps, more than safety.max_transfer_fee_bps = {terms.max_transfer_fee_bps}",
        )
    if fees.authority is not None:
        return Judgement(
            "warn",
            f"each transfer costs {worst} bps, which is priced, "
            f"but {fees.authority} can raise it from the epoch after next on",
        )
    return Judgement("pass", f"each transfer costs {worst} bps, which is priced and cannot change")


def _default_state(data: bytes, terms: Terms) -> Judgement:
    if data[0] == _FROZEN:
        return Judgement(
            "refuse", "new token accounts begin frozen: what is bought cannot be sold until somebody thaws it"
        )
    return Judgement("pass", "new token accounts begin unfrozen; only a freeze authority could change that")


def _permanent_delegate(data: bytes, terms: Terms) -> Judgement:
    delegate = _key(data, 0)
    if delegate is None:
        return Judgement("pass", "the permanent delegate is nobody")
    return Judgement("refuse", f"the permanent delegate {delegate} can take or burn the tokens of every holder")


def _transfer_hook(data: bytes, terms: Terms) -> Judgement:
    authority, program = _key(data, 0), _key(data, 32)
    if program is not None:
        return Judgement("refuse", f"program {program} runs at each transfer and can refuse it")
    if authority is not None:
        return Judgement("refuse", f"{authority} can set a program that runs at each transfer and can refuse it")
    return Judgement("pass", "no program runs at transfers and nobody can set one")


def _pausable(data: bytes, terms: Terms) -> Judgement:
    authority = _key(data, 0)
    if data[32]:
        return Judgement("refuse", "all transfers are paused")
    if authority is not None:
        return Judgement("refuse", f"{authority} can pause all transfers")
    return Judgement("pass", "transfers are not paused and nobody can pause them")


_HIDDEN = "amounts can be held encrypted: who holds how much cannot be told"
_SHOWN = "it changes how amounts are shown, not what they are"
_NAMED = "it says where the token is described"

TABLE: Mapping[int, Known] = {
    1: Known("transfer fee", 108, _transfer_fee),
    3: Known("mint close authority", 32, _harmless("the mint can be closed only when its supply is zero")),
    4: Known("confidential transfer", 65, _refused(_HIDDEN)),
    6: Known("default account state", 1, _default_state),
    9: Known("non-transferable", 0, _refused("the token cannot be transferred at all")),
    10: Known("interest-bearing", 52, _harmless(_SHOWN)),
    12: Known("permanent delegate", 32, _permanent_delegate),
    14: Known("transfer hook", 64, _transfer_hook),
    16: Known("confidential transfer fee", 129, _refused(_HIDDEN)),
    18: Known("metadata pointer", 64, _harmless(_NAMED)),
    19: Known("token metadata", None, _harmless("it is the token's name and picture")),
    20: Known("group pointer", 64, _harmless(_NAMED)),
    21: Known("token group", 80, _harmless("it makes the mint a group of others")),
    22: Known("group member pointer", 64, _harmless(_NAMED)),
    23: Known("token group member", 72, _harmless("it makes the mint a member of a group")),
    24: Known("confidential mint and burn", 196, _refused("the supply is encrypted: it can grow unseen")),
    25: Known("scaled UI amount", 56, _harmless(_SHOWN)),
    26: Known("pausable", 33, _pausable),
    28: Known("permissioned burn", 32, _harmless("burning needs somebody's consent; selling burns nothing")),
}


def judge(extension: Extension, terms: Terms) -> tuple[str, Judgement]:
    """The name of an extension and what comes of it."""
    known = TABLE.get(extension.kind)
    if known is None:
        return f"extension {extension.kind}", Judgement(
            "refuse", "no extension of mints that is known: it cannot be priced"
        )
    if known.length is not None and len(extension.data) != known.length:
        return known.name, Judgement(
            "refuse", f"its {len(extension.data)} bytes are not the {known.length} that are known"
        )
    return known.name, known.judge(extension.data, terms)
