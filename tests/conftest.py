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


@pytest.fixture(scope="session", autouse=True)
def nothing_left() -> Iterator[None]:
    """Fails the run, in its last test, if it leaves shared memory behind.  Its processes have names of their own."""
    yield
    left = sorted(SHM.glob(f"sf-{OWN}*"))
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    assert not left, f"left behind: {', '.join(map(str, left))}"
