"""From a code of the C core to a Python exception."""

from __future__ import annotations

from typing import Any

from ipc._core import ffi, lib


class CoreError(Exception):
    """A function of the C core failed.  Its text is the sentence that C left behind."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        """One of SF_ERR_*, negative."""
        self.sentence = sentence

    @property
    def name(self) -> str:
        """The name of the code: SF_ERR_ARG, SF_ERR_SYS, ..."""
        return text(lib.sf_err_name(self.code))


def text(string: object) -> str:
    """Returns a zero-terminated string of C; bytes that are not UTF-8 are shown escaped."""
    raw: bytes = ffi.string(string)
    return raw.decode(errors="backslashreplace")


def check(code: int) -> int:
    """Returns what a C function returned, unless that is an error: then raises CoreError."""
    if code < 0:
        raise CoreError(code, text(lib.sf_err_text()))
    return code


def attached(pointer: Any) -> Any:
    """Returns a pointer that a C function returned, unless it is NULL: then raises CoreError."""
    if pointer == ffi.NULL:
        raise CoreError(lib.SF_ERR_ABI, text(lib.sf_err_text()))
    return pointer
