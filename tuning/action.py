"""What a stage does to the host: each action can say what it found and put exactly that back."""

from __future__ import annotations

import json
import secrets
import shlex
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar

from tuning.cpus import cpu_list, list_text
from tuning.host import HOLDER, Host
from tuning.values import chosen


class Gone(Exception):
    """What was changed is no longer there: its card was unplugged, its thread has ended."""


@dataclass(frozen=True)
class Action(ABC):
    """One change of one place.

    `look` is called, and its answer written to disk, before `do`: a program that is killed between the two has
    remembered what to put back.  `undo` of what was never done changes nothing.
    """

    kind: ClassVar[str]
    survives_boot: ClassVar[bool] = False

    @property
    @abstractmethod
    def place(self) -> str:
        """What is changed; two actions on the same place remember the first find only."""

    @property
    @abstractmethod
    def command(self) -> str:
        """What a person would type for the same."""

    @abstractmethod
    def undo_command(self, found: str | None) -> str: ...

    @abstractmethod
    def look(self, host: Host) -> str | None:
        """Returns what is there now.  Raises OSError if that cannot be known."""

    @abstractmethod
    def do(self, host: Host, found: str | None) -> None: ...

    @abstractmethod
    def undo(self, host: Host, found: str | None) -> None:
        """Puts back what was found.  Raises Gone if there is nothing left to put it into."""

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class Write(Action):
    """Writes a value into a file of the kernel."""

    kind: ClassVar[str] = "write"
    path: str
    value: str

    @property
    def place(self) -> str:
        return self.path

    @property
    def command(self) -> str:
        return self._set(self.value)

    def undo_command(self, found: str | None) -> str:
        return self._set(found or "")

    def _set(self, value: str) -> str:
        if self.path.startswith("/proc/sys/"):
            name = self.path.removeprefix("/proc/sys/").replace(".", "%").replace("/", ".").replace("%", "/")
            return f"sysctl -w {name}={shlex.quote(value)}"
        return f"echo {shlex.quote(value)} > {self.path}"

    def look(self, host: Host) -> str | None:
        found = host.path(self.path).read_text().strip()
        return chosen(found)

    def do(self, host: Host, found: str | None) -> None:
        host.write(self.path, self.value)

    def undo(self, host: Host, found: str | None) -> None:
        if not host.exists(self.path):
            raise Gone(self.path)
        if self.look(host) == found:
            return
        host.write(self.path, found or "")
        now = self.look(host)
        if now != found:
            raise OSError(f"the kernel keeps {now} instead of {found}")


@dataclass(frozen=True)
class Directory(Action):
    """Makes a directory for a file of configuration."""

    kind: ClassVar[str] = "directory"
    survives_boot: ClassVar[bool] = True
    path: str

    @property
    def place(self) -> str:
        return self.path

    @property
    def command(self) -> str:
        return f"mkdir {self.path}"

    def undo_command(self, found: str | None) -> str:
        return f"rmdir {self.path}"

    def look(self, host: Host) -> str | None:
        return "there" if host.exists(self.path) else None

    def do(self, host: Host, found: str | None) -> None:
        host.path(self.path).mkdir(exist_ok=True)

    def undo(self, host: Host, found: str | None) -> None:
        if found is None and host.exists(self.path) and not any(host.path(self.path).iterdir()):
            host.path(self.path).rmdir()


@dataclass(frozen=True)
class Put(Action):
    """Puts a file of configuration in place."""

    kind: ClassVar[str] = "put"
    survives_boot: ClassVar[bool] = True
    path: str
    text: str

    @property
    def place(self) -> str:
        return self.path

    @property
    def command(self) -> str:
        return f"printf %s {shlex.quote(self.text)} > {self.path}"

    def undo_command(self, found: str | None) -> str:
        return f"rm {self.path}" if found is None else f"printf %s {shlex.quote(found)} > {self.path}"

    def look(self, host: Host) -> str | None:
        path = host.path(self.path)
        return path.read_text() if path.exists() else None

    def do(self, host: Host, found: str | None) -> None:
        host.path(self.path).write_text(self.text)

    def undo(self, host: Host, found: str | None) -> None:
        if found is None:
            host.path(self.path).unlink(missing_ok=True)
        elif self.look(host) != found:
            host.path(self.path).write_text(found)


@dataclass(frozen=True)
class Resize(Action):
    """Gives a mounted tmpfs another size."""

    kind: ClassVar[str] = "resize"
    mount: str
    size_bytes: int

    @property
    def place(self) -> str:
        return self.mount

    @property
    def command(self) -> str:
        return self.undo_command(str(self.size_bytes))

    def undo_command(self, found: str | None) -> str:
        return f"mount -o remount,size={found} {self.mount}"

    def look(self, host: Host) -> str | None:
        return str(host.size_of(self.mount)[0])

    def do(self, host: Host, found: str | None) -> None:
        host.resize(self.mount, self.size_bytes)

    def undo(self, host: Host, found: str | None) -> None:
        host.resize(self.mount, int(found or 0))


@dataclass(frozen=True)
class Hold(Action):
    """Keeps a latency device open with 0 in it, by a process that sleeps and is known by a token."""

    kind: ClassVar[str] = "hold"
    device: str

    @property
    def place(self) -> str:
        return self.device

    @property
    def command(self) -> str:
        return f"sh -c {shlex.quote(HOLDER)} sniperforge-holder {self.device} &"

    def undo_command(self, found: str | None) -> str:
        return f"end the process with SNIPERFORGE_HOLDER={found} in its environment"

    def look(self, host: Host) -> str | None:
        host.path(self.device).stat()
        return secrets.token_hex(8)

    def do(self, host: Host, found: str | None) -> None:
        host.hold(self.device, found or "")

    def undo(self, host: Host, found: str | None) -> None:
        for pid in host.holders(found or ""):
            host.end(pid)


@dataclass(frozen=True)
class Pin(Action):
    """Moves a thread of the kernel to other cores."""

    kind: ClassVar[str] = "pin"
    pid: int
    name: str
    started: str
    cpus: str

    @property
    def place(self) -> str:
        return f"thread {self.pid} {self.started}"

    @property
    def command(self) -> str:
        return f"taskset -pc {self.cpus} {self.pid}  # {self.name}"

    def undo_command(self, found: str | None) -> str:
        return f"taskset -pc {found} {self.pid}  # {self.name}"

    def look(self, host: Host) -> str | None:
        self._alive(host)
        return list_text(host.affinity(self.pid))

    def do(self, host: Host, found: str | None) -> None:
        self._alive(host)
        host.set_affinity(self.pid, cpu_list(self.cpus))

    def undo(self, host: Host, found: str | None) -> None:
        self._alive(host)
        host.set_affinity(self.pid, cpu_list(found))

    def _alive(self, host: Host) -> None:
        if host.started(self.pid) != self.started:
            raise Gone(f"thread {self.pid}")


@dataclass(frozen=True)
class Nic(Action):
    """Sets what `ethtool` sets: some of a card's rings, coalescing or features."""

    kind: ClassVar[str] = "nic"
    nic: str
    what: str
    values: dict[str, int]

    @property
    def place(self) -> str:
        return f"{self.nic} {self.what} {' '.join(sorted(self.values))}"

    @property
    def command(self) -> str:
        return self._set(self.values)

    def undo_command(self, found: str | None) -> str:
        return self._set(json.loads(found or "{}"))

    def _set(self, values: dict[str, int]) -> str:
        flag = {"rings": "-G", "coalesce": "-C", "features": "-K"}[self.what]
        words = []
        for name, value in values.items():
            words += [_ETHTOOL_WORDS.get(name, name), ("off", "on")[value] if name in _SWITCHES else str(value)]
            if self.what == "features":
                words[-1] = ("off", "on")[value]
        return " ".join(["ethtool", flag, self.nic, *words])

    def look(self, host: Host) -> str | None:
        now = host.nic_read(self.nic, self.what)
        return json.dumps({name: now[name] for name in self.values})

    def do(self, host: Host, found: str | None) -> None:
        host.nic_write(self.nic, self.what, self.values)

    def undo(self, host: Host, found: str | None) -> None:
        if not host.exists(f"/sys/class/net/{self.nic}"):
            raise Gone(self.nic)
        if self.look(host) == found:
            return
        host.nic_write(self.nic, self.what, json.loads(found or "{}"))
        now = self.look(host)
        if now != found:
            raise OSError(f"the driver keeps {now} instead of {found}")


_ETHTOOL_WORDS = {
    "rx_coalesce_usecs": "rx-usecs",
    "tx_coalesce_usecs": "tx-usecs",
    "rx_max_coalesced_frames": "rx-frames",
    "use_adaptive_rx_coalesce": "adaptive-rx",
    "use_adaptive_tx_coalesce": "adaptive-tx",
}
_SWITCHES = ("use_adaptive_rx_coalesce", "use_adaptive_tx_coalesce")


@dataclass(frozen=True)
class Stop(Action):
    """Stops a service of the system."""

    kind: ClassVar[str] = "stop"
    service: str

    @property
    def place(self) -> str:
        return f"service {self.service}"

    @property
    def command(self) -> str:
        return f"systemctl stop {self.service}"

    def undo_command(self, found: str | None) -> str:
        return f"systemctl start {self.service}" if found == "active" else f"# {self.service} was not active"

    def look(self, host: Host) -> str | None:
        return "active" if host.service_active(self.service) else "inactive"

    def do(self, host: Host, found: str | None) -> None:
        host.service("stop", self.service)

    def undo(self, host: Host, found: str | None) -> None:
        if found == "active" and not host.service_active(self.service):
            host.service("start", self.service)


def directory_and_file(host: Host, path: str, text: str) -> list[Action]:
    """Returns what puts a file in place, and its directory if that is missing."""
    parent = str(PurePosixPath(path).parent)
    return [*([] if host.exists(parent) else [Directory(parent)]), Put(path, text)]


_KINDS: dict[str, type[Action]] = {kind.kind: kind for kind in (Write, Directory, Put, Resize, Hold, Pin, Nic, Stop)}


def from_json(record: dict[str, Any]) -> Action:
    fields = dict(record)
    return _KINDS[fields.pop("kind")](**fields)
