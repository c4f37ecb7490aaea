"""The facts and the advice for a person."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group as Renderables
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from sniperforge.performance.facts import PATH, Facts, Group, Spread
from sniperforge.performance.rules import Advice
from sniperforge.text import short_count, short_ns

_LEFT = ("tile", "group", "wait", "link", "workspace", "process", "consumers (behind at most, lost)", "nodes")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="left" if column in _LEFT else "right", no_wrap=column != _LEFT[6])
    return table


def _mb(size: float) -> str:
    return f"{size / 1e6:.1f}"


def _spread(spread: Spread) -> tuple[str, ...]:
    if not spread.count:
        return ("-",) * 5
    return tuple(short_ns(v) for v in (spread.p50_ns, spread.p90_ns, spread.p99_ns, spread.p999_ns, spread.max_ns))


def _stages(facts: Facts) -> Table:
    table = _table(
        "stages: each tile's own (from the publication of what it works on), and the whole (from the outside bytes)",
        *("tile", "messages", "wait p50", "p50", "p90", "p99", "p99.9", "max"),
        *("whole p50", "p90", "p99", "p99.9", "max"),
    )
    order = {kind: place for place, kind in enumerate(PATH)}
    for tile in sorted(facts.tiles, key=lambda tile: order.get(tile.kind, len(PATH))):
        if tile.stage.count or tile.origin.count:
            wait = short_ns(tile.wait.p50_ns) if tile.wait.count else "-"
            table.add_row(tile.name, short_count(tile.stage.count), wait, *_spread(tile.stage), *_spread(tile.origin))
    return table


def _switches(group: Group) -> str:
    return f"{short_count(group.voluntary_switches)} / {short_count(group.involuntary_switches)}"


def _groups(facts: Facts) -> Table:
    table = _table(
        "groups",
        *("group", "wait", "core", "busy", "on core", "kept off", "turn p50", "p99", "max"),
        *("switches vol / inv", "moved", "faults", "rings MB"),
    )
    elapsed = facts.seconds * 1e9
    for group in facts.groups:
        table.add_row(
            group.name,
            group.wait if group.wait == group.wait_asked else f"{group.wait} (asked {group.wait_asked})",
            "any" if group.core is None else str(group.core),
            *(f"{share / elapsed:.1%}" for share in (group.busy_ns, group.cpu_ns, group.run_delay_ns)),
            *(short_ns(value) for value in (group.turn.p50_ns, group.turn.p99_ns, group.turn.max_ns)),
            _switches(group),
            short_count(group.migrations),
            f"{short_count(group.minor_faults)} / {group.major_faults}",
            _mb(facts.rings_of(group)),
        )
    return table


def _links(facts: Facts) -> Table:
    table = _table("links", "link", "messages", "depth", "stalls", "consumers (behind at most, lost)")
    for link in facts.links:
        words = []
        for edge in link.edges:
            lost = f", lost {short_count(edge.lost)}" if edge.lost else ""
            words.append(f"{edge.consumer}{'' if edge.reliable else '~'} {edge.most_lag}{lost}")
        row = (short_count(link.published), str(link.depth), short_count(link.stalls), ", ".join(words))
        table.add_row(link.name, *row)
    return table


def _workspaces(facts: Facts) -> Table:
    table = _table("workspaces", "workspace", "MB", "huge MB", "locked", "nodes", "wanted")
    for space in facts.workspaces:
        table.add_row(
            space.name,
            _mb(space.bytes),
            _mb(space.huge_bytes),
            "yes" if space.locked else "no",
            " ".join(f"{node} {pages}" for node, pages in space.nodes.items()) or "-",
            "any" if space.wanted_node is None else f"N{space.wanted_node}",
        )
    return table


def _processes(facts: Facts) -> Table:
    table = _table("memory, proportional", "process", "pid", "own MB", "workspaces MB", "huge MB")
    for process in facts.processes:
        table.add_row(
            ", ".join(process.tiles),
            str(process.pid),
            *(_mb(size) for size in (process.private_bytes, process.shared_bytes, process.anonymous_huge_bytes)),
        )
    return table


def _counters(facts: Facts) -> RenderableType:
    if facts.host.counters_refused:
        return Text(f"the processor's counters: {facts.host.counters_refused}", style="dim")
    table = _table("the processor's counters, user mode", "group", "cycles", "a cycle", "cache misses", "TLB misses")
    for group in facts.groups:
        counted = group.counters
        if counted.get("cycles"):
            table.add_row(
                group.name,
                short_count(counted["cycles"]),
                f"{counted.get('instructions', 0) / counted['cycles']:.2f}",
                short_count(counted.get("cache_misses", 0)),
                short_count(counted.get("dtlb_misses", 0)),
            )
    return table


def _head(facts: Facts) -> Text:
    host = facts.host
    caches = ", ".join(
        f"{name} {size >> 10} KiB"
        for name, size in (("L1", host.l1_bytes), ("L2", host.l2_bytes), ("L3", host.l3_bytes))
        if size
    )
    span = "the whole run" if facts.whole_run else "the last"
    return Text(
        f"instance {facts.instance}, run {facts.run}, {span} {facts.seconds:.1f} s; {host.cores} cores, {caches}, "
        f"TLB {host.tlb_pages or '?'} pages of 4 KiB, huge pages in /dev/shm: {host.shmem_huge}",
        style="bold",
    )


def stats(facts: Facts) -> RenderableType:
    """All tables."""
    tables = (_stages(facts), _groups(facts), _links(facts), _workspaces(facts), _processes(facts), _counters(facts))
    return Renderables(_head(facts), *tables)


def optimize(found: Sequence[Advice]) -> RenderableType:
    """The advice, the greatest gain first."""
    if not found:
        return Text("nothing to change: no measured cost is worth a line")
    texts = []
    for number, each in enumerate(found, start=1):
        gain = "not measured" if each.gain_ns is None else f"{short_ns(each.gain_ns)} a message"
        text = Text(f"{number}. {each.name}: ", style="bold")
        text.append(gain, style="green" if each.gain_ns else "dim")
        text.append(f"\n   {each.what}", style="not bold")
        if each.gain_ns is not None:
            text.append(f"\n   computed: {each.how}", style="not bold dim")
        text.append("".join(f"\n       {line}" for line in each.lines), style="cyan not bold")
        texts.append(text)
    return Renderables(*texts)
