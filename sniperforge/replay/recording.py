"""What a replay needs of a recorded run: its graph and parameters, and how much of each link there is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ipc._core import lib
from ipc.errors import CoreError
from sniperforge.config import Config
from sniperforge.journal import Place, Reader, run_files, runs
from sniperforge.tile_config import StrategyConfig
from sniperforge.topology import Graph, graph

PRIMARY = "market"
"""In-link 0 of every bot tile; it is made anew by `book`."""

_INTENT = "intent."
_MADE_ANEW = frozenset({lib.SF_MSG_ACCOUNT, lib.SF_MSG_SLOT, lib.SF_MSG_RESET, lib.SF_MSG_POOL, lib.SF_MSG_STALE})
SIDE_KINDS = [kind for kind in range(128) if kind not in _MADE_ANEW]
"""Kinds of messages that are not `raw` or `market`."""


class ReplayError(Exception):
    """This run cannot be replayed; the text says why and what to do."""


class NoSuchBot(ReplayError):
    """The run has no bot of that name; the text lists those it has."""


class _RunRecord(msgspec.Struct):
    """<journal>/<run>.config.json, written at the start of a run."""

    run: int
    config: Config
    tiles: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class BotTile:
    """A tile of bots.

    Attributes:
        python: runs in Python.
        intents: its out-link.
        inputs: its in-links, the primary first.
    """

    name: str
    kind: str
    python: bool
    burst: int
    params: dict[str, Any]
    intents: str
    inputs: list[str]


@dataclass(frozen=True)
class Recording:
    """A run to be replayed.

    Attributes:
        bots: number of each configured bot that takes part, by name.
        counts: messages of each link in the journal (without raw and market).
        size_bytes: of the readable journal.
        seconds: from its first block to its last.
        end: "" or why the readable journal ends before its files do.
    """

    directory: Path
    run: int
    config: Config
    book: dict[str, Any]
    tiles: list[BotTile]
    bots: dict[str, int]
    counts: dict[str, int]
    size_bytes: int
    seconds: float
    end: str

    @property
    def tokens_path(self) -> Path:
        """The file in which a replay leaves the rows of table `tokens`."""
        return self.directory / f"{self.run}.tokens"

    @classmethod
    def open(cls, directory: Path, run: int | None = None, bots: list[str] | None = None) -> Recording:
        """Reads a run's configuration, and once through its journal.

        Args:
            run: the last one if None.
            bots: names of bots whose tiles are replayed; all if None.

        Raises:
            NoSuchBot: the run has no bot of that name.
            ReplayError: there is no such run, or its configuration is not there.
            CoreError: the journal cannot be read.
        """
        found = runs(directory)
        if run is None and found:
            run = found[-1]
        if run is None or run not in found:
            which = "no journal" if run is None else f"no journal of run {run}"
            raise ReplayError(f"{directory}: {which}; there are runs {found or 'none'}")
        record = _read_record(directory, run)
        the_graph = graph(record.config)
        numbers = {name: bot.bot for name, bot in record.config.bots.items() if bots is None or name in bots}
        for name in bots or []:
            if name not in numbers:
                raise NoSuchBot(f"run {run} has no bot {name!r}; it has {', '.join(record.config.bots)}")
        tiles = _bot_tiles(record, the_graph, set(numbers) if bots else None)
        counts, size_bytes, seconds, end = _scan(directory, run)
        books = [name for name, tile in the_graph.tiles.items() if tile.kind == "book"]
        if len(books) != 1:
            raise ReplayError(f"run {run} has {len(books)} tiles of kind book; a replay needs one")
        return cls(
            directory=directory,
            run=run,
            config=record.config,
            book=record.tiles.get(books[0], {}),
            tiles=tiles,
            bots=numbers,
            counts=counts,
            size_bytes=size_bytes,
            seconds=seconds,
            end=end,
        )


def _read_record(directory: Path, run: int) -> _RunRecord:
    path = directory / f"{run}.config.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=_RunRecord)
    except FileNotFoundError:
        raise ReplayError(f"{path}: no such file; a run can be replayed with the configuration it had") from None
    except msgspec.DecodeError as error:
        raise ReplayError(f"{path}: {error}; replay it with the version that recorded it") from None


def _bot_tiles(record: _RunRecord, the_graph: Graph, bots: set[str] | None) -> list[BotTile]:
    found = []
    for name, tile in the_graph.tiles.items():
        intents = [link for link in tile.out if link.startswith(_INTENT)]
        if not intents:
            continue
        python = tile.kind == "strategies"
        hosted = {bot for bot, about in record.config.bots.items() if isinstance(about, StrategyConfig) == python}
        if bots is not None and not bots & (hosted if python else {name}):
            continue
        inputs = [port.removesuffix("~") for port in tile.in_]
        inputs = [link for link in inputs if link in the_graph.producers]
        if inputs[0] != PRIMARY:
            raise ReplayError(f"tile {name}: its first in-link is {inputs[0]}, not {PRIMARY}")
        params = record.tiles.get(name, {})
        found.append(BotTile(name, tile.kind, python, tile.burst, params, intents[0], inputs))
    return found


def _scan(directory: Path, run: int) -> tuple[dict[str, int], int, float, str]:
    """Reads all of a journal once, which also verifies it."""
    counts: dict[str, int] = {}
    end = ""
    with Reader(directory, run) as reader:
        try:
            for batch in reader.batches(SIDE_KINDS):
                links, found = np.unique(batch.headers()["link"], return_counts=True)
                for link, count in zip(links.tolist(), found.tolist(), strict=True):
                    name = reader.link_name(link)
                    counts[name] = counts.get(name, 0) + count
        except CoreError as error:
            if error.code != lib.SF_ERR_DATA:
                raise
            end = error.sentence
        place, (first_ns, last_ns) = reader.place, reader.span_ns
    return counts, bytes_before(directory, place), (last_ns - first_ns) / 1e9, end


def bytes_before(directory: Path, place: Place) -> int:
    """Bytes of a run's journal before a place of it."""
    sizes = [path.stat().st_size for path in run_files(directory)[place.run][: place.segment]]
    return sum(sizes) + place.offset
