"""The command line against a real engine: every verb, its exit code, and what it leaves behind."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipc.views import directory
from sniperforge import exits
from sniperforge.wallet import keyfile
from tests.engine import CLI, REPO, Engine, running, until

LIVELY = ("simnet.market.trades_per_second=50",)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One engine for the tests that do not end it."""
    engine = Engine(f"t{os.getpid()}-cli", tmp_path_factory.mktemp("cli") / "state", LIVELY)
    with running(engine):
        yield engine
        assert engine.end() == exits.OK, engine.said()
    assert not engine.left_behind()


def _json(engine: Engine, *words: str) -> Any:
    done = engine.command(*words, "--json")
    assert done.returncode == exits.OK, done.stderr
    return json.loads(done.stdout)


def _first_order(engine: Engine) -> int:
    return int(until("an order", engine.orders, 30.0))


def _kill_word(engine: Engine) -> str:
    return str(engine.read(lambda instance: instance.control.kill))


# -- reading ---------------------------------------------------------------------------------------


def test_status(shared: Engine) -> None:
    done = shared.command("status")
    assert done.returncode == exits.OK
    for word in ("supervisor alive", "trading", "feed", "confirm", "bot arb", "memory: hot path"):
        assert word in done.stdout
    found = _json(shared, "status")
    assert found["instance"] == shared.name
    assert found["trading"] and found["kill"]["level"] == "run"
    assert {tile["name"]: tile["state"] for tile in found["tiles"]} == dict.fromkeys(
        (tile["name"] for tile in found["tiles"]), "run"
    )
    assert found["pools"] and found["links"] and found["memory"]["hot_path_bytes"] > 0


def test_execution_optimize(shared: Engine) -> None:
    """Of a watch that saw nothing no figure is called measured."""
    plan = _json(shared, "execution-optimize", "--token", "USDC", "--trade-size", "1000.000001", "--watch", "0")
    assert sum(route["amount_in"] for route in plan["routes"]) == 1_000_000_001
    for route in plan["routes"]:
        assert route["impact_bps"] > 0 and route["min_out"] < route["expected_out"]
        assert route["volatility_bps"] >= 5.0 and "with 0 changes of price" in route["slippage_why"]


def test_monitor_prints_lines_without_a_terminal(shared: Engine) -> None:
    done = shared.command("monitor", "--count", "2", "--period", "0.05")
    assert done.returncode == exits.OK
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and all(line.startswith(f"{shared.name} run ") for line in lines)
    done = shared.command("monitor", "--count", "2", "--period", "0.05", "--json")
    assert [json.loads(line)["instance"] for line in done.stdout.splitlines()] == [shared.name] * 2


def test_performance_stats(shared: Engine) -> None:
    def figures() -> Any:
        seen = _json(shared, "performance-stats", "--seconds", "0.3", "--optimize")
        return seen if all(group["cpu_ns"] > 0 for group in seen["groups"]) else None  # one may have stood still

    found = until("a look in which every group ran", figures, 60.0)
    assert found["instance"] == shared.name and 0.2 < found["seconds"] < 20
    tiles = {tile["name"]: tile for tile in found["tiles"]}
    assert {"feed", "book", "risk", "sign", "journal"} <= tiles.keys()
    assert {space["name"] for space in found["workspaces"]} >= tiles.keys()
    assert all(process["private_bytes"] > 0 for process in found["processes"])
    assert found["groups"] and found["advice"]
    shown = shared.command("performance-stats", "--seconds", "0").stdout
    assert "the whole run" in shown and "stages" in shown


def _in_terminal(command: list[str], interrupt_after: str = "") -> tuple[str, int]:
    """Runs a command on a pseudo-terminal of 60 x 240; presses Ctrl-C once it has shown `interrupt_after`."""
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(REPO)
        os.environ |= {"TERM": "xterm", "LINES": "60", "COLUMNS": "240"}
        os.execv(command[0], command)
    shown = b""
    deadline = time.monotonic() + 60
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.1)[0]:
                data = os.read(terminal, 65536)
                if not data:
                    break
                shown += data
            if interrupt_after and interrupt_after.encode() in shown:
                os.write(terminal, b"\x03")
                interrupt_after = ""
        else:
            os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return shown.decode(errors="replace"), os.waitstatus_to_exitcode(status)


def test_monitor_draws_on_a_terminal(shared: Engine) -> None:
    shown, code = _in_terminal([*CLI, "monitor", "--count", "2", "--period", "0.1", *shared.arguments()])
    assert code == exits.OK
    for title in ("tiles", "links", "latency by stage", "bots", "positions", "pools", "last events"):
        assert title in shown
    shown, code = _in_terminal([*CLI, "monitor", *shared.arguments()], interrupt_after="last events")
    assert code == exits.OK, shown


def test_config(shared: Engine) -> None:
    done = shared.command("config", "risk.max_open_orders", "--set", "risk.max_open_orders=33")
    assert (done.returncode, done.stdout) == (exits.OK, "risk.max_open_orders = 33\n")
    assert _json(shared, "config")["instance"]["name"] == shared.name
    done = shared.command("config", "risk.max_open_order")
    assert done.returncode == exits.USAGE and "risk.max_open_order" in done.stderr
    done = shared.command("status", "--set", "risk.max_open_orders=-1")
    assert done.returncode == exits.USAGE and "risk.max_open_orders" in done.stderr


def test_doctor(shared: Engine) -> None:
    done = shared.command("doctor", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == (exits.OK if found["ok"] else exits.DIFFERENT)
    assert found["host"]["cores"] >= 1
    for finding in found["findings"]:
        assert finding["found"] and (finding["level"] == "ok" or finding["fix"])
    assert "cores" in shared.command("doctor").stdout


# -- commanding ------------------------------------------------------------------------------------


def test_halt_and_resume(shared: Engine) -> None:
    _first_order(shared)
    assert _json(shared, "halt") == {"kill": "halt"}
    assert _kill_word(shared) == "halt" and (shared.state_dir / "killed").exists()
    orders = _orders_when_killed(shared)
    _await_denied(shared)
    assert shared.orders() == orders
    assert _json(shared, "resume") == {"kill": "run"}
    assert not (shared.state_dir / "killed").exists()
    until("orders after resume", lambda: shared.orders() > orders, 20.0)
    assert _json(shared, "halt", "--reduce") == {"kill": "reduce"}
    assert _json(shared, "resume") == {"kill": "run"}


def _denied(engine: Engine) -> int:
    return int(engine.read(lambda instance: instance.cnc("risk").value("denied_killed")))


def _await_denied(engine: Engine) -> None:
    """Waits for an intent that is denied because of the kill word."""
    seen = _denied(engine)
    until("an intent that the kill word denies", lambda: _denied(engine) > seen, 30.0)


def _orders_when_killed(engine: Engine) -> int:
    """Orders given, all of them before risk saw the kill word: what was under way in it is out."""
    _await_denied(engine)
    return engine.orders()


def test_kill_signal_to_each_group(shared: Engine) -> None:
    """Also the group whose process is Python; the mark on disk follows."""
    for tile in ("feed", "sign", "journal", "confirm", "strategies"):
        run = shared.run_number()
        os.kill(shared.pids()[tile], signal.SIGUSR1)
        until(f"the kill word by {tile}", lambda: _kill_word(shared) == "halt", 20.0)
        assert shared.read(lambda instance: instance.control.kill_by) == "signal"
        until("the mark on disk", (shared.state_dir / "killed").exists, 20.0)
        assert shared.command("resume").returncode == exits.OK
        assert shared.run_number() == run
        assert not (shared.state_dir / "killed").exists()


def test_kill_signal_to_the_supervisor(shared: Engine) -> None:
    os.kill(shared.pids()["supervisor"], signal.SIGUSR1)
    until("the kill word", lambda: _kill_word(shared) == "halt", 20.0)
    assert shared.command("resume").returncode == exits.OK


def test_limit(shared: Engine) -> None:
    assert _json(shared, "limit", "max_open_orders", "7") == {"name": "max_open_orders", "value": 7}
    until("the limit in force", lambda: _json(shared, "status")["limits"]["max_open_orders"] == 7, 20.0)
    assert shared.command("limit", "max_open_orders", "32").returncode == exits.OK
    done = shared.command("limit", "max_luck", "1")
    assert done.returncode == exits.USAGE and "max_order_lamports" in done.stderr
    assert shared.command("limit", "max_open_orders", "many").returncode == exits.USAGE
    done = shared.command("limit", "collar_bps", "10001")
    assert done.returncode == exits.USAGE and "out of range" in done.stderr
    done = shared.command("limit", "max_open_orders", "-1")
    assert done.returncode == exits.USAGE and "out of range" in done.stderr


def test_bot(shared: Engine) -> None:
    def is_running() -> bool:
        return bool(next(bot for bot in _json(shared, "status")["bots"] if bot["name"] == "arb")["running"])

    assert _json(shared, "bot", "arb", "stop") == {"name": "arb", "running": False}
    until("the bot to be stopped", lambda: not is_running(), 20.0)
    assert shared.command("bot", "arb", "start").returncode == exits.OK
    until("the bot to run", is_running, 20.0)
    assert shared.command("bot", "nobody", "stop").returncode == exits.USAGE


def test_a_second_run_is_refused(shared: Engine) -> None:
    done = shared.command("run", "--duration", "1s")
    assert done.returncode == exits.REFUSED
    assert str(shared.guardian) in done.stderr
    assert shared.trading()


def test_clean_leaves_what_runs(shared: Engine) -> None:
    done = shared.command("clean")
    assert done.returncode == exits.OK and f"instance {shared.name} runs" in done.stdout
    done = shared.command("clean", "--state", "--yes")
    assert done.returncode == exits.REFUSED
    assert shared.trading() and (shared.state_dir / "wallet.json").exists()


# -- without an instance ---------------------------------------------------------------------------


def test_exit_codes_without_an_instance(instance_name: str, tmp_path: Path) -> None:
    engine = Engine(instance_name, tmp_path / "state")
    for words in (["status"], ["halt"], ["resume"], ["stop"], ["limit", "max_open_orders", "1"], ["kill"], ["clean"]):
        done = engine.command(*words)
        assert done.returncode == exits.NOT_RUNNING, words
        assert instance_name in done.stderr
    assert engine.command("run", "--duration", "soon").returncode == exits.USAGE
    assert engine.command("no-such-command").returncode == exits.USAGE
    done = engine.command("run", "--set", "chain.url=ftp://x")
    assert done.returncode == exits.USAGE and "chain.url" in done.stderr
    assert not directory(instance_name).exists()


def test_the_same_name_from_another_state_directory_is_refused(shared: Engine, tmp_path: Path) -> None:
    done = Engine(shared.name, tmp_path / "state").command("run", "--duration", "1s")
    assert done.returncode == exits.REFUSED
    for part in (f"process {shared.pids()['supervisor']}", str(shared.state_dir), f"stop --instance {shared.name}"):
        assert part in done.stderr
    assert not (tmp_path / "state").exists()
    assert shared.trading()


@pytest.mark.parametrize(
    ("path", "settings", "says"),
    [
        ("no_such_module:Bot", "{}", "module no_such_module is not on PYTHONPATH"),
        ("sniperforge.strategies.rebalance:Rebalancer", "{}", "sniperforge.strategies.rebalance"),
        ("sniperforge.strategies.rebalance:Rebalance", "{ nonsense = 1 }", "nonsense"),
    ],
)
def test_a_bot_that_cannot_be_made_ends_the_start(
    instance_name: str, tmp_path: Path, path: str, settings: str, says: str
) -> None:
    engine = Engine(instance_name, tmp_path / "state")
    bot = f'bots.mine={{ kind = "strategy", enabled = true, bot = 9, class = "{path}", settings = {settings} }}'
    done = engine.command("run", "--duration", "1s", "--set", bot)
    assert done.returncode == exits.USAGE
    assert done.stderr.startswith("sniperforge: bots.mine.") and says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (engine.state_dir / "ledger").exists() and not (engine.state_dir / "wallet.json").exists()


def test_a_wrong_or_missing_passphrase_ends_the_start(instance_name: str, tmp_path: Path) -> None:
    engine = Engine(instance_name, tmp_path / "state")
    keyfile.create(engine.state_dir / "wallet.json", passphrase="right")
    for given, says in (({"SNIPERFORGE_PASSPHRASE": "wrong"}, "wrong passphrase"), ({}, "set SNIPERFORGE_PASSPHRASE")):
        done = subprocess.run(
            [*CLI, "run", "--duration", "1s", *engine.arguments()],
            cwd=REPO,
            env={key: value for key, value in os.environ.items() if key != "SNIPERFORGE_PASSPHRASE"} | given,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60.0,
        )
        assert done.returncode == exits.USAGE and says in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not (engine.state_dir / "ledger").exists()


def test_a_chain_or_wallet_of_another_start_is_refused_with_one_sentence(instance_name: str, tmp_path: Path) -> None:
    engine = Engine(instance_name, tmp_path / "state")
    with running(engine):
        assert engine.end() == exits.OK, engine.said()
    advice = f"`sniperforge clean --instance {instance_name} --state --yes`"
    for setting in ("simnet.market.pools=9", "simnet.seed=7"):
        done = engine.command("run", "--duration", "5s", "--set", setting)
        assert done.returncode == exits.USAGE
        assert setting.partition("=")[0] in done.stderr and advice in done.stderr
        assert "did not stop" not in done.stderr and "--ledger" not in done.stderr
    (engine.state_dir / "wallet.json").rename(tmp_path / "wallet.json")
    done = engine.command("run", "--duration", "5s")
    assert done.returncode == exits.USAGE and advice in done.stderr
    assert not (engine.state_dir / "wallet.json").exists()


# -- lives from start to end -----------------------------------------------------------------------


def test_run_for_a_while_with_json(instance_name: str, tmp_path: Path) -> None:
    engine = Engine(instance_name, tmp_path / "state", LIVELY)
    done = engine.command("run", "--duration", "8s", "--json", timeout_s=60.0)
    assert done.returncode == exits.OK, done.stderr
    found = json.loads(done.stdout)
    assert found["books_equal_chain"] and found["fills"] > 0
    for balance in found["balances"].values():
        assert balance["held"] - balance["baseline"] == balance["booked"]
    assert sum(bot["profitable"] for bot in found["bots"]) > 0
    assert not engine.left_behind()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_stop_in_order(instance_name: str, tmp_path: Path, number: int) -> None:
    """SIGINT goes to the whole foreground group, as Ctrl-C does."""
    engine = Engine(instance_name, tmp_path / "state", LIVELY)
    with running(engine):
        _first_order(engine)
        if number == signal.SIGINT:
            os.killpg(engine.guardian, number)
        else:
            os.kill(engine.guardian, number)
        assert engine.process is not None
        assert engine.process.wait(60.0) == exits.OK, engine.said()
    assert "books equal the chain" in engine.said()
    assert "Traceback" not in engine.said()
    assert not engine.left_behind()


def test_stop(instance_name: str, tmp_path: Path) -> None:
    engine = Engine(instance_name, tmp_path / "state", LIVELY)
    with running(engine):
        _first_order(engine)
        done = engine.command("stop")
        assert done.returncode == exits.OK
        assert not directory(instance_name).exists()
        assert engine.process is not None
        assert engine.process.wait(60.0) == exits.OK, engine.said()
    assert not engine.left_behind()


def test_kill_works_while_the_supervisor_is_stuck_and_outlives_restarts(instance_name: str, tmp_path: Path) -> None:
    engine = Engine(instance_name, tmp_path / "state", LIVELY)
    with running(engine):
        _first_order(engine)
        supervisor = engine.pids()["supervisor"]
        os.kill(supervisor, signal.SIGSTOP)
        try:
            assert engine.command("halt", "--timeout-ms", "300").returncode == exits.NOT_RUNNING
            assert engine.command("kill").returncode == exits.OK
            assert _kill_word(engine) == "halt"
            orders = _orders_when_killed(engine)
            _await_denied(engine)
            assert engine.orders() == orders
        finally:
            os.kill(supervisor, signal.SIGCONT)
        run = engine.run_number()
        os.kill(engine.pids()["sign"], signal.SIGKILL)
        until("the next run", lambda: engine.run_number() > run, 30.0)
        until("its tiles", lambda: engine.command("status").returncode == exits.OK, 30.0)
        assert _kill_word(engine) == "halt"
        assert engine.end() == exits.OK
        engine.kill()
        engine.start()
        until("a start after it", engine.run_number, 30.0)
        assert _kill_word(engine) == "halt" and engine.orders() == 0
        until("resume", lambda: engine.command("resume").returncode == exits.OK, 20.0, 0.1)
        until("orders", engine.orders, 30.0)
        assert engine.end() == exits.OK, engine.said()
    assert not engine.left_behind()


def test_resume_during_a_restart_does_no_harm(instance_name: str, tmp_path: Path) -> None:
    engine = Engine(instance_name, tmp_path / "state", LIVELY)
    with running(engine):
        run = engine.run_number()
        os.kill(engine.pids()["sign"], signal.SIGKILL)
        codes = set()
        until(
            "the next run",
            lambda: codes.add(engine.command("resume", "--timeout-ms", "500").returncode) or engine.run_number() > run,
            30.0,
        )
        assert codes <= {exits.REFUSED, exits.NOT_RUNNING, exits.OK}
        engine.await_trading(after=run)
        assert engine.end() == exits.OK, engine.said()


def test_a_killed_guardian_leaves_a_stale_instance_that_the_next_start_cleans(
    instance_name: str, tmp_path: Path
) -> None:
    engine = Engine(instance_name, tmp_path / "state", LIVELY)
    with running(engine):
        _first_order(engine)
        pids = set(engine.pids().values())
        run = engine.run_number()
        engine.kill()
        until("all children to die with it", lambda: not engine.pids(), 30.0)
        assert pids and directory(instance_name).exists()
        done = engine.command("status")
        assert done.returncode == exits.NOT_RUNNING and "stale" in done.stderr
        assert engine.command("halt", "--timeout-ms", "300").returncode == exits.NOT_RUNNING
        begun = time.monotonic()
        engine.start()
        engine.await_trading(after=run)
        print(f"start over a stale instance: {time.monotonic() - begun:.2f} s to trading")
        _first_order(engine)
        assert engine.end() == exits.OK, engine.said()
        assert "books equal the chain" in engine.said() and "before this run" not in engine.said()
        assert not engine.left_behind()

        run = engine.run_number()
        for path in (engine.state_dir / "journal").glob("0*.sfj"):
            path.unlink()
        (engine.state_dir / "journal" / "checkpoint.json").unlink()
        engine.start()
        engine.await_trading(after=run)
        assert "before this run: lamports: booked +0" in engine.said(), engine.said()
        assert engine.end() == exits.DIFFERENT
    assert not engine.left_behind()


def test_clean_removes_a_stale_instance_and_its_state(instance_name: str, tmp_path: Path) -> None:
    engine = Engine(instance_name, tmp_path / "state")
    with running(engine):
        engine.kill()
        until("all children to die", lambda: not engine.pids(), 30.0)
        assert directory(instance_name).exists()
        done = engine.command("clean", "--state")
    assert done.returncode == exits.REFUSED and "--yes" in done.stderr
    assert f"removed stale instance {instance_name}" in done.stderr and (engine.state_dir / "wallet.json").exists()
    done = engine.command("clean", "--state", "--yes")
    assert done.returncode == exits.OK, done.stderr
    assert not directory(instance_name).exists() and not engine.state_dir.exists()


def test_run_on_a_terminal_ends_with_ctrl_c(instance_name: str, tmp_path: Path) -> None:
    engine = Engine(instance_name, tmp_path / "state", LIVELY)
    shown, code = _in_terminal([*CLI, "run", *engine.arguments()], interrupt_after="is trading")
    assert code == exits.OK, shown
    assert "books equal the chain" in shown
    assert not engine.left_behind()


def test_output_into_a_closed_pipe(instance_name: str, tmp_path: Path) -> None:
    engine = Engine(instance_name, tmp_path / "state")
    with subprocess.Popen([*CLI, "config", *engine.arguments()], cwd=REPO, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(30.0) in (exits.OK, exits.FAILED)


def test_a_kill_from_elsewhere_outlives_a_restart_and_lost_shared_memory_ends_the_run(
    instance_name: str, tmp_path: Path
) -> None:
    engine = Engine(instance_name, tmp_path / "state")
    with running(engine):
        run = engine.await_trading()
        # a caller that knows the name only: its own idea of the state directory is another one
        elsewhere = Engine(instance_name, tmp_path / "elsewhere")
        assert elsewhere.command("kill").returncode == exits.OK
        mark = engine.state_dir / "killed"
        until("the mark in the engine's own state directory", mark.exists, 20.0)
        assert engine.command("resume").returncode == exits.OK
        (directory(instance_name) / "control").unlink()
        engine.await_trading(after=run)  # the orders of the run that was lost are resolved
        assert "was removed" in engine.said()
        assert engine.end() == exits.OK
