"""The recorded market in memory, and what bots ask of a run besides messages: its tokens.

A tape (csrc/tile/tape.h) holds the market messages of a run one behind the other, as much as `replay.tape_mb` allows
at a time, read and verified before the bots go over them: what they then take is theirs, not the disk's.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from typing import Any

import numpy as np

from ipc._core import ffi, lib
from ipc.errors import check
from ipc.layout import dtype
from ipc.table import Table
from sniperforge.journal import Place
from sniperforge.replay.recording import PRIMARY, Recording, bytes_before

_TOKEN = dtype("sf_token_row_t")
_SIZE_BYTES = 8


class Tape:
    """The messages of link `market` of a run, a load at a time.

    Attributes:
        messages: loaded so far.
    """

    def __init__(self, recording: Recording) -> None:
        least = int(lib.SF_READER_COPY_LEAST)
        size = min(recording.config.replay.tape_mb << 20, recording.size_bytes + least)
        self._memory = mmap.mmap(-1, max(size, least), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with contextlib.suppress(OSError):  # a kernel without huge pages
            self._memory.madvise(mmap.MADV_HUGEPAGE)
        self._bytes: Any = ffi.from_buffer(self._memory)
        self.pointer: Any = ffi.new("sf_tape_t *", {"bytes": ffi.cast("uint8_t *", self._bytes)})
        self._next_seq: Any = ffi.new("uint64_t *")
        self._directory = recording.directory
        box = ffi.new("sf_reader_t **")
        check(lib.sf_reader_open(box, str(recording.directory).encode(), recording.run, ffi.NULL))
        self._reader: Any = ffi.gc(box[0], lib.sf_reader_close)

    def load(self) -> bool:
        """Puts the next messages in the place of those that were there; False at the end of the readable journal.

        Only when every bot that plays it has come to its end.
        """
        size = len(self._memory)
        link = PRIMARY.encode()
        used = lib.sf_reader_copy(self._reader, link, lib.SF_TAPE_ALIGN, self._next_seq, self._bytes, size)
        if used == lib.SF_ERR_DATA:
            return False  # the end was told when the recording was opened
        if check(used) == 0:
            return False
        self.pointer.used_bytes = used
        self.pointer.loads += 1
        return True

    @property
    def messages(self) -> int:
        return int(self._next_seq[0])

    @property
    def place_bytes(self) -> int:
        """How far the journal was read."""
        place = ffi.new("sf_place_t *")
        lib.sf_reader_place(self._reader, place)
        return bytes_before(self._directory, Place(place.run, place.segment, place.offset, place.number))

    def close(self) -> None:
        """Closes the journal; no bot plays it any more."""
        ffi.release(self._reader)


def known_tokens(recording: Recording) -> bytes | None:
    """The rows of table `tokens` that an earlier replay of this journal, as long as it is now, has left beside it."""
    try:
        data = recording.tokens_path.read_bytes()
    except FileNotFoundError:
        return None
    size, rows = data[:_SIZE_BYTES], data[_SIZE_BYTES:]
    whole = int.from_bytes(size, "little") == recording.size_bytes and len(rows) % _TOKEN.itemsize == 0
    return rows if whole else None


def keep_tokens(recording: Recording, table: Table) -> bytes:
    """Leaves the rows of table `tokens` beside the journal for the next time, and returns them."""
    rows = table.read_all().tobytes()
    part = recording.tokens_path.with_suffix(f".{os.getpid()}.part")
    with contextlib.suppress(OSError):  # a journal that may only be read
        part.write_bytes(recording.size_bytes.to_bytes(_SIZE_BYTES, "little") + rows)
        part.replace(recording.tokens_path)
    return rows


def put_tokens(rows: bytes, table: Table) -> None:
    """Writes them into table `tokens`."""
    for number, row in enumerate(np.frombuffer(rows, _TOKEN)):
        if row["lock"]:  # it was written
            table.write(number, row)
