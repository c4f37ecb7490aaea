"""The strategies tile: it hosts all bots written in Python.

In-links market, fill, denied, verdict, command; one out-link for intents. A bot sees market updates in batches, fills,
denials and what earlier runs left with it by its number, verdicts and balances all. An exception in a bot's callback
stops that bot, and the tile's log says why; the others go on.
"""

from __future__ import annotations

import importlib
import struct
import sys
import traceback
from collections.abc import Callable
from typing import Any

import msgspec

from ipc._core import lib
from ipc.errors import CoreError
from ipc.tile import Batch, Tile
from sniperforge import base58
from sniperforge.records import Record
from sniperforge.strategies.base import (
    Balance,
    Context,
    Denied,
    Fill,
    Held,
    Hop,
    Intent,
    PoolUpdate,
    PoolUpdates,
    Strategy,
    Token,
    Verdict,
)

_FILL = Record("sf_fill_t", [*Fill._fields[:2], "bot", *Fill._fields[2:]])
_DENIED = Record("sf_denied_t", ["intent", "bot", "reason", "have", "allowed"])
_BALANCE = Record("sf_balance_t", ["token", "amount", "slot"])
_VERDICT = Record("sf_verdict_t")
_COMMAND = Record("sf_command_t")
# constants of the C core, read once: `lib` looks them up by name each time
_HOPS_MAX: int = lib.SF_HOP_MAX
_ARRAYS_MAX: int = lib.SF_SWAP_ARRAYS
_NONE = (0,) * _ARRAYS_MAX
_MSG_INTENT: int = lib.SF_MSG_INTENT
_CYCLE: int = lib.SF_INTENT_CYCLE
_SWAP: int = lib.SF_INTENT_SWAP
_REDUCE: int = lib.SF_INTENT_REDUCE
_CREATE: int = lib.SF_INTENT_CREATE

_FIELDS = Record("sf_intent_t").names
_FIELDS_BEFORE_HOPS = _FIELDS.index("hop[0].pool")
_HOP_FIELDS = (len(_FIELDS) - _FIELDS_BEFORE_HOPS) // _HOPS_MAX
_PACK = [
    Record("sf_intent_t", _FIELDS[: _FIELDS_BEFORE_HOPS + hops * _HOP_FIELDS]).pack for hops in range(_HOPS_MAX + 1)
]
"""Packs an intent, by its number of hops."""


class BotParams(msgspec.Struct, frozen=True, kw_only=True):
    """One element of the tile's parameter `bots`."""

    bot: int
    name: str
    class_: str = msgspec.field(name="class")
    settings: dict[str, Any]


class StrategyError(ValueError):
    """A strategy's class cannot be found or refuses its settings; the text names the bot's key and the fix."""


def load(bot: BotParams, context: Context) -> Strategy:
    """The strategy of a bot.

    Raises:
        StrategyError: `class` names none, or `settings` are not what it takes.
    """
    module, _, name = bot.class_.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(error.name + ".")):
            raise StrategyError(
                f"bots.{bot.name}.class: module {module} is not on PYTHONPATH; put the directory it is in there"
            ) from None
        raise StrategyError(
            f"bots.{bot.name}.class: {error}{_place(error)}; install it, or correct the import"
        ) from None
    except (AttributeError, ValueError) as error:
        raise StrategyError(f'bots.{bot.name}.class: {error}; write "package.module:Class"') from None
    except Exception as error:
        raise StrategyError(
            f"bots.{bot.name}.class: {type(error).__name__}: {error}{_place(error)}; correct the module"
        ) from None
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise StrategyError(f"bots.{bot.name}.class: {bot.class_} is no Strategy")
    try:
        return found.create(bot.settings, context)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$")
        key = f"bots.{bot.name}.settings{path.rstrip('`')}"
        where = "configs/default.toml" if bot.class_.startswith("sniperforge.") else bot.class_
        raise StrategyError(f"{key}: {text[:1].lower()}{text[1:]}; see {where}") from None
    except ValueError as error:
        raise StrategyError(f"bots.{bot.name}.settings: {error}") from None
    except Exception as error:
        raise StrategyError(
            f"bots.{bot.name}.class: {type(error).__name__}: {error}{_place(error)}; correct {bot.class_}"
        ) from None


def _place(error: Exception) -> str:
    """Where an error was raised: `, in FILE line N`."""
    frames = traceback.extract_tb(error.__traceback__)
    return f", in {frames[-1].filename} line {frames[-1].lineno}" if frames else ""


def intent_bytes(number: int, bot: int, cause: PoolUpdate, intent: Intent) -> bytes:
    """The payload of an intent message (`sf_intent_t`).

    Raises:
        ValueError: it has no hop or too many, too many arrays, or a least output of 0.
        struct.error: a number is out of its range.
    """
    hops = intent.hops
    if not 1 <= len(hops) <= _HOPS_MAX:
        raise ValueError(f"an intent has 1 to {_HOPS_MAX} hops, not {len(hops)}")
    for hop in hops:
        if not hop.min_out:
            raise ValueError("min_out is 0: any output would do")
    fields = _hop_fields(hops[0])
    for hop in hops[1:]:
        fields += _hop_fields(hop)
    return _PACK[len(hops)](
        number,
        bot,
        _CYCLE if intent.token_in == intent.token_out else _SWAP,
        (_REDUCE if intent.reduce else 0) | (_CREATE if intent.create else 0),
        len(hops),
        cause.seq,
        cause.slot,
        intent.token_in,
        intent.token_out,
        hops[0].amount_in,
        intent.expected_out,
        hops[-1].min_out,
        intent.cost_lamports,
        intent.tip_lamports,
        intent.cu_price_micro_lamports,
        intent.cu_limit,
        *fields,
    )


def _hop_fields(hop: Hop) -> tuple[int, ...]:
    """The values of a `sf_hop_t`, in the order of memory."""
    pool, venue, a_to_b, amount_in, min_out, arrays = hop
    if len(arrays) > _ARRAYS_MAX:
        raise ValueError(f"a hop names at most {_ARRAYS_MAX} arrays, not {len(arrays)}")
    return pool, venue, a_to_b, len(arrays), *arrays, *_NONE[len(arrays) :], amount_in, min_out


def verdict_of(payload: bytes) -> Verdict:
    """A `sf_verdict_t`."""
    token, pool, quote, outcome, count, reasons, slot, amount, supply, opened, mint, *creators = _VERDICT.unpack_from(
        payload
    )
    return Verdict(
        token,
        pool,
        quote,
        outcome,
        reasons,
        slot,
        amount,
        supply,
        opened,
        base58.encode(mint),
        tuple(map(base58.encode, creators[:count])),
    )


class Bot:
    """A strategy under the number and name that the rest of the engine knows."""

    __slots__ = ("context", "name", "number", "running", "strategy")

    def __init__(self, number: int, name: str, strategy: Strategy) -> None:
        self.number = number
        self.name = name
        self.strategy = strategy
        self.context = strategy.context
        self.running = True


class Strategies(Tile):
    """Counters: `pool_updates`, `intents`, `bot_errors`. Gauge: `bots_running`."""

    ordered = True
    batch_size = 256

    def init(self) -> None:
        params = msgspec.json.decode(self.params["bots"], type=list[BotParams])
        burst = self.instance.tile(self.name).burst
        self._market = self.input("market")
        self._intent = 0  # out-link 0 of a tile of bots, for turns and intents
        self._stride = int(lib.sf_ptile_stride(self.pointer))
        self._tokens = self.table("tokens")
        self._balances: dict[int, int] = {}
        self._bots: list[Bot] = []
        for bot in params:
            limit = max(1, burst // len(params))
            context = Context(token=self._token, balances=self._balances, intents_per_message=limit)
            self._bots.append(Bot(bot.bot, bot.name, load(bot, context)))
        self._sold: dict[tuple[int, int], tuple[int, int]] = {}  # by bot and token: until what was bought comes
        self._by_number = {bot.number: bot for bot in self._bots}
        self._pool_updates = self.counter("pool_updates")
        self._intents = self.counter("intents")
        self._errors = self.counter("bot_errors")
        self._running = self.gauge("bots_running")
        self._running.set(len(self._bots))

    def messages(self, source: int, batch: Batch) -> None:
        if source == self._market:
            updates = PoolUpdates(batch.memory, self._stride, batch.first, batch.end)
            for bot in self._bots:
                self._call(bot, bot.strategy.on_pools, updates)
            self._publish()
            self._pool_updates.add(len(batch))
            return
        for message in batch:
            for bot in self._bots:
                bot.context.next_message()
            if message.kind == lib.SF_MSG_FILL:
                order, intent, number, *rest = _FILL.unpack_from(message.payload)
                self._call_by_number(number, Strategy.on_fill.__name__, Fill(order, intent, *rest))
            elif message.kind == lib.SF_MSG_DENIED:
                intent, number, *rest = _DENIED.unpack_from(message.payload)
                self._call_by_number(number, Strategy.on_denied.__name__, Denied(intent, *rest))
            elif message.kind == lib.SF_MSG_BALANCE:
                balance = Balance(*_BALANCE.unpack_from(message.payload))
                self._balances[balance.token] = balance.amount
                for bot in self._bots:
                    self._call(bot, bot.strategy.on_balance, balance)
            elif message.kind == lib.SF_MSG_VERDICT:
                verdict = verdict_of(message.payload)
                for bot in self._bots:
                    self._call(bot, bot.strategy.on_verdict, verdict)
            elif message.kind == lib.SF_MSG_COMMAND:
                self._command(message.payload)
            self._publish()

    def _command(self, payload: bytes) -> None:
        verb, number, value, order, token, bot = _COMMAND.unpack_from(payload)
        if verb == lib.SF_VERB_SOLD:
            self._sold[bot, token] = value, order
        elif verb == lib.SF_VERB_HELD:
            sold = self._sold.pop((bot, token), (0, 0))
            self._call_by_number(bot, Strategy.on_held.__name__, Held(token, value, order, *sold, number))

    def _call(self, bot: Bot, callback: Callable[[Any], None], argument: Any) -> None:
        if bot.running:
            try:
                callback(argument)
            except Exception:
                self._stop(bot, traceback.format_exc())

    def _call_by_number(self, number: int, callback: str, argument: Any) -> None:
        bot = self._by_number.get(number)
        if bot is not None:
            self._call(bot, getattr(bot.strategy, callback), argument)

    def _stop(self, bot: Bot, error: str) -> None:
        """Lets a bot see no more messages; what it had submitted on this one is dropped."""
        bot.running = False
        bot.context.submitted.clear()
        self._errors.add()
        self._running.set(sum(each.running for each in self._bots))
        print(f"bot {bot.name} stopped: {error}", file=sys.stderr, flush=True)

    def _publish(self) -> None:
        """Publishes what was submitted, by the seq of its cause: how updates were cut into batches leaves no trace."""
        waiting = [(bot, each) for bot in self._bots for each in bot.context.submitted]
        if not waiting:
            return
        if len(waiting) > 1:
            waiting.sort(key=lambda each: each[1][1].seq)
        for bot in self._bots:
            bot.context.submitted.clear()
        for bot, (number, cause, intent) in waiting:
            if not bot.running:
                continue
            try:
                payload = intent_bytes(number, bot.number, cause, intent)
                self.publish(self._intent, _MSG_INTENT, payload, tag=bot.number, t_origin=cause.now_ns)
            except (ValueError, TypeError, struct.error, CoreError):
                self._stop(bot, traceback.format_exc())
            else:
                self._intents.add()

    def _token(self, row: int) -> Token:
        """The constant row of a token."""
        found = self._tokens.read(row)
        return Token(row, base58.encode(bytes(found["mint"])), int(found["decimals"]))
