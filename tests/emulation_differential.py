"""Random swaps of an emulated program against the C core and the Python reference.

A venue takes part by a module `tests/emulated_<venue>.py` with

    compare(cases: int, rng: random.Random) -> Counter[str]

which makes pools with the venue's account builders, runs `cases` swaps, asserts that all three agree, and counts the
outcomes by name. Quick tests take about a thousand cases, slow ones `slow_cases()`, which may be a million
(SNIPERFORGE_CASES=1000000): so `compare` should run the emulation's source compiled for this machine
(`tests/native_program.py`), not the virtual machine.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from importlib import import_module


def slow_cases() -> int:
    """How many cases a slow test takes: SNIPERFORGE_CASES, or as many as take some seconds."""
    return int(os.environ.get("SNIPERFORGE_CASES", "20000"))


def run(venue: str, cases: int, seed: int) -> Counter[str]:
    """Compares `cases` random swaps of a venue; how many ended how."""
    outcomes: Counter[str] = import_module(f"tests.emulated_{venue}").compare(cases, random.Random(seed))
    assert sum(outcomes.values()) == cases, outcomes
    return outcomes
