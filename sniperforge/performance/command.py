"""`sniperforge performance-stats`: what a live instance spends its time and memory on.

    sniperforge performance-stats [--seconds 2] [--watch] [--json]
    sniperforge performance-stats --optimize          also what to change, ranked by measured gain

It reads shared memory and the kernel's files; the instance trades on and does not notice.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

import msgspec
from rich.console import Console

from ipc.errors import CoreError
from ipc.views import Instance, directory, owner
from sniperforge import exits, options
from sniperforge.performance import reading, rules, text
from sniperforge.performance.facts import Facts
from sniperforge.report import stale


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sniperforge performance-stats", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object (with --watch: one a line)")
    parser.add_argument(
        "--seconds",
        type=options.seconds(),
        default=2.0,
        metavar="S",
        help="look at the next so many seconds; 0 = the run so far",
    )
    parser.add_argument("--watch", action="store_true", help="again and again, until Ctrl-C")
    parser.add_argument("--optimize", action="store_true", help="what to change, and the configuration lines for it")
    return parser


def _measured(facts: Facts) -> Facts:
    """With what the machine takes for memory as large as the workspaces."""
    return msgspec.structs.replace(facts, probe=reading.probe(sum(space.bytes for space in facts.workspaces)))


def _show(facts: Facts, console: Console, *, optimize: bool, as_json: bool) -> None:
    found = rules.advice(facts) if optimize else []
    if as_json:
        data = msgspec.to_builtins(facts) | ({"advice": msgspec.to_builtins(found)} if optimize else {})
        print(json.dumps(data), flush=True)
        return
    console.print(text.stats(facts))
    if optimize:
        console.print(text.optimize(found))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    arguments = _parser().parse_args(argv)
    if arguments.watch and not arguments.seconds:
        print(
            "sniperforge: --seconds: 0 is the run so far, which --watch cannot show again; write more", file=sys.stderr
        )
        return exits.USAGE
    name = options.config(arguments).instance.name
    console = Console()
    if not console.is_terminal:
        console.width = 200
    try:
        while owner(name) is not None or not directory(name).exists():  # what is not there, open says
            # anew each time: a restart makes other processes, or another instance
            with Instance.open(name) as instance:
                facts = reading.Reading(instance).facts(arguments.seconds)
            if arguments.optimize:
                facts = _measured(facts)
            if arguments.watch and console.is_terminal and not arguments.json:
                console.clear()
            _show(facts, console, optimize=arguments.optimize, as_json=arguments.json)
            if not arguments.watch:
                return exits.OK
    except CoreError as error:
        print(f"sniperforge: {error.sentence}", file=sys.stderr)
        return exits.NOT_RUNNING
    except FileNotFoundError:
        if directory(name).exists():
            raise
        print(f"sniperforge: instance {name} has ended", file=sys.stderr)
        return exits.NOT_RUNNING
    except KeyboardInterrupt:
        return exits.OK if arguments.watch else exits.INTERRUPTED
    print(f"sniperforge: {stale(name)}", file=sys.stderr)
    return exits.NOT_RUNNING
