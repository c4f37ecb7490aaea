"""Builds the graph of a replay, runs it in this thread, and compares what the bots want with what they wanted.

    from raw:     journal -> replay -> raw -> book -> market -> bots -> intent.* -> comparison with the journal
    from market:  journal -> tape ----------------------------> bots -> intent.* -> comparison with the journal
                  journal -> recorder -> fill, denied, turns.* -^

`replay` is a tile in C, `recorder` and the comparison are this module.  What is small, and what decides the order
in which a bot saw things, is put on its links before the first message: nobody can wait for it then.

From raw, all that the engine makes of the chain's bytes is made again. From market, the bots get what `book` had
published: the same messages, many times faster. Only what table `tokens` holds comes from raw, once for each journal.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ipc._core import ffi, lib
from ipc.errors import CoreError, check
from ipc.link import Consumer, Message, Producer
from ipc.tile import Tile
from ipc.topology import Topology
from ipc.views import Instance
from sniperforge.groups import tile_class
from sniperforge.journal import Reader, Record
from sniperforge.replay.recording import PRIMARY, SIDE_KINDS, BotTile, Recording, ReplayError
from sniperforge.replay.tape import Tape, keep_tokens, known_tokens, put_tokens

Source = Literal["raw", "market"]
"""What of the journal a replay begins with."""

_TURN_END = 0xFFFFFFFF  # sf_turn_t.in: no more turns, the rest is primary
_STEPS = 64  # turns of the C tiles in one call
_IDLE_S = 0.005  # without work, after which what tiles tell of themselves about every millisecond is up to date
_GROUP = "replay"
_OF_NO_BOT = (lib.SF_MSG_INTENT, lib.SF_MSG_ORDER, lib.SF_MSG_TX, lib.SF_MSG_WIRE, lib.SF_MSG_REFUSED, lib.SF_MSG_SENT)
_PUT_KINDS = [kind for kind in SIDE_KINDS if kind not in _OF_NO_BOT]


@dataclass(frozen=True)
class Difference:
    """The first message of a link that came out otherwise."""

    link: str
    seq: int
    recorded: Record | Message
    replayed: Message


@dataclass
class BotResult:
    """What came out of one bot tile.

    Attributes:
        recorded: messages (intents and turns) of its link in the journal that the replay had the input for.
        matched: of these, made again byte for byte.
        intents: of these, intents.
        missing: recorded, had its input, and was not made again.
        beyond: made behind the last recorded one, from input that the recorded bot had not come to.
        lost_input: recorded, but what caused it is not in the journal any more.
    """

    tile: str
    link: str
    recorded: int = 0
    matched: int = 0
    intents: int = 0
    missing: int = 0
    beyond: int = 0
    lost_input: int = 0


@dataclass
class Result:
    """What a replay found.

    Attributes:
        difference: the first one; None if there is none.
        raw: messages put in; none from market.
        market: messages that the bots were given.
        seconds: from the first message on.
        load_seconds: before it and between loads: what had to be read and verified so that the bots could go on.
    """

    run: int
    bots: list[BotResult] = field(default_factory=list)
    difference: Difference | None = None
    raw: int = 0
    market: int = 0
    recorded_seconds: float = 0.0
    seconds: float = 0.0
    load_seconds: float = 0.0
    end: str = ""

    @property
    def identical(self) -> bool:
        """Every recorded intent was made again, byte for byte and in order, and no other between them."""
        return self.difference is None and not any(bot.missing for bot in self.bots)

    @property
    def intents(self) -> int:
        return sum(bot.intents for bot in self.bots)

    @property
    def speed(self) -> float:
        """Recorded time over the time the replay took."""
        return self.recorded_seconds / self.seconds if self.seconds else 0.0

    @property
    def events(self) -> int:
        """Messages put in: of raw, or from market."""
        return self.raw or self.market

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds if self.seconds else 0.0


Progress = Callable[[float], None]


def replay(
    recording: Recording, *, name: str | None = None, progress: Progress | None = None, source: Source = "raw"
) -> Result:
    """Replays a recording and returns what was found; stops at the first difference.

    Args:
        name: of the private instance; made from the process id if None.
        source: from market, the first replay of a journal goes over raw before, without the bots.
        progress: called now and then with the share that is done, 0 to 1.

    Raises:
        ReplayError: it came to a halt before its end.
        CoreError: a tile failed; the sentence says why.
    """
    name = name or f"replay-{os.getpid()}"
    progress = progress or (lambda share: None)
    tokens = None
    if source == "market" and recording.tiles:
        tokens = known_tokens(recording)
        if tokens is None:
            only_book = replace(recording, tiles=[])
            with _running(only_book, None, name) as runner:
                runner.run(lambda share: None)
                tokens = keep_tokens(recording, runner.tokens)
    with _running(recording, tokens, name) as runner:
        return runner.run(progress)


@contextlib.contextmanager
def _running(recording: Recording, tokens: bytes | None, name: str) -> Iterator[_Runner]:
    """A replay in an instance of its own: from market if there are tokens, else from raw."""
    instance = _topology(recording, from_market=tokens is not None).create(name)
    try:
        with contextlib.ExitStack() as stack:
            yield _Runner(recording, instance, stack, tokens)
    finally:
        instance.remove()


def _power_of_two(least: int) -> int:
    return 1 << max(least - 1, 3).bit_length()


def _topology(recording: Recording, *, from_market: bool) -> Topology:
    links = recording.config.topology.links
    tables = recording.config.topology.tables
    topology = Topology(state_dir=recording.directory.parent)
    if not from_market or not all(tile.python for tile in recording.tiles):
        topology.group(_GROUP, wait="yield")
    if any(tile.python for tile in recording.tiles):
        topology.group("python", wait="yield", python=True)
    if not from_market:
        params = {"dir": recording.directory, "run": recording.run, "link": "raw"}
        topology.tile("replay", kind="replay", group=_GROUP, params=params, burst=64)
        topology.tile("book", kind="book", group=_GROUP, params=recording.book, burst=_burst(recording))
    book = "recorder" if from_market else "book"
    for tile in recording.tiles:
        group = "python" if tile.python else _GROUP
        topology.tile(tile.name, kind=tile.kind, group=group, params=tile.params, burst=tile.burst)
    topology.tile("recorder", kind="recorder", group=None)

    if not from_market:
        topology.link("raw", producer="replay", depth=links["raw"].depth, slot_bytes=links["raw"].slot_bytes)
        topology.edge("raw", consumer="book")
    topology.link(PRIMARY, producer=book, depth=links[PRIMARY].depth, slot_bytes=links[PRIMARY].slot_bytes)
    for link in _side_links(recording):
        depth = _power_of_two(recording.counts.get(link, 0) + 1)
        topology.link(link, producer="recorder", depth=depth, slot_bytes=links[link].slot_bytes)
    for tile in recording.tiles:
        shape = links[tile.intents]
        depth = max(shape.depth, _power_of_two(lib.IPC_TURN_MAX * (tile.burst + 1)) if tile.python else 0)
        topology.link(tile.intents, producer=tile.name, depth=depth, slot_bytes=shape.slot_bytes)
        turns = _power_of_two(recording.counts.get(tile.intents, 0) + 2)
        topology.link(f"turns.{tile.name}", producer="recorder", depth=turns, slot_bytes=64)

    for tile in recording.tiles:
        for link in [*tile.inputs, f"turns.{tile.name}"]:
            topology.edge(link, consumer=tile.name)
        topology.edge(tile.intents, consumer="recorder")
    if not recording.tiles:
        topology.edge(PRIMARY, consumer="recorder")
    for table in ("tokens", "pools"):
        topology.table(table, writer=book, layout=tables[table].row, rows=tables[table].rows)
    return topology


def _burst(recording: Recording) -> int:
    return next(tile.burst for tile in recording.config.topology.tiles.values() if tile.kind == "book")


def _side_links(recording: Recording) -> list[str]:
    """In-links of the bots besides the primary."""
    return sorted({link for tile in recording.tiles for link in tile.inputs if link != PRIMARY})


class _Recorded:
    """The recorded messages of the bots' links, read as they are asked for."""

    def __init__(self, recording: Recording, stack: contextlib.ExitStack) -> None:
        links = {tile.intents for tile in recording.tiles}
        reader = stack.enter_context(Reader(recording.directory, recording.run))
        kinds = [lib.SF_MSG_INTENT, lib.SF_MSG_TURN]
        self._records: Iterator[Record] = (r for r in _readable(reader, kinds) if r.link in links)
        self._waiting: dict[str, deque[Record]] = {link: deque() for link in links}

    def keep(self, record: Record) -> None:
        """Holds the next one of its link, so that the journal need not be read for it again."""
        self._waiting[record.link].append(record)

    def all_kept(self) -> None:
        """Says that there are no others."""
        self._records = iter(())

    def peek(self, link: str) -> Record | None:
        """The next one of a link, None behind the last."""
        waiting = self._waiting[link]
        while not waiting:
            record = next(self._records, None)
            if record is None:
                return None
            self._waiting[record.link].append(record)
        return waiting[0]

    def take(self, link: str) -> None:
        self._waiting[link].popleft()


def _readable(reader: Reader, kinds: list[int]) -> Iterator[Record]:
    try:
        yield from reader.records(kinds)
    except CoreError as error:
        if error.code != lib.SF_ERR_DATA:  # the end was told when the recording was opened
            raise


class _Runner:
    def __init__(
        self, recording: Recording, instance: Instance, stack: contextlib.ExitStack, tokens: bytes | None
    ) -> None:
        self._recording = recording
        self._instance = instance
        for tile in instance.tiles:
            instance.map_writable(tile)
        self._results = [BotResult(tile.name, tile.intents) for tile in recording.tiles]
        self._limits: dict[str, int] = {}  # seq on a bot's link from which on its recorded input is incomplete
        self._producers = {
            link: stack.enter_context(instance.link(link).produce())
            for link in [*_side_links(recording), *(f"turns.{tile.name}" for tile in recording.tiles)]
        }
        self._consumers = {
            tile.intents: stack.enter_context(instance.link(tile.intents).consume("recorder"))
            for tile in recording.tiles
        }
        self._drain: Consumer | None = None
        if not recording.tiles:
            self._drain = stack.enter_context(instance.link(PRIMARY).consume("recorder"))
        self._recorded = _Recorded(recording, stack)
        self.tokens = instance.table("tokens")
        self._tape: Tape | None = None
        if tokens is not None:
            put_tokens(tokens, self.tokens)
            self._tape = Tape(recording)
            stack.callback(self._tape.close)
        self._group = _open_group(instance, stack) if _GROUP in instance.groups else None
        self._python = [self._boot(tile, stack) for tile in recording.tiles if tile.python]
        self._bots: list[Any] = [lib.sf_ptile_tile(tile.pointer) for tile in self._python]
        if self._group is not None and self._tape is not None:
            count = lib.sf_group_tile_count(self._group)
            self._bots += [lib.sf_group_tile(self._group, number) for number in range(count)]
        if self._tape is not None:
            for bot in self._bots:
                check(lib.sf_tile_play(bot, self._tape.pointer))

    def _boot(self, about: BotTile, stack: contextlib.ExitStack) -> Tile:
        tile = tile_class(about.kind)(self._instance, about.name)
        stack.callback(tile.close)
        tile.boot()
        return tile

    # -- before the first raw message ---------------------------------------

    def _put_recorded(self) -> None:
        by_intents = {tile.intents: tile for tile in self._recording.tiles}
        side = set(_side_links(self._recording))
        keeps = self._tape is not None  # or they are read as they are compared, however many there are
        with Reader(self._recording.directory, self._recording.run) as reader:
            for record in _readable(reader, [*_PUT_KINDS, lib.SF_MSG_INTENT] if keeps else _PUT_KINDS):
                if record.link in side:
                    _send(self._producers[record.link], record)
                elif record.link in by_intents:
                    if record.kind == lib.SF_MSG_TURN:
                        self._put_turn(by_intents[record.link], record)
                    if keeps:
                        self._recorded.keep(record)
        if keeps:
            self._recorded.all_kept()
        end = bytes(ffi.buffer(ffi.new("sf_turn_t *", {"in": _TURN_END})))
        for tile in self._recording.tiles:
            self._producers[f"turns.{tile.name}"].send(lib.SF_MSG_TURN, end)

    def _put_turn(self, tile: BotTile, record: Record) -> None:
        if tile.intents in self._limits:
            return
        turn = ffi.from_buffer("sf_turn_t *", record.payload)
        number = int(getattr(turn, "in"))
        if 0 < number < len(tile.inputs) and turn.seq >= self._recording.counts.get(tile.inputs[number], 0):
            self._limits[tile.intents] = record.seq
            return
        _send(self._producers[f"turns.{tile.name}"], record)

    # -- running ------------------------------------------------------------

    def run(self, progress: Progress) -> Result:
        result = Result(self._recording.run, self._results, recorded_seconds=self._recording.seconds)
        result.end = self._recording.end
        begin = time.perf_counter()
        self._put_recorded()
        if self._tape is not None:
            self._tape.load()
        result.load_seconds = time.perf_counter() - begin
        begin = worked = time.perf_counter()
        rounds = idle = 0
        while result.difference is None:
            if self._step(result):
                idle, worked = 0, time.perf_counter()
            elif self._tape is not None and not self._tape_left() and not self._step(result):
                result.seconds += worked - begin
                begin = time.perf_counter()
                loaded = self._tape.load()
                worked = time.perf_counter()
                result.load_seconds += worked - begin
                begin = worked
                if not loaded:
                    break
            elif time.perf_counter() - worked > _IDLE_S:
                waiting = self._waiting()
                if self._tape is None and self._instance.cnc("replay").value("finished") and not waiting:
                    break
                idle += 1
                if idle > self._recording.config.replay.drain_turns:
                    raise ReplayError(f"the replay stands still: {'; '.join(waiting) or 'its input does not end'}")
            rounds += 1
            if rounds % 64 == 0:
                progress(min(self._place_bytes() / max(self._recording.size_bytes, 1), 1.0))
        result.seconds += worked - begin
        for tile in self._python:
            tile.close()
        if self._group is not None:
            lib.sf_group_finish(self._group)
        result.raw = 0 if self._tape is not None else self._instance.link("raw").published
        result.market = self._tape.messages if self._tape is not None else self._instance.link(PRIMARY).published
        if result.difference is None:
            self._count_rest(result)
        progress(1.0)
        return result

    def _step(self, result: Result) -> int:
        """Some turns for every tile, and a look at what came of them."""
        work = check(lib.ipc_group_steps(self._group, _STEPS)) if self._group is not None else 0
        for tile in self._python:
            done = tile.turn(0)
            if done < 0:
                raise ReplayError(f"tile {tile.name} ended: {self._instance.cnc(tile.name).error or 'halted'}")
            work += done
        return work + self._compare(result)

    def _tape_left(self) -> bool:
        """Whether a bot has still to read of the tape."""
        return any(lib.sf_tile_tape_left(bot) for bot in self._bots)

    def _place_bytes(self) -> int:
        """How far the journal was read."""
        if self._tape is not None:
            return self._tape.place_bytes
        return self._instance.cnc("replay").value("place_bytes")

    def _waiting(self) -> list[str]:
        """What still has to be read of what a replay is made of."""
        if self._tape is not None:
            return [f"messages of {PRIMARY} wait for a bot"] if self._tape_left() else []
        return [
            f"{edge.lag} messages of {link} wait for {edge.consumer}"
            for link in ("raw", PRIMARY)
            for edge in self._instance.link(link).edges()
            if edge.lag
        ]

    def _compare(self, result: Result) -> int:
        """Holds what the bots published against what they had published."""
        if self._drain is not None:
            return len(self._drain.receive())
        work = 0
        for bot in self._results:
            consumer = self._consumers[bot.link]
            limit = self._limits.get(bot.link)
            if self._recorded.peek(bot.link) is None:
                taken, intents = consumer.skip(lib.SF_MSG_INTENT)
                work += taken
                bot.beyond += intents
                continue
            messages = consumer.receive()
            work += len(messages)
            for message in messages:
                recorded = self._recorded.peek(bot.link)
                if recorded is None or (limit is not None and message.seq >= limit):
                    bot.beyond += message.kind == lib.SF_MSG_INTENT
                    continue
                if not _equal(recorded, message):
                    result.difference = Difference(bot.link, message.seq, recorded, message)
                    return work
                self._recorded.take(bot.link)
                bot.recorded += 1
                bot.matched += 1
                bot.intents += message.kind == lib.SF_MSG_INTENT
        return work

    def _count_rest(self, result: Result) -> None:
        """What was recorded and did not come: without its input it could not."""
        for bot in self._results:
            limit = self._limits.get(bot.link)
            lost = False
            while (record := self._recorded.peek(bot.link)) is not None:
                lost = lost or (limit is not None and record.seq >= limit) or _caused_at(record) >= result.market
                if lost:
                    bot.lost_input += 1
                else:
                    bot.recorded += 1
                    bot.missing += 1
                self._recorded.take(bot.link)


def _open_group(instance: Instance, stack: contextlib.ExitStack) -> Any:
    box = ffi.new("sf_group_t **")
    check(lib.sf_group_open(box, instance.pointer, instance.groups[_GROUP].index))
    group = box[0]
    stack.callback(lib.sf_group_close, group)
    check(lib.sf_group_boot(group))
    return group


def _send(producer: Producer, record: Record) -> None:
    producer.send(record.kind, record.payload, tag=record.tag, t_origin=record.t_origin)


def _equal(recorded: Record, replayed: Message) -> bool:
    """Whether two messages are the same but for when they were published."""
    return (
        recorded.payload == replayed.payload
        and recorded.kind == replayed.kind
        and recorded.tag == replayed.tag
        and recorded.t_origin == replayed.t_origin
        and recorded.seq == replayed.seq
    )


def _caused_at(record: Record) -> int:
    """The primary seq that must have been there for a recorded message."""
    if record.kind == lib.SF_MSG_INTENT:
        return int(ffi.from_buffer("sf_intent_t *", record.payload).market_seq)
    turn = ffi.from_buffer("sf_turn_t *", record.payload)
    if int(getattr(turn, "in")) == 0:
        return int(turn.seq)
    return max(int(turn.primary_seq) - 1, 0)
