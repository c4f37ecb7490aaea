"""Which core for which group: a pure function of the machine's map and the groups.

Spinning groups get whole physical cores in one L3 cache, on the card's NUMA node, from its last core downwards; the
interrupts get a core beside them.  The core of the lowest CPU, and all that is left, is for the system, for Python and
for groups that park.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tuning.boot import boot_parameters
from tuning.cpus import list_text
from tuning.machine import Cpu, Machine
from tuning.stages import STAGES
from tuning.stages.cores import ENOUGH_TO_ISOLATE

NIC_STAGES = ("rings", "coalesce", "offloads", "steering", "rps", "xps", "mtu")
ANY = '"any"'
"""What the configuration calls a group without a core of its own."""
LOOKED_AT = ("timesync", "mitigations")
"""Stages that never apply anything."""


@dataclass(frozen=True)
class Group:
    """Tiles that share one process and one core, as the configuration names them."""

    name: str
    wait: str
    """spin, yield or park; the first two burn their core."""


@dataclass(frozen=True)
class Core:
    """A physical core: its threads, and where it is."""

    cpus: tuple[int, ...]
    node: int
    l3: int


@dataclass(frozen=True)
class Plan:
    cores: dict[str, int | None]
    """Group: the CPU it is pinned to, or None for any of the rest."""
    hot: tuple[int, ...]
    isolated: tuple[int, ...]
    """The hot cores with their SMT siblings; empty on a machine too small to isolate."""
    irq: tuple[int, ...]
    rest: tuple[int, ...]
    nic: str | None
    nic_node: int | None
    boot: tuple[str, ...]
    config: tuple[str, ...]
    """Lines for the engine's configuration."""
    stages: tuple[str, ...]
    apply: str
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def make_plan(
    machine: Machine, groups: Sequence[Group], *, nic: str | None = None, nic_node: int | None = None
) -> Plan:
    """Proposes a core for each group.

    machine: the CPUs that are online; nic_node: the node of the card, None if it is not known.
    """
    cores = physical_cores(machine)
    boot_core, others = cores[0], cores[1:]
    spinners = [group.name for group in groups if group.wait != "park"]
    notes: list[str] = []
    small = len(cores) < ENOUGH_TO_ISOLATE
    domains = _domains(others, need=len(spinners) + 1, boot_l3=boot_core.l3, node=nic_node)
    order = [core for domain in domains for core in domain]
    keep = 0 if small else 1  # one core beside the boot core for the interrupts
    hot_cores = order[: max(len(order) - keep, 0)][: len(spinners)]
    pinned = {name: core.cpus[0] for name, core in zip(spinners, hot_cores, strict=False)}
    for name in spinners[len(hot_cores) :]:
        notes.append(f'group {name} finds no core of its own: set wait = "park", or give the machine more cores')
    if len({core.l3 for core in hot_cores}) > 1:
        notes.append("no L3 cache is large enough for all spinning groups: some messages cross to another")
    if nic_node is not None and hot_cores and hot_cores[0].node != nic_node:
        notes.append(f"no core is free on node {nic_node} of the card: packets cross to node {hot_cores[0].node}")
    if small:
        notes.append(f"{len(cores)} physical cores are too few to isolate one; the groups are pinned only")
    taken = {cpu for core in hot_cores for cpu in core.cpus}
    isolated = () if small else tuple(sorted(taken))
    irq_core = min(
        (core for core in cores if core not in hot_cores),
        key=lambda core: (core is boot_core, *_distance(core, hot_cores, nic_node), -core.cpus[0]),
    )
    hot = tuple(sorted(pinned.values()))
    rest = tuple(sorted(cpu.cpu for cpu in machine if cpu.cpu not in (taken if isolated else set(hot))))
    smt = any(len(core.cpus) > 1 for core in cores)
    stages = tuple(
        stage.name
        for stage in STAGES
        if stage.name not in LOOKED_AT
        and (nic or stage.name not in NIC_STAGES)
        and (not small or stage.name not in ("smt", "cores"))
        and (smt or stage.name != "smt")
        and (len({cpu.node for cpu in machine}) > 1 or stage.name != "numa")
    )
    arguments = apply_arguments(hot, irq_core.cpus[:1], nic)
    return Plan(
        cores={group.name: pinned.get(group.name) for group in groups},
        hot=hot,
        isolated=isolated,
        irq=irq_core.cpus[:1],
        rest=rest,
        nic=nic,
        nic_node=nic_node,
        boot=tuple(boot_parameters(list(isolated), list(rest))) if isolated else (),
        config=tuple(_config(groups, pinned)),
        stages=stages,
        apply=f"sudo sniperforge tune apply {arguments} {' '.join(stages)}",
        notes=tuple(notes),
    )


def apply_arguments(hot: Sequence[int], irq: Sequence[int], nic: str | None) -> str:
    words = [f"--hot {list_text(hot)}"] if hot else []
    return " ".join([*words, f"--irq {list_text(irq)}", *([f"--nic {nic}"] if nic else [])])


def physical_cores(machine: Machine) -> list[Core]:
    """Returns the physical cores in the order of their lowest CPU."""
    found: dict[int, list[Cpu]] = {}
    for cpu in sorted(machine, key=lambda cpu: cpu.cpu):
        found.setdefault(cpu.core, []).append(cpu)
    return [Core(tuple(cpu.cpu for cpu in cpus), cpus[0].node, cpus[0].l3) for cpus in found.values()]


def _domains(cores: list[Core], *, need: int, boot_l3: int, node: int | None) -> list[list[Core]]:
    """Returns the cores of each L3 cache, the last first, the best cache first."""
    caches: dict[int, list[Core]] = {}
    for core in cores:
        caches.setdefault(core.l3, []).insert(0, core)
    home = node if node is not None else next((core.node for core in cores), 0)

    def worth(domain: list[Core]) -> tuple[object, ...]:
        first = domain[0]
        return first.node != home, len(domain) < need, first.l3 == boot_l3, -len(domain), -first.l3

    return sorted(caches.values(), key=worth)


def _distance(core: Core, hot: list[Core], node: int | None) -> tuple[bool, bool]:
    home = node if node is not None else (hot[0].node if hot else core.node)
    return core.node != home, core.l3 not in {other.l3 for other in hot}


def _config(groups: Sequence[Group], pinned: dict[str, int]) -> list[str]:
    lines = []
    for group in groups:
        lines += [f"[topology.groups.{group.name}]", f"core = {pinned.get(group.name, ANY)}"]
    return lines


def unit_files(plan: Plan) -> dict[str, str]:
    """Returns the drop-in files, by their place below /etc/systemd/system, that give the units their cores."""
    cores = list_text({*plan.hot, *plan.rest})
    files = {
        "sniperforge.slice.d/10-cores.conf": f"[Slice]\nAllowedCPUs={cores}\n",
        "sniperforge.service.d/10-cores.conf": f"[Service]\nCPUAffinity={list_text(plan.rest)}\n",
        "sniperforge-tune.service.d/10-cores.conf": (
            f'[Service]\nEnvironment="TUNE_ARGUMENTS={apply_arguments(plan.hot, plan.irq, plan.nic)}"\n'
        ),
    }
    if plan.isolated:
        for unit, section in (("system.slice", "Slice"), ("user.slice", "Slice"), ("init.scope", "Scope")):
            files[f"{unit}.d/50-sniperforge.conf"] = f"[{section}]\nAllowedCPUs={list_text(plan.rest)}\n"
    return files


def text_of(plan: Plan) -> str:
    """Returns the plan for a person."""
    card = (
        f"card {plan.nic} on node {plan.nic_node if plan.nic_node is not None else 'unknown'}"
        if plan.nic
        else "no card"
    )
    lines = ["groups:"]
    lines += [f"  {name:14}{'any of the rest' if cpu is None else f'core {cpu}'}" for name, cpu in plan.cores.items()]
    lines += [
        f"hot cores {list_text(plan.hot) or 'none'}, isolated {list_text(plan.isolated) or 'none'}, "
        f"interrupts on {list_text(plan.irq)}, rest {list_text(plan.rest)}, {card}",
    ]
    lines += [f"note: {note}" for note in plan.notes]
    lines += ["", "configuration:", *(f"  {line}" for line in plan.config)]
    if plan.boot:
        lines += [
            "",
            "boot parameters (sniperforge tune explain cores; --boot writes them down):",
            "  " + " ".join(plan.boot),
        ]
    lines += ["", "then:", f"  {plan.apply}"]
    return "\n".join(lines)
