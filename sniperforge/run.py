"""`sniperforge run`: guardian, embedded simnet, supervisor."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ipc._core import lib
from ipc.errors import check
from ipc.views import directory, owner, remove
from sniperforge import chain, exits, precheck, topology
from sniperforge.config import Config, ConfigError
from sniperforge.guardian import Guardian
from sniperforge.processes import no_core_dump
from sniperforge.simnet import server as simnet_server
from sniperforge.simnet.config import ConfigError as SimnetConfigError
from sniperforge.simnet.config import SimnetConfig
from sniperforge.simnet.emulation import EmulationError
from sniperforge.simnet.ledger import LedgerError, UnfitLedger
from sniperforge.state import StateDirectory, StateLocked
from sniperforge.supervisor import Supervisor
from sniperforge.wallet import keyfile
from sniperforge.wallet.cli import passphrase

_FINAL = frozenset({exits.OK, exits.FAILED, exits.USAGE, exits.DIFFERENT})


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _free_port_pair(listen: str) -> int:
    """A port whose next one is free too."""
    for _ in range(100):
        with socket.socket() as first, socket.socket() as second:
            first.bind((listen, 0))
            port: int = first.getsockname()[1]
            try:
                second.bind((listen, port + 1))
            except OSError:
                continue
            return port
    raise ConfigError("simnet.rpc_port: no free pair of ports was found; name one")


def _embedded_config(config: Config) -> SimnetConfig:
    """The simnet of this instance: its ledger in the state directory, its ports fixed over restarts."""
    port = config.simnet.rpc_port or _free_port_pair(config.simnet.listen)
    return msgspec.structs.replace(config.simnet, ledger=str(config.state_dir / "ledger"), rpc_port=port)


def _serve_simnet(config: SimnetConfig, name: str, state_dir: Path, spinning: Sequence[int]) -> int:
    """Serves the embedded Solana, off the cores that groups spin on."""
    check(lib.sf_cpu_avoid(spinning, len(spinning)))

    def ready(endpoints: simnet_server.Endpoints) -> None:
        record = chain.Announcement(
            pid=os.getpid(),
            rpc_url=endpoints.rpc_url,
            websocket_url=endpoints.websocket_url,
            genesis_hash=endpoints.genesis_hash,
        )
        path = chain.announcement_path(state_dir)
        temporary = path.with_name(path.name + ".new")
        temporary.write_bytes(msgspec.json.encode(record))
        temporary.replace(path)

    try:
        simnet_server.serve(config, ready=ready)
    except UnfitLedger as error:
        _say(f"simnet: {error}; use another --instance, or {chain.clean_state(name)}")
        return exits.USAGE
    except (SimnetConfigError, LedgerError, EmulationError) as error:
        _say(f"simnet: {error}")
        return exits.USAGE
    return exits.OK


def run(config: Config, *, duration_s: float | None, as_json: bool) -> int:
    """Runs the engine until it is stopped; returns the exit code.

    Args:
        duration_s: stop in order after so many seconds of running.
        as_json: print the summary as one JSON object on stdout.
    """
    no_core_dump()
    topology.check(config)
    taken = precheck.running_elsewhere(config)
    if taken:
        _say(f"sniperforge: {taken}")
        return exits.REFUSED
    try:
        state = StateDirectory(config.state_dir)
        lock = state.lock()
    except StateLocked as error:
        _say(f"sniperforge: {error}; {precheck.stop_or_rename(config.instance.name)}")
        return exits.REFUSED
    except OSError as error:
        raise ConfigError(f"instance.state_dir: {error}; name a directory that can be written") from None
    secret = None
    try:
        if config.wallet_path.exists() and keyfile.is_encrypted(config.wallet_path):
            secret = passphrase(new=False)
    except keyfile.KeyFileError as error:
        raise ConfigError(str(error)) from None
    code = precheck.wallet_and_bots(config, secret, _say)
    if code != exits.OK:
        return code
    guardian = Guardian(config.supervisor, _say)
    if config.chain.embedded:
        simnet = _embedded_config(config)
        chain.announcement_path(config.state_dir).unlink(missing_ok=True)
        guardian.add(
            "simnet",
            lambda _: _serve_simnet(simnet, config.instance.name, config.state_dir, topology.spinning_cores(config)),
            frozenset({exits.USAGE}),
        )
        _say(f"embedded Solana on http://{simnet.listen}:{simnet.rpc_port} (real SVM, simulated market)")
    summary = state.path / "summary.json"
    summary.unlink(missing_ok=True)
    guardian.add(
        "supervisor",
        lambda start: Supervisor(config, _say, passphrase=secret, progress=not as_json).run(start),
        _FINAL,
    )
    _say(f"instance {config.instance.name}, state in {config.state_dir}; Ctrl-C stops it in order")
    code = guardian.run(duration_s)
    name = config.instance.name
    if directory(name).exists() and owner(name) is None:
        remove(name)
    if as_json and summary.exists():
        print(summary.read_text())
    os.close(lock)
    return code


def await_gone(name: str, *, timeout_s: float) -> bool:
    """Waits until instance `name` is no longer in shared memory; returns whether it went."""
    deadline = time.monotonic() + timeout_s
    while directory(name).exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
