"""sniperforge tune check|plan|apply|undo|explain, also as python3 -m tuning

Exit code: 0 = all is as wanted; 1 = a problem was found, or something was refused; 2 = wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import textwrap
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tuning.cpus import cpu_list
from tuning.host import STATE_PATH, Host
from tuning.machine import default_nic, nic_node, parse_lscpu, read_machine
from tuning.plan import Group, make_plan, text_of, unit_files
from tuning.stage import Result, Setup, apply, undo
from tuning.stages import STAGES
from tuning.state import Goal

MARKS = {"ok": "ok", "absent": "-", "advice": "advice", "problem": "PROBLEM"}
WAITS = ("spin", "yield", "park")
GROUPS_FILE = Path(__file__).resolve().parents[1] / "configs" / "default.toml"


def read_groups(text: str) -> list[Group]:
    """Reads groups from a configuration file, or from what `sniperforge config topology.groups --json` prints.

    Raises ValueError if there are none in it.
    """
    record: Any
    try:
        record = json.loads(text)
    except json.JSONDecodeError:
        record = tomllib.loads(text)
    try:
        groups = record.get("topology.groups") or record.get("topology", {}).get("groups") or {}
        found = [Group(name, group.get("wait", "park")) for name, group in groups.items()]
    except AttributeError:
        found = []
    if not found:
        raise ValueError("no [topology.groups.*] in it")
    for group in found:
        if group.wait not in WAITS:
            raise ValueError(f"group {group.name}: wait = {group.wait}; it is one of {', '.join(WAITS)}")
    return found


def _text(file: str) -> str:
    """What is in a file, or on standard input for `-`.

    Raises ValueError if it is not text, OSError if it cannot be read.
    """
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text()
    except UnicodeDecodeError as error:
        raise ValueError("it is not text") from error


def _cpus(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*", text, re.ASCII) or not cpu_list(text):
        raise argparse.ArgumentTypeError(f"{text} names no CPU; write it like 2-5,8")
    return tuple(cpu_list(text))


def _count(most: int) -> Callable[[str], int]:
    def of(text: str) -> int:
        if re.fullmatch(r"\d{1,9}", text, re.ASCII) and int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text} must be a whole number from 0 to {most}")

    return of


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sniperforge tune", description="Checks, plans, applies, undoes and explains settings of this machine."
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)

    def add(name: str, text: str, *, stages: bool = True) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, help=text, description=text)
        if stages:
            verb.add_argument("stages", nargs="*", metavar="STAGE", help="all, if none is named")
            verb.add_argument(
                "--state",
                metavar="FILE",
                type=os.path.abspath,
                default=STATE_PATH,
                help=f"what apply found before (default {STATE_PATH})",
            )
        verb.add_argument("--json", action="store_true", help="one JSON document instead of lines")
        return verb

    check = add("check", "what could be better, and the fix; needs no root")
    do = add("apply", "change what can be changed now, and remember what was found")
    for verb in (check, do):
        verb.add_argument("--hot", metavar="CPUS", type=_cpus, default=(), help="cores of spinning groups, e.g. 2-5")
        verb.add_argument("--irq", metavar="CPUS", type=_cpus, default=(), help="cores that serve interrupts")
        verb.add_argument("--nic", metavar="NAME", action="append", default=[], help="network card; may be repeated")
        verb.add_argument(
            "--huge-pages", metavar="N", type=_count(1 << 24), default=0, help="2 MiB pages for each NUMA node"
        )
        verb.add_argument(
            "--mtu", metavar="BYTES", type=_count(65_535), default=0, help="of the cards; 0 = at least 1500"
        )
        verb.add_argument("--boot", action="store_true", help="the boot loader's configuration may be written")
    back = add("undo", "put back exactly what apply found")
    for verb in (do, back):
        verb.add_argument("--dry-run", action="store_true", help="print the commands, change nothing")
    explain = add("explain", "what a stage is for and what it costs", stages=False)
    explain.add_argument("stages", nargs="*", metavar="STAGE", help="all, if none is named")
    plan = add("plan", "which core for which group, what to boot with and what to apply", stages=False)
    plan.add_argument(
        "--groups", metavar="FILE", help="configuration file, or - for `sniperforge config topology.groups --json`"
    )
    plan.add_argument("--map", metavar="FILE", help="plan for another machine: the output of its lscpu -p")
    plan.add_argument("--nic", metavar="NAME", help="network card; without it, that of the default route")
    plan.add_argument(
        "--nic-node", metavar="NODE", type=_count(1023), help="NUMA node of the card; without it, what sysfs says"
    )
    plan.add_argument("--units", metavar="DIR", type=Path, help="also write drop-ins with the cores for systemd there")
    return parser


def _known(host: Host, nic: str) -> None:
    """Raises ValueError if the machine has no such card."""
    if not host.exists(f"/sys/class/net/{nic}"):
        cards = " ".join(name.rpartition("/")[2] for name in host.names("/sys/class/net/*"))
        raise ValueError(f"--nic {nic}: there is no such card; there are {cards or 'none'}")


def _plan(host: Host, options: argparse.Namespace) -> int:
    source = options.groups or str(GROUPS_FILE)
    try:
        groups = read_groups(_text(source))
    except ValueError as error:
        raise ValueError(f"--groups {source}: {error}") from error
    elsewhere = options.map is not None
    try:
        machine = parse_lscpu(_text(options.map)) if elsewhere else read_machine(host)
    except ValueError as error:
        raise ValueError(f"--map {options.map}: {error}") from error
    if options.nic and not elsewhere:
        _known(host, options.nic)
    nic = options.nic or (None if elsewhere else default_nic(host))
    node = options.nic_node
    if node is None and nic and not elsewhere:
        node = nic_node(host, nic)
    plan = make_plan(machine, groups, nic=nic, nic_node=node)
    print(json.dumps(plan.as_json(), indent=1) if options.json else text_of(plan))
    if options.units:
        for name, text in unit_files(plan).items():
            path = options.units / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return 0


def _explain(options: argparse.Namespace) -> int:
    wanted = [stage for stage in STAGES if not options.stages or stage.name in options.stages]
    if options.json:
        print(json.dumps([{"stage": stage.name, "title": stage.title, "why": stage.why} for stage in wanted], indent=1))
        return 0
    for stage in wanted:
        print(f"{stage.name}: {stage.title}")
        print(textwrap.fill(stage.why, 100, initial_indent="  ", subsequent_indent="  "))
    return 0


def _check(setup: Setup, options: argparse.Namespace) -> int:
    findings = [stage.check(setup) for stage in STAGES if not options.stages or stage.name in options.stages]
    if options.json:
        print(json.dumps([finding.as_json() for finding in findings], indent=1))
    else:
        for finding in findings:
            print(f"{MARKS[finding.level]:8}{finding.stage:13}{finding.found}")
            if finding.fix:
                print(f"{'':21}fix: {finding.fix}")
    return int(any(finding.level == "problem" for finding in findings))


def main(arguments: list[str] | None = None, host: Host | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    names = [stage.name for stage in STAGES]
    unknown = [name for name in getattr(options, "stages", []) if name not in names]
    if unknown:
        parser.error(f"no stage {unknown[0]}; there are {' '.join(names)}")
    if options.verb == "plan":
        try:
            return _plan(host or Host(), options)
        except OSError as error:
            parser.error(f"plan: {error.filename}: {error.strerror}; name another file")
        except ValueError as error:
            parser.error(f"plan: {error}")
    if options.verb == "explain":
        return _explain(options)
    host = host or Host(state_path=options.state)
    goal = Goal()
    if options.verb != "undo":
        goal = Goal(
            hot=options.hot,
            irq=options.irq,
            nics=tuple(options.nic),
            huge_pages=options.huge_pages,
            mtu=options.mtu,
            boot=options.boot,
        )
    setup = Setup(host, goal)
    if setup.goal.hot and (wrong := set(setup.goal.hot) - set(host.online())) and options.verb != "undo":
        parser.error(f"--hot: CPU {min(wrong)} is not online")
    if wrong := set(options.irq if options.verb != "undo" else ()) - set(host.online()):
        parser.error(f"--irq: CPU {min(wrong)} is not online")
    if setup.goal.hot and not setup.rest:
        parser.error("--hot: leave at least one core to the rest of the system")
    if options.verb == "check":
        try:
            for nic in options.nic:  # at boot a card may come late, or not at all: apply does the rest
                _known(host, nic)
        except ValueError as error:
            parser.error(str(error))
        return _check(setup, options)
    if setup.state.unreadable:
        print(f"sniperforge tune {options.verb}: {setup.state.unreadable}", file=sys.stderr)
        return 1

    results: list[Result] = []
    for stage in STAGES if options.verb == "apply" else reversed(STAGES):
        if not options.stages or stage.name in options.stages:
            act = apply if options.verb == "apply" else undo
            results += act(stage, setup, dry_run=options.dry_run)
    if options.json:
        print(json.dumps([result.as_json() for result in results], indent=1))
    else:
        for result in results:
            print(f"{result.outcome:9}{result.stage:13}{result.text}")
    return int(any(result.outcome == "refused" for result in results))


if __name__ == "__main__":
    sys.exit(main())
