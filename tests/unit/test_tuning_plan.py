"""`tune plan` on recorded maps of machines (tests/unit/tuning_maps says where each comes from)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuning.__main__ import main, read_groups
from tuning.cpus import cpu_list, list_text
from tuning.host import CPU, Host
from tuning.machine import Machine, parse_lscpu, read_machine
from tuning.plan import Group, Plan, make_plan, physical_cores, unit_files
from tuning.stages import STAGES

MAPS = Path(__file__).parent / "tuning_maps"
NAMES = sorted(path.stem for path in MAPS.glob("*.txt"))
DEFAULT = [Group("hot", "spin"), Group("sign", "park"), Group("journal", "park"), Group("strategies", "park")]


def machine(name: str) -> Machine:
    return parse_lscpu((MAPS / f"{name}.txt").read_text())


def spinning(count: int) -> list[Group]:
    return [Group(f"g{n}", "spin") for n in range(count)] + [Group("python", "park")]


def sysfs(root: Path, cpus: Machine) -> Host:
    """Writes the files of sysfs that say the same as a map."""

    def put(name: str, text: str) -> None:
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")

    put(f"{CPU}/online", list_text(cpu.cpu for cpu in cpus))
    for node in {cpu.node for cpu in cpus}:
        put(f"/sys/devices/system/node/node{node}/cpulist", list_text(cpu.cpu for cpu in cpus if cpu.node == node))
    for cpu in cpus:
        here = f"{CPU}/cpu{cpu.cpu}"
        put(f"{here}/topology/physical_package_id", str(cpu.socket))
        same_core = list_text(other.cpu for other in cpus if other.core == cpu.core)
        put(f"{here}/topology/thread_siblings_list", same_core)
        for index, level, shared in ((0, 1, same_core), (3, 3, list_text(o.cpu for o in cpus if o.l3 == cpu.l3))):
            put(f"{here}/cache/index{index}/level", str(level))
            put(f"{here}/cache/index{index}/shared_cpu_list", shared)
    return Host(root)


@pytest.mark.parametrize("name", NAMES)
def test_sysfs_and_lscpu_give_the_same_map(name: str, tmp_path: Path) -> None:
    assert read_machine(sysfs(tmp_path, machine(name))) == machine(name)


@pytest.mark.parametrize("groups", [DEFAULT, spinning(1), spinning(3), spinning(7), spinning(200)], ids=len)
@pytest.mark.parametrize("node", [None, 0, 1, 5])
@pytest.mark.parametrize("name", NAMES)
def test_what_holds_on_every_machine(name: str, node: int | None, groups: list[Group]) -> None:
    cpus = machine(name)
    plan = make_plan(cpus, groups, nic="eth0", nic_node=node)
    by_cpu = {cpu.cpu: cpu for cpu in cpus}
    cores = [by_cpu[cpu].core for cpu in plan.hot]
    assert len(set(cores)) == len(cores), "no two spinning groups share a physical core"
    assert by_cpu[0].core not in cores, "the boot core stays with the system"
    assert plan.irq and not {by_cpu[cpu].core for cpu in plan.irq} & set(cores)
    assert not set(plan.rest) & {*plan.hot, *plan.isolated} and plan.rest
    assert {*plan.rest, *plan.hot, *plan.isolated} == set(by_cpu)
    if plan.isolated:
        assert set(plan.isolated) == {cpu.cpu for cpu in cpus if cpu.core in cores}, "siblings are isolated too"
        assert f"nohz_full={list_text(plan.isolated)}" in plan.boot
    else:
        assert not plan.boot and any("too few" in note for note in plan.notes)
    assert all(plan.cores[group.name] is None for group in groups if group.wait == "park")
    lost = [group.name for group in groups if group.wait != "park" and plan.cores[group.name] is None]
    assert all(any(f"group {name} finds no core" in note for note in plan.notes) for name in lost)
    assert set(plan.stages) <= {stage.name for stage in STAGES}
    assert plan == make_plan(cpus, groups, nic="eth0", nic_node=node), "a pure function"


def where(plan: Plan, cpus: Machine, what: str) -> set[int]:
    return {getattr(cpu, what) for cpu in cpus if cpu.cpu in plan.hot}


def test_a_two_core_guest_pins_and_does_not_isolate() -> None:
    plan = make_plan(machine("vm_two_cores"), DEFAULT, nic="eth0")
    assert (plan.hot, plan.isolated, plan.irq, plan.rest) == ((1,), (), (0,), (0,))
    assert "cores" not in plan.stages and "smt" not in plan.stages and "numa" not in plan.stages


def test_one_intel_socket_gives_its_last_cores() -> None:
    plan = make_plan(machine("intel_one_socket_16"), spinning(3))
    assert (plan.hot, plan.isolated, plan.irq) == ((13, 14, 15), (13, 14, 15, 29, 30, 31), (12,))
    assert "smt" in plan.stages and "rings" not in plan.stages


@pytest.mark.parametrize("node", [0, 1])
def test_two_intel_sockets_stay_on_the_card_s_node(node: int) -> None:
    cpus = machine("intel_two_sockets")
    plan = make_plan(cpus, spinning(2), nic="eth0", nic_node=node)
    assert where(plan, cpus, "node") == {node}
    assert {cpu.node for cpu in cpus if cpu.cpu in plan.irq} == {node}
    assert plan.hot == ((4, 6) if node == 0 else (5, 7))


def test_one_amd_socket_keeps_the_spinners_in_one_l3() -> None:
    cpus = machine("amd_one_socket")
    for count in range(1, 8):
        plan = make_plan(cpus, spinning(count), nic="eth0", nic_node=2)
        assert where(plan, cpus, "l3") == {16}, count
        assert plan.irq == (23 - count,), "the interrupts are beside them, in the same cache"
    crowded = make_plan(cpus, spinning(12), nic="eth0", nic_node=2)
    assert any("cross" in note for note in crowded.notes)


def test_small_caches_of_two_amd_sockets_spill_within_the_card_s_node() -> None:
    cpus = machine("amd_two_sockets")
    plan = make_plan(cpus, spinning(2), nic="eth0", nic_node=5)
    assert where(plan, cpus, "node") == {5} and len(where(plan, cpus, "l3")) == 1
    plan = make_plan(cpus, spinning(5), nic="eth0", nic_node=5)
    assert where(plan, cpus, "node") == {5} and len(where(plan, cpus, "l3")) == 2
    assert plan.irq == (30,) and any("cross" in note for note in plan.notes)
    assert make_plan(cpus, spinning(1), nic="eth0", nic_node=0).hot == (5,), "not in the boot core's cache"


def test_every_core_is_counted_once_where_core_numbers_repeat() -> None:
    assert len(physical_cores(machine("amd_two_sockets"))) == 48
    assert len(physical_cores(machine("intel_two_sockets"))) == 8


def test_the_units_get_the_plan_s_cores() -> None:
    files = unit_files(make_plan(machine("intel_one_socket_16"), DEFAULT, nic="eth0", nic_node=0))
    assert files["sniperforge.slice.d/10-cores.conf"] == "[Slice]\nAllowedCPUs=0-30\n"
    assert "CPUAffinity=0-14,16-30" in files["sniperforge.service.d/10-cores.conf"]
    assert "--hot 15 --irq 14 --nic eth0" in files["sniperforge-tune.service.d/10-cores.conf"]
    assert files["system.slice.d/50-sniperforge.conf"] == "[Slice]\nAllowedCPUs=0-14,16-30\n"
    assert not any("system.slice" in name for name in unit_files(make_plan(machine("vm_two_cores"), DEFAULT)))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    groups = tmp_path / "groups.json"
    groups.write_text('{"topology.groups": {"hot": {"wait": "spin"}, "fast": {"wait": "yield"}}}')
    arguments = ["plan", "--map", str(MAPS / "amd_one_socket.txt"), "--groups", str(groups), "--nic", "eth0"]
    assert main([*arguments, "--nic-node", "1", "--json", "--units", str(tmp_path / "units")]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["cores"] == {"hot": 15, "fast": 14} and record["irq"] == [13]
    assert (tmp_path / "units/sniperforge.slice.d/10-cores.conf").exists()
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert "core = " in text and "isolcpus=" in text and "sudo sniperforge tune apply --hot" in text


def test_groups_come_from_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--map", str(MAPS / "intel_one_socket_16.txt"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cores"]["hot"] == 15
    assert read_groups('[topology.groups.a]\nwait = "spin"\n') == [Group("a", "spin")]
    with pytest.raises(ValueError, match=r"topology\.groups"):
        read_groups("[instance]\n")


@pytest.mark.parametrize(
    "text", ["[]", "null", "topology = 3", "[topology.groups]\na = 1", '[topology.groups.a]\nwait = "wait"']
)
def test_what_has_no_groups_is_refused_by_name(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "groups").write_text(text)
    with pytest.raises(SystemExit) as refused:
        main(["plan", "--groups", str(tmp_path / "groups")])
    assert refused.value.code == 2
    assert f"{tmp_path / 'groups'}: {'group a: wait' if 'wait' in text else 'no [topology'}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--map", "bytes"], "--map bytes: it is not text"),
        (["--map", "none"], "none: No such file or directory; name another file"),
        (["--groups", "bytes"], "--groups bytes: it is not text"),
        (["--nic", "none0"], "--nic none0: there is no such card; there are "),
        (["--nic-node", "-1"], "-1 must be a whole number from 0 to 1023"),
    ],
)
def test_what_a_plan_cannot_use_is_named(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(SystemExit) as refused:
        main(["plan", *words])
    assert refused.value.code == 2 and said in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "# nothing", "a,b,c,d,e", "0,0"])
def test_what_is_no_map_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_lscpu(text)
    assert cpu_list("") == []
