"""The one form in which all cases give what they measured, and reports made of it."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from bench.harness.hdr import Histogram

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = 1
Unit = Literal["ns", "per_second", "x", "bytes", "count"]
PER_NS = {"ns": 1.0, "ps": 1000.0}


class Target(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a result has to reach, by its value or (`of`) its ratio to the floor or one of its percentiles."""

    text: str
    most: float | None = None
    least: float | None = None
    of: str = "value"
    have: float | None = None
    met: bool | None = None
    """None: the run did not see what is needed to judge."""

    def judged(self, have: float | None) -> Target:
        if have is None:
            return msgspec.structs.replace(self, have=None, met=None)
        met = (self.most is None or have <= self.most) and (self.least is None or have >= self.least)
        return msgspec.structs.replace(self, have=have, met=met)


class Floor(msgspec.Struct, frozen=True):
    """The machine's own limit that a result is held against."""

    name: str
    value: Annotated[float, msgspec.Meta(gt=0)]


class Rate(msgspec.Struct, frozen=True):
    """Events a second of a fixed-rate run: asked for and held."""

    asked: float
    held: float


class Result(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One figure, with all that is known of how it is spread."""

    name: str
    text: str = ""
    group: str = ""
    """Results of one group stand together in the tables."""
    unit: Unit = "ns"
    value: float
    """The headline: p50 of latencies."""
    percentiles: dict[str, float] = {}
    """In nanoseconds: `hdr.PERCENTILES`, max and mean."""
    count: int = 0
    histogram: str = ""
    """HdrHistogram V2, compressed, base64; its unit is `histogram_unit`."""
    histogram_unit: Literal["ns", "ps"] = "ns"
    floor: Floor | None = None
    ratio: float | None = None
    """Latency: value over floor; rate: value over the floor's."""
    rounds: list[float] = []
    """`value` of each repetition, over the floor where there is one (it was measured beside each where it moves)."""
    targets: list[Target] = []
    peer: bool = False
    """Something that is not ours, measured in the same run."""
    rate: Rate | None = None
    failed: str = ""
    """Why the figure does not stand."""

    def figure(self, name: str) -> float | None:
        """`value`, `ratio`, or a percentile."""
        if name in ("value", "ratio"):
            return self.value if name == "value" else self.ratio
        return self.percentiles.get(name)

    def judge(self) -> Result:
        """Settles its targets."""
        self.targets = [
            target if target.met is not None else target.judged(None if self.failed else self.figure(target.of))
            for target in self.targets
        ]
        return self


class Case(msgspec.Struct, omit_defaults=True):
    """A case: its method in words, its results, and what could not be measured."""

    name: str
    text: str
    method: str
    results: list[Result] = []
    skipped: list[str] = []
    """What was left out, each with its reason."""
    clock: dict[str, float] = {}
    """How good the calibration of the TSC was: tsc_mhz, error_ppm, width_ns, step_ns."""
    seconds: float = 0.0
    hiccups: dict[str, float] = {}
    """Beside this case: `share` of a core's time that was taken away, and the longest gap in ns."""
    failed: str = ""
    """Why there are no results."""

    def find(self, name: str) -> Result:
        """The result of this name.

        Raises:
            KeyError: there is none.
        """
        for result in self.results:
            if result.name == name:
                return result
        raise KeyError(f"case {self.name} has no result {name}")

    @property
    def met(self) -> bool:
        """Whether no target was missed and no run failed."""
        ours = [result for result in self.results if not result.peer]
        return not self.failed and not any(
            result.failed or any(t.met is False for t in result.targets) for result in ours
        )


class Report(msgspec.Struct, omit_defaults=True):
    """One run of the harness on one machine."""

    schema: int
    when: str
    commit: str
    host: dict[str, str]
    floors: list[Result] = []
    cases: list[Case] = []
    short: bool = False

    def case(self, name: str) -> Case:
        """The case of this name.

        Raises:
            KeyError: it was not measured.
        """
        for case in self.cases:
            if case.name == name:
                return case
        raise KeyError(f"the report has no case {name}")

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")

    @classmethod
    def load(cls, path: Path) -> Report:
        """From a file.

        Raises:
            ValueError: it is no report of this schema.
        """
        try:
            report = msgspec.json.decode(path.read_bytes(), type=cls)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ValueError(f"{path} is no report of the harness: {error}") from error
        if report.schema != SCHEMA:
            raise ValueError(f"{path} is of schema {report.schema}; this harness writes {SCHEMA}")
        return report


def latency(
    name: str,
    histograms: Sequence[Histogram],
    *,
    unit: Literal["ns", "ps"] = "ns",
    text: str = "",
    group: str = "",
    floor: Floor | None = None,
    targets: Iterable[Target] = (),
    peer: bool = False,
    quietest: bool = True,
) -> Result:
    """A result of histograms of the same thing, one a round: that of the round with the least p50 (`quietest`, because
    whatever else runs on the core can only add), or of all rounds together."""
    per = PER_NS[unit]
    medians = [histogram.percentile(50) / per for histogram in histograms]
    if quietest:
        chosen = histograms[medians.index(min(medians))]
    else:
        chosen = Histogram()
        for histogram in histograms:
            chosen.add(histogram)
    quantiles = {key: value / per for key, value in chosen.quantiles().items()}
    value = quantiles["p50"]
    return Result(
        name=name,
        text=text,
        group=group,
        value=value,
        percentiles=quantiles | {"max": chosen.max / per, "mean": chosen.mean / per},
        count=chosen.count,
        histogram=chosen.encode(),
        histogram_unit=unit,
        floor=floor,
        ratio=value / floor.value if floor else None,
        rounds=[each / floor.value if floor else each for each in medians],
        targets=list(targets),
        peer=peer,
    ).judge()


def single(
    name: str,
    values: Sequence[float],
    *,
    unit: Unit,
    text: str = "",
    group: str = "",
    floor: Floor | None = None,
    targets: Iterable[Target] = (),
    peer: bool = False,
    best: bool = True,
) -> Result:
    """A result without a histogram: one value a round, of which the best counts, or the median."""
    pick = max if unit == "per_second" else min
    value = pick(values) if best else statistics.median(values)
    return Result(
        name=name,
        text=text,
        group=group,
        unit=unit,
        value=value,
        floor=floor,
        ratio=value / floor.value if floor else None,
        rounds=[each / floor.value if floor else each for each in values],
        targets=list(targets),
        peer=peer,
    ).judge()


def commit() -> str:
    """The commit of the checkout, with `+` if it has changes; empty where there is none."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else ""
