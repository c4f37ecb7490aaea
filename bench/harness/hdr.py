"""Histograms in the buckets and the log format of HdrHistogram (github.com/HdrHistogram): its tools open them.

Three significant digits, V2 encoding, values to 2^43 - 1 in whatever unit the result says. The C side counts in the
same buckets (`bench/c/rig.h`).
"""

from __future__ import annotations

import struct
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping

DIGITS = 3
HALF = 1024
"""Buckets of one octave; the first octave has twice as many."""
TOP = 2**43 - 1
COOKIE, COMPRESSED = 0x1C849303 | 0x10, 0x1C849304 | 0x10
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9, "p99.99": 99.99}


def bucket_of(value: int) -> int:
    """The bucket that counts `value`."""
    value = min(max(value, 0), TOP)
    shift = (value | (2 * HALF - 1)).bit_length() - HALF.bit_length()
    return shift * HALF + (value >> shift)


def bucket_range(bucket: int) -> tuple[int, int]:
    """The least and the greatest value of a bucket."""
    shift = max(bucket // HALF - 1, 0)
    least = (bucket - shift * HALF) << shift
    return least, least + (1 << shift) - 1


class Histogram:
    """Counts by bucket."""

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts = dict(counts or {})

    @classmethod
    def of(cls, values: Iterable[float]) -> Histogram:
        """Of values in its unit."""
        made = cls()
        for value in values:
            bucket = bucket_of(round(value))
            made.counts[bucket] = made.counts.get(bucket, 0) + 1
        return made

    def add(self, other: Histogram) -> None:
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    @property
    def max(self) -> int:
        """The greatest value of the last bucket that has any; 0 of an empty histogram."""
        return bucket_range(max(self.counts))[1] if self.counts else 0

    @property
    def mean(self) -> float:
        count = self.count
        return sum(sum(bucket_range(b)) / 2 * n for b, n in self.counts.items()) / count if count else 0.0

    def percentile(self, percent: float) -> int:
        """The value below or at which so many per cent lie, to the top of its bucket; 0 if there are none."""
        want, seen = max(1, -(-self.count * percent // 100)), 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= want:
                return bucket_range(bucket)[1]
        return 0

    def quantiles(self) -> dict[str, float]:
        """Those of `PERCENTILES` above which there is at least one value."""
        count = self.count
        return {
            name: float(self.percentile(percent))
            for name, percent in PERCENTILES.items()
            if count * (100 - percent) >= 99.999 or name == "p50"
        }

    def encode(self) -> str:
        """HdrHistogram's V2 compressed encoding in base64."""
        words, last = bytearray(), -1
        for bucket in sorted(bucket for bucket, count in self.counts.items() if count):
            if bucket > last + 1:
                words += _zigzag(-(bucket - last - 1))
            words += _zigzag(self.counts[bucket])
            last = bucket
        head = struct.pack(">iiiiqqd", COOKIE, len(words), 0, DIGITS, 1, TOP, 1.0)
        packed = zlib.compress(head + bytes(words), 9)
        return b64encode(struct.pack(">ii", COMPRESSED, len(packed)) + packed).decode()

    @classmethod
    def decode(cls, text: str) -> Histogram:
        """From what `encode` wrote.

        Raises:
            ValueError: it is not such a histogram.
        """
        try:
            data = b64decode(text)
            cookie, length = struct.unpack_from(">ii", data)
            if cookie != COMPRESSED:
                raise ValueError("not a compressed V2 histogram")
            data = zlib.decompress(data[8 : 8 + length])
            cookie, length, _, digits, _, _, _ = struct.unpack_from(">iiiiqqd", data)
        except (struct.error, zlib.error) as error:
            raise ValueError(f"a damaged histogram: {error}") from error
        if cookie != COOKIE or digits != DIGITS:
            raise ValueError("not a V2 histogram of three digits")
        made, bucket = cls(), 0
        for word in _unzigzag(data[40 : 40 + length]):
            if word > 0:
                made.counts[bucket] = word
            bucket += -word if word < 0 else 1
        return made


def log_lines(start_s: float, tagged: Mapping[str, tuple[Histogram, float]]) -> str:
    """A histogram log: a line per tag, of a histogram and the seconds it was recorded for; maxima in its own unit."""
    lines = [
        "#[Histogram log format version 1.3]",
        f"#[StartTime: {start_s:.3f} (seconds since epoch)]",
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ]
    for tag, (histogram, seconds) in tagged.items():
        name = tag.replace(",", ";").replace(" ", "_")
        lines.append(f"Tag={name},0.000,{seconds:.3f},{histogram.max:.3f},{histogram.encode()}")
    return "\n".join(lines) + "\n"


def _zigzag(value: int) -> bytes:
    """ZigZag and LEB128; the ninth byte holds eight bits."""
    word = (value << 1) ^ (value >> 63)
    out = bytearray()
    while word >= 0x80 and len(out) < 8:
        out.append(word & 0x7F | 0x80)
        word >>= 7
    out.append(word)
    return bytes(out)


def _unzigzag(data: bytes) -> Iterable[int]:
    word = shift = 0
    for byte in data:
        ninth = shift == 56
        word |= (byte if ninth else byte & 0x7F) << shift
        shift += 7
        if ninth or byte < 0x80:
            yield word >> 1 ^ -(word & 1)
            word = shift = 0
