"""`sniperforge doctor`: what this host costs the engine, with the fix for each finding."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ipc.views import instances, owner
from sniperforge.groups import GROUP_PROGRAM
from tuning.stage import Finding
from tuning.stages import check_all
from tuning.state import Goal

_MARKS = {"ok": "ok", "advice": "advice", "problem": "PROBLEM"}


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown"


def _io_uring() -> Finding:
    title = "io_uring for journal and network"
    try:
        disabled = Path("/proc/sys/kernel/io_uring_disabled").read_text().strip()
    except OSError:
        disabled = "0"
    if disabled == "0" or (disabled == "1" and os.geteuid() == 0):
        return Finding("io_uring", title, "ok", "allowed")
    return Finding(
        "io_uring",
        title,
        "advice",
        f"kernel.io_uring_disabled is {disabled}: the slower fallbacks are used",
        "sysctl kernel.io_uring_disabled=0",
    )


def _group_program() -> Finding:
    if GROUP_PROGRAM.exists():
        return Finding("build", "the C core", "ok", str(GROUP_PROGRAM))
    return Finding("build", "the C core", "problem", f"{GROUP_PROGRAM} is missing", "make build")


def _stale() -> Finding:
    stale = [name for name in instances() if owner(name) is None]
    if not stale:
        return Finding("stale", "instances left behind", "ok", "none")
    return Finding("stale", "instances left behind", "advice", ", ".join(stale), "sniperforge clean")


def doctor(spinning: Sequence[int] = ()) -> tuple[dict[str, Any], str]:
    """All findings as plain data, and as text. `ok` is false if a finding can stop the engine.

    Args:
        spinning: cores that groups spin on, which the host's stages are held against; none if they are all there are.
    """
    cores = os.sched_getaffinity(0)
    hot = tuple(core for core in spinning if core in cores) if cores - set(spinning) else ()
    stages = [finding for finding in check_all(goal=Goal(hot=hot)) if finding.level != "absent"]
    findings = [*stages, _io_uring(), _group_program(), _stale()]
    host = {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }
    lines = [f"{host['cpu']}, {host['cores']} cores, Linux {host['kernel']}, Python {host['python']}"]
    for finding in findings:
        lines.append(f"{_MARKS[finding.level]:8}{finding.stage:12}{finding.found}")
        if finding.fix:
            lines.append(f"{'':20}fix: {finding.fix}")
    problems = sum(finding.level == "problem" for finding in findings)
    advice = sum(finding.level == "advice" for finding in findings)
    verdict = "ready" if not problems else f"not ready: {problems} can stop the engine"
    verdict += f"; {advice} cost latency (sniperforge tune plan, then tune apply)" if advice else "; tuned"
    lines.append(f"verdict: {verdict}")
    record = {"ok": not problems, "verdict": verdict, "host": host}
    return {**record, "findings": [finding.as_json() for finding in findings]}, "\n".join(lines)
