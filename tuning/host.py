"""The machine as files under a root, so that tests can hand in one of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tuning.cpus import cpu_list
from tuning.nic import Values, nic_read, nic_write

HOLDER = 'exec 3<>"$1"; printf "\\0\\0\\0\\0" >&3; exec sleep infinity'
"""Writes 0 (microseconds) into the device and keeps it open: the kernel forgets it at the close."""

CPU = "/sys/devices/system/cpu"
STATE_PATH = "/var/lib/sniperforge/tuning.json"
PF_KTHREAD = 0x0020_0000
PF_NO_SETAFFINITY = 0x0400_0000
"""Flags of a task in /proc/PID/stat (include/linux/sched.h of Linux)."""


@dataclass(frozen=True)
class Host:
    root: Path = Path("/")
    state_path: str = STATE_PATH
    """Where `apply` keeps what it found."""

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

    def online(self) -> list[int]:
        return cpu_list(self.read(f"{CPU}/online"))

    def siblings(self, cpu: int) -> list[int]:
        """Returns the CPUs that share a physical core with this one, itself among them."""
        return cpu_list(self.read(f"{CPU}/cpu{cpu}/topology/thread_siblings_list")) or [cpu]

    def size_of(self, mount: str) -> tuple[int, int]:
        """Returns the size of a file system and what is free in it, in bytes."""
        found = os.statvfs(self.path(mount))
        return found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize

    def resize(self, mount: str, size_bytes: int) -> None:
        """Gives a mounted tmpfs another size."""
        command = ["mount", "-o", f"remount,size={size_bytes}", str(self.path(mount))]
        subprocess.run(command, check=True, capture_output=True, text=True)

    def latency_us(self, device: str) -> int | None:
        """Returns the wake-up latency all holders of the device together allow, or None if it cannot be read."""
        try:
            return int.from_bytes(self.path(device).read_bytes()[:4], "little", signed=True)
        except OSError:
            return None

    def hold(self, device: str, token: str) -> None:
        """Starts a process, known by its token, that holds a latency device open with 0 in it."""
        with open(self.path(device), "r+b", buffering=0):
            pass  # a refusal is ours to report, not the holder's
        holder = subprocess.Popen(
            ["sh", "-c", HOLDER, "sniperforge-holder", str(self.path(device))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.defpath, "SNIPERFORGE_HOLDER": token},
            start_new_session=True,
        )
        holder.returncode = 0  # it outlives this program on purpose

    def holders(self, token: str) -> list[int]:
        """Returns the processes that were started with this token and are still there."""
        wanted = f"SNIPERFORGE_HOLDER={token}".encode()
        found = []
        for name in self.names("/proc/[0-9]*/environ"):
            try:
                if wanted in self.path(name).read_bytes().split(b"\0"):
                    found.append(int(name.split("/")[2]))
            except OSError:
                continue
        return found

    def end(self, pid: int) -> None:
        os.kill(pid, signal.SIGTERM)

    def running(self, *names: str) -> list[str]:
        """Returns those of these programs that run."""
        found = {self.read(name) for name in self.names("/proc/[0-9]*/comm")}
        return [name for name in names if name[:15] in found]

    def started(self, pid: int) -> str | None:
        """Returns when a task started (kernel ticks since boot), or None if there is none."""
        fields = self._stat(pid)
        return fields[19] if fields and fields[0] != "Z" else None

    def kernel_threads(self) -> dict[int, str]:
        """Returns the kernel's own threads that may be moved to other cores, with their names."""
        threads = {}
        for name in self.names("/proc/[0-9]*"):
            fields = self._stat(int(name[6:]))
            if fields and int(fields[6]) & PF_KTHREAD and not int(fields[6]) & PF_NO_SETAFFINITY:
                threads[int(name[6:])] = self.read(f"{name}/comm") or "?"
        return threads

    def affinity(self, pid: int) -> list[int]:
        return sorted(os.sched_getaffinity(pid))

    def set_affinity(self, pid: int, cpus: list[int]) -> None:
        os.sched_setaffinity(pid, cpus)

    def output(self, *command: str) -> str | None:
        """Returns what a program prints, or None if it is not there or fails."""
        if self.root != Path("/") or shutil.which(command[0]) is None:
            return None
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
        return done.stdout.strip() if done.returncode == 0 else None

    def service_active(self, name: str) -> bool:
        return self.output("systemctl", "is-active", name) == "active"

    def service(self, verb: str, name: str) -> None:
        subprocess.run(["systemctl", verb, name], check=True, capture_output=True, text=True, timeout=60)

    def nic_read(self, nic: str, what: str) -> Values:
        return nic_read(nic, what)

    def nic_write(self, nic: str, what: str, values: Values) -> None:
        nic_write(nic, what, values)

    def _stat(self, pid: int) -> list[str] | None:
        """Returns the fields of /proc/PID/stat from the state on."""
        line = self.read(f"/proc/{pid}/stat")
        return line.rpartition(")")[2].split() if line else None
