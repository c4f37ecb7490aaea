"""bench decode: from the bytes of accounts to a priced pool, per venue.

    python -m bench.decode [--short] [--json]

The C program `bench/c/decode.c` measures in one pinned thread, on recorded mainnet accounts (`SNIPERFORGE_DATA`);
where none of a venue are recorded, on a pool of the emulated market, and the report says so. `pool`, `vault`,
`array`: decode of one account by the venue's own function. `update`: all accounts that a swap changes, through the
store that book keeps, until the pool is priced anew and its state ready to travel. The state is warm; means of 16.
"""

from __future__ import annotations

import struct
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from solders.pubkey import Pubkey

from bench.harness import cases, program
from bench.harness.floor import Floors
from bench.harness.program import Record
from bench.harness.result import Case, latency
from bench.quote_pools import NOW, RECORDED, SLOT, TOKEN_PROGRAM, Pool, load
from ipc._core import lib

TEXT = "account bytes to a priced pool, per venue"
ROUNDS, SAMPLES = 5, 4000
LONGEST = 10_240
"""Bytes of the longest account that the feed passes on."""
ABOUT = {
    "pool": "decode of the pool's account, {bytes} bytes",
    "vault": "decode of a vault, {bytes} bytes",
    "array": "decode of a tick or bin array, {bytes} bytes",
    "update": "the accounts that a swap changes, {bytes} bytes, until the pool is priced anew",
}


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 16)


def _accounts(pool: Pool) -> Iterator[tuple[str, str, bytes]]:
    """Address, owner and data of all that prices a pool, its own account first; mints not recorded are plain."""
    first = pool.dumps[pool.address]
    yield first.address, first.owner, first.data
    for account in pool.dumps:
        if account.address != pool.address and len(account.data) <= LONGEST:
            yield account.address, account.owner, account.data
    plain = struct.pack("<36xQBB36x", 10**15, 6, 1)
    for mint in pool.priced.mints:
        if mint is not None and str(mint) not in pool.dumps:
            yield str(mint), TOKEN_PROGRAM, plain


def write(path: Path, pools: Sequence[Pool]) -> None:
    """The file that `bench/c/decode.c` reads."""
    parts = [b"SFDECOD1", struct.pack("<Q", len(pools))]
    for pool in pools:
        accounts = list(_accounts(pool))
        parts.append(struct.pack("<32sQQQ8x", pool.venue.encode(), NOW, SLOT, len(accounts)))
        for address, owner, data in accounts:
            keys = bytes(Pubkey.from_string(address)) + bytes(Pubkey.from_string(owner))
            parts.append(keys + struct.pack("<QQQII", SLOT, 0, 0, len(data), lib.SF_RAW_SNAPSHOT))
            parts.append(_padded(data))
    path.write_bytes(b"".join(parts))


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    case = Case("decode", TEXT, __doc__ or "")
    pools: list[Pool] = []
    for venue in RECORDED:
        pool, why = load(venue)
        if why:
            case.skipped.append(f"{venue}: {why}" + ("; a pool of the emulated market instead" if pool else ""))
        if pool:
            pools.append(pool)
    found: dict[tuple[str, str], list[Record]] = {}
    with tempfile.TemporaryDirectory(prefix="sf-bench-decode-") as scratch:
        path = Path(scratch) / "accounts"
        write(path, pools)
        for _ in range(1 if short else ROUNDS):
            records = program.run("decode", [path, 200 if short else SAMPLES])
            for record in records:
                if record["what"] == "decode":
                    found.setdefault((record["venue"], record["case"]), []).append(record)
            case.clock = program.clock(records)
    floor = floors.latest("division")
    where = {pool.venue: pool.where for pool in pools}
    for (venue, name), records in found.items():
        text = f"{ABOUT[name].format(bytes=records[0]['bytes'])}; {where[venue]} pool"
        histograms = [program.histogram(record) for record in records]
        case.results.append(latency(f"{venue} {name}", histograms, unit="ps", text=text, group=venue, floor=floor))
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
