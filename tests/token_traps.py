"""Tokens and pools for the token checks, made on a running simnet by real token-program transactions.

A pool of Raydium CPMM cannot be opened by its emulation, so its own accounts (config, pool, observation) are dumps that
the simnet begins with; they name mints and vaults that do not exist yet. `build` then makes those: the mint with its
extensions, the vaults with their tokens, the LP mint, who holds what, and which authorities stay.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.transaction import VersionedTransaction

from sniperforge.safety.mint import TOKEN, TOKEN_2022
from sniperforge.simnet import cpmm_accounts
from sniperforge.venues.pools import WRAPPED_SOL
from tests.integration.simnet_process import SimnetProcess, wait_until

SOL = 1_000_000_000
SUPPLY = 1_000_000_000_000_000
RENT = 5_000_000
_CONFIG = 7
_HANDED_AT_ONCE = 4
_VAULT_BYTES = 200
"""Room for every extension that a token account of ours needs."""


@dataclass(frozen=True)
class Token:
    """What is to be made. Shares are in basis points of `SUPPLY`.

    Attributes:
        extensions: length of each extension's data on the mint, and the instruction data that sets it up.
        holders: shares of single owners; the rest of the supply is in the pool.
        crowd: number of owners, number of accounts of each, and the share that they hold together in equal parts.
        beside: share in an account of the venue's authority that is no vault of the pool.
        status: of the pool; 4 = it refuses swaps.
        memo_vault: the pool's vault takes nothing without a memo: the program can give the token but not take it.
    """

    name: str
    program: Pubkey = TOKEN_2022
    extensions: Sequence[tuple[int, bytes]] = ()
    mint_authority: bool = False
    freeze_authority: bool = False
    freeze_vault: bool = False
    memo_vault: bool = False
    holders: Sequence[int] = (100, 100)
    crowd: tuple[int, int, int] = (0, 0, 0)
    beside: int = 0
    sol: int = 100 * SOL
    lp_burnt_bps: int = 10_000
    status: int = 0
    open_time: int = 1
    creator: Pubkey = cpmm_accounts.NOBODY


@dataclass
class Made:
    """A token with its pool. `owner` made it and holds what authorities are left."""

    token: Token
    owner: Keypair = field(default_factory=Keypair)
    mint: Keypair = field(default_factory=Keypair)
    vaults: dict[Pubkey, Keypair] = field(default_factory=dict)
    lp: Keypair = field(default_factory=Keypair)
    holders: list[Pubkey] = field(default_factory=list)
    holder_keys: list[Keypair] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The mint's address."""
        return str(self.mint.pubkey())

    @property
    def keys(self) -> cpmm_accounts.PoolKeys:
        """The pool's addresses."""
        mint = self.mint.pubkey()
        keys = cpmm_accounts.derive_pool(
            config=cpmm_accounts.config_address(_CONFIG),
            mints=(mint, WRAPPED_SOL),
            token_programs=(self.token.program, TOKEN),
        )
        for each in keys.mints:
            self.vaults.setdefault(each, Keypair())
        first, second = (self.vaults[each].pubkey() for each in keys.mints)
        return replace(keys, vaults=(first, second), lp_mint=self.lp.pubkey())

    @property
    def vault(self) -> Pubkey:
        """Where the pool holds the token."""
        return self.vaults[self.mint.pubkey()].pubkey()


# -- extensions ------------------------------------------------------------------------------------------


def transfer_fee(bps: int, authority: Pubkey | None = None) -> tuple[int, bytes]:
    """A fee of `bps` on each transfer."""
    some = b"\0" if authority is None else b"\1" + bytes(authority)
    return 108, b"\x1a\0" + some + b"\0" + struct.pack("<HQ", bps, 2**64 - 1)


def permanent_delegate(delegate: Pubkey) -> tuple[int, bytes]:
    """Somebody may move everybody's tokens."""
    return 32, b"\x23" + bytes(delegate)


def transfer_hook(program: Pubkey) -> tuple[int, bytes]:
    """A program runs at each transfer."""
    return 64, b"\x24\0" + bytes(32) + bytes(program)


def default_frozen() -> tuple[int, bytes]:
    """New token accounts begin frozen."""
    return 1, b"\x1c\0\2"


def non_transferable() -> tuple[int, bytes]:
    """The token cannot be transferred."""
    return 0, b"\x20"


def pausable(authority: Pubkey) -> tuple[int, bytes]:
    """Somebody may stop all transfers."""
    return 33, b"\x2c\0" + bytes(authority)


def metadata_pointer(address: Pubkey) -> tuple[int, bytes]:
    """Says where the token is described."""
    return 64, b"\x27\0" + bytes(32) + bytes(address)


# -- genesis ---------------------------------------------------------------------------------------------


def write_dumps(directory: Path, made: Sequence[Made]) -> None:
    """The accounts that the pools' program owns, as dumps for `--account-dir`."""
    config = cpmm_accounts.config_data(
        index=_CONFIG, trade_fee_rate=2500, protocol_fee_rate=120_000, fund_fee_rate=40_000, creator_fee_rate=0
    )
    accounts = {cpmm_accounts.config_address(_CONFIG): config}
    for each in made:
        keys = each.keys
        accounts[keys.pool] = cpmm_accounts.pool_data(
            keys,
            decimals=(6, 9) if keys.mints[1] == WRAPPED_SOL else (9, 6),
            lp_supply=SUPPLY,
            status=each.token.status,
            open_time=each.token.open_time,
            creator=each.token.creator,
        )
        accounts[keys.observation] = cpmm_accounts.observation_data(keys)
    directory.mkdir()
    for address, data in accounts.items():
        account = {
            "lamports": SOL,
            "data": [base64.b64encode(data).decode(), "base64"],
            "owner": str(cpmm_accounts.PROGRAM_ID),
            "executable": False,
            "rentEpoch": 0,
        }
        (directory / f"{address}.json").write_text(json.dumps({"pubkey": str(address), "account": account}))


# -- transactions ----------------------------------------------------------------------------------------


def _meta(key: Pubkey, *, writable: bool = False, signer: bool = False) -> AccountMeta:
    return AccountMeta(key, is_signer=signer, is_writable=writable)


def send(simnet: SimnetProcess, payer: Keypair, instructions: Sequence[Instruction], *signers: Keypair) -> str:
    """Sends one transaction and waits until it has executed without error."""
    blockhash = Hash.from_string(simnet.call("getLatestBlockhash", {"commitment": "processed"})["value"]["blockhash"])
    message = MessageV0.try_compile(payer.pubkey(), instructions, [], blockhash)
    raw = bytes(VersionedTransaction(message, [payer, *signers]))
    options = {"encoding": "base64", "skipPreflight": True}
    signature = str(simnet.call("sendTransaction", base64.b64encode(raw).decode(), options))
    status = wait_until(lambda: _status(simnet, signature), 30.0, f"{signature} executes")
    if status["err"] is not None:
        shown = wait_until(lambda: _transaction(simnet, signature), 30.0, f"{signature} is confirmed")
        raise AssertionError(f"{status['err']}: {shown['meta']['logMessages']}")
    return signature


def _status(simnet: SimnetProcess, signature: str) -> Any:
    return simnet.call("getSignatureStatuses", [signature])["value"][0]


def _transaction(simnet: SimnetProcess, signature: str) -> Any:
    return simnet.call("getTransaction", signature, {"commitment": "confirmed", "maxSupportedTransactionVersion": 0})


def fund(simnet: SimnetProcess, wallet: Pubkey, lamports: int) -> None:
    """Gives a wallet SOL and waits until it is there."""
    simnet.call("requestAirdrop", str(wallet), lamports)
    options = {"commitment": "processed"}
    wait_until(lambda: simnet.call("getBalance", str(wallet), options)["value"], 30.0, "airdrop arrives")


def _account(payer: Pubkey, key: Pubkey, lamports: int, space: int, owner: Pubkey) -> Instruction:
    return create_account(
        CreateAccountParams(from_pubkey=payer, to_pubkey=key, lamports=lamports, space=space, owner=owner)
    )


def make_mint(owner: Pubkey, mint: Pubkey, token: Token, *, decimals: int = 6) -> list[Instruction]:
    """Makes a mint with its extensions; `owner` has both authorities."""
    freezes = token.freeze_authority or token.freeze_vault or default_frozen() in token.extensions
    space = 166 + sum(4 + length for length, _ in token.extensions) if token.extensions else 82
    freezer = b"\1" + bytes(owner) if freezes else b"\0"
    return [
        _account(owner, mint, RENT, space, token.program),
        *(Instruction(token.program, data, [_meta(mint, writable=True)]) for _, data in token.extensions),
        Instruction(token.program, bytes((20, decimals)) + bytes(owner) + freezer, [_meta(mint, writable=True)]),
    ]


def make_account(
    payer: Pubkey,
    key: Pubkey,
    mint: Pubkey,
    program: Pubkey,
    owner: Pubkey,
    *,
    lamports: int = RENT,
    fixed: bool = True,
) -> list[Instruction]:
    """Makes a token account at a key of its own; `fixed`: its owner cannot change (Token-2022 only)."""
    space = 165 if program == TOKEN else _VAULT_BYTES
    made = [_account(payer, key, lamports, space, program)]
    if program == TOKEN_2022 and fixed:
        made.append(Instruction(program, b"\x16", [_meta(key, writable=True)]))  # immutable owner
    return [*made, Instruction(program, b"\x12" + bytes(owner), [_meta(key, writable=True), _meta(mint)])]


def mint_to(program: Pubkey, mint: Pubkey, account: Pubkey, authority: Pubkey, amount: int) -> Instruction:
    """Makes tokens."""
    metas = [_meta(mint, writable=True), _meta(account, writable=True), _meta(authority, signer=True)]
    return Instruction(program, b"\x07" + struct.pack("<Q", amount), metas)


def set_authority(
    program: Pubkey, mint: Pubkey, authority: Pubkey, kind: int, new: Pubkey | None = None
) -> Instruction:
    """Gives away (None: for ever gives up) the authority to mint (0) or to freeze (1), or an account (2)."""
    some = b"\0" if new is None else b"\1" + bytes(new)
    metas = [_meta(mint, writable=True), _meta(authority, signer=True)]
    return Instruction(program, bytes((6, kind)) + some, metas)


def freeze(program: Pubkey, account: Pubkey, mint: Pubkey, authority: Pubkey, *, thaw: bool = False) -> Instruction:
    """Freezes or thaws a token account."""
    metas = [_meta(account, writable=True), _meta(mint), _meta(authority, signer=True)]
    return Instruction(program, b"\x0b" if thaw else b"\x0a", metas)


def transfer(
    program: Pubkey, source: Pubkey, mint: Pubkey, target: Pubkey, owner: Pubkey, amount: int, decimals: int = 6
) -> Instruction:
    """Moves tokens (TransferChecked)."""
    metas = [_meta(source, writable=True), _meta(mint), _meta(target, writable=True), _meta(owner, signer=True)]
    return Instruction(program, b"\x0c" + struct.pack("<QB", amount, decimals), metas)


def build(simnet: SimnetProcess, made: Made) -> None:
    """Makes the mint, the vaults, the LP mint and the holders of a token."""
    token, owner = made.token, made.owner
    fund(simnet, owner.pubkey(), token.sol + 10 * SOL)
    me, mint, program = owner.pubkey(), made.mint.pubkey(), token.program
    vaults = {key: made.vaults[key] for key in made.keys.mints}
    send(simnet, owner, make_mint(me, mint, token), made.mint)
    send(
        simnet,
        owner,
        [
            *_make_vault(me, vaults[mint].pubkey(), mint, token),
            *make_account(
                me, vaults[WRAPPED_SOL].pubkey(), WRAPPED_SOL, TOKEN, cpmm_accounts.AUTHORITY, lamports=token.sol + RENT
            ),
        ],
        *vaults.values(),
    )
    thaws = default_frozen() in token.extensions
    pooled = 10_000 - sum(token.holders) - token.crowd[2] - token.beside
    _fill(simnet, made, vaults[mint].pubkey(), SUPPLY * pooled // 10_000, thaws)
    for share in token.holders:
        account, holder = Keypair(), Keypair()
        send(simnet, owner, make_account(me, account.pubkey(), mint, program, holder.pubkey()), account)
        _fill(simnet, made, account.pubkey(), SUPPLY * share // 10_000, thaws)
        made.holders.append(account.pubkey())
        made.holder_keys.append(holder)
    _hand_out(simnet, made)
    last = []
    if token.freeze_vault:
        last.append(freeze(program, vaults[mint].pubkey(), mint, me))
    if not token.mint_authority:
        last.append(set_authority(program, mint, me, 0))
    if (token.freeze_vault or thaws) and not token.freeze_authority:
        last.append(set_authority(program, mint, me, 1))
    if last:
        send(simnet, owner, last)
    _make_lp(simnet, made)


def _hand_out(simnet: SimnetProcess, made: Made) -> None:
    """Makes what the crowd holds, and what is beside the vault."""
    (owners, each, share), beside = made.token.crowd, made.token.beside
    handed = [(owner, SUPPLY * share // 10_000 // (owners * each)) for owner in _keys(owners) for _ in range(each)]
    if beside:
        handed.append((cpmm_accounts.AUTHORITY, SUPPLY * beside // 10_000))
    me, mint, program = made.owner.pubkey(), made.mint.pubkey(), made.token.program
    for start in range(0, len(handed), _HANDED_AT_ONCE):
        accounts, made_of = [], []
        for owner, amount in handed[start : start + _HANDED_AT_ONCE]:
            accounts.append(Keypair())
            key = accounts[-1].pubkey()
            made_of += [
                *make_account(me, key, mint, program, owner, fixed=False),
                mint_to(program, mint, key, me, amount),
            ]
        send(simnet, made.owner, made_of, *accounts)


def _keys(count: int) -> list[Pubkey]:
    return [Keypair().pubkey() for _ in range(count)]


def _make_vault(me: Pubkey, vault: Pubkey, mint: Pubkey, token: Token) -> list[Instruction]:
    if not token.memo_vault:
        return make_account(me, vault, mint, token.program, cpmm_accounts.AUTHORITY)
    ask = Instruction(token.program, b"\x1e\0", [_meta(vault, writable=True), _meta(me, signer=True)])
    give = set_authority(token.program, vault, me, 2, cpmm_accounts.AUTHORITY)
    return [*make_account(me, vault, mint, token.program, me, fixed=False), ask, give]


def _fill(simnet: SimnetProcess, made: Made, account: Pubkey, amount: int, thaws: bool) -> None:
    me, mint, program = made.owner.pubkey(), made.mint.pubkey(), made.token.program
    first = [freeze(program, account, mint, me, thaw=True)] if thaws else []
    send(simnet, made.owner, [*first, mint_to(program, mint, account, me, amount)])


def _make_lp(simnet: SimnetProcess, made: Made) -> None:
    """The LP mint; what was not burnt is held by the owner."""
    me, lp = made.owner.pubkey(), made.lp.pubkey()
    account = Keypair()
    burnt = SUPPLY * made.token.lp_burnt_bps // 10_000
    metas = [_meta(account.pubkey(), writable=True), _meta(lp, writable=True), _meta(me, signer=True)]
    send(simnet, made.owner, make_mint(me, lp, Token("lp", program=TOKEN), decimals=9), made.lp)
    send(
        simnet,
        made.owner,
        [
            *make_account(me, account.pubkey(), lp, TOKEN, me),
            mint_to(TOKEN, lp, account.pubkey(), me, SUPPLY),
            set_authority(TOKEN, lp, me, 0, cpmm_accounts.AUTHORITY),
            Instruction(TOKEN, b"\x08" + struct.pack("<Q", burnt), metas),
        ],
        account,
    )
