"""The C codec (`csrc/solana`) as a process that answers line by line, for differential tests."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
NOUNS = ("address", "base58", "keyfile", "lookup", "message", "nonces", "program", "signer", "transaction")


class Codec:
    """`solana_codec.c`, built with the sanitizers; a context manager."""

    def __init__(self, program: Path) -> None:
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @classmethod
    def build(cls, directory: Path) -> Codec:
        """Compiles it into `directory` and starts it."""
        program = directory / "solana_codec"
        sources = [ROOT / "tests/unit/solana_codec.c"]
        sources += [ROOT / f"csrc/base/{noun}.c" for noun in ("clock", "continuity", "err")]
        sources += [ROOT / f"csrc/solana/{noun}.c" for noun in NOUNS]
        subprocess.run(
            [
                *shlex.split(os.environ.get("CC", "gcc")),
                *("-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g"),
                *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
                *(f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'ipc/include'}"),
                *map(str, sources),
                *("-lsodium", "-lcrypto", "-o", str(program)),
            ],
            check=True,
            timeout=120,
        )
        return cls(program)

    def ask(self, verb: str, *arguments: bytes | str | int) -> str:
        """The answer to one request; bytes are sent as hex."""
        assert self.process.stdin is not None and self.process.stdout is not None
        words = [a.hex() or "-" if isinstance(a, bytes) else str(a) for a in arguments]
        self.process.stdin.write(" ".join([verb, *words]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"the codec died at: {verb} {words}"
        return answer.rstrip("\n")

    def __enter__(self) -> Codec:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        code = self.process.wait(timeout=10)
        assert kind is not None or code == 0
