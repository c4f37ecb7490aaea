"""Launches: new tokens with their pools appear while the chain runs, some of them traps.

A launch is a creator with a new mint, by real token-program transactions: the mint with its authorities and extensions,
the vaults, the holders, the LP tokens burnt or kept. The emulated programs cannot open a pool, so its own accounts are
put there in the slot after. Then a crowd of three trades on it, up or down as the dice fell, and the creator of a
`dumper` sells all that he holds.

What is launched when follows from the seed and the slot. A restart of the chain ends the trading of launches made
before it; their pools stay.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from solders.account import Account
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import CreateAccountParams, TransferParams, create_account, transfer
from solders.token.associated import get_associated_token_address
from solders.transaction import VersionedTransaction

from sniperforge.simnet import cpmm_accounts as cpmm
from sniperforge.simnet import pump_fun_accounts as curves
from sniperforge.simnet import pump_fun_newest_accounts as pump
from sniperforge.simnet.bank import Bank
from sniperforge.simnet.config import SimnetConfig
from sniperforge.simnet.faucet import ASSOCIATED_PROGRAM, WRAPPED_SOL, derive_keypair
from sniperforge.simnet.transactions import TOKEN_2022_PROGRAM, TOKEN_PROGRAM, decode
from sniperforge.simnet.venue_pools import VENUES
from sniperforge.simnet.venue_pools.base import LivePool, Order, Token

TRAPS: Final = ("mintable", "freezable", "whale", "fee", "delegate", "unlocked", "dumper")
"""`dumper` passes the checks; its creator sells later."""
SUPPLY: Final = 1_000_000_000_000_000

_SOL: Final = 10**9
_CONFIG: Final = 9
_TRADE_FEE_RATE: Final = 2_500
_PROTOCOL_SHARE: Final = 120_000
_FUND_SHARE: Final = 40_000
_VAULT_BYTES: Final = 200
_TRAP_SHARE: Final = 0.5
_CURVE_SHARE: Final = 0.4
_CROWD: Final = 3
_CROWD_SOL: Final = 60
_ALIVE_SLOTS: Final = 1_500
_DUMP_SLOTS: Final = 150
_TRADES_PER_SLOT: Final = 0.3
_PLAIN_ACCOUNT: Final = 165
_PLAIN_MINT: Final = 82


def _meta(key: Pubkey, *, writable: bool = False, signer: bool = False) -> AccountMeta:
    return AccountMeta(key, is_signer=signer, is_writable=writable)


@dataclass
class Launch:
    """One token. `kind` is "clean" or one of `TRAPS`; `venue` is raydium_cpmm or pump_fun."""

    name: str
    kind: str
    venue: str
    slot: int
    seed: int
    dice: random.Random
    trend: float
    steps: int = 0
    dumped: bool = False
    live: LivePool | None = None
    made: dict[str, Keypair] = field(default_factory=dict)

    def key(self, what: str) -> Keypair:
        """The keypair of one of its accounts."""
        found = self.made.get(what)
        if found is None:
            found = self.made[what] = derive_keypair(self.seed, f"{self.name} {what}")
        return found

    @property
    def mint(self) -> Pubkey:
        """Address of the token."""
        return self.key("mint").pubkey()

    @property
    def creator(self) -> Pubkey:
        """Who makes it."""
        return self.key("creator").pubkey()

    @property
    def program(self) -> Pubkey:
        """The mint's token program."""
        return TOKEN_2022_PROGRAM if self.kind in ("fee", "delegate") else TOKEN_PROGRAM

    @property
    def extensions(self) -> list[tuple[int, bytes]]:
        """Length of each extension on the mint, and the instruction data that sets it up."""
        if self.kind == "fee":
            return [(108, b"\x1a\0\0\0" + struct.pack("<HQ", 9_000, 2**64 - 1))]
        if self.kind == "delegate":
            return [(32, b"\x23" + bytes(self.creator))]
        return []

    @property
    def cpmm_keys(self) -> cpmm.PoolKeys:
        """Addresses of its pool on Raydium CPMM; its vaults and LP mint are plain keypairs."""
        keys = cpmm.derive_pool(
            config=cpmm.config_address(_CONFIG),
            mints=(self.mint, WRAPPED_SOL),
            token_programs=(self.program, TOKEN_PROGRAM),
        )
        vaults = tuple(self.key("sol vault" if mint == WRAPPED_SOL else "vault").pubkey() for mint in keys.mints)
        return replace(keys, vaults=(vaults[0], vaults[1]), lp_mint=self.key("lp").pubkey())

    @property
    def curve_keys(self) -> pump.CurveKeys:
        """Addresses of its bonding curve."""
        return pump.derive_curve(self.mint, self.creator)


class Launches:
    """The launcher of one chain.

    Args:
        launches_per_minute: average at speed 1; 0 = none.
    """

    def __init__(self, config: SimnetConfig) -> None:
        self._rate = config.market.launches_per_minute * config.slot_ms / 60_000
        self._seed = config.seed
        self._slot = -1
        self._faucet = derive_keypair(config.seed, "faucet")
        self._alive: list[Launch] = []
        self._sent = 0

    def tick(self, bank: Bank) -> None:
        """Does what is due in the current slot; call it once a tick."""
        if not self._rate or bank.chain.slot == self._slot:
            return
        self._slot = bank.chain.slot
        self._begin(bank)
        for launch in list(self._alive):
            self._step(bank, launch)

    def _begin(self, bank: Bank) -> None:
        dice = random.Random(f"{self._seed} launches {self._slot}")
        count = int(self._rate) + (dice.random() < self._rate % 1.0)
        for number in range(count):
            kind = dice.choice(TRAPS) if dice.random() < _TRAP_SHARE else "clean"
            coins = bank.svm.get_account(curves.GLOBAL) is not None and kind in ("clean", "mintable", "freezable")
            venue = "pump_fun" if coins and dice.random() < _CURVE_SHARE else "raydium_cpmm"
            name = f"launch {self._slot} {number} {kind}"
            launch = Launch(name, kind, venue, self._slot, self._seed, random.Random(dice.getrandbits(64)), 0.0)
            launch.trend = launch.dice.uniform(-0.6, 1.0)
            self._alive.append(launch)

    # -- one launch, a step a slot --

    def _step(self, bank: Bank, launch: Launch) -> None:
        steps = (self._fund, self._make_mint, self._make_vaults, self._fill, self._open, self._make_accounts)
        if launch.steps < len(steps):
            steps[launch.steps](bank, launch)
            launch.steps += 1
            return
        age = bank.chain.slot - launch.slot
        if age > _ALIVE_SLOTS:
            self._alive.remove(launch)
        elif launch.kind == "dumper" and age >= _DUMP_SLOTS and not launch.dumped:
            launch.dumped = True
            self._trade(bank, launch, launch.key("creator"), 1.0, sells=True)
        elif launch.steps < len(steps) + _CROWD:
            self._trade(bank, launch, launch.key(f"crowd {launch.steps - len(steps)}"), 0.05, sells=False)
            launch.steps += 1
        elif launch.dice.random() < _TRADES_PER_SLOT:
            sells = launch.dice.random() * 2.0 - 1.0 > launch.trend
            trader = launch.key(f"crowd {launch.dice.randrange(_CROWD)}")
            self._trade(bank, launch, trader, launch.dice.uniform(0.1, 0.3) if sells else 0.02, sells=sells)

    def _fund(self, bank: Bank, launch: Launch) -> None:
        pays = {launch.creator: 200 * _SOL} | {
            launch.key(f"crowd {number}").pubkey(): (_CROWD_SOL + 5) * _SOL for number in range(_CROWD)
        }
        if launch.venue == "pump_fun":
            pays[launch.curve_keys.creator_vault] = bank.svm.minimum_balance_for_rent_exemption(0)
        me = self._faucet.pubkey()
        self._send(
            bank,
            self._faucet,
            [
                transfer(TransferParams(from_pubkey=me, to_pubkey=key, lamports=lamports))
                for key, lamports in pays.items()
            ],
        )

    def _make_mint(self, bank: Bank, launch: Launch) -> None:
        me, mint, program = launch.creator, launch.mint, launch.program
        extensions = launch.extensions
        space = 166 + sum(4 + length for length, _ in extensions) if extensions else _PLAIN_MINT
        freezer = b"\1" + bytes(me) if launch.kind == "freezable" else b"\0"
        made = [
            self._account(bank, me, mint, space, program),
            *(Instruction(program, data, [_meta(mint, writable=True)]) for _, data in extensions),
            Instruction(program, b"\x14\6" + bytes(me) + freezer, [_meta(mint, writable=True)]),
        ]
        self._send(bank, launch.key("creator"), made, launch.key("mint"))

    def _make_vaults(self, bank: Bank, launch: Launch) -> None:
        me, creator = launch.creator, launch.key("creator")
        if launch.venue == "pump_fun":
            keys = launch.curve_keys
            self._send(bank, creator, [_associated(me, keys.curve_tokens, keys.curve, launch.mint, launch.program)])
            return
        vault, sol = launch.key("vault"), launch.key("sol vault")
        depth = launch.dice.randrange(60, 150) * _SOL
        made = [
            *self._token_account(bank, me, vault.pubkey(), launch.mint, launch.program, cpmm.AUTHORITY),
            *self._token_account(bank, me, sol.pubkey(), WRAPPED_SOL, TOKEN_PROGRAM, cpmm.AUTHORITY, lamports=depth),
        ]
        self._send(bank, creator, made, vault, sol)

    def _fill(self, bank: Bank, launch: Launch) -> None:
        """Gives out the supply, and gives up the authorities that the kind does not keep."""
        me, mint, program, creator = launch.creator, launch.mint, launch.program, launch.key("creator")
        own = get_associated_token_address(me, mint, program)
        kept = SUPPLY * {"whale": 9_000, "dumper": 1_500}.get(launch.kind, 100) // 10_000
        if launch.venue == "pump_fun":
            filled, kept = launch.curve_keys.curve_tokens, 0
        else:
            filled = launch.key("vault").pubkey()
        made = [_mint_to(program, mint, filled, me, SUPPLY - kept)]
        if kept:
            made += [_associated(me, own, me, mint, program), _mint_to(program, mint, own, me, kept)]
        if launch.kind != "mintable":
            metas = [_meta(mint, writable=True), _meta(me, signer=True)]
            made.append(Instruction(program, b"\x06\0\0", metas))
        self._send(bank, creator, made)
        if launch.venue != "pump_fun":
            self._make_lp(bank, launch)

    def _make_lp(self, bank: Bank, launch: Launch) -> None:
        me, lp, held = launch.creator, launch.key("lp"), launch.key("lp account")
        burnt = 0 if launch.kind == "unlocked" else SUPPLY
        burn = [_meta(held.pubkey(), writable=True), _meta(lp.pubkey(), writable=True), _meta(me, signer=True)]
        give = [_meta(lp.pubkey(), writable=True), _meta(me, signer=True)]
        made = [
            self._account(bank, me, lp.pubkey(), _PLAIN_MINT, TOKEN_PROGRAM),
            Instruction(TOKEN_PROGRAM, b"\x14\x09" + bytes(me) + b"\0", [_meta(lp.pubkey(), writable=True)]),
            *self._token_account(bank, me, held.pubkey(), lp.pubkey(), TOKEN_PROGRAM, me),
            _mint_to(TOKEN_PROGRAM, lp.pubkey(), held.pubkey(), me, SUPPLY),
            Instruction(TOKEN_PROGRAM, b"\x06\0\1" + bytes(cpmm.AUTHORITY), give),
            Instruction(TOKEN_PROGRAM, b"\x08" + struct.pack("<Q", burnt), burn),
        ]
        self._send(bank, launch.key("creator"), made, lp, held)

    def _open(self, bank: Bank, launch: Launch) -> None:
        """The accounts of the pool's program."""
        found: dict[Pubkey, tuple[bytes, Pubkey]] = {}
        if launch.venue == "pump_fun":
            found[launch.curve_keys.curve] = pump.curve_data(launch.curve_keys), curves.PROGRAM_ID
        else:
            keys = launch.cpmm_keys
            if bank.svm.get_account(keys.config) is None:
                config = cpmm.config_data(
                    index=_CONFIG,
                    trade_fee_rate=_TRADE_FEE_RATE,
                    protocol_fee_rate=_PROTOCOL_SHARE,
                    fund_fee_rate=_FUND_SHARE,
                    creator_fee_rate=0,
                )
                found[keys.config] = config, cpmm.PROGRAM_ID
            data = cpmm.pool_data(
                keys,
                decimals=(9, 6) if keys.mints[0] == WRAPPED_SOL else (6, 9),
                lp_supply=SUPPLY,
                creator=launch.creator,
                open_time=bank.chain.blocks[-1].time,
            )
            found[keys.observation] = cpmm.observation_data(keys), cpmm.PROGRAM_ID
            found[keys.pool] = data, cpmm.PROGRAM_ID
        rent = bank.svm.minimum_balance_for_rent_exemption
        bank.inject([(key, Account(rent(len(data)), data, owner)) for key, (data, owner) in found.items()])
        read = bank.svm.get_account
        tokens = {
            WRAPPED_SOL: Token(WRAPPED_SOL, TOKEN_PROGRAM, 9, 0.0),
            launch.mint: Token(launch.mint, launch.program, 6, 0.0),
        }
        if launch.venue == "pump_fun":
            pool, mints = launch.curve_keys.curve, (launch.mint, WRAPPED_SOL)
        else:
            pool, mints = launch.cpmm_keys.pool, launch.cpmm_keys.mints
        launch.live = VENUES[launch.venue].live(pool, (tokens[mints[0]], tokens[mints[1]]), read)

    def _make_accounts(self, bank: Bank, launch: Launch) -> None:
        """What the crowd trades with."""
        for number in range(_CROWD):
            trader = launch.key(f"crowd {number}")
            me = trader.pubkey()
            own = get_associated_token_address(me, launch.mint, launch.program)
            made = [_associated(me, own, me, launch.mint, launch.program)]
            if launch.venue != "pump_fun":
                wrapped = get_associated_token_address(me, WRAPPED_SOL, TOKEN_PROGRAM)
                made += [
                    _associated(me, wrapped, me, WRAPPED_SOL, TOKEN_PROGRAM),
                    transfer(TransferParams(from_pubkey=me, to_pubkey=wrapped, lamports=_CROWD_SOL * _SOL)),
                    Instruction(TOKEN_PROGRAM, b"\x11", [_meta(wrapped, writable=True)]),
                ]
            self._send(bank, trader, made)
        if launch.kind == "dumper":
            me = launch.creator
            wrapped = get_associated_token_address(me, WRAPPED_SOL, TOKEN_PROGRAM)
            self._send(bank, launch.key("creator"), [_associated(me, wrapped, me, WRAPPED_SOL, TOKEN_PROGRAM)])

    def _trade(self, bank: Bank, launch: Launch, trader: Keypair, share: float, *, sells: bool) -> None:
        """Sells a share of what the trader holds of the token, or spends a share of the pool's SOL."""
        assert launch.live is not None
        read = bank.svm.get_account
        reserves = launch.live.reserves(read)
        if reserves is None:
            return
        me = trader.pubkey()
        token_side = 0 if launch.venue == "pump_fun" else launch.cpmm_keys.mints.index(launch.mint)
        own = get_associated_token_address(me, launch.mint, launch.program)
        wrapped = get_associated_token_address(me, WRAPPED_SOL, TOKEN_PROGRAM)
        side = token_side if sells else 1 - token_side
        if sells:
            account = read(own)
            amount = int(_held(account) * share)
        else:
            amount = int(reserves[side] * share)
            account = read(me if launch.venue == "pump_fun" else wrapped)
            has = (account.lamports - _SOL if account else 0) if launch.venue == "pump_fun" else _held(account)
            amount = min(amount, max(has, 0))
        if amount <= 0:
            return
        order = Order(
            trader=me,
            accounts=(own, wrapped) if token_side == 0 else (wrapped, own),
            side=side,
            amount=amount,
            expected=int(reserves[1 - side] * amount / (reserves[side] + amount)),
            slippage=0.2,
        )
        self._send(bank, trader, [launch.live.swap(read, order)])

    # -- transactions --

    def _account(
        self, bank: Bank, payer: Pubkey, key: Pubkey, space: int, owner: Pubkey, lamports: int = 0
    ) -> Instruction:
        rent = bank.svm.minimum_balance_for_rent_exemption(space)
        return create_account(
            CreateAccountParams(from_pubkey=payer, to_pubkey=key, lamports=rent + lamports, space=space, owner=owner)
        )

    def _token_account(
        self, bank: Bank, payer: Pubkey, key: Pubkey, mint: Pubkey, program: Pubkey, owner: Pubkey, lamports: int = 0
    ) -> list[Instruction]:
        """A token account at a key of its own."""
        space = _PLAIN_ACCOUNT if program == TOKEN_PROGRAM else _VAULT_BYTES
        made = [self._account(bank, payer, key, space, program, lamports)]
        if program == TOKEN_2022_PROGRAM:
            made.append(Instruction(program, b"\x16", [_meta(key, writable=True)]))
        return [*made, Instruction(program, b"\x12" + bytes(owner), [_meta(key, writable=True), _meta(mint)])]

    def _send(self, bank: Bank, payer: Keypair, instructions: Sequence[Instruction], *signers: Keypair) -> None:
        self._sent += 1
        budget = [set_compute_unit_limit(300_000), set_compute_unit_price(1 + self._sent % 1_000)]
        blockhash, _ = bank.chain.latest_blockhash(bank.chain.slot)
        message = MessageV0.try_compile(payer.pubkey(), [*budget, *instructions], [], Hash.from_bytes(blockhash))
        bank.submit(decode(bytes(VersionedTransaction(message, [payer, *signers]))), 0, by_client=False)


def _associated(payer: Pubkey, account: Pubkey, owner: Pubkey, mint: Pubkey, program: Pubkey) -> Instruction:
    """Makes an associated token account unless it is there."""
    metas = [_meta(payer, writable=True, signer=True), _meta(account, writable=True)]
    metas += [_meta(key) for key in (owner, mint, SYSTEM_PROGRAM, program)]
    return Instruction(ASSOCIATED_PROGRAM, b"\1", metas)


def _mint_to(program: Pubkey, mint: Pubkey, account: Pubkey, authority: Pubkey, amount: int) -> Instruction:
    metas = [_meta(mint, writable=True), _meta(account, writable=True), _meta(authority, signer=True)]
    return Instruction(program, b"\x07" + struct.pack("<Q", amount), metas)


def _held(account: Account | None) -> int:
    return int.from_bytes(account.data[64:72], "little") if account is not None and len(account.data) >= 72 else 0
