"""@solana/web3.js and @solana/spl-token, unmodified, against a simnet."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.simnet_process import simnet

PACKAGE = Path(__file__).resolve().parent / "web3js"


def _missing(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def test_web3js(tmp_path: Path) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        _missing("node and npm are not installed; install Node.js 18 or newer")
        return
    if not (PACKAGE / "node_modules" / "@solana" / "web3.js").exists():
        command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        installed = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, timeout=100)
        if installed.returncode:
            _missing(f"npm ci failed in {PACKAGE}: {installed.stderr[-500:]}")
    flags = ("--speed", "4", "--pools", "4", "--mints", "4", "--set", 'market.venues=["raydium_cpmm"]')
    with simnet(tmp_path, *flags) as process:
        script = [node, "client.mjs", process.rpc_url]
        done = subprocess.run(script, cwd=PACKAGE, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stdout + done.stderr
        assert process.call("simnetStatus")["counters"].get("internal_errors", 0) == 0
