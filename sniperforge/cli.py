"""The `sniperforge` command: one subcommand per thing a person does. Exit codes: docs/exit-codes.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sniperforge import __version__, exits

Command = Callable[[argparse.Namespace], int]


def _refuse_foreign_machine() -> str:
    """Why this machine cannot run the engine; empty if it can."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return f"this is {platform.system()} on {platform.machine()}; SniperForge runs on Linux x86-64 only"
    if sys.version_info < (3, 11):  # noqa: UP036  (the sentence is for those who have an older one)
        return f"this is Python {platform.python_version()}; SniperForge needs Python 3.11 or newer"
    return ""


def _common(parser: argparse.ArgumentParser, *, json_output: bool = True) -> None:
    from sniperforge import options

    options.add(parser)
    if json_output:
        parser.add_argument("--json", action="store_true", help="print one JSON object")


def _config(arguments: argparse.Namespace) -> Any:
    from sniperforge import options

    return options.config(arguments)


def _print(arguments: argparse.Namespace, value: Any, text: str) -> None:
    if arguments.json:
        print(json.dumps(value, indent=2 if sys.stdout.isatty() else None))
    else:
        print(text)


def _fail(sentence: str, code: int) -> int:
    print(f"sniperforge: {sentence}", file=sys.stderr)
    return code


# -- run ---------------------------------------------------------------------------------------------


_YEAR_S = 365 * 86_400.0


def _duration(text: str) -> float:
    """Seconds in `90`, `60s`, `5m`, `2h`."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    unit = next((unit for unit in units if text.endswith(unit)), "")
    number = text.removesuffix(unit)
    if number.isascii() and number.replace(".", "", 1).isdigit():
        seconds = float(number) * units.get(unit, 1.0)
        if seconds <= _YEAR_S:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is no duration; write 60s, 5m or 2h, at most a year")


def _run(arguments: argparse.Namespace) -> int:
    from sniperforge.run import run

    simnet: list[str] = []
    if arguments.account:
        dumps = [{"address": key, "file": str(Path(file).absolute())} for key, file in arguments.account]
        simnet.append("simnet.accounts=" + _toml_tables(dumps))
    if arguments.account_dir:
        simnet.append(
            "simnet.account_directories=" + json.dumps([str(Path(path).absolute()) for path in arguments.account_dir])
        )
    if arguments.bpf_program:
        programs = [{"id": key, "file": str(Path(file).absolute())} for key, file in arguments.bpf_program]
        simnet.append("simnet.programs=" + _toml_tables(programs))
    arguments.settings = [*arguments.settings, *simnet]
    return run(_config(arguments), duration_s=arguments.duration, as_json=arguments.json)


def _toml_tables(rows: list[dict[str, str]]) -> str:
    tables = ("{" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in row.items()) + "}" for row in rows)
    return "[" + ", ".join(tables) + "]"


# -- what reads --------------------------------------------------------------------------------------


def _status(arguments: argparse.Namespace) -> int:
    from ipc.errors import CoreError
    from ipc.views import Instance
    from sniperforge import status
    from sniperforge.report import stale, status_text

    name = _config(arguments).instance.name
    try:
        with Instance.open(name) as instance:
            found = status.collect(instance, memory=True)
    except CoreError as error:
        return _fail(error.sentence, exits.NOT_RUNNING)
    _print(arguments, found, status_text(found))
    if not found["supervisor"]["alive"]:
        return _fail(stale(name), exits.NOT_RUNNING)
    return exits.OK if status.healthy(found) else exits.FAILED


def _monitor(arguments: argparse.Namespace) -> int:
    from ipc.errors import CoreError
    from ipc.views import Instance
    from sniperforge import monitor, status

    name = _config(arguments).instance.name

    def read() -> dict[str, Any] | None:
        try:
            with Instance.open(name) as instance:
                return status.collect(instance, memory=False)
        except (CoreError, OSError):
            return None

    seen = monitor.watch(read, period_s=arguments.period, count=arguments.count, as_json=arguments.json)
    return exits.OK if seen else exits.NOT_RUNNING


def _config_command(arguments: argparse.Namespace) -> int:
    from sniperforge.config import to_builtins

    config = to_builtins(_config(arguments))
    if arguments.key:
        value: Any = config
        for part in arguments.key.split("."):
            if not isinstance(value, dict) or part not in value:
                return _fail(f"there is no key {arguments.key}", exits.USAGE)
            value = value[part]
        config = {arguments.key: value}
    lines = [f"{key} = {json.dumps(value)}" for key, value in _flat(config)]
    _print(arguments, config, "\n".join(lines))
    return exits.OK


def _flat(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if not isinstance(value, dict) or not value:
        return [(prefix, value)]
    return [item for key, inner in value.items() for item in _flat(inner, f"{prefix}.{key}" if prefix else key)]


def _doctor(arguments: argparse.Namespace) -> int:
    from sniperforge.doctor import doctor
    from sniperforge.topology import spinning_cores

    config = _config(arguments)  # one that cannot work is not ready
    found, text = doctor(spinning_cores(config))
    _print(arguments, found, text)
    return exits.OK if found["ok"] else exits.DIFFERENT


# -- what commands -----------------------------------------------------------------------------------


def _ask(arguments: argparse.Namespace, verb: str, **fields: Any) -> int:
    from ipc.control import Client, ControlError, ControlTimeout, CurveClient
    from ipc.views import directory

    if arguments.connect:
        if not (arguments.server_key and arguments.curve_key):
            return _fail("--connect needs --server-key and --curve-key", exits.USAGE)
        where: Path | CurveClient = CurveClient(arguments.connect, arguments.server_key, arguments.curve_key)
    else:
        where = directory(_config(arguments).instance.name)
        if not where.exists():
            return _fail(f"no instance at {where}; start it with `sniperforge run`", exits.NOT_RUNNING)
    try:
        with Client(where, timeout_ms=arguments.timeout_ms) as client:
            result = client.ask(verb, **fields)
    except ControlTimeout as error:
        return _fail(f"{error}; `sniperforge kill` needs no answer", exits.NOT_RUNNING)
    except ControlError as error:
        codes = {"refused": exits.REFUSED, "bad-argument": exits.USAGE}
        return _fail(str(error), codes.get(error.code, exits.FAILED))
    except (ValueError, OSError) as error:
        return _fail(str(error), exits.USAGE)
    _print(arguments, result, ", ".join(f"{key} {value}" for key, value in result.items()))
    return exits.OK


def _halt(arguments: argparse.Namespace) -> int:
    return _ask(arguments, "reduce" if arguments.reduce else "halt")


def _resume(arguments: argparse.Namespace) -> int:
    return _ask(arguments, "resume")


def _stop(arguments: argparse.Namespace) -> int:
    from sniperforge.run import await_gone

    code = _ask(arguments, "stop")
    if code == exits.OK and not arguments.connect:
        name = _config(arguments).instance.name
        if not await_gone(name, timeout_s=arguments.wait):
            return _fail(f"instance {name} did not stop within {arguments.wait:.0f} s", exits.FAILED)
    return code


def _limit(arguments: argparse.Namespace) -> int:
    return _ask(arguments, "limit", name=arguments.name, value=arguments.value)


def _bot(arguments: argparse.Namespace) -> int:
    return _ask(arguments, "bot", name=arguments.name, action=arguments.action)


def _kill(arguments: argparse.Namespace) -> int:
    """Straight into shared memory: works while everything else is stuck."""
    from sniperforge.kill import kill

    settings = _config(arguments)
    level = "reduce" if arguments.reduce else "halt"
    sentence, code = kill(settings.instance.name, settings.state_dir, level)
    if code != exits.OK:
        return _fail(sentence, code)
    _print(arguments, {"instance": settings.instance.name, "kill": level}, sentence)
    return exits.OK


def _clean(arguments: argparse.Namespace) -> int:
    from sniperforge.clean import clean

    settings = _config(arguments)

    def confirm(what: str) -> bool:
        if arguments.yes:
            return True
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        print(f"remove {what}? [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    named = arguments.instance is not None
    sentences, code = clean(settings, named=named, state=arguments.state, confirm=confirm)
    if code != exits.OK:
        return _fail("; ".join(sentences), code)
    _print(arguments, {"done": sentences}, "\n".join(sentences) or "nothing to clean")
    return code


def _delegate(module: str) -> Callable[[Sequence[str]], int]:
    def call(argv: Sequence[str]) -> int:
        import importlib

        main: Callable[[Sequence[str]], int] = importlib.import_module(module).main
        return main(argv)

    return call


#: subcommands with a command line of their own
_DELEGATED = {
    "simnet": ("sniperforge.simnet.__main__", "the embedded local Solana by itself"),
    "wallet": ("sniperforge.wallet.cli", "key files: create, address, show, encrypt, decrypt, balance"),
    "journal": ("sniperforge.journal.cli", "read and verify the journal"),
    "quote": ("sniperforge.quote_command", "price a swap from account dumps, or check recorded ones"),
    "execution-optimize": ("sniperforge.router.cli", "plan one trade over all pools, with all its costs"),
    "lookup-tables": ("sniperforge.lookup_command", "make lookup tables, so that long routes fit in a transaction"),
    "performance-stats": ("sniperforge.performance.command", "where a live instance spends its time; --optimize"),
    "replay": ("sniperforge.replay.cli", "run a recorded day through the same bots and compare"),
    "token-check": ("sniperforge.safety.command", "whether a token may be bought, and could be sold again"),
    "tune": ("tuning.__main__", "the host: check, plan, apply, undo, explain"),
    "bench": ("bench.__main__", "the latency harness"),
}


def _parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser, and those of the subcommands."""
    from sniperforge import options

    parser = argparse.ArgumentParser(
        prog="sniperforge", description="A Solana trading engine whose numbers and whose state you can check."
    )
    parser.add_argument("--version", action="version", version=f"sniperforge {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, run: Command, text: str, *, control: bool = False) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        _common(command)
        if control:
            command.add_argument(
                "--timeout-ms", type=options.between(1, 600_000), default=2000, help="longest wait for the answer"
            )
            command.add_argument("--connect", metavar="HOST:PORT", help="ask over TCP (control.tcp of the instance)")
            command.add_argument(
                "--server-key", metavar="FILE", type=Path, help="the server's public CURVE certificate"
            )
            command.add_argument("--curve-key", metavar="FILE", type=Path, help="our CURVE key pair")
        return command

    run = add("run", _run, "start the engine and trade; without configuration on an embedded Solana")
    run.add_argument("--duration", metavar="TIME", type=_duration, help="stop in order after so long, e.g. 60s")
    run.add_argument(
        "--account",
        metavar=("PUBKEY", "FILE"),
        nargs=2,
        action="append",
        help="load an account dump into the embedded Solana",
    )
    run.add_argument("--account-dir", metavar="DIR", action="append", help="load every account dump below a directory")
    run.add_argument(
        "--bpf-program", metavar=("ID", "FILE"), nargs=2, action="append", help="run this ELF file as program ID"
    )
    add("status", _status, "the instance now: tiles, links, books, memory")
    monitor = add("monitor", _monitor, "a live view of the instance, from shared memory only")
    monitor.add_argument(
        "--period", metavar="S", type=options.seconds(0.05), default=0.5, help="seconds between two views"
    )
    monitor.add_argument("--count", metavar="N", type=options.between(1, 1 << 32), help="end after so many views")
    halt = add("halt", _halt, "stop trading through the supervisor; the engine keeps running", control=True)
    halt.add_argument("--reduce", action="store_true", help="allow exits only, instead of nothing")
    kill = add("kill", _kill, "stop trading by writing the kill word directly; needs nothing to be alive")
    kill.add_argument("--reduce", action="store_true", help="allow exits only, instead of nothing")
    add("resume", _resume, "trade again after halt or kill", control=True)
    stop = add("stop", _stop, "end the instance in order", control=True)
    stop.add_argument(
        "--wait", metavar="S", type=options.seconds(), default=15.0, help="longest wait until it has ended"
    )
    limit = add("limit", _limit, "set a risk limit of this run", control=True)
    limit.add_argument("name", help="e.g. max_open_orders")
    limit.add_argument("value", type=int)
    bot = add("bot", _bot, "start or stop a bot", control=True)
    bot.add_argument("name")
    bot.add_argument("action", choices=["start", "stop"])
    add("doctor", _doctor, "what this host costs the engine, and the fix for each")
    show = add("config", _config_command, "the resolved configuration")
    show.add_argument("key", nargs="?", help="one key or section")
    clean = add("clean", _clean, "remove stale instances from shared memory")
    clean.add_argument(
        "--state",
        action="store_true",
        help="also remove this instance's state directory: journal, books, the wallet's key, chain",
    )
    clean.add_argument("--yes", action="store_true", help="do not ask before a wallet's key is removed")
    for name, (_, text) in _DELEGATED.items():
        commands.add_parser(name, help=text, add_help=False)
    return parser, commands.choices


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    refusal = _refuse_foreign_machine()
    if refusal:
        return _fail(refusal, exits.USAGE)
    if argv and argv[0] in _DELEGATED:
        return _guarded(lambda: _delegate(_DELEGATED[argv[0]][0])(argv[1:]))
    parser, commands = _parser()
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        commands[arguments.command].error(f"unrecognized arguments: {' '.join(unknown)}")
    return _guarded(lambda: arguments.run(arguments))


def _guarded(run: Callable[[], int]) -> int:
    from sniperforge.config import ConfigError

    try:
        return run()
    except ConfigError as error:
        return _fail(str(error), exits.USAGE)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.FAILED


if __name__ == "__main__":
    sys.exit(main())
