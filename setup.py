"""Builds the C core, its cffi binding `ipc._core`, the program that runs C tiles, and simnet's programs.

`python setup.py build_ext --inplace` (what `make build` calls), `pip install -e .` and a wheel all
come through here.  Nothing is rebuilt that is up to date; a changed header rebuilds all it reaches.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
RELEASE = ROOT / "build" / "release"
JOBS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1

if sys.platform != "linux" or os.uname().machine != "x86_64":
    raise SystemExit("SniperForge runs on Linux x86-64 only")

os.chdir(ROOT)
sys.path.insert(0, str(ROOT))  # a build in isolation does not have it


def make_core() -> None:
    """Makes the static library and `sf-group`, telling one line for each file compiled."""
    command = ["make", "--no-print-directory", "-C", "csrc", f"-j{JOBS}", "FLAVOUR=release", "lib", "group"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as make:
        assert make.stdout is not None
        for line in make.stdout:
            if " -c -o " in line:
                print(f"build: {Path(line.split()[-1]).relative_to(ROOT)}", flush=True)
            elif not line.startswith(("make", "gcc", "ar ")):
                print(line, end="", flush=True)
    if make.returncode:
        raise SystemExit(f"build: failed: {' '.join(command)}")


def make_programs(directory: Path) -> None:
    """Makes the on-chain programs that simnet emulates."""
    command = [sys.executable, "-m", "sniperforge.simnet.sbf", str(directory)]
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
        raise SystemExit(f"build: failed: {' '.join(command)}")


def replace_if_changed(source: Path, target: Path) -> None:
    """Copies a file by way of a rename, so that a running program keeps its old one."""
    if target.exists() and target.read_bytes() == source.read_bytes():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    shutil.copy2(source, part)
    part.replace(target)


class BuildCore(build_ext):
    """The static C core first, then the extension that links it, then the programs beside it."""

    def run(self) -> None:
        make_core()
        super().run()
        base = ROOT if self.inplace else Path(self.build_lib).resolve()
        replace_if_changed(RELEASE / "sf-group", base / "ipc" / "bin" / "sf-group")
        make_programs(base / "sniperforge" / "simnet" / "programs")


class BuildPython(build_py):
    """A wheel carries the shipped configuration beside the packages, as a checkout does."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            shutil.copytree(ROOT / "configs", Path(self.build_lib) / "configs", dirs_exist_ok=True)


setup(
    cffi_modules=["ipc/build_core.py:ffibuilder"],
    cmdclass={"build_ext": BuildCore, "build_py": BuildPython},
)
