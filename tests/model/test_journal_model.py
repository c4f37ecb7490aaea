"""Recovery against a model of twenty lines, over random histories cut at random places and read in random pieces."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from ipc._core import lib
from sniperforge import recovery
from sniperforge.recovery import State
from tests.journal_files import JournalFiles, order_number

MINTS = [bytes([token] * 32) for token in range(3)]

Event = tuple[Any, ...]
ORDERS = st.integers(1, 12)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), ORDERS),
        st.tuples(st.just("wire"), ORDERS),
        st.tuples(st.just("refused"), ORDERS),
        st.tuples(st.just("fill"), ORDERS, st.integers(0, 2), st.integers(-1000, 1000), st.integers(1, 4)),
        st.tuples(st.just("kill"), st.integers(1, 2)),
        st.tuples(st.just("resume")),
        st.tuples(st.just("commit")),
        st.tuples(st.just("run")),
    ),
    max_size=60,
)


class Model:
    """What the records say, told the plain way."""

    def __init__(self) -> None:
        self.wired: set[int] = set()
        self.refused: set[int] = set()
        self.filled: set[int] = set()
        self.booked = [0, 0, 0]
        self.kill = 0
        self.last = 0

    def apply(self, run: int, event: Event) -> None:
        name, *values = event
        number = order_number(1, values[0]) if name in ("order", "wire", "refused", "fill") else 0
        self.last = max(self.last, number)
        if name == "wire":
            self.wired.add(number)
        elif name == "refused":
            self.refused.add(number)
        elif name == "fill" and number not in self.filled:
            self.filled.add(number)
            self.booked[values[1]] += values[2]
        elif name == "kill":
            self.kill = max(self.kill, values[0])
        elif name == "resume":
            self.kill = 0

    def begin_run(self) -> None:
        self.wired -= self.refused
        self.refused = set()

    @property
    def open(self) -> list[int]:
        return sorted(self.wired - self.refused - self.filled)


def write(directory: Path, events: list[Event]) -> tuple[list[JournalFiles], list[list[Model]]]:
    """The journal, and for each run the model after 0, 1, 2 ... of its blocks."""
    model, journals, after = Model(), [], []
    for number, part in enumerate(_runs(events), 1):
        journal = JournalFiles(directory, number, segment_blocks=3)
        model.begin_run()
        states = [copy.deepcopy(model)]
        for row, mint in enumerate(MINTS):
            journal.balance(row, mint)
        for event in [*part, ("commit",)]:
            _write_event(journal, event)
            model.apply(number, event)
            if event[0] == "commit":
                states.append(copy.deepcopy(model))
        journals.append(journal)
        after.append(states)
    return journals, after


def _runs(events: list[Event]) -> list[list[Event]]:
    parts: list[list[Event]] = [[]]
    for event in events:
        if event[0] == "run":
            parts.append([])
        else:
            parts[-1].append(event)
    return parts


def _write_event(journal: JournalFiles, event: Event) -> None:
    name, *values = event
    if name == "order":
        journal.order(order_number(1, values[0]), amount_in=1)
    elif name == "wire":
        journal.wire(order_number(1, values[0]))
    elif name == "refused":
        journal.refused(order_number(1, values[0]))
    elif name == "fill":
        number, token, delta, outcome = values
        journal.fill(order_number(1, number), token_in=token, token_out=token, delta_in=delta, outcome=outcome)
    elif name == "kill":
        journal.command(lib.SF_VERB_KILL, value=values[0])
    elif name == "resume":
        journal.command(lib.SF_VERB_RESUME)
    elif name == "commit":
        journal.commit()


def check(state: State, model: Model) -> None:
    assert [order.order for order in state.open_orders] == model.open
    assert [state.booked(str(Pubkey.from_bytes(mint))) for mint in MINTS] == model.booked
    assert (state.kill, state.last_order) == (model.kill, model.last)


@settings(max_examples=80)
@given(events=EVENTS, data=st.data())
def test_recovery_is_the_model(events: list[Event], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        journals, after = write(directory, events)
        check(recovery.advance(directory, State()), after[-1][-1])

        # the last run loses its end: the state is that of the blocks that are whole
        last = journals[-1]
        segment = data.draw(st.integers(0, last.segment))
        ends = [end for of, end in last.ends if of == segment]
        size = data.draw(st.integers(0, ends[-1]))
        whole = sum(of < segment or (of == segment and end <= size) for of, end in last.ends)
        with last.segment_path(segment).open("r+b") as file:
            file.truncate(size)
        for later in range(segment + 1, last.segment + 1):
            last.segment_path(later).unlink()
        check(recovery.advance(directory, State()), after[-1][whole])

        # cutting and going on from the checkpoint changes nothing
        with recovery.locked(directory):
            first = recovery.recover(directory)
            again = recovery.recover(directory)
        check(first, after[-1][whole])
        assert again == first


@settings(max_examples=40)
@given(events=EVENTS)
def test_reading_in_pieces_is_reading_at_once(events: list[Event]) -> None:
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as growing_name:
        directory, growing = Path(name), Path(growing_name)
        journals, after = write(directory, events)
        state = State()
        for journal, states in zip(journals, after, strict=True):
            before = 0
            for number, (segment, end) in enumerate(journal.ends, 1):
                source = journal.segment_path(segment)
                begin = before if segment == (journal.ends[number - 2][0] if number > 1 else -1) else 0
                with (growing / source.name).open("ab") as file:
                    file.write(source.read_bytes()[begin:end])
                before = end
                state = recovery.advance(growing, state)
                check(state, states[number])
                recovery.save(growing, state)
                assert recovery.load(growing) == state
        assert state == recovery.advance(directory, State())
