"""Settings of a network card that have no file: rings, coalescing and features, as `ethtool` sets them.

Asked through pyroute2, which speaks the kernel's ethtool netlink family and falls back to the older ioctl.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

Values = dict[str, int]
"""Names as ethtool's library knows them, with numbers; a feature is 0 or 1."""

FIXED = "fixed:"
"""Put before the name of a feature that the driver does not let anybody change."""


class NicError(Exception):
    """The card, its driver or the kernel does not do this; the sentence says what."""


@contextmanager
def _ethtool(nic: str, what: str) -> Iterator[Any]:
    try:
        from pyroute2.ethtool.ethtool import Ethtool
        from pyroute2.ethtool.ioctl import NoSuchDevice, NotSupportedError
    except ImportError as error:
        raise NicError("pyroute2 is not installed (make deps)") from error
    try:
        with Ethtool() as tool:
            yield tool
    except NotSupportedError as error:
        raise NicError(f"the driver of {nic} has no {what} to read or set") from error
    except NoSuchDevice as error:
        raise NicError(f"there is no network card {nic}") from error


def nic_read(nic: str, what: str) -> Values:
    """Returns what is set now.

    what: `rings` (rx, tx and their limits rx_max, tx_max), `coalesce`, or `features`.
    Raises NicError if the driver has no such thing.
    """
    with _ethtool(nic, what) as tool:
        if what == "rings":
            rings = tool.get_rings(nic)
            found = {name: getattr(rings, name, None) for name in ("rx", "rx_max", "tx", "tx_max")}
        elif what == "coalesce":
            found = dict(tool.get_coalesce(nic))
        else:
            features = tool.get_features(nic).features
            found = {(name if item.available else FIXED + name): int(item.enable) for name, item in features.items()}
    return {name: int(value) for name, value in found.items() if name and value is not None and name != "cmd"}


def nic_write(nic: str, what: str, values: Values) -> None:
    """Sets these values and leaves all others.  Raises NicError or OSError if the driver refuses."""
    with _ethtool(nic, what) as tool:
        if what == "rings":
            tool.set_rings(nic, **values)
        elif what == "coalesce":
            tool.set_coalesce(nic, values)
        else:
            features = tool.get_features(nic)
            for name, value in values.items():
                features.features[name].enable = bool(value)
            tool.set_features(nic, features)
