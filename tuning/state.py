"""What `apply` found before it changed it, kept on disk until `undo`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from tuning.action import Action, from_json
from tuning.host import Host

STATE_PATH = "/var/lib/sniperforge/tuning.json"


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
    """The changes in the order in which they were made.  Saved at each change."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.changes = [
            Change(
                stage=record["stage"],
                action=from_json(record["action"]),
                found=record["found"],
                boot_id=record["boot_id"],
            )
            for record in json.loads(host.read(STATE_PATH) or "[]")
        ]

    def add(self, stage: str, action: Action, found: str | None) -> None:
        """Remembers a change, unless the same place was changed in this boot before: the first find counts."""
        here = _place(action)
        for change in self.changes:
            if _place(change.action) == here and change.in_force(self._host):
                if action.kind != "hold" or change.found == found:
                    return
                self.changes.remove(change)
                break
        self.changes.append(Change(stage, action, found, self._host.boot_id()))
        self._save()

    def remove(self, change: Change) -> None:
        self.changes.remove(change)
        self._save()

    def of(self, stage: str) -> list[Change]:
        return [change for change in self.changes if change.stage == stage]

    def _save(self) -> None:
        path = self._host.path(STATE_PATH)
        if not self.changes:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_text(json.dumps([_record(change) for change in self.changes], indent=1) + "\n")
        os.replace(part, path)


def _place(action: Action) -> tuple[str, str]:
    record = action.as_json()
    return action.kind, str(record.get("path") or record.get("mount") or record.get("device"))


def _record(change: Change) -> dict[str, Any]:
    return {
        "stage": change.stage,
        "action": change.action.as_json(),
        "found": change.found,
        "boot_id": change.boot_id,
    }
