"""A stage: one setting of the host that can be checked, applied and undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tuning.action import Action
from tuning.host import Host
from tuning.state import State

Level = Literal["ok", "advice", "problem"]


@dataclass(frozen=True)
class Finding:
    """What `check` says: `advice` costs latency, a `problem` can stop the engine from starting."""

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
    judge: Callable[[Host, State], Verdict]

    def check(self, host: Host, state: State) -> Finding:
        verdict = self.judge(host, state)
        fix = verdict.fix
        if verdict.actions:
            fix = f"sudo python3 -m tuning apply {self.name}" + (f", {fix}" if fix else "")
        return Finding(self.name, self.title, verdict.level, verdict.found, fix)


@dataclass(frozen=True)
class Result:
    """What `apply` or `undo` did with one stage."""

    stage: str
    outcome: Literal["done", "already", "refused", "would"]
    text: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def apply(stage: Stage, host: Host, *, dry_run: bool) -> list[Result]:
    """Does what the stage's verdict asks for and remembers what was found.  Never raises OSError."""
    state = State(host)
    verdict = stage.judge(host, state)
    if verdict.level == "ok":
        return [Result(stage.name, "already", verdict.found)]
    if not verdict.actions:
        return [Result(stage.name, "refused", f"{verdict.found}; {verdict.fix}")]
    results: list[Result] = []
    for action in verdict.actions:
        if dry_run:
            results.append(Result(stage.name, "would", str(action)))
            continue
        try:
            _do(state, stage.name, action, host)
        except Exception as error:
            results.append(Result(stage.name, "refused", _refusal(action, error)))
            break
        results.append(Result(stage.name, "done", str(action)))
    return results


def _do(state: State, stage: str, action: Action, host: Host) -> None:
    """Does one action, or leaves all as it was if it cannot be remembered."""
    found = action.do(host)
    try:
        state.add(stage, action, found)
    except OSError:
        action.undo(host, found)
        raise


def undo(stage: Stage, host: Host, *, dry_run: bool) -> list[Result]:
    """Puts back what `apply` found, the last change first."""
    state = State(host)
    results: list[Result] = []
    for change in reversed(state.of(stage.name)):
        text = f"undo: {change.action}"
        if change.action.kind == "write":
            text += f" (back to {change.found})"
        if dry_run:
            results.append(Result(stage.name, "would", text))
            continue
        try:
            if change.in_force(host):
                change.action.undo(host, change.found)
            else:
                text += " (a reboot has done it)"
            state.remove(change)
        except Exception as error:
            results.append(Result(stage.name, "refused", _refusal(change.action, error)))
            continue
        results.append(Result(stage.name, "done", text))
    return results or [Result(stage.name, "already", "nothing was changed")]


def _refusal(action: Action, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return f"cannot {action}: it needs root; run it with sudo"
    detail = getattr(error, "stderr", None) or str(error)
    return f"cannot {action}: {str(detail).strip()}"
