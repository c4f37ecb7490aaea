"""The machine as files under a root, so that tests can hand in one of their own."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

HOLDER = 'exec 3<>"$1"; printf "\\0\\0\\0\\0" >&3; exec sleep infinity'
"""Writes 0 (microseconds) into the device and keeps it open: the kernel forgets it at the close."""


@dataclass(frozen=True)
class Host:
    root: Path = Path("/")

    def path(self, name: str) -> Path:
        """Returns the place of an absolute path under this host's root."""
        return self.root / name.lstrip("/")

    def exists(self, name: str) -> bool:
        return self.path(name).exists()

    def read(self, name: str) -> str | None:
        """Returns the text of a file without white space around it, or None if it cannot be read."""
        try:
            return self.path(name).read_text().strip()
        except (OSError, UnicodeDecodeError):
            return None

    def write(self, name: str, text: str) -> None:
        """Writes into a file that exists, as the kernel's files want it: in one write."""
        with open(self.path(name), "r+b", buffering=0) as file:
            file.write(text.encode())

    def names(self, pattern: str) -> list[str]:
        """Returns the absolute names that match a pattern, in order."""
        found = self.root.glob(pattern.lstrip("/"))
        return sorted("/" + str(path.relative_to(self.root)) for path in found)

    def boot_id(self) -> str:
        return self.read("/proc/sys/kernel/random/boot_id") or ""

    def size_of(self, mount: str) -> tuple[int, int]:
        """Returns the size of a file system and what is free in it, in bytes."""
        found = os.statvfs(self.path(mount))
        return found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize

    def resize(self, mount: str, size_bytes: int) -> None:
        """Gives a mounted tmpfs another size."""
        command = ["mount", "-o", f"remount,size={size_bytes}", str(self.path(mount))]
        subprocess.run(command, check=True, capture_output=True, text=True)

    def hold(self, device: str) -> int:
        """Starts a process that holds a latency device open with 0 in it and returns its pid."""
        holder = subprocess.Popen(
            ["sh", "-c", HOLDER, "sniperforge-holder", str(self.path(device))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        holder.returncode = 0  # it outlives this program on purpose
        return holder.pid

    def started(self, pid: int) -> str | None:
        """Returns when a process started (kernel ticks since boot), or None if there is none."""
        try:
            line = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        fields = line.rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]

    def end(self, pid: int) -> None:
        os.kill(pid, signal.SIGTERM)
