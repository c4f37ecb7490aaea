"""Byte encodings of the JSON-RPC interface: base58, base64, and base64 over a zstd frame."""

from __future__ import annotations

import base64
import binascii
import struct

from sniperforge.base58 import ALPHABET

_DIGIT = {character: value for value, character in enumerate(ALPHABET)}
_ZSTD_MAGIC = 0xFD2FB528
_ZSTD_BLOCK_BYTES = 128 * 1024


class EncodingError(ValueError):
    """The text is not valid in its encoding; the message is worded as Agave words it."""


def base58_decode(text: str) -> bytes:
    """The bytes that `text` spells.  Raises EncodingError at the first character that is not a digit."""
    number = 0
    for index, character in enumerate(text):
        digit = _DIGIT.get(character)
        if digit is None:
            if not character.isascii():
                raise EncodingError(f"NonAsciiCharacter {{ index: {index} }}")
            raise EncodingError(f"InvalidCharacter {{ character: '{character}', index: {index} }}")
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def base64_encode(data: bytes) -> str:
    """`data` in standard base64 with padding."""
    return base64.b64encode(data).decode()


def base64_decode(text: str) -> bytes:
    """The bytes that `text` spells in padded standard base64.  Raises EncodingError."""
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except UnicodeEncodeError as error:
        raise EncodingError(f"InvalidByte({error.start}, {ord(text[error.start]) & 0xFF})") from error
    except binascii.Error as error:
        for index, character in enumerate(text):
            if not (character.isalnum() or character in "+/="):
                raise EncodingError(f"InvalidByte({index}, {ord(character)})") from error
        raise EncodingError("InvalidPadding") from error


def zstd_store(data: bytes) -> bytes:
    """A zstd frame that holds `data` in raw blocks (RFC 8878, 3.1.1.2.2), which every decoder reads."""
    frame = [struct.pack("<IBQ", _ZSTD_MAGIC, 0xE0, len(data))]
    for start in range(0, max(len(data), 1), _ZSTD_BLOCK_BYTES):
        block = data[start : start + _ZSTD_BLOCK_BYTES]
        last = start + _ZSTD_BLOCK_BYTES >= len(data)
        frame.append((len(block) << 3 | last).to_bytes(3, "little"))
        frame.append(block)
    return b"".join(frame)
