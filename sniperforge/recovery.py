"""From the journal to the state a new run begins with.

    with recovery.locked(directory):
        state = recovery.recover(directory)      # reads on from the checkpoint, cuts a torn tail, saves

`State` is a pure function of the records read so far, fed to it in order by `State.apply`; where the reading
stopped is part of it, so that reading the same journal again, in one go or in pieces, gives the same state.
The checkpoint is that state on disk: a start reads only what came after it.

What an order can be after a crash:

* a fill is recorded: done, booked once; a second fill of the same order is counted and ignored;
* a wire record, no fill: it may have left.  It is open until the chain says what became of it; never sent again;
* refused, or no wire record: it has not left.  With `send.before_send` this is certain.  Without it a
  transaction can overtake the block that holds its wire record by up to `journal.commit_us` and a write.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from solders.pubkey import Pubkey
from solders.signature import Signature
from spl.token.constants import WRAPPED_SOL_MINT

from ipc._core import lib
from ipc.errors import CoreError
from sniperforge.journal import Place, Reader, Record, Tail, run_files, segment_path
from sniperforge.journal.records import structure

KINDS = (
    lib.SF_MSG_ORDER,
    lib.SF_MSG_WIRE,
    lib.SF_MSG_REFUSED,
    lib.SF_MSG_FILL,
    lib.SF_MSG_BALANCE,
    lib.SF_MSG_COMMAND,
    lib.SF_MSG_VERDICT,
)
"""The kinds of message that recovery reads."""

CHECKPOINT = "checkpoint.json"
WSOL = str(WRAPPED_SOL_MINT)
NATIVE = 0xFFFFFFFF
"""Row of SF_MSG_BALANCE for lamports that are not in a token account."""

_FORMAT = 2
REMEMBERED = 4096  # links hold fewer messages than this: records of one order lie closer together
_DAY_NS = 86_400 * 10**9


class RecoveryError(Exception):
    """The journal cannot be trusted as it is; the text says what and what to do."""


class JournalBusy(RecoveryError):
    """Another process writes the journal now; one of a run that was killed may need a moment to be gone."""


class OpenOrder(msgspec.Struct):
    """An order whose fill is not recorded."""

    order: int
    run: int
    known: bool = False
    """Its order record has been read; False: only its wire record, the rest is 0."""
    intent: int = 0
    bot: int = 0
    kind: int = 0
    token_in: int = 0
    token_out: int = 0
    """Rows of the run that gave the order; see mint_in and mint_out."""
    mint_in: str | None = None
    mint_out: str | None = None
    amount_in: int = 0
    expected_out: int = 0
    min_out: int = 0
    tip_lamports: int = 0
    t_origin: int = 0
    wired: bool = False
    """A signed transaction exists: it may have left."""
    refused: bool = False
    """Build, sign or send would not go on: it has not left."""
    signature: str = ""
    last_valid_block_height: int = 0


class Position(msgspec.Struct):
    """What fills did to one mint, over all runs, in base units."""

    booked: int = 0
    fills: int = 0
    reverted: int = 0


class Lot(msgspec.Struct):
    """What was bought of a mint and not sold, and what it cost: as risk counts it (csrc/trade/risk.c)."""

    amount: int = 0
    cost_lamports: int = 0


class Held(msgspec.Struct):
    """What a bot bought of a mint with SOL since it last held none, and what it sold of that."""

    bought: int = 0
    cost_lamports: int = 0
    """What its orders put in: rent and fees are not the price of a token."""
    sold: int = 0
    proceeds_lamports: int = 0
    since_s: int = 0
    """Unix seconds of the first purchase."""


class BotTotals(msgspec.Struct):
    """What became of a bot's orders, over all runs."""

    orders: int = 0
    landed: int = 0
    reverted: int = 0
    expired: int = 0
    dropped: int = 0
    profit_lamports: int = 0
    """Results of cycles in WSOL and of sales for it, and all changes of lamports (fees and tips taken off)."""
    fee_lamports: int = 0
    """Fees and tips paid."""


class Cut(msgspec.Struct, frozen=True):
    """A torn tail that was taken off."""

    run: int
    file: str
    offset: int
    residue_bytes: int
    reason: str


class State(msgspec.Struct):
    """What the journal says, up to `place`."""

    format: int = _FORMAT
    place: Place | None = None
    """Where reading goes on; None = nothing was read yet."""
    last_run: int = 0
    last_order: int = 0
    orders: dict[int, OpenOrder] = {}
    """Without a fill, by order."""
    positions: dict[str, Position] = {}
    """By mint in base58."""
    unmapped: dict[int, int] = {}
    """Booked deltas of token rows of this run whose mint no balance record has told yet."""
    mints: dict[int, str] = {}
    """Mint of each token row of the run being read, from its balance records."""
    lots: dict[str, Lot] = {}
    """By mint in base58."""
    held: dict[int, dict[str, Held]] = {}
    """By bot and mint."""
    bots: dict[int, BotTotals] = {}
    lamports: int = 0
    """Sum of all changes of the wallet's lamports."""
    fee_lamports: int = 0
    tip_lamports: int = 0
    fills: int = 0
    duplicate_fills: int = 0
    day: int = 0
    """Days since 1970 (UTC) of the last fill; the next two are of that day."""
    day_lamports: int = 0
    """Result of the day in lamports, fees and tips taken off: counts against risk.max_daily_loss_lamports."""
    day_fee_lamports: int = 0
    kill: int = 0
    """Kill word as the last command left it: SF_KILL_*."""
    done: dict[int, int] = {}
    """The last orders that have their fill, and its outcome: a late record of one does not open it again."""
    cuts: list[Cut] = []

    @property
    def open_orders(self) -> list[OpenOrder]:
        """Orders that may have left and whose outcome is unknown, oldest first."""
        return sorted((o for o in self.orders.values() if o.wired and not o.refused), key=lambda o: o.order)

    @property
    def unsent_orders(self) -> list[OpenOrder]:
        """Orders of the last run that have not left (see the module about `before_send`), oldest first."""
        return sorted((o for o in self.orders.values() if not o.wired or o.refused), key=lambda o: o.order)

    def booked(self, mint: str) -> int:
        """Sum of all fills' changes of a mint, over all runs."""
        return self.positions[mint].booked if mint in self.positions else 0

    # -- applying records ---------------------------------------------------

    def begin_run(self, run: int) -> None:
        """A new run: its token rows are others, and what had not left before it never will."""
        self.orders = {number: o for number, o in self.orders.items() if o.wired and not o.refused}
        self.mints = {}
        for row, delta in self.unmapped.items():
            self._position(f"unknown mint, row {row} of run {self.last_run}").booked += delta
        self.unmapped = {}
        self.last_run = run

    def apply(self, record: Record) -> None:
        """Takes the next record of one of `KINDS`."""
        if record.run != self.last_run:
            self.begin_run(record.run)
        if record.kind == lib.SF_MSG_ORDER:
            self._order(record, _row(record, "sf_order_t"))
        elif record.kind == lib.SF_MSG_WIRE:
            self._wire(record, _row(record, "sf_wire_t"))
        elif record.kind == lib.SF_MSG_REFUSED:
            self._refused(_row(record, "sf_refused_t"))
        elif record.kind == lib.SF_MSG_FILL:
            self._fill(record, _row(record, "sf_fill_t"))
        elif record.kind == lib.SF_MSG_BALANCE:
            self._balance(_row(record, "sf_balance_t"))
        elif record.kind == lib.SF_MSG_COMMAND:
            self._command(_row(record, "sf_command_t"))
        elif record.kind == lib.SF_MSG_VERDICT:
            verdict = _row(record, "sf_verdict_t")
            self._meet(int(verdict["token"]), verdict)

    def _entry(self, number: int, run: int) -> OpenOrder | None:
        """The order's entry; None if it has its fill.  Records of one order come in any order."""
        self.last_order = max(self.last_order, number)
        if number in self.done:
            return None
        return self.orders.setdefault(number, OpenOrder(order=number, run=run))

    def _position(self, mint: str) -> Position:
        return self.positions.setdefault(mint, Position())

    def _order(self, record: Record, row: np.void) -> None:
        intent = row["intent"]
        bot = self.bots.setdefault(int(intent["bot"]), BotTotals())
        bot.orders += 1
        entry = self._entry(int(row["order"]), record.run)
        if entry is None:
            return
        entry.known = True
        for name in ("intent", "bot", "kind", "token_in", "token_out", "amount_in", "expected_out", "min_out"):
            setattr(entry, name, int(intent[name]))
        entry.tip_lamports = int(intent["tip_lamports"])
        entry.t_origin = record.t_origin
        entry.mint_in = self.mints.get(entry.token_in)
        entry.mint_out = self.mints.get(entry.token_out)

    def _wire(self, record: Record, row: np.void) -> None:
        entry = self._entry(int(row["order"]), record.run)
        if entry is None:
            return
        entry.wired = True
        if not entry.known:
            entry.bot = int(row["bot"])
        entry.signature = str(Signature.from_bytes(row["tx"].tobytes()[1:65]))  # behind the count, which is one byte
        entry.last_valid_block_height = int(row["last_valid_block_height"])

    def _refused(self, row: np.void) -> None:
        number = int(row["order"])
        entry = self._entry(number, number >> 32)
        if entry is not None:
            entry.refused = True

    def _fill(self, record: Record, row: np.void) -> None:
        number = int(row["order"])
        self.last_order = max(self.last_order, number)
        if number in self.done:
            self.duplicate_fills += 1
            return
        self.orders.pop(number, None)
        outcome = int(row["outcome"])
        self.done[number] = outcome
        if len(self.done) > REMEMBERED:
            del self.done[next(iter(self.done))]
        self.fills += 1
        reverted = outcome == lib.SF_FILL_REVERTED
        token_in, token_out = int(row["token_in"]), int(row["token_out"])
        self._book(token_in, int(row["delta_in"]), reverted)
        if token_out != token_in:
            self._book(token_out, int(row["delta_out"]), reverted)
        for leg in row["leg"]:
            if leg["delta"]:
                self._book(int(leg["token"]), int(leg["delta"]), False)
        self._totals(record, row, outcome)

    def _book(self, token: int, delta: int, reverted: bool) -> None:
        mint = self.mints.get(token)
        if mint is None:
            self.unmapped[token] = self.unmapped.get(token, 0) + delta
            return
        position = self._position(mint)
        position.booked += delta
        position.fills += 1
        position.reverted += reverted

    def _totals(self, record: Record, row: np.void, outcome: int) -> None:
        lamports, fee, tip = int(row["delta_lamports"]), int(row["fee_lamports"]), int(row["tip_lamports"])
        landed = outcome == lib.SF_FILL_LANDED
        paid = fee + tip if landed else fee  # a transaction that failed paid no tip
        result = lamports
        if int(row["kind"]) == lib.SF_INTENT_CYCLE and self.mints.get(int(row["token_in"])) == WSOL:
            result += int(row["delta_in"])
        elif landed and int(row["kind"]) == lib.SF_INTENT_SWAP:
            self._hold(record, row, lamports + paid)
            result = self._realised(row, lamports + paid) - paid
        self.lamports += lamports
        self.fee_lamports += fee
        self.tip_lamports += tip if landed else 0
        bot = self.bots.setdefault(int(row["bot"]), BotTotals())
        bot.landed += landed
        bot.reverted += outcome == lib.SF_FILL_REVERTED
        bot.expired += outcome == lib.SF_FILL_EXPIRED
        bot.dropped += outcome == lib.SF_FILL_DROPPED
        bot.profit_lamports += result
        bot.fee_lamports += paid
        day = record.time_ns // _DAY_NS
        if day != self.day:
            self.day, self.day_lamports, self.day_fee_lamports = day, 0, 0
        self.day_lamports += result
        self.day_fee_lamports += paid

    def _hold(self, record: Record, row: np.void, moved: int) -> None:
        """Counts a swap from or into SOL as its bot does (`moved`: as in `_realised`)."""
        by_mint = self.held.setdefault(int(row["bot"]), {})
        mint_in, mint_out = self.mints.get(int(row["token_in"])), self.mints.get(int(row["token_out"]))
        if mint_in == WSOL and mint_out is not None:
            held = by_mint.setdefault(mint_out, Held(since_s=record.time_ns // 10**9))
            held.bought += max(int(row["delta_out"]), 0)
            held.cost_lamports += int(row["amount_in"])
        elif mint_out == WSOL and mint_in in by_mint:
            held = by_mint[mint_in]
            held.sold += max(-int(row["delta_in"]), 0)
            held.proceeds_lamports += max(int(row["delta_out"]) + moved, 0)
            if held.sold >= held.bought:
                del by_mint[mint_in]

    def _realised(self, row: np.void, moved: int) -> int:
        """What a swap earned in lamports: nothing when it buys; the proceeds less their cost when it sells.

        Wrapped SOL and lamports are one here: `moved` is what it moved of lamports, fee and tip not counted (a venue
        that pays in them, rent).
        """
        mint_in, mint_out = self.mints.get(int(row["token_in"])), self.mints.get(int(row["token_out"]))
        paid, got = -int(row["delta_in"]), int(row["delta_out"])
        if mint_in == WSOL:
            paid -= moved
        elif mint_out == WSOL:
            got += moved
        else:
            return moved
        if paid <= 0 or got <= 0 or mint_in is None or mint_out is None:
            return 0
        if mint_in == WSOL:
            lot = self.lots.setdefault(mint_out, Lot())
            lot.amount += got
            lot.cost_lamports += paid
        if mint_out != WSOL:
            return 0
        lot = self.lots.setdefault(mint_in, Lot())
        part = min(paid, lot.amount)
        if not part:
            return 0
        cost = lot.cost_lamports * part // lot.amount
        lot.amount -= part
        lot.cost_lamports -= cost
        return got * part // paid - cost

    def _balance(self, row: np.void) -> None:
        token = int(row["token"])
        if token == NATIVE or token in self.mints:
            return
        self._meet(token, row)

    def _meet(self, token: int, row: np.void) -> None:
        """A record tells which mint a token row is."""
        if token in self.mints:
            return
        mint = str(Pubkey.from_bytes(row["mint"].tobytes()))
        self.mints[token] = mint
        if token in self.unmapped:
            self._position(mint).booked += self.unmapped.pop(token)
        for entry in self.orders.values():
            if entry.run == self.last_run and entry.known:
                entry.mint_in = entry.mint_in or self.mints.get(entry.token_in)
                entry.mint_out = entry.mint_out or self.mints.get(entry.token_out)

    def _command(self, row: np.void) -> None:
        verb = int(row["verb"])
        if verb == lib.SF_VERB_KILL:
            self.kill = max(self.kill, int(row["value"]))
        elif verb == lib.SF_VERB_RESUME:
            self.kill = lib.SF_KILL_RUN
            self.day_lamports = 0  # as risk does: a person has looked, the day begins anew


def _row(record: Record, layout: str) -> np.void:
    row = structure(layout, record.payload)
    if row is None:
        raise RecoveryError(
            f"run {record.run}, {record.link}[{record.seq}]: payload of {len(record.payload)} bytes is no {layout}"
        )
    return row


@contextlib.contextmanager
def locked(directory: Path, timeout_s: float = 5.0) -> Iterator[None]:
    """Holds the journal directory's lock, the one the journal tile takes.

    While it is held no process writes the journal, and every write of a process that was killed is over.

    Raises:
        JournalBusy: somebody still holds it after `timeout_s`.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise JournalBusy(
                        f"{directory}: another process writes this journal; stop it, or use another instance.state_dir"
                    ) from None
                time.sleep(0.005)
        yield
    finally:
        os.close(fd)


def load(directory: Path) -> State:
    """The state of the checkpoint; an empty one if there is none.

    Raises:
        RecoveryError: the file is there and cannot be used.
    """
    path = directory / CHECKPOINT
    try:
        text, _, checksum = path.read_bytes().partition(b"\n")
        if checksum != b"%08x\n" % zlib.crc32(text):
            raise ValueError("its second line is not the CRC-32 of its first")
        state = msgspec.json.decode(text, type=State)
    except FileNotFoundError:
        return State()
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise RecoveryError(
            f"{path}: cannot be used: {error}; remove it, then the whole journal is read again"
        ) from None
    if state.format != _FORMAT:
        raise RecoveryError(
            f"{path}: has format {state.format}, this build knows {_FORMAT}; use the build that wrote it"
        )
    return state


def save(directory: Path, state: State) -> None:
    """Writes the checkpoint durably, after the journal it speaks of: a line of JSON and a line with its CRC-32."""
    place = state.place
    if place is not None:
        segment = segment_path(directory, place.run, place.segment)
        if segment.exists():
            fd = os.open(segment, os.O_RDONLY | os.O_CLOEXEC)
            os.fdatasync(fd)
            os.close(fd)
    path = directory / CHECKPOINT
    part = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    text = msgspec.json.encode(state)
    with part.open("wb") as file:
        file.write(b"%b\n%08x\n" % (text, zlib.crc32(text)))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    os.fsync(fd)
    os.close(fd)


def advance(directory: Path, state: State, cut: bool = False) -> State:
    """Reads on from `state.place` to the end of the journal; changes and returns `state`.

    Args:
        cut: take a torn tail off the last run; the caller holds the directory's lock (`locked`).  An earlier run has
            none: the start of the run after it took it off.

    Raises:
        RecoveryError: the journal is damaged, or the checkpoint does not belong to it.
        CoreError: a file cannot be read, or other layouts wrote it.
    """
    first = state.place.run if state.place else 0
    pending = [run for run in sorted(run_files(directory)) if run >= first]
    for run in pending:
        start = state.place if state.place and state.place.run == run else Place(run)
        if run != state.last_run:
            state.begin_run(run)
        try:
            reader = Reader(directory, run, start)
        except CoreError as error:
            raise RecoveryError(
                f"{error.sentence}; the checkpoint is ahead of the journal: restore the file, or remove {CHECKPOINT}"
            ) from None
        with reader:
            _read_run(reader, state)
            state.place = reader.place
            if run != pending[-1]:
                _refuse(reader.tail())
            elif cut:
                _cut(reader, state)
    return state


def _read_run(reader: Reader, state: State) -> None:
    """Applies a run up to its end, which may be a block that is not whole."""
    try:
        for record in reader.records(KINDS):
            state.apply(record)
    except CoreError as error:
        if error.code != lib.SF_ERR_DATA:
            raise


def _refuse(tail: Tail) -> None:
    if tail.residue_bytes:
        raise RecoveryError(
            f"journal {tail.file} is damaged at offset {tail.place.offset}: {tail.reason}; restore the file from a copy"
        )


def _cut(reader: Reader, state: State) -> None:
    try:
        tail = reader.cut()
    except CoreError as error:
        raise RecoveryError(error.sentence) from None
    if tail.residue_bytes:
        place = tail.place
        state.cuts.append(Cut(place.run, tail.file, place.offset, tail.residue_bytes, tail.reason))


def recover(directory: Path) -> State:
    """The state a new run begins with: from the checkpoint on to the end, torn tails cut, checkpoint saved.

    The caller holds the directory's lock.

    Raises:
        RecoveryError, CoreError: see `load` and `advance`.
    """
    state = advance(directory, load(directory), cut=True)
    save(directory, state)
    return state


def prune(directory: Path, state: State, keep_bytes: int) -> list[int]:
    """Deletes whole earlier runs, oldest first, while the journal is larger than `keep_bytes`.

    Runs that recovery still has to read, and the last one, stay.  Returns the deleted runs.
    """
    beside = ("config.json", "tokens")
    files = {
        run: [*(directory / f"{run}.{name}" for name in beside), *paths] for run, paths in run_files(directory).items()
    }
    sizes = {run: sum(path.stat().st_blocks * 512 for path in paths if path.exists()) for run, paths in files.items()}
    deleted = []
    for run in sorted(files):
        if sum(sizes.values()) <= keep_bytes or state.place is None or run >= state.place.run:
            break
        for path in reversed(files[run]):
            path.unlink(missing_ok=True)
        del sizes[run]
        deleted.append(run)
    return deleted
