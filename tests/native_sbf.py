"""The arithmetic of the emulated programs (`csrc/sbf/*_math.h`) compiled for this machine, so that a million cases can
be compared; in the virtual machine the same text runs."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

from cffi import FFI

ROOT = Path(__file__).resolve().parents[1]

PANIC = 2**64 - 1
"""What a guarded function returns where the program would stop."""

PRELUDE = """
#include <setjmp.h>
#define abort sbf_native_abort
#include "sbf/sbf.h"
#undef SBF_HEAP
static jmp_buf sbf_native_panic;
void sbf_native_abort( void ) { longjmp( sbf_native_panic, 1 ); }
uint64_t sol_log_( uint8_t const * text, uint64_t len ) { return (uint64_t)( text - text ) * len; }
#define GUARDED( call ) ( setjmp( sbf_native_panic ) ? UINT64_MAX : ( call ) )
"""


def build(directory: Path, declarations: str, glue: str) -> tuple[FFI, Any]:
    """Compiles ``glue`` (C text that includes the headers) into ``directory`` and loads it.

    Args:
        declarations: what cffi is to know; types and functions of the glue.
    """
    source, library = directory / "native_sbf.c", directory / "native_sbf.so"
    source.write_text(PRELUDE + glue)
    subprocess.run(
        [
            *shlex.split(os.environ.get("CC", "gcc")),
            *("-std=gnu11", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'csrc'}"),
            *(str(source), "-o", str(library)),
        ],
        check=True,
        timeout=600,
    )
    ffi = FFI()
    ffi.cdef(declarations)
    return ffi, ffi.dlopen(str(library))
