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
from tuning.host import Host
from tuning.stage import apply, undo
from tuning.state import State

REPO = Path(__file__).resolve().parents[2]
CPU = "/sys/devices/system/cpu"
FILES = {
    "/proc/sys/kernel/random/boot_id": "boot-1",
    "/proc/sys/kernel/sched_rt_runtime_us": "950000",
    "/proc/sys/kernel/sched_autogroup_enabled": "1",
    "/proc/cpuinfo": "flags : fpu constant_tsc nonstop_tsc",
    "/proc/self/status": "CapEff:\t0000000000000000",
    f"{CPU}/online": "0-7",
    f"{CPU}/isolated": "2-5",
    f"{CPU}/cpuidle/current_driver": "intel_idle",
    "/sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never",
    "/sys/kernel/mm/transparent_hugepage/shmem_enabled": "always within_size advise [never] deny force",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet",
    "/sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet acpi_pm",
    "/etc/security/limits.d/other.conf": "",
    "/dev/cpu_dma_latency": "",
} | {f"{CPU}/cpu{cpu}/cpufreq/scaling_governor": "powersave" for cpu in range(8)}


@dataclass(frozen=True)
class FakeHost(Host):
    """A machine of files, with one tmpfs and processes that only have numbers."""

    shm: dict[str, int] = field(default_factory=lambda: {"size": 64 << 20})
    holders: dict[int, str] = field(default_factory=dict)

    def write(self, name: str, text: str) -> None:
        """As the kernel does it: a choice moves its brackets, a value is replaced."""
        offered = self.path(name).read_text().replace("[", "").replace("]", "").split()
        if len(offered) > 1 and text in offered:
            text = " ".join(f"[{word}]" if word == text else word for word in offered)
        self.path(name).write_text(text)

    def size_of(self, mount: str) -> tuple[int, int]:
        return self.shm["size"], self.shm["size"]

    def resize(self, mount: str, size_bytes: int) -> None:
        self.shm["size"] = size_bytes

    def hold(self, device: str) -> int:
        self.holders[4711 + len(self.holders)] = "123456"
        return max(self.holders)

    def started(self, pid: int) -> str | None:
        return self.holders.get(pid)

    def end(self, pid: int) -> None:
        del self.holders[pid]


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


def stage(name: str) -> stages.Stage:
    return next(stage for stage in stages.STAGES if stage.name == name)


def test_check_names_a_fix_for_everything_that_is_not_right(host: FakeHost) -> None:
    before = tree(host)
    findings = {finding.stage: finding for finding in stages.check_all(host)}
    assert set(findings) == {stage.name for stage in stages.STAGES}
    assert all(finding.fix for finding in findings.values() if finding.level != "ok")
    wrong = {name for name, finding in findings.items() if finding.level != "ok"}
    assert wrong >= {"governor", "cstates", "thp", "hugepages", "clocksource", "shm", "realtime", "autogroup"}
    assert findings["shm"].level == "problem"
    assert tree(host) == before


def test_apply_makes_check_content_and_undo_restores_exactly(
    host: FakeHost, capsys: pytest.CaptureFixture[str]
) -> None:
    before, size = tree(host), host.shm["size"]
    assert main(["apply"], host) == 0
    assert main(["check", "governor", "thp", "hugepages", "clocksource", "shm", "realtime", "cstates"], host) == 0
    assert host.read(f"{CPU}/cpu3/cpufreq/scaling_governor") == "performance"
    assert host.shm["size"] == 1 << 30 and host.holders
    assert main(["undo"], host) == 0
    assert tree(host) == before
    assert host.shm["size"] == size and not host.holders


def test_dry_run_changes_nothing(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(host)
    assert main(["apply", "--dry-run"], host) == 0
    assert tree(host) == before and not host.holders
    assert "would" in capsys.readouterr().out


def test_the_first_find_is_remembered_when_applied_twice(host: FakeHost) -> None:
    path = "/proc/sys/kernel/sched_rt_runtime_us"
    apply(stage("realtime"), host, dry_run=False)
    host.path(path).write_text("950000")  # somebody else put it back
    apply(stage("realtime"), host, dry_run=False)
    assert [change.found for change in State(host).changes] == ["950000"]


def test_what_a_reboot_has_undone_is_not_written_again(host: FakeHost) -> None:
    apply(stage("realtime"), host, dry_run=False)
    host.path("/proc/sys/kernel/random/boot_id").write_text("boot-2")
    host.path("/proc/sys/kernel/sched_rt_runtime_us").write_text("900000")
    results = undo(stage("realtime"), host, dry_run=False)
    assert [result.outcome for result in results] == ["done"]
    assert host.read("/proc/sys/kernel/sched_rt_runtime_us") == "900000"


def test_refusals_say_why(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    host.path(f"{CPU}/isolated").write_text("")
    clock = "/sys/devices/system/clocksource/clocksource0/available_clocksource"
    host.path(clock).write_text("hpet")
    assert main(["apply", "cores", "clocksource"], host) == 1
    text = capsys.readouterr().out
    assert "isolcpus" in text and "does not offer" in text


def test_a_dead_holder_is_replaced(host: FakeHost) -> None:
    apply(stage("cstates"), host, dry_run=False)
    host.holders.clear()
    assert stage("cstates").check(host, State(host)).level == "advice"
    apply(stage("cstates"), host, dry_run=False)
    assert stage("cstates").check(host, State(host)).level == "ok"
    assert len(State(host).changes) == 1


def test_what_cannot_be_remembered_is_not_changed(host: FakeHost) -> None:
    host.path("/var").write_text("a file where a directory should be")
    results = apply(stage("realtime"), host, dry_run=False)
    assert [result.outcome for result in results] == ["refused"]
    assert host.read("/proc/sys/kernel/sched_rt_runtime_us") == "950000"


def test_check_on_this_machine_needs_nothing_installed() -> None:
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(REPO)!r}); "]
    command[-1] += "from tuning.__main__ import main; sys.exit(main(['check', '--json']))"
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode in (0, 1), done.stderr
    assert {finding["stage"] for finding in json.loads(done.stdout)} == {stage.name for stage in stages.STAGES}


def test_an_unknown_stage_is_refused(host: FakeHost) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["check", "turbo"], host)
    assert refused.value.code == 2
