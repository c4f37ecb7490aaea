"""The safety tile: it checks tokens that are not listed, guards those the wallet holds, and tells it all by messages.

In-link market, from which it learns of pools; out-link verdict, which risk and the bots read and the journal keeps, so
that a replay has every verdict at the place where a bot saw it. The node is asked by the threads of `Gate` and
`Guards`: the tile never waits for it.

Every token that is not in `safety.listed_mints` is checked when its first pool against SOL or a token of
`safety.amount` appears, the newest first, at most one check every `safety.check_ms`. What passes is checked anew before
its verdict is too old to be bought on; what is refused after `safety.recheck_ms`, then ever less often, in another of
its pools if there is one. What the wallet holds is guarded from its last verdict on; what it held before the start and
does not pass is to be sold.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
from solders.pubkey import Pubkey

from ipc._core import lib
from ipc.tile import Batch, Tile
from ipc.views import now_ns
from sniperforge.records import Record
from sniperforge.safety import Exit, Gate, Guards, Verdict
from sniperforge.tile_config import SafetyConfig
from sniperforge.venues.pools import WRAPPED_SOL

_HELD_NS: Final = 50_000_000
"""How often the tables of positions and of the chain are looked at."""
_LONGEST_RECHECK: Final = 64
"""The longest wait after refusals, in multiples of `safety.recheck_ms`."""
_SUPPLY_AT: Final = 36
"""Where a mint's account has its supply."""

_CHECKS: Final = {
    "owner program": lib.SF_UNSAFE_PROGRAM,
    "mint authority": lib.SF_UNSAFE_MINT_AUTHORITY,
    "freeze authority": lib.SF_UNSAFE_FREEZE_AUTHORITY,
    "supply": lib.SF_UNSAFE_SUPPLY,
    "pool": lib.SF_UNSAFE_POOL,
    "pool supply": lib.SF_UNSAFE_POOL,
    "holders": lib.SF_UNSAFE_HOLDERS,
    "liquidity lock": lib.SF_UNSAFE_LOCK,
    "pool age": lib.SF_UNSAFE_AGE,
    "pool depth": lib.SF_UNSAFE_DEPTH,
    "simulated exit": lib.SF_UNSAFE_EXIT,
    "exit impact": lib.SF_UNSAFE_IMPACT,
    "creators": lib.SF_UNSAFE_CREATOR,
}
"""Reasons by the name of the check; `extension ...` beside them, and any other is SF_UNSAFE_OTHER."""
_GUARDS: Final = {
    "mint-authority": lib.SF_UNSAFE_MINT_AUTHORITY,
    "freeze-authority": lib.SF_UNSAFE_FREEZE_AUTHORITY,
    "extension": lib.SF_UNSAFE_EXTENSION,
    "supply": lib.SF_UNSAFE_SUPPLY,
    "frozen": lib.SF_UNSAFE_POOL,
    "liquidity": lib.SF_UNSAFE_DEPTH,
    "creator-sell": lib.SF_UNSAFE_CREATOR,
    "unknown": lib.SF_UNSAFE_OTHER,
}
_VERDICT: Final = Record("sf_verdict_t")
_CREATORS_MAX: Final = int(lib.SF_CREATOR_MAX)


class SafetyParams(msgspec.Struct, frozen=True, kw_only=True):
    """The tile's parameters; `config` is [safety] as JSON."""

    rpc_url: str
    ca_path: str
    timeout_ms: int
    wallet: str
    config: str


class Market(msgspec.Struct, frozen=True):
    """A pool that a token could be sold in."""

    row: int
    address: str
    quote: int
    quote_mint: str


@dataclass
class Subject:
    """A token that is not listed.

    Attributes:
        due_ns, due_slot: when it is to be checked again.
        verdict: the last one that passed, if nothing was refused since.
    """

    token: int
    mint: str
    markets: list[Market] = field(default_factory=list)
    at: int = 0
    due_ns: int = 0
    due_slot: int = 0
    refusals: int = 0
    held: bool = False
    guarded: bool = False
    verdict: Verdict | None = None

    @property
    def market(self) -> Market:
        """The pool that is looked at."""
        return self.markets[self.at % len(self.markets)]


def reasons(verdict: Verdict) -> int:
    """The SF_UNSAFE_* bits of the checks that refused."""
    bits = 0
    for check in verdict.checks:
        if check.outcome == "refuse":
            other = lib.SF_UNSAFE_EXTENSION if check.name.startswith("extension") else lib.SF_UNSAFE_OTHER
            bits |= _CHECKS.get(check.name, other)
    return bits


class Safety(Tile):
    """Counters: `checks`, `passed`, `refused`, `exits`. Gauges: `tokens` met, `guarded`, `guards_slot`."""

    def init(self) -> None:
        params = msgspec.convert(self.params, SafetyParams, strict=False)
        config = self._config = msgspec.json.decode(params.config, type=SafetyConfig)
        self._amounts = {str(WRAPPED_SOL): config.amount_lamports, **config.amount}
        self._out = self.output("verdict")
        self._pools = self.table("pools")
        self._tokens = self.table("tokens")
        self._positions = self.table("positions")
        self._chain = self.table("chain")
        self._seen: set[int] = set()
        self._mints: dict[int, str] = {}
        self._subjects: dict[str, Subject] = {}
        self._outgoing: deque[tuple[int, bytes]] = deque()
        self._asked: Subject | None = None
        self._next_ns = self._look_ns = self._slot = 0
        self._counters = {name: self.counter(name) for name in ("checks", "passed", "refused", "exits")}
        self._gauges = {name: self.gauge(name) for name in ("tokens", "guarded", "guards_slot")}
        wallet = Pubkey.from_string(params.wallet)
        url, timeout_ms, ca_path = params.rpc_url, params.timeout_ms, params.ca_path
        self._gate = Gate(url, config, wallet, timeout_ms=timeout_ms, ca_path=ca_path)
        self._guards = Guards(url, config, timeout_ms=timeout_ms, ca_path=ca_path)

    def messages(self, source: int, batch: Batch) -> None:
        for header in batch.structs("sf_pool_update_t"):
            if header.pool not in self._seen:
                self._meet(int(header.pool), int(header.token_a), int(header.token_b))

    def poll(self) -> int:
        now = now_ns()
        for verdict in self._gate.results():
            self._judge(verdict, now)
        for event in self._guards.events():
            self._leave(event)
        if now >= self._look_ns:
            self._look_ns = now + _HELD_NS
            self._look(now)
        if self._asked is None and now >= self._next_ns:
            self._ask(now)
        count = min(len(self._outgoing), self.credit(self._out))
        for _ in range(count):
            token, payload = self._outgoing.popleft()
            self.publish(self._out, lib.SF_MSG_VERDICT, payload, tag=token, t_origin=now)
        return count

    def fini(self) -> None:
        self._guards.close()
        self._gate.close()

    # -- what there is --

    def _meet(self, pool: int, token_a: int, token_b: int) -> None:
        """A pool's first message."""
        self._seen.add(pool)
        mints = [self._mint(row) for row in (token_a, token_b)]
        for side, (row, mint) in enumerate(zip((token_a, token_b), mints, strict=True)):
            quote_row, quote = (token_a, token_b)[1 - side], mints[1 - side]
            if mint in self._config.listed_mints or mint == str(WRAPPED_SOL) or quote not in self._amounts:
                continue
            address = str(Pubkey.from_bytes(bytes(self._pools.read(pool)["pool"])))
            subject = self._subjects.setdefault(mint, Subject(row, mint))
            subject.markets.append(Market(pool, address, quote_row, quote))
            if subject.verdict is None:
                subject.due_ns = 0  # whatever it was refused for may not be so here
        self._gauges["tokens"].set(len(self._subjects))

    def _mint(self, row: int) -> str:
        found = self._mints.get(row)
        if found is None:
            found = self._mints[row] = str(Pubkey.from_bytes(bytes(self._tokens.read(row)["mint"])))
        return found

    def _look(self, now: int) -> None:
        """Follows what the wallet holds: begins and ends the guards."""
        chain = self._chain.read_all()
        self._slot = int(chain[0]["slot"]) if len(chain) else 0
        rows = self._positions.read_all()
        balances = rows["balance"] if len(rows) else np.zeros(0, np.int64)
        for subject in self._subjects.values():
            held = subject.token < len(balances) and bool(balances[subject.token] > 0)
            if held and not subject.guarded and subject.verdict is not None:
                self._guard(subject, subject.verdict)
            elif not held and subject.guarded:
                self._guards.unwatch(subject.mint)
                subject.guarded = False
            subject.held = held
        self._gauges["guarded"].set(sum(each.guarded for each in self._subjects.values()))
        self._gauges["guards_slot"].set(self._guards.slot)

    # -- checks --

    def _ask(self, now: int) -> None:
        """Has the newest of the tokens that are due checked."""
        for subject in reversed(self._subjects.values()):
            if subject.due_ns <= now and subject.due_slot <= self._slot:
                market = subject.market
                self._gate.forget(subject.mint)  # a kept verdict would be as old as it is
                self._gate.ask(subject.mint, market.address, self._amounts[market.quote_mint])
                self._asked = subject
                self._next_ns = now + self._config.check_ms * 1_000_000
                self._counters["checks"].add()
                return

    def _judge(self, verdict: Verdict, now: int) -> None:
        subject, self._asked = self._subjects[verdict.mint], None
        bits = reasons(verdict)
        if not bits:
            self._counters["passed"].add()
            self._tell(subject, lib.SF_VERDICT_PASSES, 0, verdict)
            subject.verdict, subject.refusals = verdict, 0
            subject.due_slot = verdict.slot + self._config.verdict_slots // 2
            return
        self._counters["refused"].add()
        wait = min(1 << subject.refusals, _LONGEST_RECHECK) * self._config.recheck_ms * 1_000_000
        subject.refusals = min(subject.refusals + 1, _LONGEST_RECHECK.bit_length())
        subject.due_ns, subject.due_slot = now + wait, 0
        # what is guarded passed once and its guards go on; the node's silence is no reason to sell
        leave = subject.held and not subject.guarded and bits != lib.SF_UNSAFE_OTHER
        if leave:
            self._counters["exits"].add()
        self._tell(subject, lib.SF_VERDICT_EXIT if leave else lib.SF_VERDICT_REFUSED, bits, verdict)
        subject.verdict = None
        if not subject.guarded:
            subject.at += 1

    # -- guards --

    def _guard(self, subject: Subject, verdict: Verdict) -> None:
        self._guards.watch(verdict)
        subject.guarded = True

    def _leave(self, event: Exit) -> None:
        subject = self._subjects[event.mint]
        if not subject.guarded:
            return
        self._counters["exits"].add()
        seen = Verdict(mint=event.mint, pool=event.pool, amount=0, slot=event.slot, unix_s=0, checks=())
        self._tell(subject, lib.SF_VERDICT_EXIT, _GUARDS[event.reason], subject.verdict or seen)
        subject.verdict, subject.due_slot = None, 0

    # -- messages --

    def _tell(self, subject: Subject, outcome: int, bits: int, verdict: Verdict) -> None:
        market = subject.market
        self._outgoing.append((subject.token, verdict_bytes(subject.token, market, outcome, bits, verdict)))


def verdict_bytes(token: int, market: Market, outcome: int, bits: int, verdict: Verdict) -> bytes:
    """The payload of a verdict message (`sf_verdict_t`)."""
    creators = [bytes(Pubkey.from_string(key)) for key in verdict.creators[:_CREATORS_MAX]]
    return _VERDICT.pack(
        token,
        market.row,
        market.quote,
        outcome,
        len(creators),
        bits,
        verdict.slot,
        verdict.amount,
        supply_of(verdict.mint_account),
        verdict.opened,
        bytes(Pubkey.from_string(verdict.mint)),
        *_padded(creators),
    )


def supply_of(mint_account: bytes) -> int:
    """The supply that a mint's bytes tell; 0 if there are none."""
    return int(struct.unpack_from("<Q", mint_account, _SUPPLY_AT)[0]) if len(mint_account) >= 82 else 0


def _padded(creators: Iterable[bytes]) -> list[bytes]:
    found = list(creators)
    return found + [bytes(32)] * (_CREATORS_MAX - len(found))
