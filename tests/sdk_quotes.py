"""The vendors' JavaScript SDKs as a second opinion: their quotes of pools given as account dumps.

They run in Node from `tests/sdk`, with the versions of its lock file, and are for tests and benchmarks alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sniperforge.venues.dumps import Account

PACKAGE = Path(__file__).resolve().parent / "sdk"


class Ask(NamedTuple):
    """One swap: direction, whether `amount` goes in or comes out, and it."""

    a_to_b: bool
    exact_in: bool
    amount: int


class Answer(NamedTuple):
    """What the SDK says of it; `error` is empty if it gives amounts."""

    amount_in: int
    amount_out: int
    error: str


@dataclass(frozen=True)
class Request:
    """A pool with the accounts that price it, and what is asked. `repeat` rounds are timed; 0 = none."""

    venue: str
    pool: str
    now: int
    accounts: Sequence[Account]
    asks: Sequence[Ask]
    repeat: int = 0

    def to_json(self) -> dict[str, Any]:
        accounts = {
            account.address: {"owner": account.owner, "data": b64encode(account.data).decode()}
            for account in self.accounts
        }
        asks = [{"a_to_b": ask.a_to_b, "exact_in": ask.exact_in, "amount": str(ask.amount)} for ask in self.asks]
        return {
            "venue": self.venue,
            "pool": self.pool,
            "now": self.now,
            "repeat": self.repeat,
            "accounts": accounts,
            "asks": asks,
        }


class SdkMissing(RuntimeError):
    """The SDKs cannot run here; the text says why and what to do."""


def install() -> list[str]:
    """The command that runs the SDKs, which are installed if they are not.

    Raises:
        SdkMissing: Node is not there, or the packages cannot be had.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise SdkMissing("node and npm are not installed; install Node.js 18 or newer")
    if not (PACKAGE / "node_modules" / ".package-lock.json").exists():
        command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise SdkMissing(f"npm ci failed in {PACKAGE.name}: {done.stderr[-500:]}")
    return [node, str(PACKAGE / "quotes.mjs")]


def quotes(requests: Sequence[Request], scratch: Path) -> list[tuple[list[Answer], float]]:
    """Answers to each request, and nanoseconds a quote where it asked for rounds.

    Raises:
        SdkMissing: see `install`.
        RuntimeError: a pool could not be loaded by its SDK.
    """
    command = install()
    path = scratch / "requests.json"
    path.write_text(json.dumps([request.to_json() for request in requests]))
    done = subprocess.run([*command, str(path)], cwd=PACKAGE, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"quotes.mjs: {done.stderr[-2000:]}")
    found = json.loads(done.stdout)
    return [
        (
            [Answer(int(each.get("in", 0)), int(each.get("out", 0)), each.get("error", "")) for each in one["answers"]],
            float(one["ns_per_quote"]),
        )
        for one in found
    ]


def quotes_or_skip(requests: Sequence[Request], scratch: Path) -> list[tuple[list[Answer], float]]:
    """`quotes`; a test is skipped where the SDKs cannot run, but not in continuous integration."""
    try:
        return quotes(requests, scratch)
    except SdkMissing as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
