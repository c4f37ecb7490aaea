"""bench ptile: a tile in Python: round trips, batches, empty polls, beside what Python has of its own.

    python -m bench.ptile [--short] [--json]

Two processes on two cores. The other end is a C tile that publishes what it gets (`bench/c/tiles.c`); both spin.
`round trip`: one message out by one call, one call that waits in C until it is back; `Tile`: the same through
`Tile.publish` and the hook `messages`. `batch out`, `batch in`: one call that publishes 128 messages, one that takes
128 that are there, a message each. `empty poll`: a call that finds nothing. Payload 32 bytes. The peers send 64 bytes
to another Python process and back: multiprocessing.Queue, ZeroMQ ipc (pyzmq), a pipe.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zmq

from bench.harness import cases, program
from bench.harness.floor import Floors
from bench.harness.hdr import Histogram
from bench.harness.result import Case, Floor, latency
from ipc._core import ffi, lib
from ipc.errors import check
from ipc.tile import Batch, Tile
from ipc.topology import Topology
from ipc.views import Instance, remove

TEXT = "a Python tile: round trip, batches, empty poll; queues, ZeroMQ and a pipe beside it"
ROUNDS, TRIPS, BATCHES, POLLS = 5, 20_000, 2_000, 200
BATCH, POLLS_A_SAMPLE = 128, 100
STRIDE = 64
ANSWER_S = 10.0
LONG_NS = 1_000_000_000


class Pinger(Tile):
    """This end, when it is driven through the product's class."""

    seen = 0

    def messages(self, source: int, batch: Batch) -> None:
        self.seen += len(batch)


def _topology(state_dir: Path) -> Topology:
    topology = Topology(state_dir=state_dir)
    topology.group("python", wait="spin", python=True)
    topology.group("c", wait="spin")
    topology.tile("pinger", kind="bench", group="python")
    topology.tile("echo", kind="bench_echo", group="c", burst=1)
    for name, producer, consumer in (("out", "pinger", "echo"), ("back", "echo", "pinger")):
        topology.link(name, producer=producer, depth=1024, slot_bytes=STRIDE)
        topology.edge(name, consumer=consumer)
    topology.validate()
    return topology


@contextmanager
def pinger() -> Iterator[Pinger]:
    """This end on the first core, with the C tile at the other end on its own."""
    cores = sorted(os.sched_getaffinity(0))
    name = f"bench{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="sf-bench-") as directory:
        with _topology(Path(directory)).create(name) as instance:
            command = [program.build("tiles"), str(instance.directory), "c"]
            other = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
            tile = Pinger(instance, "pinger")
            try:
                core = instance.groups["c"].core
                os.sched_setaffinity(0, set(cores) - {core} or cores)
                tile.boot()
                _await_run(instance, other)
                yield tile
            finally:
                instance.control.halt_tile("echo")
                tile.close()
                other.wait(ANSWER_S)
                os.sched_setaffinity(0, cores)
        remove(name)


def _await_run(instance: Instance, other: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + ANSWER_S
    while instance.cnc("echo").state != "run":
        if other.poll() is not None or time.monotonic() > deadline:
            raise program.ProgramError(f"bench ptile: the C tile does not run: {(other.stderr or sys.stdin).read()}")


class Calls:
    """The calls of C that a tile is made of, without the class around them."""

    def __init__(self, tile: Pinger) -> None:
        self.tile = tile
        self.pointer: Any = tile.pointer
        self.turn: Any = ffi.new("ipc_turn_t *")
        self.memory: Any = ffi.new("uint64_t[]", BATCH * STRIDE // 8)
        self.source: Any = ffi.new("uint16_t[]", BATCH)
        self.messages: Any = ffi.new("char[]", BATCH * STRIDE)
        for number in range(BATCH):
            header = ffi.cast("sf_message_t *", self.messages + number * STRIDE)
            header.kind, header.length = 1, 32

    def poll(self, wait_ns: int, most: int = BATCH) -> int:
        """A turn that waits so long for a message; how many came."""
        count: int = lib.ipc_tile_turn(self.pointer, self.memory, self.source, most, wait_ns, self.turn)
        return count

    def trips(self, count: int) -> list[int]:
        """Nanoseconds of round trips, one message under way."""
        publish, turn = lib.sf_ptile_publish, lib.ipc_tile_turn
        pointer, memory, source, found, out = self.pointer, self.memory, self.source, self.turn, self.messages
        clock, times = time.perf_counter_ns, []
        begin = clock()
        for _ in range(count):
            publish(pointer, 0, out, STRIDE, 1)
            while not turn(pointer, memory, source, BATCH, LONG_NS, found):
                pass
            end = clock()
            times.append(end - begin)
            begin = end
        return times

    def batches(self, count: int) -> tuple[list[float], list[float]]:
        """Nanoseconds a message of publishing 128 at once, and of taking 128 that are there."""
        out, into = [], []
        for _ in range(count):
            begin = time.perf_counter_ns()
            check(lib.sf_ptile_publish(self.pointer, 0, self.messages, STRIDE, BATCH))
            out.append((time.perf_counter_ns() - begin) / BATCH)
            until = time.perf_counter_ns() + 30_000  # until they are back
            while time.perf_counter_ns() < until:
                pass
            begin = time.perf_counter_ns()
            got = self.poll(0)
            took = time.perf_counter_ns() - begin
            if got == BATCH:
                into.append(took / BATCH)
            while got < BATCH:
                got += self.poll(LONG_NS)
            self.poll(0)  # ends the pass over the in-links: the next one begins with a whole batch
        return out, into

    def empty(self, samples: int) -> list[float]:
        """Nanoseconds of polls that find nothing, the mean of 100 each."""
        turn = lib.ipc_tile_turn
        pointer, memory, source, found = self.pointer, self.memory, self.source, self.turn
        times = []
        for _ in range(samples):
            begin = time.perf_counter_ns()
            for _ in range(POLLS_A_SAMPLE):
                turn(pointer, memory, source, BATCH, 0, found)
            times.append((time.perf_counter_ns() - begin) / POLLS_A_SAMPLE)
        return times

    def hooks(self, count: int) -> list[int]:
        """Nanoseconds of round trips through the class."""
        tile, times = self.tile, []
        payload = bytes(32)
        begin = time.perf_counter_ns()
        for _ in range(count):
            want = tile.seen + 1
            tile.publish(0, 1, payload)
            while tile.seen < want:
                tile.turn(LONG_NS)
            end = time.perf_counter_ns()
            times.append(end - begin)
            begin = end
        return times


# -- peers -------------------------------------------------------------------------------------------------------------


def _answer(trips: int, asked: Any, answered: Any, pipes: tuple[Any, Any], address: str) -> None:
    """The other Python process: answers on the queue, then over ZeroMQ, then on the pipe."""
    for _ in range(trips):
        answered.put(asked.get())
    with zmq.Context() as context, context.socket(zmq.PAIR) as socket:
        socket.connect(address)
        for _ in range(trips):
            socket.send(socket.recv())
    into, out = (each.fileno() for each in pipes)
    for _ in range(trips):
        os.write(out, os.read(into, 64))


def _timed(trips: int, trip: Callable[[], object]) -> Histogram:
    """Of round trips; the first tenth is warm-up."""
    times = []
    begin = time.perf_counter_ns()
    for _ in range(trips):
        trip()
        end = time.perf_counter_ns()
        times.append(end - begin)
        begin = end
    return Histogram.of(times[trips // 10 :])


def peers(trips: int) -> dict[str, Histogram]:
    """Round trips of 64 bytes between two Python processes."""
    spawn = multiprocessing.get_context("spawn")
    data = bytes(64)
    found = {}
    with tempfile.TemporaryDirectory(prefix="sf-bench-") as directory:
        asked, answered = spawn.Queue(), spawn.Queue()
        (there, ask), (back, answer) = spawn.Pipe(duplex=False), spawn.Pipe(duplex=False)
        address = f"ipc://{directory}/ptile"
        with zmq.Context() as context, context.socket(zmq.PAIR) as socket:
            socket.bind(address)
            other = spawn.Process(target=_answer, args=(trips, asked, answered, (there, answer), address), daemon=True)
            other.start()

            def queues() -> None:
                asked.put(data)
                answered.get()

            queues()  # until it has started
            found["multiprocessing.Queue"] = _timed(trips - 1, queues)
            found["ZeroMQ ipc"] = _timed(trips, lambda: (socket.send(data), socket.recv()))
            out, into = ask.fileno(), back.fileno()
            found["pipe"] = _timed(trips, lambda: (os.write(out, data), os.read(into, 64)))
        other.join(timeout=ANSWER_S)
    return found


def measure(floors: Floors, *, short: bool = False) -> Case:
    """Runs the case."""
    if len(os.sched_getaffinity(0)) < 2:
        raise program.SkippedError("bench ptile: two cores are needed, there is one")
    case = Case("ptile", TEXT, __doc__ or "")
    part = 20 if short else 1
    trips, hooks, out, into, empty = [], [], [], [], []
    for _ in range(1 if short else ROUNDS):
        with pinger() as tile:
            calls = Calls(tile)
            calls.trips(TRIPS // 20)
            trips.append(Histogram.of(calls.trips(TRIPS // part)))
            hooks.append(Histogram.of(calls.hooks(TRIPS // part)))
            sent, taken = calls.batches(BATCHES // part)
            out.append(Histogram.of(1000 * each for each in sent))
            if taken:
                into.append(Histogram.of(1000 * each for each in taken))
            empty.append(Histogram.of(1000 * each for each in calls.empty(POLLS)))
    floor = floors.line()
    case.results += [
        latency("round trip", trips, text="Python to C to Python, calls", group="tile", floor=floor),
        latency("round trip Tile", hooks, text="the same through the class and its hook", group="tile", floor=floor),
        latency("batch out", out, unit="ps", text="a message of 128 published by one call", group="tile"),
        latency("empty poll", empty, unit="ps", text="a call that finds nothing, means of 100", group="tile"),
    ]
    if into:
        text = "a message of 128 taken by one call"
        case.results.append(latency("batch in", into, unit="ps", text=text, group="tile"))
    else:
        case.skipped.append("batch in: the C tile's core was never free for a whole batch")
    ours = Floor("our round trip", case.find("round trip Tile").value)
    for name, histogram in peers(200 if short else 5_000).items():
        text = "64 bytes to another Python process and back"
        case.results.append(latency(name, [histogram], text=text, group="peers", floor=ours, peer=True))
    return case


if __name__ == "__main__":
    sys.exit(cases.run_one(measure))
