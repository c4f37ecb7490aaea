"""The host stages, on a machine made of files, and `check` on the real one."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tuning import stages
from tuning.__main__ import main
from tuning.cpus import cpu_list, cpu_mask, list_text, mask_text
from tuning.host import Host
from tuning.nic import NicError, Values
from tuning.stage import Result, Setup, apply, undo
from tuning.state import Goal, State

REPO = Path(__file__).resolve().parents[2]
CPU = "/sys/devices/system/cpu"
THP = "/sys/kernel/mm/transparent_hugepage"
NIC = "/sys/class/net/eth1"
FILES = {
    "/proc/cmdline": "quiet isolcpus=2-5",
    "/proc/cpuinfo": "flags : fpu constant_tsc nonstop_tsc",
    "/proc/irq/default_smp_affinity": "ff",
    "/proc/irq/30/smp_affinity_list": "0-7",
    "/proc/irq/31/smp_affinity_list": "3",
    "/proc/irq/32/smp_affinity_list": "0",
    "/proc/self/status": "CapEff:\t0000000000000000",
    "/proc/sys/kernel/nmi_watchdog": "1",
    "/proc/sys/kernel/numa_balancing": "1",
    "/proc/sys/kernel/random/boot_id": "boot-1",
    "/proc/sys/kernel/sched_autogroup_enabled": "1",
    "/proc/sys/kernel/sched_rt_runtime_us": "950000",
    "/proc/sys/kernel/timer_migration": "1",
    "/proc/sys/kernel/watchdog_cpumask": "0-7",
    "/proc/sys/net/core/busy_poll": "0",
    "/proc/sys/net/core/busy_read": "0",
    "/proc/sys/net/core/rmem_max": "212992",
    "/proc/sys/net/core/wmem_max": "1073741824",
    "/proc/sys/vm/stat_interval": "1",
    "/proc/sys/vm/swappiness": "60",
    f"{CPU}/online": "0-7",
    f"{CPU}/isolated": "2-5",
    f"{CPU}/smt/active": "1",
    f"{CPU}/cpuidle/current_driver": "intel_idle",
    f"{CPU}/intel_pstate/no_turbo": "1",
    f"{THP}/enabled": "[always] madvise never",
    f"{THP}/defrag": "always defer defer+madvise [madvise] never",
    f"{THP}/khugepaged/defrag": "1",
    f"{THP}/shmem_enabled": "always within_size advise [never] deny force",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet",
    "/sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet acpi_pm",
    "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages": "0",
    "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages": "4",
    "/sys/devices/virtual/workqueue/cpumask": "ff",
    "/sys/devices/virtual/workqueue/writeback/cpumask": "3",
    f"{NIC}/mtu": "1400",
    f"{NIC}/queues/rx-0/rps_cpus": "0c",
    f"{NIC}/queues/tx-0/xps_cpus": "00",
    f"{NIC}/queues/tx-1/xps_cpus": "00",
    "/etc/default/grub": "GRUB_CMDLINE_LINUX=quiet",
    "/dev/cpu_dma_latency": "\0\u0001\0\0",
} | {f"{CPU}/cpu{cpu}/cpufreq/scaling_governor": "powersave" for cpu in range(8)}
FILES |= {f"{CPU}/cpu{cpu}/topology/thread_siblings_list": f"{cpu % 4},{cpu % 4 + 4}" for cpu in range(8)}
FILES |= {f"{CPU}/cpu{cpu}/online": "1" for cpu in range(1, 8)}
GOAL = Goal(hot=(2, 3), nics=("eth1",), huge_pages=2)
RUNTIME = "/proc/sys/kernel/sched_rt_runtime_us"


@dataclass(frozen=True)
class FakeHost(Host):
    """A machine of files, with one tmpfs, one card, and processes that only have numbers."""

    shm: dict[str, int] = field(default_factory=lambda: {"size": 64 << 20})
    processes: dict[int, str] = field(default_factory=dict)
    threads: dict[int, list[int]] = field(default_factory=lambda: {7: [0, 1, 2], 9: [0]})
    refused: set[str] = field(default_factory=set)
    services: dict[str, bool] = field(default_factory=lambda: {"irqbalance": True})
    card: dict[str, Values] = field(
        default_factory=lambda: {
            "rings": {"rx": 256, "rx_max": 4096, "tx": 256, "tx_max": 4096},
            "coalesce": {"rx_coalesce_usecs": 50, "use_adaptive_rx_coalesce": 1, "rx_max_coalesced_frames": 0},
            "features": {"rx-lro": 1, "fixed:rx-ntuple-filter": 0},
        }
    )

    def write(self, name: str, text: str) -> None:
        """As the kernel does it: a choice moves its brackets, a value is replaced."""
        if name in self.refused:
            raise OSError(5, "Input/output error")
        offered = self.path(name).read_text().replace("[", "").replace("]", "").split()
        if len(offered) > 1 and text in offered:
            text = " ".join(f"[{word}]" if word == text else word for word in offered)
        self.path(name).write_text(text)

    def online(self) -> list[int]:
        return [cpu for cpu in super().online() if self.read(f"{CPU}/cpu{cpu}/online") != "0"]

    def size_of(self, mount: str) -> tuple[int, int]:
        return self.shm["size"], self.shm["size"]

    def resize(self, mount: str, size_bytes: int) -> None:
        self.shm["size"] = size_bytes

    def hold(self, device: str, token: str) -> None:
        self.processes[4711 + len(self.processes)] = token

    def holders(self, token: str) -> list[int]:
        return [pid for pid, held in self.processes.items() if held == token]

    def end(self, pid: int) -> None:
        del self.processes[pid]

    def running(self, *names: str) -> list[str]:
        return [name for name in names if self.services.get(name)]

    def service_active(self, name: str) -> bool:
        return self.services[name]

    def service(self, verb: str, name: str) -> None:
        self.services[name] = verb == "start"

    def kernel_threads(self) -> dict[int, str]:
        return dict.fromkeys(self.threads, "kthread")

    def started(self, pid: int) -> str | None:
        return "123" if pid in self.threads else None

    def affinity(self, pid: int) -> list[int]:
        return self.threads[pid]

    def set_affinity(self, pid: int, cpus: list[int]) -> None:
        self.threads[pid] = cpus

    def nic_read(self, nic: str, what: str) -> Values:
        if what not in self.card:
            raise NicError(f"the driver of {nic} has no {what} to read or set")
        return dict(self.card[what])

    def nic_write(self, nic: str, what: str, values: Values) -> None:
        self.card[what].update(values)


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    for name, text in FILES.items():
        path = tmp_path / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return FakeHost(tmp_path)


def tree(host: Host) -> dict[str, str]:
    files = (path for path in host.root.rglob("*") if path.is_file())
    return {str(path.relative_to(host.root)): path.read_text() for path in files}


def everything(host: FakeHost) -> str:
    """The whole state of the machine."""
    return json.dumps([tree(host), host.shm, host.processes, host.threads, host.services, host.card], sort_keys=True)


def stage(name: str) -> stages.Stage:
    return next(stage for stage in stages.STAGES if stage.name == name)


def run(verb: str, name: str, host: Host, goal: Goal = GOAL) -> list[Result]:
    act = apply if verb == "apply" else undo
    return act(stage(name), Setup(host, goal), dry_run=False)


def outcomes(results: list[Result]) -> set[str]:
    return {result.outcome for result in results}


def test_check_names_a_fix_for_everything_that_is_not_right(host: FakeHost) -> None:
    before = everything(host)
    findings = {finding.stage: finding for finding in stages.check_all(host, GOAL)}
    assert set(findings) == {stage.name for stage in stages.STAGES}
    assert all(finding.fix for finding in findings.values() if finding.level in ("advice", "problem"))
    right = {name for name, finding in findings.items() if finding.level in ("ok", "absent")}
    assert right <= {"timesync", "mitigations", "steering", "memlock"}
    assert findings["shm"].level == "problem"
    assert everything(host) == before


def test_a_fix_asks_for_what_check_was_asked(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "irq", "--hot", "2-3", "--irq", "1", "--nic", "eth1", "--mtu", "9000"], host)
    fix = "sudo sniperforge tune apply irq --hot 2-3 --irq 1 --mtu 9000 --nic eth1"
    assert f"fix: {fix}\n" in capsys.readouterr().out
    assert main(fix.split()[3:], host) == 0
    main(["check", "kthreads"], host)  # what apply was asked for it remembers
    assert "fix: sudo sniperforge tune apply kthreads\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", [stage.name for stage in stages.STAGES])
def test_each_stage_applies_once_is_content_and_undoes_exactly(host: FakeHost, name: str) -> None:
    before = everything(host)
    first = run("apply", name, host)
    if outcomes(first) == {"done"}:
        assert everything(host) != before
        applied = everything(host)
        assert outcomes(run("apply", name, host)) <= {"already", "refused"}, "a second apply has nothing to do"
        assert everything(host) == applied
        assert outcomes(run("undo", name, host)) == {"done"}
    else:
        assert name in ("cores", "mitigations", "timesync", "steering", "memlock"), first
        assert all(result.text for result in first)
    assert everything(host) == before
    assert not host.exists(host.state_path)


def test_all_at_once_through_the_command(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    before = everything(host)
    arguments = ["--hot", "2,3", "--nic", "eth1", "--huge-pages", "2"]
    assert main(["apply", *arguments], host) == 1, "cores is refused: it needs --boot"
    assert host.read(f"{CPU}/cpu3/cpufreq/scaling_governor") == "performance"
    assert host.shm["size"] == 1 << 30 and host.processes
    assert host.read("/proc/irq/31/smp_affinity_list") == host.read("/proc/irq/30/smp_affinity_list") == "0-1,4-5"
    assert host.threads == {7: [0, 1, 4, 5], 9: [0]}
    assert host.card["rings"]["rx"] == 4096 and host.card["features"]["rx-lro"] == 0
    capsys.readouterr()
    assert main(["check", "--json", "irq", "rings"], host) == 0
    assert {item["level"] for item in json.loads(capsys.readouterr().out)} == {"ok"}, "the goal is remembered"
    assert main(["undo"], host) == 0
    assert everything(host) == before


def test_dry_run_prints_the_commands_and_changes_nothing(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    before = everything(host)
    main(["apply", "--dry-run", "--hot", "2,3", "--nic", "eth1"], host)
    assert everything(host) == before
    printed = capsys.readouterr().out
    for command in (
        "sysctl -w vm.swappiness=1",
        f"echo performance > {CPU}/cpu0/cpufreq/scaling_governor",
        "taskset -pc 0-1,4-5 7",
        "ethtool -G eth1 rx 4096",
        "ethtool -C eth1 adaptive-rx off",
        "ethtool -K eth1 rx-lro off",
        "mount -o remount,size=1073741824 /dev/shm",
        "systemctl stop irqbalance",
    ):
        assert command in printed


def test_the_first_find_is_remembered_when_applied_twice(host: FakeHost) -> None:
    run("apply", "realtime", host)
    host.path(RUNTIME).write_text("940000")  # somebody else put it back, differently
    run("apply", "realtime", host)
    assert [change.found for change in State(host).changes] == ["950000"]


def test_what_a_reboot_has_undone_is_not_written_again(host: FakeHost) -> None:
    run("apply", "realtime", host)
    host.path("/proc/sys/kernel/random/boot_id").write_text("boot-2")
    host.path(RUNTIME).write_text("900000")
    assert outcomes(run("undo", "realtime", host)) == {"done"}
    assert host.read(RUNTIME) == "900000"


def test_an_apply_after_a_reboot_remembers_the_new_finds_only(host: FakeHost) -> None:
    run("apply", "realtime", host)
    host.path("/proc/sys/kernel/random/boot_id").write_text("boot-2")
    host.path(RUNTIME).write_text("900000")
    run("apply", "realtime", host)
    assert [change.found for change in State(host).changes] == ["900000"]
    run("undo", "realtime", host)
    assert host.read(RUNTIME) == "900000"


def test_an_apply_that_was_killed_halfway_is_undone_exactly(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(host)
    written: list[str] = []
    write = FakeHost.write

    def killed_at_the_third(self: FakeHost, name: str, text: str) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(name)
        write(self, name, text)

    monkeypatch.setattr(FakeHost, "write", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run("apply", "governor", host)
    monkeypatch.undo()
    assert len(State(host).changes) == 8, "all finds were remembered before the first change"
    assert outcomes(run("undo", "governor", host)) == {"done"}
    assert everything(host) == before


def test_a_refusal_says_why_and_does_not_stop_the_others(host: FakeHost) -> None:
    host.refused.add("/proc/irq/30/smp_affinity_list")
    results = run("apply", "irq", host)
    refused = [result.text for result in results if result.outcome == "refused"]
    assert len(refused) == 1 and "irq/30" in refused[0] and "kernel manages this one itself" in refused[0]
    assert host.read("/proc/irq/31/smp_affinity_list") == "0-1,4-5"
    assert "/proc/irq/30/smp_affinity_list" not in {change.action.place for change in State(host).changes}


def test_refusals_of_the_machine_are_named(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    clock = "/sys/devices/system/clocksource/clocksource0/available_clocksource"
    host.path(clock).write_text("hpet")
    del host.card["rings"]
    assert main(["apply", "cores", "clocksource", "rings", "--hot", "2,3", "--nic", "eth1"], host) == 1
    text = capsys.readouterr().out
    assert "isolcpus=managed_irq,domain,2-3,6-7" in text and "does not offer" in text and "has no rings" in text


def test_boot_parameters_are_written_only_when_asked(host: FakeHost) -> None:
    before = everything(host)
    assert outcomes(run("apply", "cores", host)) == {"refused"}
    assert everything(host) == before
    goal = Goal(hot=(2, 3), boot=True)
    assert outcomes(run("apply", "cores", host, goal)) == {"done"}
    text = host.path("/etc/default/grub.d/50-sniperforge.cfg").read_text()
    assert "isolcpus=managed_irq,domain,2-3,6-7 nohz_full=2-3,6-7 rcu_nocbs=2-3,6-7 irqaffinity=0-1,4-5" in text
    assert "update-grub" in stage("cores").check(Setup(host, goal)).fix
    run("undo", "cores", host)
    assert everything(host) == before and not host.exists("/etc/default/grub.d")


def test_systemd_boot_keeps_its_own_words(host: FakeHost) -> None:
    host.path("/etc/default/grub").unlink()
    path = host.path("/etc/kernel/cmdline")
    path.parent.mkdir(parents=True)
    path.write_text("root=UUID=1 quiet\n")
    run("apply", "cores", host, Goal(hot=(2,), boot=True))
    assert path.read_text().startswith("root=UUID=1 quiet isolcpus=")
    run("undo", "cores", host)
    assert path.read_text() == "root=UUID=1 quiet\n"


def test_a_dead_holder_is_replaced(host: FakeHost) -> None:
    run("apply", "cstates", host)
    host.processes.clear()
    assert stage("cstates").check(Setup(host)).level == "advice"
    run("apply", "cstates", host)
    assert stage("cstates").check(Setup(host)).level == "ok"
    assert len(State(host).changes) == 1
    run("undo", "cstates", host)
    assert not host.processes


def test_what_cannot_be_remembered_is_not_changed(host: FakeHost) -> None:
    host.path("/var").write_text("a file where a directory should be")
    assert outcomes(run("apply", "realtime", host)) == {"refused"}
    assert host.read(RUNTIME) == "950000"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"goal": {}, "changes": [{"stage": "thp"}]}', "\udcff"])
def test_a_damaged_record_is_never_taken_for_no_change(
    host: FakeHost, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = host.path(host.state_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode(errors="surrogateescape"))
    for verb in ("undo", "apply"):
        assert main([verb, "thp"], host) == 1
        assert f"{host.state_path} is not what apply wrote" in capsys.readouterr().err
    assert path.read_bytes() == text.encode(errors="surrogateescape")
    assert main(["check", "thp"], host) == 0


def test_a_record_that_cannot_be_read_is_never_taken_for_no_change(
    host: FakeHost, capsys: pytest.CaptureFixture[str]
) -> None:
    host.path(host.state_path).mkdir(parents=True)
    assert main(["undo"], host) == 1
    assert f"{host.state_path} cannot be read: Is a directory" in capsys.readouterr().err


def test_a_record_is_found_from_where_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.json").write_text("{")
    assert main(["undo", "--dry-run", "--state", "own.json"]) == 1
    assert str(tmp_path / "own.json") in capsys.readouterr().err


def test_what_is_gone_needs_no_undo(host: FakeHost) -> None:
    run("apply", "irq", host)
    run("apply", "kthreads", host)
    host.path("/proc/irq/31/smp_affinity_list").unlink()
    host.threads.clear()
    results = run("undo", "irq", host) + run("undo", "kthreads", host)
    assert outcomes(results) == {"done"} and any("gone by itself" in result.text for result in results)
    assert not host.exists(host.state_path)


def test_check_of_a_card_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["check", "--nic", "nosuch"], Host())
    assert refused.value.code == 2 and "--nic nosuch: there is no such card; there are" in capsys.readouterr().err


def test_every_stage_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    printed = capsys.readouterr().out
    assert all(f"{stage.name}: {stage.title}" in printed and len(stage.why) > 80 for stage in stages.STAGES)
    assert main(["explain", "smt"]) == 0
    assert "offline" in capsys.readouterr().out


def test_check_on_this_machine_needs_nothing_installed() -> None:
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(REPO)!r}); "]
    command[-1] += "from tuning.__main__ import main; sys.exit(main(['check', '--json', '--nic', 'lo']))"
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode in (0, 1), done.stderr
    findings = {finding["stage"]: finding for finding in json.loads(done.stdout)}
    assert set(findings) == {stage.name for stage in stages.STAGES}
    assert "pyroute2 is not installed" in findings["rings"]["found"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "warp"],
        ["apply", "--hot", "x"],
        ["apply", "--hot", "99"],
        ["apply", "--hot", "0-7"],
        ["apply", "--hot", "2,x"],
        ["apply", "--hot", "0-99999999999"],
        ["apply", "--hot", "2", "--irq", "99"],
        ["apply", "--mtu=-5"],
        ["apply", "--huge-pages=-5"],
        [],
    ],
)
def test_wrong_usage_is_refused(host: FakeHost, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments, host)
    assert refused.value.code == 2


def test_sets_of_cpus_are_written_as_the_kernel_reads_them() -> None:
    for cpus in ([], [0], [0, 1, 2, 5], [31, 32, 63, 64], list(range(96))):
        assert cpu_list(list_text(cpus)) == cpus
        assert cpu_mask(mask_text(cpus)) == cpus
    assert list_text([3, 1, 2, 8]) == "1-3,8"
    assert mask_text([0, 33]) == "2,00000001"
