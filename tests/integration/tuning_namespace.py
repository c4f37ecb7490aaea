"""A network namespace with a veth pair and a tap device, and the state of its cards.

python tuning_namespace.py make     makes the cards and gives them settings the stages want to change
python tuning_namespace.py state    prints all their settings, asked by pyroute2 and read from sysfs and /proc/sys
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute
from pyroute2.ethtool.ethtool import Ethtool

CARDS = ("veth0", "veth1", "tap0")
READY = "mount -t sysfs sysfs /sys && echo ready && exec sleep infinity"


def make() -> None:
    with IPRoute() as route:
        queues = {"num_tx_queues": 2, "num_rx_queues": 2}
        route.link("add", ifname="veth0", kind="veth", peer={"ifname": "veth1", **queues}, **queues)
        route.link("add", ifname="tap0", kind="tuntap", mode="tap")
        for name in ("veth0", "veth1"):
            route.link("set", index=route.link_lookup(ifname=name)[0], mtu=1400)
    with Ethtool() as tool:
        features = tool.get_features("veth0")
        for name in ("rx-gro-list", "rx-udp-gro-forwarding"):
            features.features[name].enable = True
        tool.set_features("veth0", features)
        tool.set_coalesce("tap0", {"rx_max_coalesced_frames": 64})
    Path("/sys/class/net/veth0/queues/rx-0/rps_cpus").write_text("3")
    Path("/sys/class/net/veth0/queues/tx-0/xps_cpus").write_text("3")


def ask(tool: Any, what: str, card: str) -> Any:
    try:
        found = getattr(tool, f"get_{what}")(card)
    except Exception as error:
        return type(error).__name__
    if what == "features":
        return {name: item.enable for name, item in found.features.items()}
    return str(found)


def state() -> dict[str, Any]:
    found: dict[str, Any] = {}
    with Ethtool() as tool:
        for card in CARDS:
            for what in ("rings", "coalesce", "features", "channels"):
                found[f"{card} {what}"] = ask(tool, what, card)
    with IPRoute() as route:
        for link in route.get_links():
            keys = ("IFLA_IFNAME", "IFLA_MTU", "IFLA_TXQLEN", "IFLA_NUM_TX_QUEUES", "IFLA_OPERSTATE", "IFLA_GROUP")
            found[f"link {link['index']}"] = [str(link.get_attr(key)) for key in keys]
    for root in (*(Path("/sys/class/net") / card for card in CARDS), Path("/proc/sys/net")):
        for path in sorted(root.glob("**/*")):
            if "statistics" not in path.parts and path.is_file():
                with suppress(OSError, UnicodeDecodeError):
                    found[str(path)] = path.read_text()
    return found


class Namespace:
    """A process of ours that keeps the namespaces open; all in them is gone when it ends."""

    def __init__(self, pid: int) -> None:
        self._enter = ["nsenter", "-t", str(pid), "-n", "-m", sys.executable]

    def run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        root = str(Path(__file__).resolve().parents[2])
        command = [*self._enter, *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": root}
        )

    def make(self) -> None:
        done = self.run([__file__, "make"])
        assert done.returncode == 0, done.stderr

    def state(self) -> dict[str, Any]:
        done = self.run([__file__, "state"])
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@contextmanager
def namespace() -> Iterator[Namespace]:
    """Yields a fresh network namespace with its own /sys.  Raises RuntimeError, saying why, if it cannot be made."""
    keeper = subprocess.Popen(
        ["unshare", "--net", "--mount", "sh", "-c", READY], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert keeper.stdout is not None and keeper.stderr is not None
        if keeper.stdout.readline().strip() != "ready":
            raise RuntimeError(keeper.stderr.read().strip())
        yield Namespace(keeper.pid)
    finally:
        keeper.kill()
        keeper.communicate()


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make()
    else:
        print(json.dumps(state()))
