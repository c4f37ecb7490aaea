"""What the accounts that a pool names have to be before they price it: what the engine checks (`csrc/dex/pools.c`), on
account dumps. An account that is not among the dumps is not judged.
"""

from __future__ import annotations

from typing import NamedTuple

from solders.pubkey import Pubkey
from spl.token.constants import TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID

from sniperforge.venues.dumps import Account, AmbiguousAccountError, Dumps
from sniperforge.venues.raydium_cpmm import VenueDataError

TOKEN = TOKEN_PROGRAM_ID
TOKEN_2022 = TOKEN_2022_PROGRAM_ID
TOKEN_PROGRAMS = (TOKEN, TOKEN_2022)

TOKEN_ACCOUNT_BYTES = 165
_MINT_BYTES, _MULTISIG_BYTES = 82, 355
_MINT, _AUTHORITY, _STATE, _INITIALIZED, _KIND = 0, 32, 108, 45, 165
"""Offsets: of a token account three, of a mint one, of both with extensions the last."""
_OF_MINT, _OF_ACCOUNT = 1, 2
"""Kinds."""
_STATES = {0: "uninitialized", 1: "initialized", 2: "frozen"}
_FROZEN = 2


class Names(NamedTuple):
    """What a pool's account says of other accounts. Pairs are tokens a and b."""

    mints: tuple[Pubkey | None, Pubkey]
    vaults: tuple[Pubkey | None, Pubkey | None]
    authority: Pubkey
    """Owner of the tokens in the vaults."""
    programs: tuple[Pubkey | None, Pubkey | None] = (None, None)
    """Token programs of the mints; None is either."""
    shared: tuple[tuple[Pubkey, Pubkey], ...] = ()
    """Configs, and the program that each belongs to."""


def check(dumps: Dumps, pool: Account, names: Names, frozen: bool) -> None:
    """Checks mints, vaults and configs of `pool`, as far as they are among `dumps`.

    Args:
        frozen: whether vaults may be.

    Raises:
        VenueDataError: one is not what it has to be; the text says which, in what and at which offset.
    """
    for key, program in names.shared:
        if account := _known(dumps, key):
            _belongs(account, f"config {key} of pool {pool.address}", (program,))
    for mint, vault, said in zip(names.mints, names.vaults, names.programs, strict=True):
        programs = TOKEN_PROGRAMS if said is None else (said,)
        if mint and (account := _known(dumps, mint)):
            what = f"mint {mint} of pool {pool.address}"
            _token_layout(account, what, programs, _MINT_BYTES, _OF_MINT)
            if (state := account.data[_INITIALIZED]) != 1:
                raise VenueDataError(f"{what}: state {state} at offset {_INITIALIZED}, not 1 (initialized)")
            programs = (Pubkey.from_string(account.owner),)
        if mint and vault and (account := _known(dumps, vault)):
            what = f"vault {vault} of pool {pool.address}"
            _token_layout(account, what, programs, TOKEN_ACCOUNT_BYTES, _OF_ACCOUNT)
            _holds(account, what, mint, names.authority, frozen)


def _known(dumps: Dumps, key: Pubkey) -> Account | None:
    """The account, unless its dumps differ: whoever prices by it then refuses that."""
    if str(key) not in dumps:
        return None
    try:
        return dumps[str(key)]
    except AmbiguousAccountError:
        return None


def _belongs(account: Account, what: str, programs: tuple[Pubkey, ...]) -> None:
    if account.owner not in map(str, programs):
        raise VenueDataError(f"{what}: it belongs to program {account.owner}, not {' or '.join(map(str, programs))}")


def _token_layout(account: Account, what: str, programs: tuple[Pubkey, ...], size: int, kind: int) -> None:
    """An account of a token program: `size` bytes, or in Token-2022 more, which then say what it is."""
    _belongs(account, what, programs)
    length = len(account.data)
    if length == size:
        return
    if account.owner != str(TOKEN_2022) or length <= _KIND or length == _MULTISIG_BYTES:
        raise VenueDataError(f"{what}: {length} bytes, not {size}")
    if account.data[_KIND] != kind:
        raise VenueDataError(f"{what}: kind {account.data[_KIND]} at offset {_KIND}, not {kind}")


def _holds(account: Account, what: str, mint: Pubkey, authority: Pubkey, frozen: bool) -> None:
    for field, at, wanted in (("mint", _MINT, mint), ("authority", _AUTHORITY, authority)):
        if (found := Pubkey.from_bytes(account.data[at : at + 32])) != wanted:
            raise VenueDataError(f"{what}: {field} {found} at offset {at}, not {wanted}")
    state = account.data[_STATE]
    if state != 1 and not (frozen and state == _FROZEN):
        raise VenueDataError(
            f"{what}: state {state} ({_STATES.get(state, 'unknown')}) at offset {_STATE}, not 1 (initialized)"
        )
