"""What all tests share: names of instances, and the check that nothing is left in /dev/shm."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

SHM = Path("/dev/shm")
OWN = f"t{os.getpid()}-"
"""Instances of this run are called t<pid>-<something>; their directories sf-t<pid>-<something>."""

_numbers = itertools.count()

#: how fast examples are made says nothing about the product: the machine may stand still meanwhile
hypothesis.settings.register_profile("ours", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("ours")


@pytest.fixture
def instance_name() -> Iterator[str]:
    """A name for an instance of this test alone.  The test fails if the instance is still there after it."""
    name = f"{OWN}{next(_numbers)}"
    yield name
    left = SHM / f"sf-{name}"
    if left.exists():
        shutil.rmtree(left)
        pytest.fail(f"{left} was left behind")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails the run if it leaves shared memory behind."""
    left = sorted(SHM.glob(f"sf-{OWN}*"))
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    if left:
        session.config.stash[LEFT] = [str(path) for path in left]
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


LEFT: pytest.StashKey[list[str]] = pytest.StashKey()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for path in config.stash.get(LEFT, []):
        terminalreporter.write_line(f"LEFT BEHIND {path}", red=True)
