"""`sniperforge quote`: prices swaps of account dumps exactly as the programs do, and checks recorded ones.

    sniperforge quote --golden FILE.csv --accounts DIR
    sniperforge quote --pool PUBKEY --in TOKEN --amount N --accounts DIR [--out-amount] [--at UNIX] [--json]

Every answer is worked out twice, by the C core and by the plain-integer reference; they have to be the same.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from solders.pubkey import Pubkey

from ipc.errors import CoreError
from sniperforge import exits, options
from sniperforge.router.market import SYMBOLS
from sniperforge.venues import golden, pools, refusals
from sniperforge.venues.dumps import AmbiguousAccountError, Dumps, MissingAccountError, snapshots, tables
from sniperforge.venues.orca_whirlpool import PROGRAM as WHIRLPOOL
from sniperforge.venues.quote import Quote

_WITH_TICKS = ("raydium_clmm", "orca_whirlpool", "meteora_dlmm")
_FIRST = ("venue", "pool", "mint_in", "mint_out", "status")
_TOLD_OTHERWISE = (*_FIRST, "amount_in", "amount_out", "fee", "fee_in_input", "tick", "crossed", "notes", "differs")


class _UsageError(Exception):
    """What is wrong with the flags, as a sentence."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sniperforge quote", description="Quotes a swap from account dumps, or checks recorded swaps."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--golden",
        metavar="FILE.csv",
        type=Path,
        help=f"check every row; the venue is the one whose name is in the file's name ({', '.join(golden.NAMES)}), "
        "else the one with these columns",
    )
    what.add_argument("--pool", metavar="PUBKEY", help="quote one swap of this pool, of any venue")
    parser.add_argument(
        "--accounts",
        metavar="DIR",
        type=Path,
        required=True,
        help="account dumps (solana account --output json) in it and below, or a table of address,base64 lines; with "
        "--golden, of several snapshots with a pool the one whose directory or slot is in FILE's name, else the one "
        "that most rows agree with",
    )
    parser.add_argument("--in", metavar="TOKEN", dest="mint", help="what goes in: SOL, USDC, USDT or a mint")
    parser.add_argument("--amount", metavar="N", type=options.whole, help="base units that go in")
    parser.add_argument("--out-amount", action="store_true", help="--amount is what shall come out")
    parser.add_argument(
        "--at", metavar="UNIX", type=options.unix, help="time of the swap, where fees depend on it (default: now)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code: 1 if a row is off or the swap fails, 2 if it cannot be asked so."""
    arguments = _parser().parse_args(argv)
    try:
        if not arguments.accounts.exists():
            raise _UsageError(f"there is no {arguments.accounts}; --accounts names a directory with account dumps")
        return _golden(arguments) if arguments.golden else _swap(arguments)
    except (_UsageError, MissingAccountError, AmbiguousAccountError, CoreError, ValueError) as error:
        print(f"sniperforge quote: {error}", file=sys.stderr)
        return exits.USAGE
    except OSError as error:
        print(f"sniperforge quote: {error.filename}: {error.strerror}", file=sys.stderr)
        return exits.USAGE


# -- recorded swaps ------------------------------------------------------------------------------------


def _say(sentence: str) -> None:
    print(f"sniperforge quote: {sentence}", file=sys.stderr)


def _golden(arguments: argparse.Namespace) -> int:
    if not arguments.golden.is_file():
        raise _UsageError(f"{arguments.golden} is no file; --golden names a csv file of recorded swaps")
    count, off = 0, []
    for row in golden.rows(arguments.golden, arguments.accounts, _say):
        count += 1
        wrong = {
            who: sentence
            for who, run in (("c", row.run_c), ("python", row.run_python))
            if (sentence := golden.difference(row.expected, run()))
        }
        if wrong:
            off.append({"row": row.name, **wrong})
    if not count:
        raise _UsageError(f"{arguments.golden} has no rows")
    if arguments.json:
        print(json.dumps({"file": str(arguments.golden), "rows": count, "exact": count - len(off), "off": off}))
    else:
        for row_off in off:
            name = row_off.pop("row")
            print("\n".join(f"off: {name}: {who}: {sentence}" for who, sentence in row_off.items()))
        print(f"rows {count}, exact {count - len(off)}, off {len(off)}")
    return exits.FAILED if off else exits.OK


# -- one swap --------------------------------------------------------------------------------------------


def _places(directory: Path, pool: str) -> list[Dumps]:
    """Where the pool may be complete: each directory of dumps, then all; or the tables of whole programs."""
    found = snapshots(directory)
    if pool in found[-1]:
        return found
    having = [dumps for dumps in tables(directory, str(WHIRLPOOL)) if pool in dumps]
    if having:
        return [*having, having[-1]]
    raise MissingAccountError(f"pool {pool} is not in {directory}")


def _direction(priced: pools.Priced, pool: str, mint: Pubkey) -> bool:
    """Whether `mint` is token a."""
    a, b = priced.mints
    if mint == b:
        return False
    if mint == a or (a is None and pools.is_curve_of(pool, mint)):
        return True
    raise _UsageError(f"pool {pool} does not trade {mint}; it trades {a or 'its coin'} and {b}")


def _swap(arguments: argparse.Namespace) -> int:
    if arguments.mint is None or arguments.amount is None:
        raise _UsageError("--pool needs --in TOKEN and --amount N")
    mint = SYMBOLS.get(arguments.mint.upper(), arguments.mint)
    for key in (arguments.pool, mint):
        try:
            Pubkey.from_string(key)
        except ValueError as error:
            raise _UsageError(f"{key} is no public key") from error
    priced = pools.load_from(_places(arguments.accounts, arguments.pool), arguments.pool)
    a_to_b = _direction(priced, arguments.pool, Pubkey.from_string(mint))
    now = int(time.time()) if arguments.at is None else arguments.at
    terms = (a_to_b, arguments.amount, now)
    got, reference = (asks[arguments.out_amount](*terms) for asks in (priced.c, priced.python))
    answer = _answer(priced, arguments.pool, a_to_b, got)
    if priced.impact and got.status == "ok":
        answer["impact_ppm"] = priced.impact[arguments.out_amount](*terms)
    same = _comparable(got) == _comparable(reference)
    if not same:
        answer["differs"] = _answer(priced, arguments.pool, a_to_b, reference)
    print(json.dumps(answer) if arguments.json else _text(answer))
    return exits.OK if same and got.status == "ok" else exits.FAILED


def _comparable(quote: Quote) -> tuple[Any, ...]:
    amounts = (quote.amount_in, quote.amount_out) if quote.status != "refused" else ()
    return (quote.status, *amounts)


def _answer(priced: pools.Priced, pool: str, a_to_b: bool, quote: Quote) -> dict[str, Any]:
    names = [str(mint) if mint else None for mint in priced.mints]
    answer: dict[str, Any] = {
        "venue": priced.venue,
        "pool": pool,
        "mint_in": names[0 if a_to_b else 1],
        "mint_out": names[1 if a_to_b else 0],
        **quote._asdict(),
    }
    if priced.notes:
        answer["notes"] = list(priced.notes)
    if quote.status == "refused":
        answer["why"] = refusals.why(priced.venue, quote.error)
    elif quote.status == "exhausted":
        answer["missing"] = f"the ticks or bins in the dumps end at {quote.tick}; add the arrays beyond"
    return answer


def _text(answer: dict[str, Any]) -> str:
    """The answer for people: what is zero, or not of this venue, is left out."""
    lines = [f"{key} {answer[key] or 'a coin that the account does not name'}" for key in _FIRST]
    if answer["status"] == "ok":
        lines += [f"amount_in {answer['amount_in']}", f"amount_out {answer['amount_out']}"]
        lines.append(f"fee {answer['fee']}, taken of what " + ("goes in" if answer["fee_in_input"] else "comes out"))
    elif answer["amount_in"] or answer["amount_out"]:
        lines.append(f"got so far: {answer['amount_in']} in, {answer['amount_out']} out")
    ticks = ("tick", "crossed") if answer["venue"] in _WITH_TICKS and answer["status"] == "ok" else ()
    lines += [
        f"{key} {value}" for key, value in answer.items() if key in ticks or (value and key not in _TOLD_OTHERWISE)
    ]
    lines += [f"note: {note}" for note in answer.get("notes", ())]
    if "differs" in answer:
        lines.append(f"the reference differs: {answer['differs']}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
