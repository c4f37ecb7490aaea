"""Programs in C that measure: built by `make`, run, and their JSON lines read."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from bench.harness.hdr import Histogram
from bench.harness.result import ROOT

SKIPPED = 77
Record = dict[str, Any]


class ProgramError(RuntimeError):
    """A program in C ended with an error; the text has its last words."""


class SkippedError(RuntimeError):
    """A program cannot measure on this machine; the text says why."""


@cache
def build(name: str) -> str:
    """Compiles `bench/c/<name>.c` if it is not up to date, once a process, and returns the program's path.

    Raises:
        ProgramError: it does not compile.
    """
    program = ROOT / "build" / "release" / "bench" / "c" / name
    done = subprocess.run(
        ["make", "-s", "-C", str(ROOT / "csrc"), str(program)], check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise ProgramError(f"bench {name}: the program is not built: {done.stderr.strip()[-500:]}")
    return str(program)


def run(name: str, arguments: Sequence[object] = (), *, timeout: float = 600.0) -> list[Record]:
    """What `bench/c/<name>.c` prints.

    Raises:
        ProgramError: it failed.
        SkippedError: this machine cannot run it.
    """
    return records(name, [build(name), *(str(argument) for argument in arguments)], timeout=timeout)


def records(name: str, command: Sequence[str], *, timeout: float = 600.0) -> list[Record]:
    """What a command prints, run in the checkout; `name` is what errors call it.

    Raises:
        ProgramError: it failed.
        SkippedError: this machine cannot run it.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT) as process:
        try:
            said, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise ProgramError(f"bench {name}: the program did not end within {timeout:.0f} s") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            _sweep(process.pid)
    if process.returncode == SKIPPED:
        raise SkippedError(errors.strip() or f"{name} cannot run here")
    if process.returncode:
        raise ProgramError(f"bench {name}: the program ended with {process.returncode}: {errors.strip()[-500:]}")
    return [json.loads(line) for line in said.splitlines()]


def _sweep(pid: int) -> None:
    """Removes the instances that a program left because it was ended halfway."""
    for left in Path("/dev/shm").glob(f"sf-t{pid}-*"):
        shutil.rmtree(left, ignore_errors=True)


def histogram(record: Record) -> Histogram:
    """The histogram in a record."""
    return Histogram({int(bucket): int(count) for bucket, count in record["buckets"]})


def clock(records: Sequence[Record]) -> dict[str, float]:
    """What a program says of its clock; empty if it does not."""
    for record in records:
        if record.get("what") == "clock":
            return {key: float(value) for key, value in record.items() if key != "what"}
    return {}
