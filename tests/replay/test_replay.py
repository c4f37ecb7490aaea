"""Replay of recordings: the same intents byte for byte, in whatever order the bots saw things; changes are found."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from ipc._core import ffi, lib
from sniperforge import exits
from sniperforge.journal import Reader
from sniperforge.replay import Recording, ReplayError, Result, cli, replay, summarize
from tests.replay.recorder import Recorder


@pytest.fixture
def recorder(tmp_path: Path, instance_name: str) -> Recorder:
    made = Recorder(tmp_path / "state", instance_name, seed=1)
    made.run(600)
    return made


def replayed(recorder: Recorder, name: str, *, torn: bool = False) -> Result:
    """From raw; and from market, the same comes out, but for where a torn recording ends."""
    recording = Recording.open(recorder.journal)
    result = replay(recording, name=name)
    from_market = replay(recording, name=name, source="market")
    assert from_market.identical == result.identical
    if torn:
        assert from_market.market > 0
    elif result.difference is None:
        assert (from_market.raw, from_market.bots, from_market.intents) == (0, result.bots, result.intents)
    else:
        assert from_market.difference is not None
        assert (from_market.difference.link, from_market.difference.seq) == (
            result.difference.link,
            result.difference.seq,
        )
    return result


@pytest.mark.parametrize(
    ("seed", "pools", "depth", "resets"), [(2, 12, 4096, False), (3, 12, 128, False), (4, 100, 512, True)]
)
def test_intents_come_out_the_same_three_times(
    tmp_path: Path, instance_name: str, seed: int, pools: int, depth: int, resets: bool
) -> None:
    recorder = Recorder(tmp_path / "state", instance_name, seed=seed, pools=pools, market_depth=depth)
    recorder.run(500, resets=resets)
    assert recorder.intents > 20 and recorder.orders > 10
    first = None
    for _ in range(3):
        result = replayed(recorder, instance_name)
        assert result.difference is None
        assert result.identical and result.intents == recorder.intents
        assert [(bot.missing, bot.beyond, bot.lost_input) for bot in result.bots] == [(0, 0, 0)] * 2
        outcome = [(bot.matched, bot.intents) for bot in result.bots]
        first = first or outcome
        assert outcome == first


def test_a_fee_that_changes_for_many_pools_at_once(tmp_path: Path, instance_name: str) -> None:
    recorder = Recorder(tmp_path / "state", instance_name, seed=6, pools=300, mints=26)
    recorder.run(200, fees=True)
    assert recorder.intents > 20
    result = replayed(recorder, instance_name)
    assert result.identical, result.difference


def test_pools_that_opened_in_the_meantime_open_as_they_did(tmp_path: Path, instance_name: str) -> None:
    recorder = Recorder(tmp_path / "state", instance_name, seed=7)
    opens = int(time.time()) + 2
    for pool in range(6):
        recorder.opens_at(pool, opens)
    recorder.run(300)
    while time.time() <= opens:
        time.sleep(0.01)
    assert recorder.intents > 5
    result = replayed(recorder, instance_name)
    assert result.identical, result.difference


def test_a_small_market_link_loses_messages_and_the_turns_say_which(tmp_path: Path, instance_name: str) -> None:
    recorder = Recorder(tmp_path / "state", instance_name, seed=5, market_depth=128, python_share=0.004)
    recorder.run(800)
    lost = 0
    with Reader(recorder.journal, 1) as reader:
        for batch in reader.batches([lib.SF_MSG_TURN]):
            lost += int(batch.payloads(lib.SF_MSG_TURN)["lost"].sum())
    assert lost > 0
    assert replayed(recorder, instance_name).identical


def test_a_changed_intent_is_found(recorder: Recorder, instance_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = recorder.journal / "00000001-00000000.sfj"
    data = bytearray(path.read_bytes())
    with Reader(recorder.journal, 1) as reader:
        intents = [record for record in reader.records([lib.SF_MSG_INTENT]) if record.link == "intent.arb"]
    changed = intents[len(intents) // 2]
    at = data.index(changed.payload)
    data[at + ffi.offsetof("sf_intent_t", "amount_in")] ^= 1
    path.write_bytes(_with_right_checksums(data))
    result = replayed(recorder, instance_name)
    assert not result.identical and result.difference is not None
    assert (result.difference.link, result.difference.seq) == ("intent.arb", changed.seq)
    assert result.difference.replayed.payload == changed.payload
    assert cli.main([str(recorder.journal), "--json"]) == exits.DIFFERENT
    told = json.loads(capsys.readouterr().out)
    recorded, made = told["difference"]["recorded"]["payload"], told["difference"]["replayed"]["payload"]
    assert recorded.pop("amount_in") ^ 1 == made.pop("amount_in") and recorded == made
    assert cli.main([str(recorder.journal)]) == exits.DIFFERENT
    text = capsys.readouterr().out
    assert f"DIFFERENT at intent.arb[{changed.seq}]" in text and "recorded {" in text and "replayed {" in text


def _with_right_checksums(data: bytearray) -> bytes:
    offset = 0
    while offset < len(data):
        block = ffi.from_buffer("sf_journal_block_t *", memoryview(data)[offset:])
        if block.magic == 0:
            break
        block.crc = 0
        block.crc = lib.sf_crc32c(0, bytes(data[offset : offset + block.used_bytes]), block.used_bytes)
        offset += block.block_bytes
    return bytes(data)


def test_a_missing_intent_is_found(recorder: Recorder, instance_name: str) -> None:
    """A bot with another parameter wants other things."""
    path = recorder.journal / "1.config.json"
    record = json.loads(path.read_text())
    record["tiles"]["arb"]["min_profit_lamports"] = str(10**14)
    path.write_text(json.dumps(record))
    assert not replayed(recorder, instance_name).identical


def test_a_torn_recording_is_replayed_as_far_as_it_goes(recorder: Recorder, instance_name: str) -> None:
    path = recorder.journal / "00000001-00000000.sfj"
    whole = replayed(recorder, instance_name)
    size = path.stat().st_size
    for cut in (3, 2, 1):
        os.truncate(path, size * cut // 4 // 512 * 512)
        result = replayed(recorder, instance_name, torn=True)
        assert result.identical, result.difference
        assert 0 < result.raw < whole.raw and result.intents <= whole.intents
        assert result.end == "" or "offset" in result.end


def test_a_market_larger_than_the_tape_comes_in_several_loads(recorder: Recorder, instance_name: str) -> None:
    path = recorder.journal / "1.config.json"
    record = json.loads(path.read_text())
    record["config"]["replay"]["tape_mb"] = 2  # a load is a block then
    path.write_text(json.dumps(record))
    result = replayed(recorder, instance_name)
    assert result.identical and result.market > 600


def test_tokens_left_by_an_earlier_replay_are_taken_as_long_as_they_are_of_this_journal(
    recorder: Recorder, instance_name: str
) -> None:
    recording = Recording.open(recorder.journal)
    first = replay(recording, name=instance_name, source="market")
    rows = recording.tokens_path.read_bytes()
    recording.tokens_path.write_bytes(bytes(8) + rows[8:])
    assert replay(recording, name=instance_name, source="market").bots == first.bots
    assert recording.tokens_path.read_bytes() == rows
    recording.tokens_path.write_bytes(rows[:8])  # of this journal, and no token in it: no bot knows what it pays with
    assert not replay(recording, name=instance_name, source="market").identical


def test_only_one_bot(recorder: Recorder, instance_name: str) -> None:
    result = replay(Recording.open(recorder.journal, bots=["arb"]), name=instance_name)
    assert result.identical and [bot.tile for bot in result.bots] == ["arb"]
    with pytest.raises(ReplayError, match="no bot 'nobody'"):
        Recording.open(recorder.journal, bots=["nobody"])


def test_summary_and_command(recorder: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    summary = summarize(Recording.open(recorder.journal))
    assert summary.fills == recorder.orders == summary.landed + summary.reverted + summary.expired
    assert summary.fee_lamports == 5000 * recorder.orders and summary.simulated
    assert summary.profitable == 0 and summary.hit_rate == 0 and summary.drawdown_lamports > 0
    assert 100_000 <= summary.latency_us["p50"] <= summary.latency_us["p99"] <= 900_000
    assert cli.main([str(recorder.journal), "--json"]) == exits.OK
    told = json.loads(capsys.readouterr().out)
    assert told["identical"] and told["intents"] == recorder.intents and told["fills"]["fills"] == recorder.orders
    assert told["events_per_second"] > 0
    assert cli.main([str(recorder.journal), "--json", "--from", "market"]) == exits.OK
    from_market = json.loads(capsys.readouterr().out)
    assert from_market["bots"] == told["bots"] and from_market["market_messages"] == told["market_messages"]
    assert cli.main([str(recorder.journal)]) == exits.OK
    text = capsys.readouterr()
    assert "identical" in text.out and "drawdown" in text.out and text.err == ""


def test_what_cannot_be_replayed_is_told(recorder: Recorder, tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="no journal of run 4"):
        Recording.open(recorder.journal, run=4)
    with pytest.raises(ReplayError, match="no journal; there are runs none"):
        Recording.open(tmp_path / "nothing")
    (recorder.journal / "1.config.json").write_text("{}")
    with pytest.raises(ReplayError, match="with the version that recorded it"):
        Recording.open(recorder.journal)
    (recorder.journal / "1.config.json").unlink()
    with pytest.raises(ReplayError, match="no such file"):
        Recording.open(recorder.journal)
    assert cli.main([str(tmp_path / "nothing")]) == exits.FAILED
