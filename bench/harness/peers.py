"""Other people's engines, measured in the same run by scripts of `bench/peers` under an interpreter of their own."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from bench.harness.result import ROOT

PYTHON = ROOT / ".venv-peers" / "bin" / "python"


class PeerMissing(RuntimeError):
    """A peer is not installed, or did not run; the text says which and why."""


def run(script: str, *arguments: object, timeout: float = 300.0) -> dict[str, Any]:
    """What `bench/peers/<script>.py` prints.

    Raises:
        PeerMissing: see the class.
    """
    if not PYTHON.exists():
        raise PeerMissing(f"{script}: not installed; `make deps-peers` installs it")
    command = [str(PYTHON), str(ROOT / "bench" / "peers" / f"{script}.py"), *map(str, arguments)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout, cwd=ROOT)
    except subprocess.TimeoutExpired:
        raise PeerMissing(f"{script}: did not end within {timeout:.0f} s") from None
    if done.returncode:
        raise PeerMissing(f"{script}: {done.stderr.strip()[-300:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
