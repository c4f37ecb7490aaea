"""`performance-stats`: what the kernel's files say, and the advice, on facts recorded of a live instance.

performance_facts.json: `sniperforge performance-stats --seconds 2 --optimize --json` of the default configuration on
two cores that other programs used too.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from ipc.histogram import Histogram
from ipc.views import Instance
from sniperforge import exits
from sniperforge.performance import command, counters, kernel, reading, rules, text
from sniperforge.performance.facts import PATH, Facts, Spread, Workspace

RECORDED = msgspec.json.decode((Path(__file__).parent / "performance_facts.json").read_bytes(), type=Facts)
replace = msgspec.structs.replace


def with_host(facts: Facts, **changes: object) -> Facts:
    return replace(facts, host=replace(facts.host, **changes))


def with_group(facts: Facts, name: str, **changes: object) -> Facts:
    groups = (replace(group, **changes) if group.name == name else group for group in facts.groups)
    return replace(facts, groups=tuple(groups))


def with_tile(facts: Facts, name: str, **changes: object) -> Facts:
    tiles = (replace(tile, **changes) if tile.name == name else tile for tile in facts.tiles)
    return replace(facts, tiles=tuple(tiles))


def with_link(facts: Facts, name: str, **changes: object) -> Facts:
    links = (replace(link, **changes) if link.name == name else link for link in facts.links)
    return replace(facts, links=tuple(links))


def quiet() -> Facts:
    """The recorded instance on a machine where nothing is wrong."""
    facts = with_host(RECORDED, cores=8, advice=(), shmem_huge="advise")
    for group in facts.groups:
        facts = with_group(
            facts, group.name, wait="spin", run_delay_ns=0, involuntary_switches=0, minor_faults=0, major_faults=0
        )
    for tile in facts.tiles:
        facts = with_tile(facts, tile.name, busy_turns=0)
    spaces = tuple(replace(space, huge_bytes=space.bytes) for space in facts.workspaces)
    links = tuple(
        replace(link, stalls=0, edges=tuple(replace(edge, lost=0) for edge in link.edges)) for link in facts.links
    )
    return replace(facts, workspaces=spaces, links=links, before_send=False)


def found(facts: Facts, name: str) -> rules.Advice:
    return next(each for each in rules.advice(facts) if each.name == name)


def test_a_machine_where_nothing_is_wrong_gets_no_advice() -> None:
    assert rules.advice(quiet()) == []


def test_the_recorded_instance() -> None:
    advice = rules.advice(RECORDED)
    gains = [each.gain_ns for each in advice if each.gain_ns is not None]
    assert gains == sorted(gains, reverse=True) and gains[-1] >= rules.LEAST_NS
    assert [each.name for each in advice[: len(gains)]] == [
        "before_send",
        "isolate hot",
        "spin strategies",
        "spin sign",
        "huge pages",
    ]
    assert all(each.gain_ns is None for each in advice[len(gains) :])
    assert "host hugepages" not in {each.name for each in advice}, "it stands in the lines of a measured one"
    first = advice[1]
    hot = next(group for group in RECORDED.groups if group.name == "hot")
    piece = hot.run_delay_ns / hot.involuntary_switches
    assert first.gain_ns == pytest.approx(hot.run_delay_ns / (RECORDED.seconds * 1e9) * piece / 2)
    assert first.lines[-1].endswith(f"--hot {hot.core}")


def test_a_parked_group_is_let_spin_where_there_is_a_core() -> None:
    wait = Spread(count=100, p50_ns=40_000)
    facts = with_group(with_tile(quiet(), "sign", wait=wait), "sign", wait="park")
    facts = with_tile(facts, "book", wait=Spread(count=100, p50_ns=150))
    for tile in facts.tiles:
        if tile.name not in ("book", "sign"):
            facts = with_tile(facts, tile.name, wait=Spread())
    advice = found(facts, "spin sign")
    assert advice.gain_ns == 40_000 - 150
    assert advice.lines == ("[topology.groups.sign]", 'wait = "spin"', 'core = "hot"')
    none_left = with_host(facts, cores=6)
    assert found(none_left, "spin sign").lines == () and "a core more" in found(none_left, "spin sign").what
    sleepy = with_host(none_left, advice=(("cstates", "nobody holds /dev/cpu_dma_latency", "sudo ..."),))
    assert found(sleepy, "spin sign").lines == ("[topology]", "stay_awake = true")


def test_free_cores_go_to_those_that_gain_most() -> None:
    facts = quiet()
    for group, tile, p50 in (("sign", "sign", 20_000), ("strategies", "strategies", 90_000)):
        wait = Spread(count=100, p50_ns=p50)
        facts = with_group(with_tile(facts, tile, wait=wait), group, wait="park")
    spinning = sum(group.wait == "spin" for group in facts.groups)
    first, second = rules.advice(with_host(facts, cores=spinning + 2))
    assert first.name == "spin strategies" and first.lines
    assert second.name == "spin sign" and not second.lines


def test_bots_are_side_by_side() -> None:
    arb = replace(RECORDED.tile("arb"), name="arb2", group="bots", wait=Spread(count=9, p50_ns=5_000))
    facts = quiet()
    facts = replace(facts, tiles=(*facts.tiles, arb, replace(arb, name="arb3", wait=Spread(count=9, p50_ns=7_000))))
    group = replace(facts.groups[0], name="bots", wait="park", tiles=("arb2", "arb3"))
    facts = replace(facts, groups=(*facts.groups, group))
    advice = found(facts, "spin bots")
    assert advice.gain_ns is not None and advice.gain_ns < 7_000 and "arb3" in advice.what


def test_two_busy_tiles_of_a_group_are_split() -> None:
    facts = quiet()
    second = facts.seconds * 1e9
    for name, share in (("book", 0.4), ("arb", 0.3)):
        turn = Spread(count=100, mean_ns=1000.0)
        facts = with_tile(facts, name, turn=turn, residual_ns=600.0, busy_turns=round(share * second / 1000))
    advice = found(facts, "split hot")
    assert advice.gain_ns == pytest.approx(0.4 * 600, rel=1e-3)
    assert advice.lines[-2:] == ("[topology.tiles.book]", 'group = "book"')
    assert rules.advice(with_tile(facts, "arb", busy_turns=0)) == []


def test_stalls_and_losses_name_the_link() -> None:
    market = next(link for link in quiet().links if link.name == "market")
    slow = replace(market.edges[0], reliable=True, most_lag=900)
    lossy = replace(market.edges[1], reliable=False, lost=12)
    facts = with_link(quiet(), "market", published=1000, stalls=500, edges=(slow, lossy))
    facts = with_tile(facts, "book", turns=10_000_000)
    advice = found(facts, "deepen market")
    turn_ns = facts.seconds * 1e9 / 10_000_000
    assert advice.gain_ns == pytest.approx(500 * turn_ns / 1000)
    assert slow.consumer in advice.what and advice.lines == ('[topology.links."market"]', f"depth = {market.depth * 4}")
    losses = found(facts, f"losses {lossy.consumer}")
    assert losses.gain_ns is None and "12" in losses.what


def test_orders_that_wait_for_the_disk() -> None:
    facts = replace(quiet(), before_send=True)
    facts = with_tile(facts, "sign", origin=Spread(count=10, p50_ns=20_000))
    facts = with_tile(facts, "send", origin=Spread(count=10, p50_ns=920_000), wait=Spread(count=10, p50_ns=100_000))
    assert found(facts, "before_send").gain_ns == 800_000
    assert rules.advice(replace(facts, before_send=False)) == []


def test_orders_that_are_signed_on_the_spot() -> None:
    facts = with_tile(quiet(), "sign", stage=Spread(count=9, p50_ns=36_000), wait=Spread(count=9, p50_ns=20_000))
    assert rules.advice(replace(facts, ladder="on")) == rules.advice(replace(facts, ladder="absent")) == []
    assert found(replace(facts, ladder="off"), "ladder").gain_ns == 16_000


def test_memory_of_another_node() -> None:
    facts = with_host(quiet(), node_distances=((10, 32), (32, 10)))
    book = next(space for space in facts.workspaces if space.name == "book")
    away = replace(book, nodes={"N0": 300, "N1": 100}, wanted_node=0)
    facts = replace(facts, workspaces=(away,))
    assert facts.probe is not None
    advice = found(facts, "move book")
    assert advice.gain_ns == pytest.approx(0.25 * facts.probe.huge_line_ns * 2.2)
    assert rules.advice(replace(facts, workspaces=(replace(away, nodes={"N0": 400}),))) == []


def test_faults_count_while_it_runs_only() -> None:
    facts = with_group(quiet(), "hot", minor_faults=2000)
    messages = max(tile.messages_in for tile in facts.tiles if tile.group == "hot" and tile.kind in PATH)
    assert facts.probe is not None
    assert found(facts, "faults hot").gain_ns == pytest.approx(2000 * facts.probe.fault_ns / messages)
    assert rules.advice(replace(facts, whole_run=True)) == []


def test_huge_pages_are_worth_what_was_measured() -> None:
    space = Workspace(
        name="book",
        writer="book",
        bytes=64 << 20,
        huge_bytes=0,
        locked=True,
        nodes={},
        wanted_node=None,
        numa_policy="",
    )
    facts = replace(quiet(), workspaces=(space,), huge_pages=False)
    advice = found(facts, "huge pages")
    assert advice.lines == ("[topology]", "huge_pages = true") and advice.gain_ns is not None
    assert facts.probe is not None
    even = replace(facts, probe=replace(facts.probe, huge_line_ns=facts.probe.small_line_ns))
    assert rules.advice(even) == []


def test_what_cannot_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--watch", "--seconds", "0"]) == exits.USAGE
    assert command.main(["--instance", "there-is-none", "--seconds", "0"]) == exits.NOT_RUNNING
    assert "sniperforge run" in capsys.readouterr().err


def test_an_instance_that_is_gone_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looks: list[object] = []

    class Look:
        def __init__(self, instance: object) -> None:
            looks.append(instance)

        def facts(self, seconds: float) -> Facts:
            return RECORDED

    monkeypatch.setattr(Instance, "open", lambda name: nullcontext(object()))
    monkeypatch.setattr(reading, "Reading", Look)
    monkeypatch.setattr(command, "directory", lambda name: tmp_path)
    monkeypatch.setattr(command, "owner", lambda name: 1 if len(looks) < 2 else None)
    assert command.main(["--watch", "--json"]) == exits.NOT_RUNNING
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 2 and len(set(looks)) == 2, "each look opens the instance anew"
    assert said.err == "sniperforge: instance main is stale: its supervisor is gone; `sniperforge clean` removes it\n"


def test_an_instance_that_ends_while_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ended(instance: object) -> None:
        raise FileNotFoundError(tmp_path / "none")

    monkeypatch.setattr(Instance, "open", lambda name: nullcontext())
    monkeypatch.setattr(reading, "Reading", ended)
    monkeypatch.setattr(command, "directory", lambda name: tmp_path / "none")
    assert command.main(["--watch"]) == exits.NOT_RUNNING
    assert capsys.readouterr().err == "sniperforge: instance main has ended\n"


def test_ctrl_c_is_the_way_out_of_watch_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Instance, "open", interrupted)
    assert command.main(["--seconds", "60"]) == exits.INTERRUPTED
    assert command.main(["--watch"]) == exits.OK


def test_all_of_it_can_be_shown() -> None:
    console = Console(width=200, file=open(os.devnull, "w"))  # noqa: SIM115
    with console.capture() as shown:
        console.print(text.stats(RECORDED))
        console.print(text.optimize(rules.advice(RECORDED)))
        console.print(text.optimize([]))
    for word in ("stages", "groups", "links", "workspaces", "memory", "isolate hot", "tune apply cores", "nothing to"):
        assert word in shown.get()


# -- the kernel's files ------------------------------------------------------------------------------------------------

SMAPS = """7f00-7f10 rw-s 00000000 00:1b 15    /dev/shm/sf-x/book
Size:              20708 kB
Rss:               20708 kB
Pss:                2300 kB
AnonHugePages:         0 kB
ShmemPmdMapped:     4096 kB
Locked:             2300 kB
VmFlags: rd wr sh
7f20-7f30 rw-p 00000000 00:00 0
Rss:                 100 kB
Pss:                 100 kB
AnonHugePages:        64 kB
7f40-7f50 r--s 00000000 00:1b 16    /dev/shm/sf-xy/book
Rss:                   8 kB
Pss:                   8 kB
"""
NUMA = """7f00 bind:1 file=/dev/shm/sf-x/book dirty=3 mapmax=9 N0=1 N1=2 kernelpagesize_kB=4
7f20 default anon=3 dirty=3 N0=3 kernelpagesize_kB=4
"""


def test_mappings_and_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "smaps").write_text(SMAPS)
    (tmp_path / "7" / "numa_maps").write_text(NUMA)
    monkeypatch.setattr(kernel, "PROC", tmp_path)
    maps = kernel.mappings(7, "/dev/shm/sf-x")
    assert set(maps) == {"", "/dev/shm/sf-x/book"}
    book = maps["/dev/shm/sf-x/book"]
    assert (book.rss, book.pss, book.huge, book.locked) == (20708 << 10, 2300 << 10, 4096 << 10, 2300 << 10)
    assert (maps[""].pss, maps[""].anonymous_huge) == (108 << 10, 64 << 10)
    assert kernel.placed(7, "/dev/shm/sf-x") == {"/dev/shm/sf-x/book": kernel.Placed("bind:1", {"N0": 1, "N1": 2})}
    assert kernel.mappings(8, "/x")[""].pss == 0 and kernel.placed(8, "/x") == {}


def test_this_thread_and_this_machine() -> None:
    before = kernel.thread(os.getpid(), os.getpid())
    sum(range(200_000))
    now = kernel.thread(os.getpid(), os.getpid()).since(before)
    assert before.minor_faults > 0 and now.cpu_ns >= 0 and now.voluntary_switches >= 0
    assert kernel.thread(os.getpid(), 1 << 22) == kernel.Thread()
    caches = kernel.caches()
    assert set(caches) == {"l1", "l2", "l3"} and kernel.node_distances()[0][0] == 10
    assert kernel.node_of(min(kernel.usable_cores())) >= 0


def test_counters_are_read_or_the_reason_is_said() -> None:
    with counters.Counters({"me": os.getpid()}) as opened:
        counted = opened.read()["me"]
    assert bool(counted.get("cycles")) != bool(opened.refused)


def test_probes_are_plausible() -> None:
    probe = reading.probe(8 << 20)
    assert 0.5 < probe.huge_line_ns < 10_000 and 0.5 < probe.small_line_ns < 10_000
    assert 10 < probe.fault_ns < 1_000_000


def test_what_is_left_of_a_turn() -> None:
    turns = Histogram()
    for _ in range(10):
        turns.add(15)
    assert reading._residual(turns) == pytest.approx(7.5)
    assert reading._residual(Histogram()) == 0.0


def test_a_group_goes_round_in_its_rings() -> None:
    hot = next(group for group in RECORDED.groups if group.name == "hot")
    assert RECORDED.rings_of(hot) > 10 << 20
    with pytest.raises(KeyError):
        RECORDED.tile("none")
