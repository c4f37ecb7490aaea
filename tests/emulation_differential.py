"""Random swaps of an emulated program against the C core and the Python reference.

A venue takes part by a module `tests/emulated_<venue>.py` with

    compare(cases: int, rng: random.Random) -> Counter[str]

which makes pools with the venue's account builders, runs `cases` swaps, asserts that all three agree, and counts the
outcomes by name. Default runs take a few hundred cases; the slow ones a million, which is why `compare` should run the
emulation's source compiled for this machine (`tests/native_program.py`), not the virtual machine.
"""

from __future__ import annotations

import random
from collections import Counter
from importlib import import_module


def run(venue: str, cases: int, seed: int) -> Counter[str]:
    """Compares `cases` random swaps of a venue; how many ended how."""
    outcomes: Counter[str] = import_module(f"tests.emulated_{venue}").compare(cases, random.Random(seed))
    assert sum(outcomes.values()) == cases, outcomes
    return outcomes
