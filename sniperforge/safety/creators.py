"""The creator history: a plain file that the user keeps, one JSON object a line.

    {"creator": "<address>", "verdict": "bad", "note": "pulled the liquidity of <mint>"}
    {"creator": "<address>", "verdict": "good"}

Of several lines on one creator the last counts. It is read again whenever it has changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from sniperforge import base58

_LARGEST_FILE = 256 << 20


class CreatorsFileError(ValueError):
    """The file cannot be used; the text names the line and the fix."""


class Creator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line."""

    creator: str
    verdict: Literal["good", "bad"]
    note: str = ""


class Creators:
    """The history in the file at `path`; an empty path is an empty history."""

    def __init__(self, path: str) -> None:
        self._path = Path(path).expanduser() if path else None
        self._stamp: tuple[int, int] | None = None
        self._known: dict[str, Creator] = {}

    def get(self, address: str) -> Creator | None:
        """What is known of a creator.

        Raises:
            CreatorsFileError: the file is not readable, or a line is none of the above.
        """
        if self._path is not None:
            self._refresh(self._path)
        return self._known.get(address)

    def _refresh(self, path: Path) -> None:
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_size)
            if stamp == self._stamp:
                return
            if found.st_size > _LARGEST_FILE:
                raise CreatorsFileError(f"{path}: is larger than {_LARGEST_FILE} bytes; name a file of creators")
            text = path.read_bytes()
        except OSError as error:
            raise CreatorsFileError(f"safety.creators_path: {path}: {error.strerror}; name a readable file") from None
        known: dict[str, Creator] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            try:
                creator = msgspec.json.decode(line, type=Creator)
                base58.decode(creator.creator, 32)
            except ValueError as error:
                raise CreatorsFileError(
                    f'{path}:{number}: {error}; write {{"creator": "<address>", "verdict": "good" or "bad"}}'
                ) from None
            known[creator.creator] = creator
        self._known, self._stamp = known, stamp
