"""Random swaps of the emulated programs against the C core and the Python reference: all three on every case.

    make differential [CASES=1000000] [VENUE=raydium_clmm]

or `python -m tests.emulation_differential [--cases N] [--seed N] [VENUE...]`. Each case is a state and an amount,
ordinary or absurd; the emulation's source runs compiled for this machine, not in the virtual machine. Two processes
share the work. A difference ends it with everything that is needed to see it again.

A venue takes part by a function `compare(directory, seed, cases)` that runs at least so many cases, asserts that all
three agree, and counts the outcomes by name. Where whole programs run (`tests/native_program.py`) accounts, events and
balances are compared too; elsewhere it is the arithmetic (`tests/native_sbf.py`), which is not asked where the program
refuses before it comes to it, as an amount of 0.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

PROCESSES = 2
CHUNK = 50_000
"""Most cases between two lines of progress."""

VENUES: dict[str, tuple[str, str]] = {
    "raydium_cpmm": ("emulation.test_emulation_older_arithmetic", "raydium_cpmm"),
    "raydium_amm_v4": ("emulation.test_emulation_older_arithmetic", "raydium_amm_v4"),
    "raydium_clmm": ("emulated_raydium_clmm", ""),
    "orca_whirlpool": ("emulated_orca_whirlpool", ""),
    "meteora_dlmm": ("emulation.test_emulation_meteora_dlmm", ""),
    "meteora_damm_v2": ("emulation.test_emulation_meteora_damm_v2", ""),
    "pump_swap": ("emulation.test_emulation_pump_swap", ""),
    "pump_fun": ("emulation.test_emulation_pump_fun_newest", ""),
    "pump_fun_2025": ("emulation.test_emulation_older_arithmetic", "pump_fun"),
}
"""Module below `tests`, and what it is told, of several venues in one module, which one is meant."""

STATUS = {0: "ok", 1: "refused"}


def slow_cases() -> int:
    """How many cases a slow test takes: SNIPERFORGE_CASES, or as many as take some seconds."""
    return int(os.environ.get("SNIPERFORGE_CASES", "20000"))


def run(venue: str, cases: int, seed: int) -> Counter[str]:
    """Compares at least `cases` random swaps of a venue; how many ended how."""
    name, which = VENUES[venue]
    module: Any = import_module(f"tests.{name}")
    with tempfile.TemporaryDirectory() as directory:
        if name.startswith("emulated"):
            found = module.compare(cases, random.Random(seed))
        elif which:
            found = module.compare(Path(directory), which, seed, cases)
        else:
            found = module.compare_natively(Path(directory), seed, cases)
    outcomes: Counter[str] = Counter()
    for key, count in found.items():  # of some by the kind of swap too, and as numbers
        status = key if isinstance(key, str) else key[-1]
        outcomes[STATUS.get(status, status)] += count
    assert sum(outcomes.values()) >= cases, outcomes
    return outcomes


class _Chunk(NamedTuple):
    """A part of the work."""

    venue: str
    cases: int
    seed: int


class _Done(NamedTuple):
    """What became of it; `failure` is a traceback."""

    chunk: _Chunk
    outcomes: Counter[str]
    seconds: float
    failure: str
    differs: bool = False


def _work(chunk: _Chunk) -> _Done:
    begun = time.monotonic()
    try:
        outcomes = run(chunk.venue, chunk.cases, chunk.seed)
    except Exception as error:
        return _Done(chunk, Counter(), 0, traceback.format_exc(), isinstance(error, AssertionError))
    return _Done(chunk, outcomes, time.monotonic() - begun, "")


def _chunks(venues: Sequence[str], cases: int, seed: int) -> list[_Chunk]:
    """No longer than CHUNK each, and work for every process even of a single venue."""
    size = min(CHUNK, -(-cases // PROCESSES))
    return [
        _Chunk(venue, min(size, cases - first), seed + first // size)
        for venue in venues
        for first in range(0, cases, size)
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="tests.emulation_differential", description=__doc__.split("\n")[0])
    parser.add_argument("venue", nargs="*", help=f"of {', '.join(VENUES)}; all unless named")
    parser.add_argument("--cases", type=int, default=20_000, help="of each venue (default %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=1, help="of the first part of the work; then come the next (default %(default)s)"
    )
    asked = parser.parse_args(argv)
    if unknown := set(asked.venue) - set(VENUES):
        parser.error(f"no venue: {', '.join(sorted(unknown))}; there are {', '.join(VENUES)}")
    if asked.cases < 1:
        parser.error("--cases: at least 1")
    venues = asked.venue or list(VENUES)
    sums: dict[str, Counter[str]] = {venue: Counter() for venue in venues}
    seconds = dict.fromkeys(venues, 0.0)
    print(f"{asked.cases:,} cases of each of {len(venues)}: C core, Python reference and emulation on every one")
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        for future in as_completed([pool.submit(_work, chunk) for chunk in _chunks(venues, asked.cases, asked.seed)]):
            chunk, outcomes, taken, failure, differs = future.result()
            if failure:
                again = f"VENUE={chunk.venue} CASES={PROCESSES * chunk.cases} ARGS='--seed {chunk.seed}'"
                what = "they differ" if differs else "it failed"
                print(f"{failure}\n{chunk.venue}: {what}; again: make differential {again}", file=sys.stderr)
                pool.shutdown(cancel_futures=True)
                return 1
            sums[chunk.venue] += outcomes
            seconds[chunk.venue] += taken
            all_of_it, each = sum(sums[chunk.venue].values()), taken / sum(outcomes.values())
            print(f"  {chunk.venue:<16} {all_of_it:>11,} agree, {each * 1e3:.2f} ms a case", flush=True)
    for venue, outcomes in sums.items():
        told = ", ".join(f"{name} {count:,}" for name, count in outcomes.most_common())
        print(f"{venue:<16} {sum(outcomes.values()):>11,} cases, {seconds[venue]:.0f} s: {told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
