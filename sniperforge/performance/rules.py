"""What to change, ranked by what it would gain: a pure function of the facts.

A gain is the time by which a message of the order path would come through sooner on average, computed from what was
measured of this instance and this machine; each says how. Advice whose gain the facts do not tell comes last, without
a number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from sniperforge.performance.facts import PATH, Facts, Group, Tile
from sniperforge.text import short_count, short_ns

#: what a message waits for a spinning tile, if none of this instance spins: a cache line's way and a turn
SPIN_NS = 100.0
#: share of the time that a tile has to work to be worth a core of its own
BUSY_SHARE = 0.05
#: shorter gains are not worth a line
LEAST_NS = 5.0
#: a workspace below one huge page cannot have one
HUGE_BYTES = 2 << 20
DEPTH_MOST = 1 << 20


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """A change and what it is worth."""

    name: str
    what: str
    """The change, in a sentence with what was measured."""
    gain_ns: float | None
    """Of a message's way, on average; None if that was not measured."""
    how: str
    """How the gain was computed."""
    lines: tuple[str, ...]
    """For the configuration, or commands; empty where only other hardware helps."""
    takes_core: bool = False
    """Whether it needs a core that nothing spins on yet."""


def advice(facts: Facts) -> list[Advice]:
    """All that is worth changing, the greatest gain first. Free cores go to those that gain most by them."""
    found = [each for rule in _RULES for each in rule(facts)]
    worth = [each for each in found if each.gain_ns is None or each.gain_ns >= LEAST_NS]
    worth.sort(key=lambda each: (each.gain_ns is None, -(each.gain_ns or 0.0)))
    spinning = sum(group.wait == "spin" for group in facts.groups)
    free = facts.host.cores - 1 - spinning  # one stays for the system and all that parks
    ranked = []
    for each in worth:
        if each.takes_core:
            free -= 1
            if free < 0:
                each = _without_core(facts, each, spinning)
        ranked.append(each)
    said = {
        f"host {word}" for each in ranked if each.gain_ns is not None for line in each.lines for word in line.split()
    }
    return [each for each in ranked if each.name not in said]


def _without_core(facts: Facts, wish: Advice, spinning: int) -> Advice:
    """What is left of advice that needs a core where there is none."""
    what = f"{wish.what}; that needs a core more than this machine has ({facts.host.cores}, {spinning} spin already)"
    sleeps = any(stage == "cstates" for stage, _, _ in facts.host.advice)
    if not (wish.name.startswith("spin ") and sleeps):
        return msgspec.structs.replace(wish, what=what, lines=())
    what += ". Idle cores sleep deeply here: without that they wake sooner"
    return msgspec.structs.replace(wish, what=what, lines=("[topology]", "stay_awake = true"))


# -- what the rules need ---------------------------------------------------------------------------------------------


def _on_path(facts: Facts, group: Group) -> list[Tile]:
    return [tile for tile in facts.tiles if tile.name in group.tiles and tile.kind in PATH]


def _step(tile: Tile) -> str:
    """The step of the path that a tile is: all bots are one."""
    return "bots" if tile.kind in ("arb", "strategies") else tile.kind


def _spin_wait_ns(facts: Facts) -> tuple[float, str]:
    """What a message waits for a tile of a spinning group, and where that is from."""
    waits = [
        tile.wait.p50_ns
        for group in facts.groups
        if group.wait == "spin"
        for tile in _on_path(facts, group)
        if tile.wait.count
    ]
    if waits:
        return float(min(waits)), "the least p50 of a spinning tile of this instance"
    return SPIN_NS, "taken for a spinning tile, of which this instance has none"


def _core_lines(group: str) -> tuple[str, ...]:
    return (f"[topology.groups.{group}]", 'wait = "spin"', 'core = "hot"')


# -- the rules -------------------------------------------------------------------------------------------------------


def wakeups(facts: Facts) -> Iterator[Advice]:
    """Groups on the path that sleep until a message wakes them."""
    spin_ns, source = _spin_wait_ns(facts)
    for group in facts.groups:
        waits = [tile for tile in _on_path(facts, group) if tile.wait.count]
        if group.wait == "spin" or not waits:
            continue
        by_step: dict[str, Tile] = {}  # bots are side by side, the others one after the other
        for tile in sorted(waits, key=lambda tile: tile.wait.p50_ns):
            by_step[_step(tile)] = tile
        slowest = max(waits, key=lambda tile: tile.wait.p50_ns)
        yield Advice(
            name=f"spin {group.name}",
            what=f"group {group.name} waits by {group.wait}: a message waits {short_ns(slowest.wait.p50_ns)} (p50) for "
            f"{slowest.name} to begin; let it spin on a core of its own",
            gain_ns=sum(max(tile.wait.p50_ns - spin_ns, 0.0) for tile in by_step.values()),
            how=f"p50 of the wait of {', '.join(tile.name for tile in by_step.values())}, less "
            f"{short_ns(spin_ns)} each ({source})",
            lines=_core_lines(group.name),
            takes_core=True,
        )


def shared_cores(facts: Facts) -> Iterator[Advice]:
    """Spinning groups in which more than one tile works much."""
    for group in facts.groups:
        if group.wait != "spin":
            continue
        shares = {tile.name: tile.busy_ns / (facts.seconds * 1e9) for tile in facts.tiles if tile.name in group.tiles}
        busy = sorted((name for name, share in shares.items() if share >= BUSY_SHARE), key=lambda name: -shares[name])
        if len(busy) < 2:
            continue
        name = busy[0]
        residual = facts.tile(name).residual_ns
        yield Advice(
            name=f"split {group.name}",
            what=f"group {group.name} has {len(busy)} busy tiles on one core ({name} works {shares[name]:.0%} of the "
            "time): give it a core of its own",
            gain_ns=shares[name] * residual,
            how=f"a message for another tile finds {name} at work in {shares[name]:.0%} of cases and waits for what is "
            f"left of its turn, {short_ns(residual)} on average",
            lines=(*_core_lines(name), f"[topology.tiles.{name}]", f'group = "{name}"'),
            takes_core=True,
        )


def preemptions(facts: Facts) -> Iterator[Advice]:
    """Spinning groups that the kernel takes off their core."""
    for group in facts.groups:
        if group.wait != "spin" or not group.involuntary_switches or not group.run_delay_ns:
            continue
        length = group.run_delay_ns / group.involuntary_switches
        share = group.run_delay_ns / (facts.seconds * 1e9)
        hot = f" --hot {group.core}" if group.core is not None else ""
        yield Advice(
            name=f"isolate {group.name}",
            what=f"group {group.name} was taken off its core {short_count(group.involuntary_switches)} times in "
            f"{facts.seconds:.0f} s, for {short_ns(length)} each: keep the rest of the machine off that core",
            gain_ns=share * length / 2,
            how=f"it was kept waiting {share:.2%} of the time, in pieces of {short_ns(length)}: a message that comes "
            "in one waits for half of it",
            lines=("sudo sniperforge tune plan", f"sudo sniperforge tune apply cores irq kthreads workqueues{hot}"),
        )


def huge_pages(facts: Facts) -> Iterator[Advice]:
    """Workspaces on ordinary pages."""
    probe = facts.probe
    small = [
        workspace
        for workspace in facts.workspaces
        if workspace.bytes >= HUGE_BYTES and workspace.huge_bytes < workspace.bytes // 2
    ]
    if not small or probe is None:
        return
    slots: dict[str, int] = {}  # an order goes through one link behind each step
    for link in facts.links:
        ends = [tile for tile in facts.tiles if tile.name in {edge.consumer for edge in link.edges}]
        makers = [tile for tile in facts.tiles if tile.name == link.producer and tile.kind in PATH]
        if makers and any(tile.kind in PATH for tile in ends):
            slots[_step(makers[0])] = max(slots.get(_step(makers[0]), 0), -(-link.slot_bytes // 4096))
    pages = sum(slots.values())
    lines: tuple[str, ...] = ()
    if not facts.huge_pages:
        lines = ("[topology]", "huge_pages = true")
    if facts.host.shmem_huge in ("never", "deny", "absent"):
        lines = (*lines, "sudo sniperforge tune apply hugepages", "sniperforge stop; sniperforge run")
    total = sum(workspace.bytes for workspace in small)
    yield Advice(
        name="huge pages",
        what=f"{len(small)} workspaces ({total / 1e6:.0f} MB, {total // 4096:,} pages) lie on ordinary pages"
        + (f"; the TLB has {facts.host.tlb_pages}" if facts.host.tlb_pages else ""),
        gain_ns=max(probe.small_line_ns - probe.huge_line_ns, 0.0) * pages,
        how=f"measured now on {probe.bytes / 1e6:.0f} MB: a random line takes {probe.small_line_ns:.1f} ns on ordinary "
        f"pages and {probe.huge_line_ns:.1f} on huge ones; an order's way touches {pages} pages of links anew",
        lines=lines,
    )


def remote_memory(facts: Facts) -> Iterator[Advice]:
    """Workspaces on another NUMA node than who reads them."""
    probe = facts.probe
    for workspace in facts.workspaces:
        wanted = workspace.wanted_node
        away = {node: pages for node, pages in workspace.nodes.items() if node != f"N{wanted}"}
        if wanted is None or not away or probe is None:
            continue
        share = sum(away.values()) / sum(workspace.nodes.values())
        far = max(away, key=lambda node: away[node])
        ratio = facts.host.node_distances[wanted][int(far.removeprefix("N"))] / 10
        yield Advice(
            name=f"move {workspace.name}",
            what=f"{share:.0%} of workspace {workspace.name} lies on node {far.removeprefix('N')}, its readers are on "
            f"{wanted}: the next start puts it there, if the groups' cores stand in the configuration",
            gain_ns=share * probe.huge_line_ns * (ratio - 1),
            how=f"the kernel's distance is {ratio:.1f} times that of its own node; a line from memory takes "
            f"{probe.huge_line_ns:.0f} ns here, measured now",
            lines=tuple(
                line
                for group in facts.groups
                if group.node == wanted and group.core is not None
                for line in (f"[topology.groups.{group.name}]", f"core = {group.core}")
            ),
        )


def stalls(facts: Facts) -> Iterator[Advice]:
    """Links whose producer waited for credit."""
    for link in facts.links:
        if not link.stalls or not link.published or not _runs(facts, link.producer):
            continue
        producer = facts.tile(link.producer)
        turn_ns = facts.seconds * 1e9 / max(producer.turns, 1)
        slow = max(link.edges, key=lambda edge: (edge.reliable, edge.most_lag))
        depth = min(link.depth * 4, DEPTH_MOST)
        yield Advice(
            name=f"deepen {link.name}",
            what=f"{link.producer} had no credit on {link.name} in {short_count(link.stalls)} turns: {slow.consumer} "
            f"was up to {slow.most_lag} of {link.depth} messages behind; a deeper link rides out bursts, a consumer "
            "that is always behind needs a core",
            gain_ns=link.stalls * turn_ns / link.published,
            how=f"{short_count(link.stalls)} turns of {short_ns(turn_ns)} over {short_count(link.published)} messages",
            lines=(f'[topology.links."{link.name}"]', f"depth = {depth}"),
        )


def losses(facts: Facts) -> Iterator[Advice]:
    """Lossy consumers that were overrun."""
    for link in facts.links:
        for edge in link.edges:
            if edge.reliable or not edge.lost:
                continue
            yield Advice(
                name=f"losses {edge.consumer}",
                what=f"{edge.consumer} missed {short_count(edge.lost)} of {short_count(link.published)} messages of "
                f"{link.name}: they were overwritten before it came round",
                gain_ns=None,
                how="messages, not time: it works on what is newest",
                lines=(f'[topology.links."{link.name}"]', f"depth = {min(link.depth * 4, DEPTH_MOST)}"),
            )


def durable(facts: Facts) -> Iterator[Advice]:
    """Orders that wait for the disk."""
    if not facts.before_send or not (_runs(facts, "send") and _runs(facts, "sign")):
        return
    send, sign = facts.tile("send"), facts.tile("sign")
    if not (send.origin.count and sign.origin.count):
        return
    gain = max(send.origin.p50_ns - sign.origin.p50_ns - send.wait.p50_ns, 0.0)
    yield Advice(
        name="before_send",
        what=f"an order leaves {short_ns(send.origin.p50_ns - sign.origin.p50_ns)} after it is signed: it waits until "
        "the journal says that its record is on disk. Without that a crash may forget an order that left; a faster "
        "disk gains the same",
        gain_ns=gain,
        how="p50 from the origin to sent, less that to signed and the wait for send's turn",
        lines=("[send]", "before_send = false"),
    )


def ladder(facts: Facts) -> Iterator[Advice]:
    """Orders that are signed on the spot."""
    if facts.ladder != "off" or not _runs(facts, "sign"):
        return
    sign = facts.tile("sign")
    if not sign.stage.count:
        return
    work_ns = max(float(sign.stage.p50_ns - sign.wait.p50_ns), 0.0)
    yield Advice(
        name="ladder",
        what=f"orders are signed on the spot, which takes {short_ns(work_ns)}: sign likely ones ahead, while there is "
        "nothing else to do",
        gain_ns=work_ns,
        how="p50 of sign's stage less that of the wait for its turn; for orders that were signed ahead only",
        lines=("[sign]", "ladder = true"),
    )


def faults(facts: Facts) -> Iterator[Advice]:
    """Page faults on the path."""
    if facts.whole_run or facts.probe is None:
        return  # a start faults
    for group in facts.groups:
        tiles = _on_path(facts, group)
        messages = max((tile.messages_in for tile in tiles), default=0)
        if not messages or not group.minor_faults:
            continue
        yield Advice(
            name=f"faults {group.name}",
            what=f"group {group.name} took {group.minor_faults} page faults in {facts.seconds:.0f} s"
            + (f", {group.major_faults} of them from the disk" if group.major_faults else ""),
            gain_ns=group.minor_faults * facts.probe.fault_ns / messages,
            how=f"a fault takes {short_ns(facts.probe.fault_ns)}, measured now; over {short_count(messages)} messages",
            lines=("[topology]", "lock_memory = true", "sudo sniperforge tune apply memlock numa"),
        )


def host(facts: Facts) -> Iterator[Advice]:
    """Stages of the host that are not as they should be."""
    for stage, found, fix in facts.host.advice:
        command = fix.startswith("sudo ")
        yield Advice(
            name=f"host {stage}",
            what=found if command else f"{found}: {fix}",
            gain_ns=None,
            how="not measured",
            lines=(fix,) if command else (),
        )


def _runs(facts: Facts, tile: str) -> bool:
    return any(each.name == tile for each in facts.tiles)


_RULES: tuple[Callable[[Facts], Iterator[Advice]], ...] = (
    wakeups,
    shared_cores,
    preemptions,
    huge_pages,
    remote_memory,
    stalls,
    losses,
    durable,
    ladder,
    faults,
    host,
)
