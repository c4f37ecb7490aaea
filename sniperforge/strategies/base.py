"""The strategy API.

A strategy is a class with a `Config` and a few callbacks. It sees pool updates, fills, denials and balances as
messages, in an order that the journal keeps, and answers with intents. It never reads a clock, a file or a table that
changes: `now_ns` is the time of the pool update it looked at last. That is what makes a replay give the same intents,
byte for byte, in back-test, paper and live. How updates are cut into batches is not recorded: what a strategy does may
depend on the updates and their order only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from ipc._core import ffi, lib
from ipc.errors import check
from ipc.layout import dtype
from sniperforge.records import Record

if TYPE_CHECKING:
    from typing import Self

LAMPORTS = 0xFFFFFFFF
"""The token number that stands for native lamports in balances."""


class PoolUpdate(NamedTuple):
    """The priced state of a pool of any venue; amounts are base units.

    Attributes:
        seq: number of the message on the market link.
        kind: SF_MSG_POOL, or SF_MSG_STALE when the state is in doubt until the pool's next update.
        now_ns: when the bytes that caused it came in, ns of the engine clock.
        pool, token_a, token_b: row numbers of this run (`Context.pool`, `Context.token`).
        venue: SF_VENUE_*.
        unix_s: the same moment by the wall clock, seconds: what quotes take for now.
        reserve_a, reserve_b: what the venue prices by: vault minus fees owed; virtual where liquidity is concentrated.
        open_time: unix seconds before which the program refuses swaps, 0 if none.
        state_bytes: length of the venue's own state.
        payload: the whole message, from which quotes are made.
    """

    seq: int
    kind: int
    now_ns: int
    pool: int
    venue: int
    flags: int
    slot: int
    unix_s: int
    reserve_a: int
    reserve_b: int
    token_a: int
    token_b: int
    open_time: int
    state_bytes: int
    payload: bytes

    @property
    def tradable(self) -> bool:
        """Whether an intent on this state makes sense."""
        return self.kind == lib.SF_MSG_POOL and not self.flags & lib.SF_POOL_DISABLED

    def quote_in(self, a_to_b: bool, amount: int) -> int:
        """What the program pays for `amount`, exactly; 0 if it refuses, or if the state ends before the amount does."""
        return self._quote(a_to_b, True, amount)[1]

    def quote_out(self, a_to_b: bool, amount: int) -> int:
        """What the program takes for `amount` to come out, exactly; 0 as in `quote_in`."""
        return self._quote(a_to_b, False, amount)[0]

    def hop(self, a_to_b: bool, amount_in: int, min_out: int) -> Hop:
        """A swap on this pool, with the tick or bin arrays that it names."""
        return tuple.__new__(Hop, (self.pool, self.venue, a_to_b, amount_in, min_out, self.arrays(a_to_b)))

    def arrays(self, a_to_b: bool) -> tuple[int, ...]:
        """The tick or bin arrays that a swap in that direction names; none on venues without."""
        count = self.payload[_ARRAY_COUNT_AT + (not a_to_b)]
        return _UNPACK_ARRAYS[not a_to_b](self.payload)[:count] if count else ()

    def _quote(self, a_to_b: bool, exact_in: bool, amount: int) -> tuple[int, int]:
        """Amounts in and out."""
        got = ffi.new("sf_quote_t *")
        check(lib.ipc_pool_quote(self.payload, len(self.payload), a_to_b, exact_in, amount, got))
        return (got.amount_in, got.amount_out) if got.status == lib.SF_QUOTE_OK else (0, 0)


class PoolUpdates:
    """Pool updates one after the other, `stride` bytes apart, as they stand in the tile's buffer.

    Valid until the callback returns. Iterating and indexing give `PoolUpdate`s; `headers` and `updates` are for work
    on arrays.
    """

    __slots__ = ("_begin", "_end", "_memory", "_stride")

    def __init__(
        self, memory: bytes | bytearray | memoryview, stride: int, first: int = 0, end: int | None = None
    ) -> None:
        """Updates [first, end) of `memory`, all of them unless told."""
        self._memory: Any = memory if type(memory) is ffi.buffer else ffi.buffer(ffi.from_buffer(memory))
        self._stride = stride
        self._begin = first * stride
        self._end = len(memory) if end is None else end * stride

    def __len__(self) -> int:
        return (self._end - self._begin) // self._stride

    def __iter__(self) -> Iterator[PoolUpdate]:
        memory, unpack, new = self._memory, _unpack_update, tuple.__new__
        to_payload, to_state = _HEADER_BYTES, _HEADER_BYTES + _UPDATE_BYTES
        for offset in range(self._begin, self._end, self._stride):
            fields = unpack(memory, offset)
            payload = memory[offset + to_payload : offset + to_state + fields[-1]]
            yield new(PoolUpdate, fields + (payload,))  # noqa: RUF005 (faster)

    def __getitem__(self, index: int) -> PoolUpdate:
        size = len(self)
        if not -size <= index < size:
            raise IndexError(f"update {index} of {size}")
        at = self._begin // self._stride + index % size
        return next(iter(PoolUpdates(self._memory, self._stride, at, at + 1)))

    @property
    def headers(self) -> npt.NDArray[np.void]:
        """The headers, shape (n,), `sf_message_t`: seq, kind (POOL or STALE), t_origin in ns, t_pub in ns."""
        return self._array("sf_message_t", 0)

    @property
    def updates(self) -> npt.NDArray[np.void]:
        """Heads of the states, shape (n,), `sf_pool_update_t`: reserves, and `rate`, `depth`, `limit` by direction."""
        return self._array("sf_pool_update_t", _HEADER_BYTES)

    def _array(self, layout: str, offset: int) -> npt.NDArray[np.void]:
        return np.ndarray((len(self),), dtype(layout), self._memory, self._begin + offset, (self._stride,))


class Fill(NamedTuple):
    """The outcome of an order as the chain tells it; deltas are the wallet's own balance changes in base units.

    Attributes:
        intent: number of this bot's intent; of an earlier run's if `recovered`.
        outcome: SF_FILL_LANDED, SF_FILL_REVERTED, SF_FILL_EXPIRED or SF_FILL_DROPPED.
    """

    order: int
    intent: int
    outcome: int
    kind: int
    flags: int
    token_in: int
    token_out: int
    delta_in: int
    delta_out: int
    delta_lamports: int
    fee_lamports: int
    slot: int
    expected_out: int
    amount_in: int
    error: int

    @property
    def simulated(self) -> bool:
        """Whether the chain was a simulation."""
        return bool(self.flags & lib.SF_FILL_SIMULATED)

    @property
    def recovered(self) -> bool:
        """Whether it belongs to an order of an earlier run."""
        return bool(self.flags & lib.SF_FILL_RECOVERED)


class Denied(NamedTuple):
    """An intent that risk refused: SF_DENY_*, the value that was refused and the limit."""

    intent: int
    reason: int
    have: int
    allowed: int


class Balance(NamedTuple):
    """What the chain says the wallet holds of a token (or LAMPORTS), in base units."""

    token: int
    amount: int
    slot: int


class Verdict(NamedTuple):
    """What the checks, or the guards, say of a token; see docs/token-safety.md.

    Attributes:
        token, pool, quote: rows of the token, of the pool it would be sold in and of what it is sold for there.
        outcome: SF_VERDICT_PASSES, SF_VERDICT_REFUSED, or SF_VERDICT_EXIT: sell what is held of it now.
        reasons: SF_UNSAFE_* bits.
        slot: the oldest that was looked at.
        amount: largest buy it speaks of, base units of `quote`.
        supply: of the mint, base units.
        opened: unix seconds since when the pool is known to be there; 0 if that is not known.
        mint: address in base58.
        creators: addresses of makers of the pool and authorities of the mint.
    """

    token: int
    pool: int
    quote: int
    outcome: int
    reasons: int
    slot: int
    amount: int
    supply: int
    opened: int
    mint: str
    creators: tuple[str, ...]


class Held(NamedTuple):
    """What this bot bought of a token in earlier runs since it last held none, and what it sold of that.

    Attributes:
        since_s: unix seconds of the first purchase.
    """

    token: int
    bought: int
    cost_lamports: int
    sold: int
    proceeds_lamports: int
    since_s: int


class Token(NamedTuple):
    """A mint; address in base58."""

    row: int
    mint: str
    decimals: int


class Hop(NamedTuple):
    """One swap: `amount_in` base units in, at least `min_out` (never 0) out; made by `PoolUpdate.hop`."""

    pool: int
    venue: int
    a_to_b: bool
    amount_in: int
    min_out: int
    arrays: tuple[int, ...] = ()


class Intent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One to four hops in one transaction, which fills whole or not at all; amounts are base units.

    Attributes:
        expected_out: the exact quote of the last hop on the state seen.
        cost_lamports: fees and tip as the bot counts them.
        cu_limit: compute units; 0 = the builder's default for the route.
        reduce: only lowers a position: allowed under kill word `reduce`.
        create: the transaction first makes the wallet's token accounts of what the hops give, where missing.
    """

    token_in: int
    token_out: int
    expected_out: int
    hops: Sequence[Hop]
    cost_lamports: int = 0
    tip_lamports: int = 0
    cu_price_micro_lamports: int = 0
    cu_limit: int = 0
    reduce: bool = False
    create: bool = False


class TooManyIntents(Exception):
    """A strategy submitted more intents on one message than the host's link has room for."""


class Context:
    """What a strategy may ask for besides its messages. The host makes one per strategy.

    Args:
        token: reads the constant row of a token; asked for tokens that a message named only.
        balances: the chain's last word on the wallet by token; shared by all strategies of a host.
        intents_per_message: most intents on one message.
    """

    def __init__(self, *, token: Callable[[int], Token], balances: dict[int, int], intents_per_message: int) -> None:
        self._read_token = token
        self._tokens: dict[int, Token] = {}
        self._limit = intents_per_message
        self._numbers = 0
        self._on_this = 0
        self._last_seq = -1
        self.balances = balances
        self.submitted: list[tuple[int, PoolUpdate, Intent]] = []

    def token(self, row: int) -> Token:
        """The token of a row number that a message named."""
        found = self._tokens.get(row)
        if found is None:
            found = self._tokens[row] = self._read_token(row)
        return found

    def next_message(self) -> None:
        """Another message begins: the count of intents on one message starts again."""
        self._on_this = 0

    def submit(self, intent: Intent, cause: PoolUpdate) -> int:
        """Takes an intent and returns its number: 1, 2, 3, ... in this run."""
        self._on_this = self._on_this + 1 if cause.seq == self._last_seq else 1
        self._last_seq = cause.seq
        if self._on_this > self._limit:
            raise TooManyIntents(f"more than {self._limit} intents on one message")
        self._numbers += 1
        self.submitted.append((self._numbers, cause, intent))
        return self._numbers


class Strategy:
    """Base class. Derive, set `Config`, and override the callbacks you need.

    Attributes:
        Config: a `msgspec.Struct` of the bot's settings (`[bots.<name>.settings]`); derive it with
            `forbid_unknown_fields=True`.
        config: an instance of it.
        context: tokens and balances.
    """

    Config: ClassVar[type[msgspec.Struct]]

    def __init__(self, config: Any, context: Context) -> None:
        self.config = config
        self.context = context
        self._cause: PoolUpdate | None = None

    @classmethod
    def create(cls, settings: dict[str, Any], context: Context) -> Self:
        """The strategy with `settings` checked against `Config`.

        Raises:
            msgspec.ValidationError: a key is unknown, missing or of the wrong type.
        """
        return cls(msgspec.convert(settings, cls.Config), context)

    @property
    def now_ns(self) -> int:
        """Time of the pool update looked at last, ns of the engine clock; 0 before the first."""
        return self._cause.now_ns if self._cause else 0

    def look_at(self, update: PoolUpdate) -> None:
        """Makes `update` the cause of intents from now on. Only an `on_pools` of your own needs it."""
        self._cause = update

    def submit(self, intent: Intent) -> int:
        """Hands in an intent and returns its number; it is on its way when the callback returns.

        Raises:
            RuntimeError: no pool update was looked at yet.
            TooManyIntents: more on one message than there is room for.
        """
        if self._cause is None:
            raise RuntimeError("an intent needs a cause: call look_at with the pool update first")
        return self.context.submit(intent, self._cause)

    def on_pools(self, updates: PoolUpdates) -> None:
        """Pool updates in their order. Override it to work on arrays; then `look_at` the cause of an intent.

        The default hands them to `on_pool` one by one.
        """
        on_pool = self.on_pool
        for update in updates:
            self._cause = update
            on_pool(update)

    def on_pool(self, pool: PoolUpdate) -> None:
        """One pool has a new state, or lost it (`tradable`)."""

    def on_fill(self, fill: Fill) -> None:
        """An order of this bot has an outcome."""

    def on_denied(self, denied: Denied) -> None:
        """Risk refused an intent of this bot."""

    def on_balance(self, balance: Balance) -> None:
        """The chain told what the wallet holds of a token; `context.balances` has it already."""

    def on_verdict(self, verdict: Verdict) -> None:
        """A token that is not listed was checked, or one that the wallet holds has to be sold."""

    def on_held(self, held: Held) -> None:
        """After a start: what earlier runs left with this bot. Fills that were recovered may come before it."""


_HEADER_BYTES: int = ffi.sizeof("sf_message_t")
_UPDATE_BYTES: int = ffi.sizeof("sf_pool_update_t")
_SWAP_ARRAYS: int = lib.SF_SWAP_ARRAYS
_ARRAY_COUNT_AT: int = ffi.offsetof("sf_pool_update_t", "array_cnt")
_UNPACK_ARRAYS = tuple(
    Record("sf_pool_update_t", [f"array[{side}][{number}]" for number in range(_SWAP_ARRAYS)]).unpack_from
    for side in (0, 1)
)
"""The arrays that a swap names, a to b and b to a."""
_unpack_update = Record(
    "sf_pool_update_t",
    [
        *("message.seq", "message.kind", "message.t_origin", "pool", "venue", "flags", "slot", "unix_s"),
        *("reserve[0]", "reserve[1]", "token_a", "token_b", "open_time", "state_bytes"),
    ],
    stride=_HEADER_BYTES + _UPDATE_BYTES,
).unpack_from
