"""The node of `bench websocket` and `bench bot`: `bench/c/websocket.c` sends accountNotifications to one client."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.harness.program import ProgramError, Record, SkippedError, records


def certificate(directory: Path) -> tuple[str, str]:
    """A certificate for 127.0.0.1 that signs itself, and its key.

    Raises:
        SkippedError: there is no openssl.
    """
    made, key = directory / "node.pem", directory / "node.key"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1"
    command += f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {made}"
    try:
        subprocess.run(command.split(), check=True, capture_output=True, timeout=30)
    except FileNotFoundError as error:
        raise SkippedError("TLS: openssl is not installed") from error
    return str(made), str(key)


@dataclass(frozen=True)
class Node:
    """What it sends, and how."""

    program: str
    account_bytes: int
    per_second: float
    seconds: float
    stream: int = 1
    """Notifications after that, as fast as the client takes them."""
    certificates: tuple[str, str] = ("", "")
    """Certificate and key; empty: without TLS."""

    def received(self, client: Sequence[str]) -> list[Record]:
        """What a client and the node say; the client's command is completed by the URL and the certificate to trust.

        Raises:
            ProgramError: one of them failed.
            SkippedError: the client cannot run here.
        """
        numbers = (self.account_bytes, self.per_second, self.seconds, self.stream)
        command = [self.program, "serve", *self.certificates, *map(str, numbers)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as node:
            assert node.stdout is not None
            try:
                port = json.loads(node.stdout.readline() or "{}").get("port")
                url = f"{'wss' if self.certificates[0] else 'ws'}://127.0.0.1:{port}/"
                whole = [*client, url, self.certificates[0]]
                found = records(" ".join(client[-2:]), whole, timeout=60)
                said, errors = node.communicate(timeout=10)
            finally:
                node.kill()
        if node.returncode:
            raise ProgramError(f"the node of bench/c/websocket.c failed: {errors.strip()[-500:]}")
        return [*found, *(json.loads(line) for line in said.splitlines())]
