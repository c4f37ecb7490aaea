"""tools/deps.sh: what it refuses, and the one command it names when it may not install."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "tools").mkdir()
    (tmp_path / "bin").mkdir()
    shutil.copy(REPO / "tools" / "deps.sh", tmp_path / "tools")
    for name in ("requirements.txt", "requirements-dev.txt"):
        shutil.copy(REPO / name, tmp_path)
    return tmp_path


def fake(checkout: Path, name: str, script: str) -> None:
    """Puts a program in front of all others."""
    path = checkout / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def deps(checkout: Path, want: str = "run") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{checkout / 'bin'}:{os.environ['PATH']}"}
    command = ["sh", str(checkout / "tools" / "deps.sh"), want]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(("system", "machine"), [("Darwin", "x86_64"), ("Linux", "aarch64")])
def test_another_platform_is_refused(checkout: Path, system: str, machine: str) -> None:
    fake(checkout, "uname", f'[ "$1" = -s ] && echo {system} || echo {machine}')
    done = deps(checkout)
    assert done.returncode == 1
    assert "Linux x86-64 only" in done.stderr and f"{system} {machine}" in done.stderr


def test_an_old_python_is_refused(checkout: Path) -> None:
    for name in ("python3", "python3.13", "python3.12", "python3.11"):
        fake(checkout, name, '[ "$1" = --version ] && echo Python 3.9.2; exit 1')
    done = deps(checkout)
    assert done.returncode == 1
    assert "3.11 or newer" in done.stderr and "Python 3.9.2" in done.stderr


def test_without_root_it_names_one_command(checkout: Path) -> None:
    fake(checkout, "cc", 'grep -q "liburing\\|numa" && exit 1; exit 0')
    fake(checkout, "apt-get", "echo must not run >&2; exit 9")
    fake(checkout, "id", "echo 1000")
    done = deps(checkout)
    assert done.returncode == 1 and "must not run" not in done.stderr
    lines = [line.strip() for line in done.stderr.splitlines() if "sudo" in line]
    assert len(lines) == 1
    assert lines[0].endswith("apt-get install -y --no-install-recommends libnuma-dev liburing-dev'")


def test_without_apt_it_names_the_packages(checkout: Path) -> None:
    fake(checkout, "cc", "cat >/dev/null; exit 1")
    only = checkout / "only"
    only.mkdir()
    for name in ("sh", "uname", "cat", "cksum", "cut", "dirname", "id", "sort", "tr", "make", "pkg-config"):
        found = shutil.which(name)
        if found:
            (only / name).symlink_to(found)
    fake(checkout, "python3", f'exec {sys.executable} "$@"')
    for name in ("cc", "python3"):
        (only / name).symlink_to(checkout / "bin" / name)
    command = [shutil.which("sh") or "sh", str(checkout / "tools" / "deps.sh"), "run"]
    done = subprocess.run(command, env={"PATH": str(only)}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "liburing-dev" in done.stderr and "clang-14" in done.stderr and "no apt-get" in done.stderr


def test_a_stamp_makes_it_instant(checkout: Path) -> None:
    fake(checkout, "cc", "echo must not run >&2; exit 1")
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to("/bin/true")
    text = b"".join((checkout / name).read_bytes() for name in ("tools/deps.sh", "requirements.txt"))
    sum_ = subprocess.run(["cksum"], input=text, capture_output=True, check=True).stdout.split()[0].decode()
    (checkout / ".venv" / f".deps-run-{sum_}").touch()
    done = deps(checkout)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
