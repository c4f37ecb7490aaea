"""Base58 with Bitcoin's alphabet: how Solana writes addresses, blockhashes and signatures."""

from __future__ import annotations

from solders.pubkey import Pubkey
from solders.signature import Signature

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_OF_SIZE: dict[int, type[Pubkey | Signature]] = {32: Pubkey, 64: Signature}


def encode(data: bytes) -> str:
    """`data` as text; one leading `1` per leading zero byte."""
    usual = _OF_SIZE.get(len(data))
    if usual:
        return str(usual.from_bytes(data))
    number = int.from_bytes(data, "big")
    digits = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(ALPHABET[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(digits))


def decode(text: str, size: int) -> bytes:
    """The `size` bytes that `text` spells.

    Args:
        size: 32, an address or a blockhash, or 64, a signature.

    Raises:
        ValueError: a character is no digit, or there are more or fewer bytes.
    """
    try:
        return bytes(_OF_SIZE[size].from_string(text))
    except ValueError:
        raise ValueError(f"{text!r} is not base58 of {size} bytes") from None
