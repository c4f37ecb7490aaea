"""Base58 with Bitcoin's alphabet: how Solana writes addresses, blockhashes and signatures."""

from __future__ import annotations

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {character: value for value, character in enumerate(_ALPHABET)}


def encode(data: bytes) -> str:
    """`data` as text; one leading `1` per leading zero byte."""
    number = int.from_bytes(data, "big")
    digits = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(digits))


def decode(text: str, size: int) -> bytes:
    """The `size` bytes that `text` spells (32: address or blockhash, 64: signature).

    Raises:
        ValueError: a character is no digit, or there are more or fewer bytes.
    """
    number = 0
    for character in text:
        digit = _DIGITS.get(character)
        if digit is None:
            raise ValueError(f"{text!r} is not base58: {character!r} is not one of its digits")
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    length = zeros + (number.bit_length() + 7) // 8
    if length != size:
        raise ValueError(f"{text!r} spells {length} bytes, not {size}")
    return number.to_bytes(size, "big")
