"""`make bench`, `sniperforge bench`: the latency harness.

    python -m bench [CASE ...] [--json]

Each case is a module of its own (`python -m bench.link --help`) and judges itself against its targets. Run it on a
machine that does nothing else: two busy cores measure each other.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

CASES = {
    "link": "one-way latency and streaming of both link kinds beside the bare cache line",
    "tick": "account bytes to order and to signed transaction, stage by stage",
    "quote": "a quote in each venue, beside the official SDK and Python",
    "cycles": "the arbitrage search over 10,000 pools: build, quiet and busy updates, gaps",
    "strategy": "updates delivered to a Python strategy, and event to its intent",
    "journal": "durable records a second and the time of a group commit",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the named cases, or all; returns 0 if every one met its targets, 1 if not, 2 for an unknown case."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = [word for word in words if word.startswith("-")]
    names = [word for word in words if not word.startswith("-")]
    if "-h" in options or "--help" in options:
        print(__doc__)
        print("\n".join(f"  {name:<10}{text}" for name, text in CASES.items()))
        return 0
    for name in names:
        if name not in CASES:
            print(f"bench: there is no case {name}; there are {', '.join(CASES)}", file=sys.stderr)
            return 2
    code = 0
    for name in names or CASES:
        if "--json" not in options:
            print(f"== {name}: {CASES[name]}", flush=True)
        ended = subprocess.run([sys.executable, "-m", f"bench.{name}", *options], check=False).returncode
        code = code or int(ended not in (0, 77))
    return code


if __name__ == "__main__":
    sys.exit(main())
