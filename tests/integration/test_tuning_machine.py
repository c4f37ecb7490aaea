"""Every stage, applied to and undone on this very machine: nothing that can be read has changed afterwards.

Needs root.  The stages of the network card and the parts of others that belong to a network namespace run on a veth
pair and a tap device in a namespace of their own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.integration.tuning_namespace import Namespace, namespace
from tuning.host import Host
from tuning.nic import nic_read
from tuning.stage import Result, Setup, apply, undo
from tuning.stages import STAGES
from tuning.stages.network import NO_NIC
from tuning.state import Goal

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="changing the machine needs root")

REPO = Path(__file__).resolve().parents[2]
NIC_STAGES = ("rings", "coalesce", "offloads", "steering", "rps", "xps", "mtu")
SAMPLE = (
    "/proc/sys",
    "/sys/kernel/mm",
    "/sys/devices/system/cpu",
    "/sys/devices/system/clocksource",
    "/sys/devices/virtual/workqueue",
    "/sys/module",
    "/sys/block",
)
OWN_LIFE = re.compile(
    r"/(cpuidle/state\d+|statistics|stats|random|inflight|stat|trace|hung_task_detect_count)(/|$)"
    r"|/(ns_last_pid|dentry-state|file-nr|inode-nr|inode-state|pages_collapsed|full_scans|nr_conntrack|pty/nr|aio-nr)$"
    r"|nf_conntrack_count$|/(diskseq|refcnt|runtime_\w+|wakeup\w*|scaling_cur_freq|cpuinfo_cur_freq|epoch|jiffies_.*)$"
    r"|/(free|resv|surplus)_hugepages$|/demote$|/(rcu|srcu)\w*/parameters/.*|zswap|/proc/sys/kernel/keys/"
)
"""Files that change by themselves."""

WORSE = {
    "thp": ("/sys/kernel/mm/transparent_hugepage/enabled", "always"),
    "numa": ("/proc/sys/kernel/numa_balancing", "1"),
    "watchdog": ("/proc/sys/kernel/watchdog_cpumask", "0-1"),
    "hugepages": ("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "never"),
    "autogroup": ("/proc/sys/kernel/sched_autogroup_enabled", "1"),
    "timers": ("/proc/sys/kernel/timer_migration", "1"),
    "vm": ("/proc/sys/vm/swappiness", "60"),
    "busypoll": ("/proc/sys/net/core/busy_poll", "0"),
    "realtime": ("/proc/sys/kernel/sched_rt_runtime_us", "950000"),
}
"""What a stage is to find, where the kernel allows it: so each has something to do."""

Snapshot = dict[str, str]


def files() -> Iterator[Path]:
    for root in SAMPLE:
        for directory, _, names in os.walk(root):
            for name in names:
                path = Path(directory, name)
                if not OWN_LIFE.search(str(path)):
                    yield path
    for pattern in ("proc/irq/*/smp_affinity_list", "proc/irq/default_smp_affinity", "sys/class/net/*/mtu"):
        yield from Path("/").glob(pattern)
    for pattern in ("sys/class/net/*/queues/*/*ps_cpus", "sys/devices/system/node/node*/hugepages/*/nr_hugepages"):
        yield from Path("/").glob(pattern)


def snapshot() -> Snapshot:
    """Returns all that can be read: /proc/sys, a wide sample of sysfs, interrupts, threads, limits and cards."""
    found: Snapshot = {}
    for path in files():
        with suppress(OSError, UnicodeDecodeError):
            counts = path.is_relative_to("/sys/module") and not path.stat().st_mode & 0o222
            if path.stat().st_mode & 0o444 and not counts:  # read-only parameters of modules count what they did
                found[str(path)] = path.read_text()
    host = Host()
    found["/dev/shm size"] = str(host.size_of("/dev/shm")[0])
    found["/dev/shm options"] = "".join(
        line for line in Path("/proc/mounts").read_text().splitlines() if "/shm" in line
    )
    found["/dev/cpu_dma_latency"] = str(host.latency_us("/dev/cpu_dma_latency"))
    for pid in host.kernel_threads():
        with suppress(OSError):
            found[f"thread {pid} {host.started(pid)}"] = str(host.affinity(pid))
    for card in Path("/sys/class/net").iterdir():
        for what in ("rings", "coalesce", "features"):
            try:
                found[f"{card.name} {what}"] = json.dumps(nic_read(card.name, what))
            except Exception as error:
                found[f"{card.name} {what}"] = type(error).__name__
    for directory in ("/etc/security/limits.d", "/etc/default"):
        found[directory] = str(sorted(path.name for path in Path(directory).glob("*")))
    return found


def differences(before: Snapshot, after: Snapshot) -> Snapshot:
    """Returns what differs; threads and interrupts that came or went are nobody's change."""
    return {
        name: f"{before[name]!r} -> {after[name]!r}"
        for name in before.keys() & after.keys()
        if before[name] != after[name]
    }


@contextmanager
def worse(path: str, value: str) -> Iterator[None]:
    host = Host()
    found = host.read(path)
    if found is None:
        yield
        return
    chosen = re.search(r"\[([^]]*)\]", found)
    with suppress(OSError):
        host.write(path, value)
    try:
        yield
    finally:
        with suppress(OSError):
            host.write(path, chosen[1] if chosen else found)


@pytest.fixture(scope="module")
def untouched() -> Iterator[Snapshot]:
    """The machine before all tests; compared again after them."""
    first, second = snapshot(), snapshot()
    by_itself = differences(first, second)
    before = {name: text for name, text in second.items() if name not in by_itself}
    assert len(before) > 1000, "the sample is wide"
    yield before
    assert not differences(before, snapshot())


def goal() -> Goal:
    online = Host().online()
    if len(online) < 2:
        pytest.skip("one core: none can be hot")
    return Goal(hot=(online[-1],), huge_pages=4)


def lines(results: list[Result]) -> str:
    return "\n".join(f"{result.outcome:8}{result.stage:12}{result.text}" for result in results)


@pytest.mark.parametrize("name", [stage.name for stage in STAGES if stage.name not in NIC_STAGES])
def test_a_stage_is_applied_and_undone_exactly(name: str, untouched: Snapshot, tmp_path: Path) -> None:
    stage = next(stage for stage in STAGES if stage.name == name)
    host = Host(state_path=str(tmp_path / "tuning.json"))
    wanted = goal()
    with ExitStack() as stack:
        if name in WORSE:
            stack.enter_context(worse(*WORSE[name]))
        before = {key: text for key, text in snapshot().items() if key in untouched or key.startswith("thread")}
        try:
            applied = apply(stage, Setup(host, wanted), dry_run=False)
            during = snapshot()
            again = apply(stage, Setup(host, wanted), dry_run=False)
        finally:
            undone = undo(stage, Setup(host), dry_run=False)
        after = snapshot()
    print(lines(applied))
    assert all(result.text for result in applied), "every refusal says why"
    assert not differences(before, after), lines(undone)
    assert not host.exists(host.state_path)
    outcomes = {result.outcome for result in applied}
    if "done" in outcomes:
        assert differences(before, during), "something was changed"
        assert {result.outcome for result in again} <= {"already", "refused"}, lines(again)
        assert {result.outcome for result in undone} == {"done"}, lines(undone)
    if name in WORSE and Path(WORSE[name][0]).exists():
        assert "done" in outcomes, lines(applied)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tuning", *arguments]


def test_all_stages_through_the_command(untouched: Snapshot, tmp_path: Path) -> None:
    state = str(tmp_path / "tuning.json")
    hot = str(goal().hot[0])
    dry = subprocess.run(command("apply", "--dry-run", "--hot", hot, "--state", state), cwd=REPO, timeout=60)
    assert dry.returncode in (0, 1) and not Path(state).exists()
    assert not differences(untouched, snapshot())
    try:
        done = subprocess.run(
            command("apply", "--json", "--hot", hot, "--state", state),
            cwd=REPO,
            timeout=60,
            capture_output=True,
            text=True,
        )
    finally:
        back = subprocess.run(
            command("undo", "--json", "--state", state), cwd=REPO, timeout=60, capture_output=True, text=True
        )
    assert "done" in {result["outcome"] for result in json.loads(done.stdout)}, done.stderr
    assert {result["outcome"] for result in json.loads(back.stdout)} <= {"done", "already"}, back.stdout
    assert not differences(untouched, snapshot())


@pytest.mark.parametrize("milliseconds", [0, 20, 60])
def test_an_apply_killed_midway_is_undone_exactly(milliseconds: int, untouched: Snapshot, tmp_path: Path) -> None:
    state = tmp_path / "tuning.json"
    applying = subprocess.Popen(
        command("apply", "--hot", str(goal().hot[0]), "--state", str(state)), cwd=REPO, stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while not state.exists() and applying.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        moment = time.monotonic() + milliseconds / 1000
        while time.monotonic() < moment and applying.poll() is None:
            time.sleep(0.001)
    finally:
        applying.kill()
        applying.wait()
        subprocess.run(command("undo", "--state", str(state)), cwd=REPO, timeout=60, check=True, capture_output=True)
    assert not differences(untouched, snapshot())
    assert not state.exists()


# -- cards, in a namespace of our own ---------------------------------------------------------------


@pytest.fixture(scope="module")
def cards() -> Iterator[Namespace]:
    try:
        with namespace() as space:
            space.make()
            yield space
    except RuntimeError as error:
        pytest.skip(f"no network namespace here: {error}")


EXPECTED = {
    ("rings", "veth0"): {"absent"},
    ("coalesce", "veth0"): {"absent"},
    ("coalesce", "tap0"): {"done"},
    ("offloads", "veth0"): {"done"},
    ("steering", "veth0"): {"absent"},
    ("rps", "veth0"): {"done"},
    ("xps", "veth0"): {"done"},
    ("mtu", "veth0"): {"done"},
    ("mtu", "veth1"): {"done"},
    ("buffers", "veth0"): {"done", "refused"},
    ("busypoll", "veth0"): {"absent"},
}
"""What veth and tap allow.  A namespace may read the socket buffers' limits, but not set them, and has no busy poll."""


@pytest.mark.parametrize(("name", "card"), list(EXPECTED))
def test_a_stage_of_the_card_is_applied_and_undone_exactly(
    cards: Namespace, name: str, card: str, tmp_path: Path
) -> None:
    state = str(tmp_path / "tuning.json")
    before = cards.state()
    try:
        done = cards.run(["-m", "tuning", "apply", name, "--nic", card, "--hot", "1", "--json", "--state", state])
        assert done.stdout, done.stderr
        during = cards.state()
        again = cards.run(["-m", "tuning", "apply", name, "--json", "--state", state])
    finally:
        back = cards.run(["-m", "tuning", "undo", "--json", "--state", state])
    after = cards.state()
    results = json.loads(done.stdout)
    print(done.stdout)
    assert {result["outcome"] for result in results} <= EXPECTED[name, card]
    assert all(result["text"] and NO_NIC not in result["text"] for result in results), "every refusal says why"
    assert after == before
    if "done" in EXPECTED[name, card]:
        assert during != before
        assert "done" in {result["outcome"] for result in results}
        assert "done" not in {result["outcome"] for result in json.loads(again.stdout)}
        assert "done" in {result["outcome"] for result in json.loads(back.stdout)}


def test_a_card_that_is_unplugged_needs_no_undo(tmp_path: Path) -> None:
    state = str(tmp_path / "tuning.json")
    try:
        with namespace() as space:
            space.make()
            space.run(["-m", "tuning", "apply", "mtu", "offloads", "--nic", "veth0", "--state", state])
            remove = (
                "from pyroute2 import IPRoute; r = IPRoute(); r.link('del', index=r.link_lookup(ifname='veth0')[0])"
            )
            assert space.run(["-c", remove]).returncode == 0
            back = space.run(["-m", "tuning", "undo", "--json", "--state", state])
            texts = [result["text"] for result in json.loads(back.stdout) if result["outcome"] == "done"]
            assert len(texts) == 3 and all("gone by itself" in text for text in texts)
    except RuntimeError as error:
        pytest.skip(f"no network namespace here: {error}")
