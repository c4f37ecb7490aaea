"""Recorded real data that some tests compare with.  It is not part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]


def data_dir(name: str = "") -> Path:
    """Returns the directory of recorded data, or one inside it.

    SNIPERFORGE_DATA names it; otherwise it is looked for beside the checkout.  Skips the test if
    it is not there, but fails it in continuous integration, where nothing may be left out silently.
    """
    path = Path(os.environ.get("SNIPERFORGE_DATA") or REPO.parent / "shared" / "data") / name
    if not path.exists():
        reason = f"no recorded data at {path}; set SNIPERFORGE_DATA to its directory"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
