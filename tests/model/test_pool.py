"""The element pool against a set."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ipc._core import ffi, lib
from ipc.errors import attached, check

DIRECTORY = Path(f"/dev/shm/sf-t{os.getpid()}-pool")
ELEMENTS = 5
ELEMENT_BYTES = 128


class Pool(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        DIRECTORY.mkdir(mode=0o700)
        self.workspace = ffi.new("sf_workspace_t *")
        size = lib.sf_pool_bytes(ELEMENT_BYTES, ELEMENTS)
        check(lib.sf_workspace_create(self.workspace, str(DIRECTORY).encode(), b"pool", size, 0, 0))
        self.pool = attached(lib.sf_pool_create(self.workspace, 0, b"buffers", ELEMENT_BYTES, ELEMENTS))
        self.out: dict[int, bytes] = {}

    def teardown(self) -> None:
        lib.sf_workspace_close(self.workspace)
        shutil.rmtree(DIRECTORY)

    @rule(content=st.binary(min_size=ELEMENT_BYTES, max_size=ELEMENT_BYTES))
    def take(self, content: bytes) -> None:
        index = lib.sf_pool_take(self.pool)
        if len(self.out) == ELEMENTS:
            assert index == lib.SF_POOL_NONE
            return
        assert index < ELEMENTS and index not in self.out
        ffi.memmove(lib.sf_pool_element(self.pool, index), content, ELEMENT_BYTES)
        self.out[index] = content

    @rule(data=st.data())
    def give(self, data: st.DataObject) -> None:
        if self.out:
            index = data.draw(st.sampled_from(sorted(self.out)))
            check(lib.sf_pool_give(self.pool, index))
            del self.out[index]

    @rule(index=st.integers(ELEMENTS, 2**32 - 1))
    def give_what_is_none(self, index: int) -> None:
        assert lib.sf_pool_give(self.pool, index) == lib.SF_ERR_ARG

    @invariant()
    def elements_are_kept_and_apart(self) -> None:
        assert self.pool.taken == len(self.out)
        for index, content in self.out.items():
            assert ffi.buffer(lib.sf_pool_element(self.pool, index), ELEMENT_BYTES)[:] == content


TestPool = Pool.TestCase
TestPool.settings = settings(max_examples=40, stateful_step_count=30)
