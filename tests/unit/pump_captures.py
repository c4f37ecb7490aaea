"""Events and instructions of pump.fun's programs in the captured transactions."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.data import data_dir

EVENT_TAG = bytes.fromhex("e445a52e51cb9a1d")
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
FOLDERS = ("pump_fun", "swap_scan", "mixed", "vixen")


def files() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (data_dir("tx") / folder).glob("*.json"))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _bytes(text: str) -> bytes | None:
    """Base58 of unknown length that does not begin with a zero byte."""
    number = 0
    for character in text:
        digit = _ALPHABET.find(character)
        if digit < 0:
            return None
        number = number * 58 + digit
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def events(*discriminators: bytes) -> Iterator[tuple[str, bytes]]:
    """File name and event, as logged or as the program sent it to itself; each once per file."""
    for path in files():
        seen = set()
        for text in _strings(json.loads(path.read_text())):
            data: bytes | None = None
            if text.startswith("Program data: "):
                data = b64decode(text.removeprefix("Program data: "))
            elif 100 < len(text) < 800:
                data = _bytes(text)
                data = data[8:] if data and data[:8] == EVENT_TAG else None
            if data and data[:8] in discriminators and data not in seen:
                seen.add(data)
                yield path.name, data


def instructions(program: str) -> Iterator[tuple[str, bytes, list[str]]]:
    """File name, data and accounts of each instruction of a program, inner ones too; not its events."""
    for path in files():
        for transaction in _transactions(json.loads(path.read_text())):
            message, meta = transaction["transaction"]["message"], transaction["meta"] or {}
            keys = [key if isinstance(key, str) else key["pubkey"] for key in message["accountKeys"]]
            if isinstance(message["accountKeys"][0], str):
                loaded = meta.get("loadedAddresses") or {}
                keys += loaded.get("writable", []) + loaded.get("readonly", [])
            groups = [group["instructions"] for group in meta.get("innerInstructions") or []]
            for instruction in [*message["instructions"], *(one for group in groups for one in group)]:
                owner = instruction.get("programId") or keys[instruction["programIdIndex"]]
                data = _bytes(instruction.get("data", ""))
                if owner == program and data and data[:8] != EVENT_TAG:
                    accounts = [one if isinstance(one, str) else keys[one] for one in instruction["accounts"]]
                    yield path.name, data, accounts


def _transactions(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if isinstance(value.get("transaction"), dict) and "message" in value["transaction"] and "meta" in value:
            yield value
        for inner in value.values():
            yield from _transactions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _transactions(inner)
