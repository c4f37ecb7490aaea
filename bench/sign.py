"""bench sign: from an order to signed bytes: on the spot, with a nonce made ahead, and signed ahead as a whole.

    python -m bench.sign [--short] [--json]

The C program `bench/c/sign.c` measures in one pinned thread; its head says between which points. Orders go over 64
routes of one to three pools (32 where they are signed ahead), so that the form of each is known. The peers sign the
same 200 bytes by the same scheme, one call after the other, each in its own package: solders (Rust), PyNaCl
(libsodium), cryptography (OpenSSL). The pool of nonces is forced (`sign.nonce_pool_force`), wherever this runs: its
rows say what it would save, not that this host may have one (docs/signing.md).
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
import time
from collections.abc import Callable

from nacl.signing import SigningKey
from solders.keypair import Keypair

from bench.harness import cases, program
from bench.harness.floor import Floors
from bench.harness.hdr import Histogram
from bench.harness.result import PER_NS, Case, Target, latency, single

TEXT = "order to signed bytes: build, sign, signed ahead, and what others take for a signature"
ROUNDS, ORDERS, CHUNKS = 5, 5000, 100

ALONE = {
    "signer_200": "a signature of 200 bytes",
    "libsodium_200": "the same by libsodium's crypto_sign_detached",
    "ready_200": "the same with a nonce made ahead (forced)",
    "signer_700": "a signature of 700 bytes",
    "libsodium_700": "the same by libsodium's crypto_sign_detached",
    "ready_700": "the same with a nonce made ahead (forced)",
}
STAGES = {
    "build": "order to the message to sign, its route's form known",
    "sign": "to the signed transaction",
    "order_to_signed": "order to the signed transaction, on the spot",
    "nonce_sign": "to the signed transaction, a nonce ready (forced)",
    "nonce_order_to_signed": "order to the signed transaction, a nonce ready (forced)",
    "ladder_build": "order to the message that names a rung",
    "ladder_sign": "to the transaction, signed ahead",
    "ladder_order_to_signed": "order to the transaction, signed ahead",
}
TARGETS = {
    "order_to_signed": [Target("p50 at most 15 us, of 16 us from the tick", most=15_000)],
    "ready_200": [Target("p50 at most 1 us", most=1_000)],
    "ladder_order_to_signed": [Target("p50 at most 1 us, of 2 us from the tick", most=1_000)],
}
CHUNKED = {
    "built_chunk": ("built", "orders a second through build, in line", Target("over 2 M orders/s", least=2e6)),
    "signed_chunk": (
        "signed",
        "signed transactions a second, build and sign on one core",
        Target("over 60 k transactions/s", least=60e3),
    ),
}


def _peers() -> dict[str, tuple[str, Callable[[bytes], object]]]:
    """What signs, by package; a package that is not there is left out."""
    seed = os.urandom(32)
    found: dict[str, tuple[str, Callable[[bytes], object]]] = {
        "solders": ("Keypair.sign_message", Keypair.from_seed(seed).sign_message),
        "pynacl": ("SigningKey.sign", SigningKey(seed).sign),
    }
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ModuleNotFoundError:
        return found
    found["cryptography"] = ("Ed25519PrivateKey.sign", Ed25519PrivateKey.from_private_bytes(seed).sign)
    return found


def _peer(sign: Callable[[bytes], object], count: int) -> Histogram:
    message, clock = bytearray(os.urandom(200)), time.perf_counter_ns
    taken = []
    for number in range(count + count // 10):
        message[:4] = number.to_bytes(4, "little")
        body = bytes(message)
        start = clock()
        sign(body)
        end = clock()
        if number >= count // 10:
            taken.append(end - start)
    return Histogram.of(taken)


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    orders, chunks, rounds = (500, 10, 1) if short else (ORDERS, CHUNKS, ROUNDS)
    found: dict[str, list[Histogram]] = {}
    records: list[program.Record] = []
    peers = {name: (text, [_peer(sign, orders) for _ in range(rounds)]) for name, (text, sign) in _peers().items()}
    for _ in range(rounds):
        records = program.run("sign", [orders, chunks])
        for record in records:
            if record["what"] == "latency":
                found.setdefault(record["case"], []).append(program.histogram(record))
    floor = floors.latest("division")
    case = Case("sign", TEXT, __doc__ or "", clock=program.clock(records))
    for name, text in ALONE.items():
        peer = name.startswith("libsodium")
        targets = TARGETS.get(name, ())
        case.results.append(
            latency(name, found[name], text=text, group="a signature", floor=floor, targets=targets, peer=peer)
        )
    for name, (text, histograms) in peers.items():
        about = f"{text} of 200 bytes, {name} {importlib.metadata.version(name)}"
        case.results.append(latency(name, histograms, text=about, group="a signature", floor=floor, peer=True))
    for name, text in STAGES.items():
        targets = TARGETS.get(name, ())
        case.results.append(latency(name, found[name], text=text, group="an order", floor=floor, targets=targets))
    for name, (title, text, target) in CHUNKED.items():
        rates = [1e9 * PER_NS["ps"] / histogram.percentile(50) for histogram in found[name]]
        case.results.append(single(title, rates, unit="per_second", text=text, group="in line", targets=[target]))
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
