"""The systemd unit set, installed below a directory and read by systemd itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
MAP = REPO / "tests/unit/tuning_maps/intel_one_socket_16.txt"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    done = subprocess.run(
        ["sh", "deploy/systemd/install.sh", "--map", str(MAP), "--nic", "eth0", "--nic-node", "0"],
        cwd=REPO,
        env={**os.environ, "DESTDIR": str(tmp_path), "PREFIX": str(REPO)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "systemctl enable --now" in done.stdout
    return tmp_path / "etc/systemd/system"


def test_systemd_accepts_every_unit(installed: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    units = [str(path) for path in sorted(installed.iterdir()) if path.is_file()]
    assert len(units) == 4
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_units_name_the_plan_s_cores(installed: Path) -> None:
    assert (installed / "sniperforge.slice.d/10-cores.conf").read_text() == "[Slice]\nAllowedCPUs=0-30\n"
    assert "CPUAffinity=0-14,16-30" in (installed / "sniperforge.service.d/10-cores.conf").read_text()
    assert "AllowedCPUs=0-14,16-30" in (installed / "system.slice.d/50-sniperforge.conf").read_text()


def test_the_holder_s_command_writes_zero_and_stays(installed: Path, tmp_path: Path) -> None:
    line = next(
        line
        for line in (installed / "sniperforge-dma-latency.service").read_text().splitlines()
        if line.startswith("ExecStart=")
    )
    script = line.partition("'")[2].rpartition("'")[0].replace("\\\\", "\\")  # as systemd unquotes it
    device = tmp_path / "device"
    device.write_bytes(b"")
    held = script.replace("/dev/cpu_dma_latency", str(device)).replace("sleep infinity", "cat /proc/self/fdinfo/3")
    done = subprocess.run(["/bin/sh", "-c", held], capture_output=True, text=True, timeout=10)
    assert done.returncode == 0 and "pos:\t4" in done.stdout, done.stderr
    assert device.read_bytes() == b"\0\0\0\0"
