"""The Python view of the journal: records, batches, places, ends, and the command."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from solders.pubkey import Pubkey
from solders.signature import Signature

from ipc._core import lib
from ipc.errors import CoreError
from sniperforge import exits
from sniperforge.journal import Place, Reader, cli, runs
from sniperforge.journal.records import KINDS, LAYOUTS
from tests.journal_files import LINKS, JournalFiles, order_number, payload

MINT = bytes(range(32))


def three_blocks(directory: Path, run: int = 1, segment_blocks: int = 2) -> JournalFiles:
    journal = JournalFiles(directory, run, segment_blocks)
    for n in range(1, 4):
        journal.balance(0, MINT, amount=n)
        journal.order(order_number(run, n), amount_in=1000 * n, hop_cnt=1)
        journal.wire(order_number(run, n))
        journal.fill(order_number(run, n), delta_in=n, latency_us=10 * n)
        journal.commit()
    return journal


def test_records_come_in_order_with_their_links(tmp_path: Path) -> None:
    three_blocks(tmp_path)
    with Reader(tmp_path, 1) as reader:
        records = list(reader.records())
        assert [(r.link, r.seq) for r in records if r.link == "fill"] == [("fill", n) for n in range(6)]
        assert [r.kind for r in records] == [KINDS[k] for k in ("balance", "order", "wire", "fill")] * 3
        assert reader.link_name(0) == "raw" and reader.link_name(63) == "link 63"
        assert list(reader.records()) == []
        tail = reader.tail()
        assert (tail.reason, tail.residue_bytes, tail.damaged) == ("", 0, False)


def test_payloads_of_a_kind_as_one_array(tmp_path: Path) -> None:
    three_blocks(tmp_path)
    with Reader(tmp_path, 1) as reader:
        fills = np.concatenate([batch.payloads(lib.SF_MSG_FILL) for batch in reader.batches([lib.SF_MSG_FILL])])
    assert fills["delta_in"].tolist() == [1, 2, 3]
    assert fills["order"].tolist() == [order_number(1, n) for n in (1, 2, 3)]


def test_fields_are_plain_values(tmp_path: Path) -> None:
    three_blocks(tmp_path)
    with Reader(tmp_path, 1) as reader:
        balance, order, wire, fill = list(reader.records())[:4]
    assert balance.fields()["mint"] == str(Pubkey.from_bytes(MINT))
    assert order.fields()["intent"]["amount_in"] == 1000 and len(order.fields()["intent"]["hop"]) == 1
    assert order.t_origin == 77
    assert wire.fields()["tx"].startswith("AQABAgME")
    assert fill.fields()["outcome"] == "landed" and fill.fields()["signature"] == str(Signature.default())
    assert set(KINDS.values()) == set(LAYOUTS)


def test_every_kind_decodes_and_short_payloads_do_not_fail(tmp_path: Path) -> None:
    journal = JournalFiles(tmp_path, 1)
    for kind, layout in LAYOUTS.items():
        journal.add("raw", kind, payload(layout))
        journal.add("raw", kind, b"short")
    journal.add("raw", lib.SF_MSG_ACCOUNT, payload("sf_raw_account_t", data_len=3) + b"abc")
    journal.add("raw", 99, b"unknown")
    journal.commit()
    with Reader(tmp_path, 1) as reader:
        records = list(reader.records())
    assert all(record.fields() == {"bytes": "c2hvcnQ="} for record in records[1:-2:2])
    assert records[-2].fields()["data"] == "YWJj"
    assert records[-1].fields() == {"bytes": "dW5rbm93bg=="}


def test_reading_goes_on_from_a_place(tmp_path: Path) -> None:
    three_blocks(tmp_path)
    with Reader(tmp_path, 1) as reader:
        places = [reader.place for _ in reader.batches()]
    assert [place.number for place in places] == [1, 2, 3]
    for done, place in enumerate(places, 1):
        with Reader(tmp_path, 1, place) as reader:
            assert [r.seq for r in reader.records([lib.SF_MSG_ORDER])] == list(range(done, 3))
            assert reader.link_name(0) == "raw"
    with pytest.raises(CoreError, match="offset 12345: is no place"):
        Reader(tmp_path, 1, Place(1, 0, 12345, 2))
    with pytest.raises(CoreError, match="no such file"):
        Reader(tmp_path, 9)


def test_a_growing_journal_is_followed(tmp_path: Path) -> None:
    journal = JournalFiles(tmp_path, 1, segment_blocks=2)
    journal.order(1)
    journal.commit()
    with Reader(tmp_path, 1) as reader:
        assert len(list(reader.records())) == 1
        for n in range(2, 8):
            assert list(reader.records()) == []
            journal.order(n)
            journal.commit()
            assert len(list(reader.records())) == 1


def test_a_broken_block_ends_the_journal_with_file_and_offset(tmp_path: Path) -> None:
    journal = three_blocks(tmp_path)
    path = journal.segment_path(0)
    data = bytearray(path.read_bytes())
    data[journal.ends[0][1] + 100] ^= 1
    path.write_bytes(data)
    with Reader(tmp_path, 1) as reader:
        with pytest.raises(CoreError, match=r"00000001-00000000\.sfj, offset \d+: block 1: checksum"):
            list(reader.records())
        assert reader.place.number == 1
        tail = reader.tail()
        assert tail.whole_blocks == 1 and tail.segments == 1 and not tail.damaged


@pytest.mark.parametrize("verb", ["list", "verify"])
def test_list_and_verify(tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    three_blocks(tmp_path, run=1)
    journal = three_blocks(tmp_path, run=2)
    assert runs(tmp_path) == [1, 2]
    assert cli.main([verb, str(tmp_path), "--json"]) == exits.OK
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["run"], first["end"], first["records"], first["kinds"]["fill"]) == (1, "clean", 12, 3)
    assert second["segments"] == 2
    with journal.path.open("r+b") as file:
        file.truncate(journal.ends[-1][1] - 512)
    assert cli.main([verb, str(tmp_path), "--run", "2"]) == (exits.DIFFERENT if verb == "verify" else exits.OK)
    where = "ends torn at 00000002-00000000.sfj offset 8192: journal 00000002-00000001.sfj, offset 0: block 2 has"
    assert where in capsys.readouterr().out
    assert cli.main([verb, str(tmp_path / "none")]) == exits.FAILED
    assert cli.main([verb, str(tmp_path), "--run", "5"]) == exits.FAILED


def test_show_and_tail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    three_blocks(tmp_path)
    assert cli.main(["show", str(tmp_path), "--kind", "fill", "--json"]) == exits.OK
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["payload"]["delta_in"] for record in shown] == [1, 2, 3]
    assert cli.main(["show", str(tmp_path), "--link", "order"]) == exits.OK
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and "order[0] order order=4294967297" in lines[0]
    assert cli.main(["tail", str(tmp_path), "-n", "2", "--json"]) == exits.OK
    assert [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()] == ["wire", "fill"]
    assert cli.main(["show", str(tmp_path), "--run", "4"]) == exits.FAILED


def test_follow_goes_over_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = JournalFiles(tmp_path, 1)
    journal.order(1)
    journal.commit()
    seen: list[tuple[int, int]] = []
    enough = threading.Event()

    def follow() -> None:
        for record in cli._follow(tmp_path, Reader(tmp_path, 1), None):
            seen.append((record.run, record.seq))
            if len(seen) == 3:
                enough.set()
                return

    monkeypatch.setattr(cli, "_POLL_S", 0.001)
    thread = threading.Thread(target=follow)
    thread.start()
    deadline = time.monotonic() + 30
    while not seen and time.monotonic() < deadline:
        time.sleep(0.001)
    journal.order(2)
    journal.commit()
    second = JournalFiles(tmp_path, 2)
    second.order(order_number(2, 1))
    second.commit()
    assert enough.wait(30)
    thread.join()
    assert seen == [(1, 0), (1, 1), (2, 0)]


def test_links_of_the_default_topology_fit(tmp_path: Path) -> None:
    journal = JournalFiles(tmp_path, 1, links=tuple(f"{name}-{'x' * 10}" for name in LINKS))
    journal.links = (*journal.links, "order")
    journal.add("order", lib.SF_MSG_SLOT, payload("sf_raw_slot_t"))
    journal.commit()
    with Reader(tmp_path, 1) as reader:
        assert [record.link for record in reader.records()] == ["order"]
