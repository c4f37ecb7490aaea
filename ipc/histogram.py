"""Latency histograms as Python sees them: private copies, mergeable."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ipc._core import ffi, lib


class Histogram:
    """A private copy of a log-linear histogram; a bucket is at most 6.25 % wide."""

    def __init__(self) -> None:
        self._hist: Any = ffi.new("sf_hist_t *")

    @classmethod
    def copy_of(cls, shared: Any) -> Histogram:
        """Copies a histogram that its tile goes on writing: a count may lack the latest values."""
        histogram = cls()
        lib.ipc_hist_copy(shared, histogram._hist)
        return histogram

    @property
    def count(self) -> int:
        return int(self._hist.count)

    @property
    def sum(self) -> int:
        return int(self._hist.sum)

    @property
    def min(self) -> int:
        return int(self._hist.min)

    @property
    def max(self) -> int:
        return int(self._hist.max)

    @property
    def mean(self) -> float:
        return self.sum / self.count if self.count else 0.0

    def quantile(self, share: float) -> int:
        """Returns the value at or below which this share (0 to 1) of all values lies; 0 if there is none."""
        return int(lib.sf_hist_quantile(self._hist, round(share * 1_000_000)))

    def add(self, value: int) -> None:
        lib.sf_hist_add(self._hist, value)

    def merge(self, other: Histogram) -> None:
        """Adds another one's values to this one."""
        lib.sf_hist_merge(self._hist, other._hist)

    def since(self, before: Histogram) -> Histogram:
        """Returns what was added after an earlier copy of the same histogram.  Its min and max are bucket bounds."""
        later = Histogram()
        counts = self.buckets - before.buckets
        later.buckets[:] = counts
        used = np.flatnonzero(counts)
        later._hist.count = int(counts.sum())
        later._hist.sum = (self.sum - before.sum) % 2**64
        if len(used):
            later._hist.min = lib.sf_hist_bucket_top(int(used[0]) - 1) + 1 if used[0] else 0
            later._hist.max = min(self.max, lib.sf_hist_bucket_top(int(used[-1])))
        return later

    @property
    def buckets(self) -> npt.NDArray[np.uint64]:
        """The counts, one per bucket; a view."""
        return np.frombuffer(ffi.buffer(self._hist.bucket), dtype=np.uint64)
