"""`sniperforge journal`: lists, shows, follows and verifies what an instance has written down."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from ipc._core import lib
from ipc.errors import CoreError
from sniperforge import chain, config, exits, options, requote, reverts
from sniperforge.journal.reader import Place, Reader, Record, run_files
from sniperforge.journal.records import KIND_NAMES, KINDS
from sniperforge.rpc import RpcClient, RpcError, RpcUnavailable

_POLL_S = 0.05
_TIMEOUT_MS = 10_000
_WRITING_S = 0.05  # a block that is being written is whole after this


def add_directory(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which journal is meant."""
    parser.add_argument("directory", metavar="DIR", nargs="?", type=Path, help="directory of the journal")
    options.add(parser)


def find_directory(arguments: argparse.Namespace) -> Path:
    """The directory given, or that of the configured instance.  Raises ConfigError."""
    directory: Path | None = arguments.directory
    return directory or options.config(arguments).state_dir / "journal"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sniperforge journal", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", help="without one: list")
    for verb, help_text in (
        ("list", "the runs: when, how many records, how they end"),
        ("show", "records, oldest first"),
        ("tail", "the newest records"),
        (
            "why",
            "orders that reverted, each quoted again on the state it found; exit code 5 if one should not have, 1 if "
            "one is not known. Asks the instance's chain, which has to run: only it knows what they found",
        ),
        ("verify", "reads every block; exit code 5 if a run does not end cleanly"),
    ):
        add = verbs.add_parser(verb, help=help_text, description=help_text).add_argument
        sub = verbs.choices[verb]
        add_directory(sub)
        add("--json", action="store_true", help="one JSON object a line")
        add(
            "--run",
            metavar="N",
            type=options.run_number,
            help="this run" + (" (default: the last)" if verb in ("show", "tail", "why") else ""),
        )
        if verb in ("show", "tail"):
            add("--kind", action="append", choices=sorted(KINDS), help="only this kind of message; may be repeated")
            add("--link", action="append", help="only this link; may be repeated")
            add("--follow", action="store_true", help="go on as the journal grows, over runs; Ctrl-C ends")
        if verb == "why":
            number = options.between(1, (1 << 64) - 1)
            add("--order", metavar="N", type=number, action="append", default=[], help="only this one; may be repeated")
        if verb == "tail":
            number = options.between(0, 1 << 32)
            add("-n", dest="count", metavar="N", type=number, default=10, help="how many records (default 10)")
    return parser


def _when(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def summarize(directory: Path, run: int) -> dict[str, Any]:
    """What a run's journal holds and how it ends; reads and verifies all of it."""
    records: dict[str, int] = {}
    with Reader(directory, run) as reader:
        before: Place | None = None
        while True:
            try:
                for batch in reader.batches():
                    for kind in batch.headers()["message"]["kind"].tolist():
                        name = KIND_NAMES.get(kind, f"kind {kind}")
                        records[name] = records.get(name, 0) + 1
            except CoreError as error:
                if error.code == lib.SF_ERR_ABI:
                    return {"run": run, "end": "unreadable", "reason": error.sentence}
                if error.code != lib.SF_ERR_DATA:
                    raise
            try:
                tail = reader.tail()
            except CoreError as error:
                if error.code != lib.SF_ERR_STATE:
                    raise
                continue  # it has grown meanwhile
            if not tail.residue_bytes or tail.place == before:
                break
            before = tail.place  # torn, or just being written
            time.sleep(_WRITING_S)
        first, last = reader.span_ns
    return {
        "run": run,
        "begin": _when(first) if first else None,
        "last": _when(last) if last else None,
        "seconds": round((last - first) / 1e9, 3),
        "blocks": tail.place.number,
        "segments": tail.place.segment + 1,
        "records": sum(records.values()),
        "kinds": dict(sorted(records.items())),
        "end": "damaged" if tail.damaged else "torn" if tail.residue_bytes else "clean",
        "file": tail.file,
        "offset": tail.place.offset,
        "residue_bytes": tail.residue_bytes,
        "reason": tail.reason,
    }


def _summaries(arguments: argparse.Namespace, directory: Path) -> int:
    found = [run for run in sorted(run_files(directory)) if arguments.run in (None, run)]
    if not found:
        print(f"{directory}: no journal{'' if arguments.run is None else f' of run {arguments.run}'}", file=sys.stderr)
        return exits.FAILED
    code = exits.OK
    for run in found:
        summary = summarize(directory, run)
        if arguments.json:
            print(msgspec.json.encode(summary).decode())
        elif summary["end"] == "unreadable":
            print(f"run {run}: {summary['reason']}")
        else:
            why = f" at {summary['file']} offset {summary['offset']}: {summary['reason']}" if summary["reason"] else ""
            print(
                f"run {run}: {summary['begin']} UTC, {summary['seconds']} s, {summary['records']} records in "
                f"{summary['blocks']} blocks and {summary['segments']} files, ends {summary['end']}{why}"
            )
        if arguments.verb == "verify" and summary["end"] != "clean":
            code = exits.DIFFERENT
    return code


def _line(record: Record, as_json: bool) -> str:
    fields = record.fields()
    kind = KIND_NAMES.get(record.kind, str(record.kind))
    if as_json:
        head = {"run": record.run, "link": record.link, "kind": kind, "seq": record.seq, "tag": record.tag}
        times = {"t_origin": record.t_origin, "t_pub": record.t_pub, "time_ns": record.time_ns}
        return msgspec.json.encode({**head, **times, "payload": fields}).decode()
    text = " ".join(f"{name}={_short(value)}" for name, value in fields.items())
    return f"{_when(record.time_ns)} {record.link}[{record.seq}] {kind} {text}"


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + " ".join(f"{name}={_short(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + " ".join(_short(item) for item in value) + "]"
    text = str(value)
    return text if len(text) <= 96 else f"{text[:64]}...({len(text)})"


def _until_damage(reader: Reader, kinds: list[int] | None) -> Iterator[Record]:
    """Records up to the end or to a block that is not whole; the latter is told on stderr."""
    try:
        yield from reader.records(kinds)
    except CoreError as error:
        if error.code not in (lib.SF_ERR_DATA, lib.SF_ERR_ABI):
            raise
        print(f"the readable journal ends: {error.sentence}", file=sys.stderr)


def _follow(directory: Path, reader: Reader, kinds: list[int] | None) -> Iterator[Record]:
    """Records as they come.  A block that is being written may look torn for a moment."""
    while True:
        newer = [run for run in run_files(directory) if run > reader.run]
        try:
            yield from reader.records(kinds)
        except CoreError as error:
            if error.code != lib.SF_ERR_DATA:
                raise
        if newer:
            reader.close()
            reader = Reader(directory, min(newer))
        else:
            time.sleep(_POLL_S)


def _show(arguments: argparse.Namespace, directory: Path) -> int:
    found = sorted(run_files(directory))
    run = arguments.run if arguments.run is not None else (found[-1] if found else None)
    if run not in found:
        print(f"{directory}: no journal{'' if run is None else f' of run {run}'}", file=sys.stderr)
        return exits.FAILED
    kinds = [KINDS[name] for name in arguments.kind] if arguments.kind else None
    links = set(arguments.link) if arguments.link else None
    reader = Reader(directory, run)
    records: Iterator[Record] = (r for r in _until_damage(reader, kinds) if links is None or r.link in links)
    if arguments.verb == "tail":
        kept: list[Record] = []
        for record in records:
            kept.append(record)
            if len(kept) > 2 * arguments.count + 1024:
                del kept[: -arguments.count]
        records = iter(kept[max(len(kept) - arguments.count, 0) :])
    for record in records:
        print(_line(record, arguments.json))
    if arguments.follow:
        sys.stdout.flush()
        for record in _follow(directory, reader, kinds):
            if links is None or record.link in links:
                print(_line(record, arguments.json), flush=True)
    reader.close()
    return exits.OK


def _why(arguments: argparse.Namespace, directory: Path) -> int:
    ends = chain.running_endpoints(options.config(arguments))
    found = sorted(run_files(directory))
    if not found:
        print(f"{directory}: no journal", file=sys.stderr)
        return exits.FAILED
    run = arguments.run or found[-1]
    if run not in found:
        print(f"{directory}: no run {run}; `sniperforge journal list` shows which there are", file=sys.stderr)
        return exits.USAGE
    orders = [number if number >> 32 else run << 32 | number for number in arguments.order]
    with RpcClient(ends.rpc_url, timeout_ms=_TIMEOUT_MS, ca_path=options.config(arguments).chain.ca_path) as rpc:
        explained = requote.explain(rpc, directory, run, orders)
    causes = reverts.Causes(explained)
    counts = causes.counts
    for revert in explained:
        print(msgspec.json.encode(revert).decode() if arguments.json else revert.text())
    if not arguments.json:
        print(f"{len(explained)} reverted: {causes.text()}")
    missing = sorted(set(orders) - {revert.order for revert in explained})
    for number in missing:
        print(f"order {number & 0xFFFFFFFF} of run {number >> 32} did not revert in run {run}", file=sys.stderr)
    if counts[reverts.UNKNOWN]:
        print(
            f"{counts[reverts.UNKNOWN]} of {len(explained)} reverts are not explained: what they found only a simnet "
            "tells, while it runs, of its newest ten thousand failures; ask before it ends",
            file=sys.stderr,
        )
    if counts[reverts.UNEXPLAINED]:
        return exits.DIFFERENT
    return exits.FAILED if missing or counts[reverts.UNKNOWN] else exits.OK


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    if not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help")):
        argv = ["list", *argv]
    arguments = _parser().parse_args(argv)
    try:
        directory = find_directory(arguments)
        if arguments.verb == "why":
            return _why(arguments, directory)
        return _summaries(arguments, directory) if arguments.verb in ("list", "verify") else _show(arguments, directory)
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return exits.USAGE
    except CoreError as error:
        print(error.sentence, file=sys.stderr)
        return exits.FAILED
    except (chain.ChainNotRunning, RpcUnavailable) as error:
        print(error, file=sys.stderr)
        return exits.NOT_RUNNING
    except (chain.ChainError, RpcError) as error:
        print(error, file=sys.stderr)
        return exits.FAILED
    except BrokenPipeError:
        sys.stderr.close()
        return exits.OK
    except KeyboardInterrupt:
        return exits.INTERRUPTED
