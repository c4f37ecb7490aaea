"""A simnet in a process of its own, as the tests use it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0


class RpcFailure(Exception):
    """An answer with an error member."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.code = error["code"]
        self.message = error["message"]
        self.data = error.get("data")


class SimnetProcess:
    """Starts `python -m sniperforge.simnet` on a free pair of ports and a ledger; can be killed and started again."""

    def __init__(self, ledger: Path, *flags: str) -> None:
        self.ledger = ledger
        self.flags = flags
        self.process: subprocess.Popen[str] | None = None
        self.endpoints: dict[str, Any] = {}
        self.log = ledger.parent / f"{ledger.name}.log"

    def start(self, *flags: str, port: int = 0) -> float:
        """Start it and wait until it serves; returns how long that took in seconds."""
        begun = time.monotonic()
        command = [sys.executable, "-m", "sniperforge.simnet", "--json", "--die-with-parent"]
        command += ["--ledger", str(self.ledger), "--rpc-port", str(port), *self.flags, *flags]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.kill()
            raise AssertionError(f"simnet did not start: {self.log.read_text()}")
        self.endpoints = json.loads(line)
        return time.monotonic() - begun

    @property
    def rpc_url(self) -> str:
        """Where the JSON-RPC is."""
        return str(self.endpoints["rpc_url"])

    @property
    def websocket_url(self) -> str:
        """Where the WebSocket is."""
        return str(self.endpoints["websocket_url"])

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process = None

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return code

    def post(self, body: bytes, kind: str = "application/json") -> bytes:
        """The answer to a raw body."""
        request = urllib.request.Request(self.rpc_url, body, {"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())

    def call(self, method: str, *params: Any) -> Any:
        """The result of a method.  Raises RpcFailure."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        answer = json.loads(self.post(json.dumps(body).encode()))
        if "error" in answer:
            raise RpcFailure(answer["error"])
        return answer["result"]

    def cpu_seconds(self) -> float:
        """Processor time used so far."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true value of `condition`; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s: {what}")


@contextlib.contextmanager
def simnet(directory: Path, *flags: str) -> Iterator[SimnetProcess]:
    """A running simnet, ended when the block ends."""
    process = SimnetProcess(directory / "ledger", *flags)
    try:
        process.start()
        yield process
    finally:
        process.kill()
