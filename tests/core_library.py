"""Pure parts of the C core (`csrc/dex`, `csrc/trade`) as a library of their own, for differential tests."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

from cffi import FFI

from ipc import abi

ROOT = Path(__file__).resolve().parents[1]


def build(directory: Path, sources: list[str], declarations: str, glue: str = "") -> tuple[FFI, Any]:
    """Compiles `sources` (below csrc) and `glue` (C text) into `directory` and loads them.

    Args:
        declarations: what cffi is to know besides the shared layouts.
    """
    text = directory / "glue.c"
    text.write_text(glue)
    library = directory / "core.so"
    subprocess.run(
        [
            *shlex.split(os.environ.get("CC", "gcc")),
            *("-std=gnu11", "-D_GNU_SOURCE", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"),
            *(f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'ipc/include'}"),
            *(str(ROOT / "csrc" / source) for source in ["base/err.c", "solana/program.c", *sources]),
            *(str(text), "-lm", "-o", str(library)),
        ],
        check=True,
        timeout=600,
    )
    ffi = FFI()
    ffi.cdef(abi.types() + declarations)
    return ffi, ffi.dlopen(str(library))
