"""What `apply` found before it changed it, kept on disk until `undo`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from tuning.action import Action, from_json
from tuning.cpus import list_text
from tuning.host import Host


@dataclass(frozen=True)
class Goal:
    """What the machine is tuned for.  An empty field asks for nothing."""

    hot: tuple[int, ...] = ()
    """Cores of spinning groups."""
    irq: tuple[int, ...] = ()
    """Cores that serve interrupts; empty = all that are not hot."""
    nics: tuple[str, ...] = ()
    huge_pages: int = 0
    """2 MiB pages to reserve on each NUMA node."""
    mtu: int = 0
    """Bytes; 0 = at least Ethernet's 1500."""
    boot: bool = False
    """True = the boot loader's configuration may be written."""

    def over(self, other: Goal) -> Goal:
        """Returns this goal, with the other's answer wherever this one asks for nothing."""
        return replace(other, **{field.name: value for field in fields(self) if (value := getattr(self, field.name))})

    def arguments(self) -> list[str]:
        """Returns the words of a command line that ask for this goal."""
        values = {"--hot": list_text(self.hot), "--irq": list_text(self.irq)}
        values |= {"--huge-pages": str(self.huge_pages or ""), "--mtu": str(self.mtu or "")}
        words = [word for name, value in values.items() if value for word in (name, value)]
        words += [word for nic in self.nics for word in ("--nic", nic)]
        return words + ["--boot"] * self.boot


@dataclass(frozen=True)
class Change:
    """One action that was done, what it found, and in which boot of the machine."""

    stage: str
    action: Action
    found: str | None
    boot_id: str

    def in_force(self, host: Host) -> bool:
        """False for what a reboot has put back already."""
        return self.action.survives_boot or self.boot_id == host.boot_id()


class State:
    """The changes in the order in which they were made, and the goal they were made for."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.goal = Goal()
        self.changes: list[Change] = []
        self.unreadable = ""
        """Why what is on disk is not known; nothing may be applied or undone then."""
        try:
            self._load(json.loads(host.path(host.state_path).read_text()))
        except FileNotFoundError:
            pass
        except OSError as error:
            hint = "it needs root; run it with sudo" if isinstance(error, PermissionError) else "name another file"
            self.unreadable = f"{host.state_path} cannot be read: {error.strerror}; {hint}"
        except (ValueError, KeyError, TypeError, AttributeError):
            self.unreadable = (
                f"{host.state_path} is not what apply wrote: put a copy of it back, or remove it, "
                "and what apply found with it"
            )

    def _load(self, record: dict[str, Any]) -> None:
        goal: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in record["goal"].items()
        }
        changes = [
            Change(
                stage=change["stage"],
                action=from_json(change["action"]),
                found=change["found"],
                boot_id=change["boot_id"],
            )
            for change in record["changes"]
        ]
        self.goal, self.changes = Goal(**goal), changes

    def add(self, changes: list[Change]) -> None:
        """Remembers changes before they are made.

        A place that was changed in this boot before keeps its first find.  What a reboot has put back is forgotten.
        """
        self.changes = [change for change in self.changes if change.in_force(self._host)]
        known = {change.action.place for change in self.changes}
        self.changes += [change for change in changes if change.action.place not in known]
        self.save()

    def remove(self, changes: list[Change]) -> None:
        if not changes:
            return
        self.changes = [change for change in self.changes if change not in changes]
        self.save()

    def of(self, stage: str) -> list[Change]:
        return [change for change in self.changes if change.stage == stage]

    def save(self) -> None:
        path = self._host.path(self._host.state_path)
        if not self.changes:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        record = {
            "goal": asdict(replace(self.goal, boot=False)),
            "changes": [_record(change) for change in self.changes],
        }
        with open(part, "w") as file:
            json.dump(record, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)


def _record(change: Change) -> dict[str, Any]:
    return {
        "stage": change.stage,
        "action": change.action.as_json(),
        "found": change.found,
        "boot_id": change.boot_id,
    }
