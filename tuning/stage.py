"""A stage: one setting of the host that can be checked, applied, undone and explained."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

from tuning.action import Action, Gone, Write
from tuning.cpus import cpu_list
from tuning.host import CPU, Host
from tuning.nic import NicError
from tuning.state import Change, Goal, State
from tuning.values import chosen

EVEN_ROOT = "the kernel refuses this even to root: it manages this one itself, or a namespace may only read it"
Level = Literal["ok", "absent", "advice", "problem"]


class Setup:
    """The machine, what was changed on it, and what it is tuned for."""

    def __init__(self, host: Host, goal: Goal | None = None) -> None:
        self.host = host
        self.state = State(host)
        self.asked = goal or Goal()
        self.goal = self.asked.over(self.state.goal)
        self.state.goal = self.goal

    @cached_property
    def online(self) -> list[int]:
        return self.host.online()

    @cached_property
    def hot(self) -> list[int]:
        """Returns the cores of spinning groups: as told, else one thread of each core isolated at boot."""
        isolated = cpu_list(self.host.read(f"{CPU}/isolated"))
        return [*self.goal.hot] or [cpu for cpu in isolated if cpu == min(self.host.siblings(cpu))]

    @cached_property
    def rest(self) -> list[int]:
        """Returns all cores that are neither hot nor siblings of hot ones."""
        return [cpu for cpu in self.online if not set(self.host.siblings(cpu)) & set(self.hot)]

    @cached_property
    def irq(self) -> list[int]:
        """Returns the cores that serve interrupts."""
        return [cpu for cpu in self.goal.irq if cpu not in self.hot] or self.rest


@dataclass(frozen=True)
class Finding:
    """What `check` says: `advice` costs latency, a `problem` can stop the engine, `absent` is not on this machine."""

    stage: str
    title: str
    level: Level
    found: str
    fix: str = ""
    """What to do about it; empty when all is well."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """What a stage found, and what would make it better."""

    level: Level
    found: str
    fix: str = ""
    actions: list[Action] = field(default_factory=list)
    """What `apply` would do; empty with a fix means that `apply` refuses, and the fix says why."""


@dataclass(frozen=True)
class Stage:
    name: str
    title: str
    judge: Callable[[Setup], Verdict]
    why: str
    """What `explain` prints: what it is, what it costs, and what `undo` cannot give back, if anything."""

    def check(self, setup: Setup) -> Finding:
        try:
            verdict = self.judge(setup)
        except NicError as error:
            verdict = Verdict("absent", str(error))
        fix = verdict.fix
        if verdict.actions:
            words = " ".join(["sudo sniperforge tune apply", self.name, *setup.asked.arguments()])
            fix = words + (f", {fix}" if fix else "")
        return Finding(self.name, self.title, verdict.level, verdict.found, fix)


@dataclass(frozen=True)
class Result:
    """What `apply` or `undo` did with one place of one stage."""

    stage: str
    outcome: Literal["done", "already", "absent", "refused", "would"]
    text: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def want(host: Host, wanted: Mapping[str, str], fix: str = "") -> Verdict:
    """Judges kernel files, each name a pattern, by the one value they should have."""
    present: dict[str, tuple[str, str]] = {}
    for pattern, value in wanted.items():
        for name in host.names(pattern) if "*" in pattern else [pattern]:
            now = chosen(host.read(name))
            if now is not None:
                present[name] = (now, value)
    if not present:
        return Verdict("absent", "this kernel or machine has no such setting")
    wrong = {name: now for name, (now, value) in present.items() if now != value}
    shown = wrong or {name: now for name, (now, _) in present.items()}
    found = _short([f"{name.rpartition('/')[2]} {now}" for name, now in shown.items()])
    if not wrong:
        return Verdict("ok", found)
    return Verdict("advice", found, fix, [Write(name, present[name][1]) for name in wrong])


def _short(words: list[str]) -> str:
    counted = [
        f"{word} ({words.count(word)} times)" if words.count(word) > 1 else word for word in dict.fromkeys(words)
    ]
    return ", ".join(counted[:6]) + (f" and {len(counted) - 6} more" if len(counted) > 6 else "")


def apply(stage: Stage, setup: Setup, *, dry_run: bool) -> list[Result]:
    """Does what the stage's verdict asks for, having remembered what was found, and judges again.

    A refusal does not keep the other changes of the stage from being made.  Never raises OSError.
    """
    host, state = setup.host, setup.state
    try:
        verdict = stage.judge(setup)
    except NicError as error:
        return [Result(stage.name, "absent", str(error))]
    if verdict.level == "absent":
        return [Result(stage.name, "absent", verdict.found)]
    if not verdict.actions:
        done = verdict.level == "ok"
        text = verdict.found if done else f"{verdict.found}; {verdict.fix}"
        return [Result(stage.name, "already" if done else "refused", text)]
    if dry_run:
        return [Result(stage.name, "would", action.command) for action in verdict.actions]

    results: list[Result] = []
    changes: list[Change] = []
    for action in verdict.actions:
        try:
            changes.append(Change(stage.name, action, action.look(host), host.boot_id()))
        except Gone:
            continue
        except (OSError, NicError, KeyError) as error:
            results.append(Result(stage.name, "refused", _refusal(action.command, error)))
    known = list(state.changes)
    try:
        state.add(changes)
    except OSError as error:
        state.changes = known
        return [Result(stage.name, "refused", f"cannot write {host.state_path}: {_reason(error)}")]
    first = {change.action.place: change for change in state.changes}
    refused: list[Change] = []
    for change in changes:
        try:
            change.action.do(host, first[change.action.place].found)
        except Gone:
            refused.append(change)
        except Exception as error:
            results.append(Result(stage.name, "refused", _refusal(change.action.command, error)))
            refused.append(change)
    state.remove([change for change in refused if change not in known and _put_back(change, host)])
    kept = {action.place for action in stage.judge(Setup(host, setup.goal)).actions}
    for change in changes:
        if change not in refused and change.action.place in kept:
            results.append(
                Result(stage.name, "refused", f"{change.action.command}: the kernel took it and did not keep it")
            )
        elif change not in refused:
            results.append(Result(stage.name, "done", change.action.command))
    return results


def undo(stage: Stage, setup: Setup, *, dry_run: bool) -> list[Result]:
    """Puts back what `apply` found, the last change first."""
    host, state = setup.host, setup.state
    results: list[Result] = []
    undone: list[Change] = []
    for change in reversed(state.of(stage.name)):
        text = change.action.undo_command(change.found)
        if not change.in_force(host):
            results.append(Result(stage.name, "would" if dry_run else "done", f"{text}  # a reboot has done it"))
        elif dry_run:
            results.append(Result(stage.name, "would", text))
            continue
        else:
            try:
                change.action.undo(host, change.found)
            except Gone:
                text += "  # gone by itself"
            except Exception as error:
                results.append(Result(stage.name, "refused", _refusal(text, error)))
                continue
            results.append(Result(stage.name, "done", text))
        undone.append(change)
    if undone and not dry_run:
        state.remove(undone)
    return results or [Result(stage.name, "already", "nothing was changed")]


def _put_back(change: Change, host: Host) -> bool:
    """Takes back whatever a refused change did halfway; says whether nothing of it is left."""
    try:
        change.action.undo(host, change.found)
    except Gone:
        return True
    except Exception:
        return False
    return True


def _refusal(command: str, error: Exception) -> str:
    return f"{command}: {_reason(error)}"


def _reason(error: Exception) -> str:
    """Says why in the words of a person."""
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, PermissionError):
        return "it needs root; run it with sudo" if os.geteuid() else EVEN_ROOT
    reasons = {
        errno.EROFS: "this part of the system is mounted read-only",
        errno.ENOENT: "this kernel or machine has no such file",
        errno.EIO: "the kernel manages this one itself and refuses",
        errno.EINVAL: "the kernel does not take this value here",
        errno.EOPNOTSUPP: "the driver does not do this",
        errno.EBUSY: "it is in use",
    }
    detail = getattr(error, "stderr", None) or getattr(error, "strerror", None) or str(error)
    return reasons.get(number or 0, str(detail).strip())
