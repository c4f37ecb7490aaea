"""Python views: control words, counters, histograms, tables and links of an instance."""

from __future__ import annotations

import os
import random
import signal
import threading

import numpy as np
import pytest

from ipc._core import ffi, lib
from ipc.errors import CoreError
from ipc.histogram import Histogram
from ipc.layout import dtype
from ipc.tile import halt_on_kill_signal
from ipc.views import now_ns
from tests.graphs import created, one_link


def test_the_kill_word_only_rises_until_it_is_lowered(instance_name: str) -> None:
    with created(one_link(depth=4, slot_bytes=64), instance_name) as instance:
        control = instance.control
        assert (control.kill, control.kill_by) == ("run", "none")
        assert control.raise_kill("reduce", by="person")
        assert control.raise_kill("halt", by="risk")
        assert not control.raise_kill("reduce", by="person")
        assert control.kill == "halt"
        assert 0 < control.kill_ns <= now_ns()
        control.lower_kill()
        assert control.kill == "run"


def test_sigusr1_raises_it_without_python(instance_name: str) -> None:
    with created(one_link(depth=4, slot_bytes=64), instance_name) as instance:
        before = signal.getsignal(signal.SIGUSR1)
        try:
            halt_on_kill_signal(instance)
            os.kill(os.getpid(), signal.SIGUSR1)
            assert (instance.control.kill, instance.control.kill_by) == ("halt", "signal")
        finally:
            signal.signal(signal.SIGUSR1, before or signal.SIG_DFL)


def test_words_of_the_supervisor(instance_name: str) -> None:
    with created(one_link(depth=4, slot_bytes=64), instance_name) as instance:
        control = instance.control
        assert not control.trading
        control.set_trading(True)
        control.start_run(7, supervisor_pid=42)
        before = now_ns()
        control.beat()
        assert (control.trading, control.run, control.supervisor_pid) == (True, 7, 42)
        assert before <= control.heartbeat_ns <= now_ns()


def test_histogram_quantiles_are_within_a_bucket() -> None:
    values = [random.Random(3).randrange(10 ** random.Random(i).randrange(1, 9)) for i in range(5000)]
    histogram, other = Histogram(), Histogram()
    for index, value in enumerate(values):
        (histogram if index % 2 else other).add(value)
    half = Histogram.copy_of(histogram._hist)
    histogram.merge(other)
    values.sort()
    assert (histogram.count, histogram.sum) == (len(values), sum(values))
    assert (histogram.min, histogram.max) == (values[0], values[-1])
    for share in (0.0, 0.5, 0.9, 0.99, 0.999, 1.0):
        exact = values[max(int(np.ceil(share * len(values))) - 1, 0)]
        assert exact <= histogram.quantile(share) <= exact * 1.0625 + 1
    rest = histogram.since(half)
    assert (rest.count, rest.sum) == (other.count, other.sum)
    assert (rest.buckets == other.buckets).all()
    assert rest.min <= other.min and rest.max >= other.max
    assert Histogram().quantile(0.5) == 0


def test_rows_are_copies(instance_name: str) -> None:
    with created(one_link(depth=4, slot_bytes=64, rows=3), instance_name) as instance:
        instance.map_writable("writer")
        table = instance.table("tokens")
        record = np.zeros((), dtype("sf_token_row_t"))
        record["decimals"] = 6
        table.write(1, record)
        row = table.read(1)
        record["decimals"] = 9
        table.write(1, record)
        assert (row["decimals"], table.read(1)["decimals"]) == (6, 9)
        assert table.used == 2 and [r["lock"] for r in table.read_all()] == [0, 4]
        with pytest.raises(CoreError):
            table.read_all(0, 4)
        with pytest.raises(CoreError) as none:
            instance.table("nothing")
        assert none.value.code == lib.SF_ERR_NOTFOUND


def test_a_row_whose_writer_was_put_aside_is_waited_for(instance_name: str) -> None:
    with created(one_link(depth=4, slot_bytes=64, rows=3), instance_name) as instance:
        instance.map_writable("writer")
        table = instance.table("tokens")
        record = np.zeros((), dtype("sf_token_row_t"))
        mark = bytes(range(100, 132))
        record["mint"] = np.frombuffer(mark, np.uint8)
        table.write(0, record)
        memory = ffi.buffer(ffi.cast("char *", table._table), 4096)
        place = bytes(memory).index(mark) - record.dtype.fields["mint"][1]
        memory[place : place + 8] = (3).to_bytes(8, "little")
        timer = threading.Timer(0.1, lambda: memory.__setitem__(slice(place, place + 8), (4).to_bytes(8, "little")))
        timer.start()
        assert table.read_all()["lock"].tolist() == [4] and table.read(0)["lock"] == 4
        timer.join()


def test_an_observer_of_a_broadcast_link_disturbs_nobody(instance_name: str) -> None:
    with created(one_link(depth=8, slot_bytes=128, reliable=0, lossy=1), instance_name) as instance:
        link = instance.link("numbers")
        with link.produce() as producer, link.consume("l0") as consumer:
            producer.send(1, b"before")
            producer.publish_state()
            observer = link.observe()
            for number in range(3):
                producer.send(2, number.to_bytes(8, "little"), tag=number, t_origin=99)
            seen = observer.receive()
            assert [(m.seq, m.kind, m.tag, m.t_origin) for m in seen] == [(1, 2, 0, 99), (2, 2, 1, 99), (3, 2, 2, 99)]
            assert [int.from_bytes(m.payload, "little") for m in seen] == [0, 1, 2]
            assert len(consumer.receive()) == 4 and consumer.lost == 0
            for _ in range(20):
                producer.send(2, b"")
            assert [m.seq for m in observer.receive()] == list(range(20, 24))
            assert observer.lost == 16


def test_a_link_without_lossy_readers_cannot_be_observed(instance_name: str) -> None:
    with created(one_link(depth=8, slot_bytes=128), instance_name) as instance, pytest.raises(CoreError):
        instance.link("numbers").observe()


def test_structs_and_buffers_are_payloads(instance_name: str) -> None:
    with created(one_link(depth=8, slot_bytes=128), instance_name) as instance:
        link = instance.link("numbers")
        turn = ffi.new("sf_turn_t *", {"seq": 5, "lost": 6})
        with link.produce() as producer, link.consume("r0") as consumer:
            producer.send(1, turn)
            producer.send(1, bytearray(ffi.buffer(turn)))
            producer.send(1, np.frombuffer(ffi.buffer(turn), dtype("sf_turn_t")))
            assert {message.payload for message in consumer.receive()} == {ffi.buffer(turn)[:]}
            with pytest.raises(CoreError) as large:
                producer.send(1, bytes(97))
            assert large.value.code == lib.SF_ERR_ARG
