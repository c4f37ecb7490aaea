"""The machine's own limits, measured beside every case by `bench/c/floor.c`; its head says what each is."""

from __future__ import annotations

from collections.abc import Sequence

from bench.harness import program
from bench.harness.hdr import Histogram
from bench.harness.result import Floor, Result, latency, single

TEXTS = {
    "line near": "one way of a cache line between two cores that share an L3",
    "line far": "one way of a cache line between two cores with an L3 each",
    "division": "a 128-bit by 64-bit division that needs the one before",
    "memory": "a cache line that is in no cache",
}
HICCUPS_HIGH = 0.01
"""Share of a core's time taken away above which tails tell of other programs."""


class Floors:
    """Limits seen during a run, one set a measurement."""

    def __init__(self, milliseconds: float) -> None:
        self._milliseconds = milliseconds
        self._seen: dict[str, list[float]] = {}
        self._gaps: dict[str, list[Histogram]] = {}
        self._shares: list[float] = []
        self.clock: dict[str, float] = {}

    def measure(self) -> None:
        """Measures all of them once more."""
        records = program.run("floor", [self._milliseconds])
        for record in records:
            if record["what"] == "floor":
                self._seen.setdefault(record["case"], []).append(record["ns"])
            elif record["what"] == "hiccup":
                self._gaps.setdefault(record["case"], []).append(program.histogram(record))
                self._shares.append(record["share"])
        self.clock = program.clock(records)

    def latest(self, name: str) -> Floor:
        """The limit as last measured; `least` of the last two for work, which other programs can only slow."""
        return Floor(name, min(self._seen[name][-2:]))

    def line(self) -> Floor | None:
        """The cache-line limit, measured once more because cores may float; near if they were near at all."""
        self.measure()
        found = line(self.results())
        return Floor(found.name, found.value) if found else None

    def hiccups(self) -> dict[str, float]:
        """Beside the case just measured: the greatest share of a core taken away, and the longest gap."""
        gaps = [histograms[-1].max for histograms in self._gaps.values()]
        return {"share": max(self._shares[-2 * len(gaps) :]), "longest_ns": float(max(gaps, default=0))}

    def results(self) -> list[Result]:
        """All of the run."""
        found = [
            single(name, values, unit="ns", text=TEXTS[name], best=name in ("division", "memory"))
            for name, values in self._seen.items()
        ]
        for core, histograms in sorted(self._gaps.items()):
            if any(histogram.count for histogram in histograms):
                found.append(
                    latency(
                        f"hiccups on {core}",
                        histograms,
                        text="time taken away from a thread that only reads the clock; gaps over 1 us",
                        quietest=False,
                    )
                )
        if self.clock:
            found.append(single("clock step", [self.clock["step_ns"]], unit="ns", text="least step of the TSC"))
        return found


def line(found: Sequence[Result]) -> Result | None:
    """The cache-line limit among results of floors, near before far."""
    return next((result for result in found if result.name.startswith("line")), None)
