"""What a stage does to the host: each action can say what it found and put exactly that back."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from tuning.host import Host


@dataclass(frozen=True)
class Action(ABC):
    """One change.  `do` returns what was found, in words JSON knows; `undo` takes that back."""

    kind: ClassVar[str]
    survives_boot: ClassVar[bool] = False

    @abstractmethod
    def __str__(self) -> str: ...

    @abstractmethod
    def do(self, host: Host) -> str | None: ...

    @abstractmethod
    def undo(self, host: Host, found: str | None) -> None: ...

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}


def chosen(text: str | None) -> str | None:
    """Returns the chosen word of a kernel file like `always [madvise] never`, else its text."""
    match = re.search(r"\[([^]]*)\]", text or "")
    return match[1] if match else text


@dataclass(frozen=True)
class Write(Action):
    """Writes a value into a file of the kernel."""

    kind: ClassVar[str] = "write"
    path: str
    value: str

    def __str__(self) -> str:
        return f"write {self.value} into {self.path}"

    def do(self, host: Host) -> str | None:
        found = chosen(host.read(self.path))
        host.write(self.path, self.value)
        return found

    def undo(self, host: Host, found: str | None) -> None:
        host.write(self.path, found or "")


@dataclass(frozen=True)
class Put(Action):
    """Puts a file of configuration in place."""

    kind: ClassVar[str] = "put"
    survives_boot: ClassVar[bool] = True
    path: str
    text: str

    def __str__(self) -> str:
        return f"put the file {self.path} in place"

    def do(self, host: Host) -> str | None:
        path = host.path(self.path)
        found = path.read_text() if path.exists() else None
        path.write_text(self.text)
        return found

    def undo(self, host: Host, found: str | None) -> None:
        if found is None:
            host.path(self.path).unlink(missing_ok=True)
        else:
            host.path(self.path).write_text(found)


@dataclass(frozen=True)
class Resize(Action):
    """Gives a mounted tmpfs another size."""

    kind: ClassVar[str] = "resize"
    mount: str
    size_bytes: int

    def __str__(self) -> str:
        return f"give {self.mount} {self.size_bytes >> 20} MiB"

    def do(self, host: Host) -> str | None:
        found = host.size_of(self.mount)[0]
        host.resize(self.mount, self.size_bytes)
        return str(found)

    def undo(self, host: Host, found: str | None) -> None:
        host.resize(self.mount, int(found or 0))


@dataclass(frozen=True)
class Hold(Action):
    """Keeps a latency device open with 0 in it, by a process that sleeps."""

    kind: ClassVar[str] = "hold"
    device: str

    def __str__(self) -> str:
        return f"hold {self.device} open with 0 in it, by a sleeping process"

    def do(self, host: Host) -> str | None:
        pid = host.hold(self.device)
        return f"{pid} {host.started(pid)}"

    def undo(self, host: Host, found: str | None) -> None:
        if self.held(host, found):
            host.end(int((found or "").split()[0]))

    @staticmethod
    def held(host: Host, found: str | None) -> bool:
        """Says whether the process that `do` started is still the one with its pid."""
        pid, _, started = (found or "").partition(" ")
        return pid.isdigit() and host.started(int(pid)) == started


_KINDS: dict[str, type[Action]] = {kind.kind: kind for kind in (Write, Put, Resize, Hold)}


def from_json(record: dict[str, Any]) -> Action:
    fields = dict(record)
    return _KINDS[fields.pop("kind")](**fields)
