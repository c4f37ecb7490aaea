"""What the supervisor tells the engine: commands to risk, and the events people see."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ipc._core import ffi, lib
from ipc.control import ControlError
from ipc.errors import CoreError
from ipc.layout import dtype
from ipc.tile import Tile
from ipc.views import Instance
from sniperforge.recovery import Held
from sniperforge.state import StateDirectory

#: limits that may be changed while running: name -> its number in SF_VERB_LIMIT
LIMITS = {
    name: number
    for number, name in enumerate(
        (
            "max_order_lamports",
            "max_open_lamports",
            "max_open_orders",
            "max_orders_per_second",
            "max_daily_loss_lamports",
            "max_tip_lamports",
            "max_priority_fee_lamports",
            "max_daily_fee_lamports",
            "collar_bps",
            "max_data_age_ns",
            "max_slot_lag",
        ),
        start=1,
    )
}

#: limits with a range of their own in risk (csrc/trade/risk.c)
_MOST = {"collar_bps": 10_000, "max_orders_per_second": 1_000_000_000}


class Commands(Tile):
    """The tile that is the supervisor: produces `command`, writes the events table."""

    def __init__(self, instance: Instance, state: StateDirectory, name: str = "supervisor") -> None:
        super().__init__(instance, name)
        self._state = state
        self._event_row = np.zeros((), dtype("sf_event_row_t"))
        self._events = 0

    def init(self) -> None:
        self._out = self.output("command")
        self._table = self.table("events")
        self._bots = self.instance.table("bots")

    def _send(
        self, verb: int, *, number: int = 0, value: int = 0, order: int = 0, token: int = 0, bot: int = 0
    ) -> None:
        command = ffi.new("sf_command_t *")
        command.verb, command.number, command.order = verb, number, order
        command.value = value & 0xFFFFFFFFFFFFFFFF
        command.token, command.bot = token, bot
        self.publish(self._out, lib.SF_MSG_COMMAND, command, t_origin=int(lib.sf_clock_ns()))

    def trade(self) -> None:
        """Reconciliation is done: orders may pass."""
        self._send(lib.SF_VERB_TRADE)

    def resume(self) -> None:
        """A person resumed."""
        self._send(lib.SF_VERB_RESUME)

    def position(self, token: int, booked: int) -> None:
        """What earlier runs booked of a token, in base units."""
        self._send(lib.SF_VERB_POSITION, token=token, value=booked)

    def day(self, lamports: int, fee_lamports: int) -> None:
        """What this UTC day has earned and paid in fees before this run, in lamports."""
        self._send(lib.SF_VERB_DAY, value=lamports, order=fee_lamports)

    def lot(self, token: int, amount: int, cost_lamports: int) -> None:
        """What earlier runs bought of a token and did not sell, and what it cost."""
        self._send(lib.SF_VERB_LOT, token=token, value=amount, order=cost_lamports)

    def held(self, token: int, held: Held, *, bot: int) -> None:
        """What earlier runs left with a bot."""
        self._send(lib.SF_VERB_SOLD, token=token, bot=bot, value=held.sold, order=held.proceeds_lamports)
        self._send(
            lib.SF_VERB_HELD, token=token, bot=bot, value=held.bought, order=held.cost_lamports, number=held.since_s
        )

    def open_order(self, order: int, *, bot: int, token: int, amount_in: int) -> None:
        """An order of an earlier run whose outcome is unknown: its exposure stays reserved."""
        self._send(lib.SF_VERB_OPEN, order=order, bot=bot, token=token, value=amount_in)

    def limit(self, name: str, value: int) -> dict[str, Any]:
        """Sets a limit of this run.

        Raises:
            ControlError: there is no such limit, or the value is out of range.
        """
        if name not in LIMITS:
            raise ControlError("bad-argument", f"there is no limit {name!r}; use one of {', '.join(LIMITS)}")
        most = _MOST.get(name, 2**63 - 1)
        if not 0 <= value <= most:
            raise ControlError("bad-argument", f"{name}: {value} is out of range; use 0 to {most}")
        self._try_send(lib.SF_VERB_LIMIT, number=LIMITS[name], value=value)
        self.event("limit", f"{name} set to {value}")
        return {"name": name, "value": value}

    def bot(self, name: str, action: str) -> dict[str, Any]:
        """Starts or stops a bot.

        Raises:
            ControlError: there is no such bot or action.
        """
        names = {row["name"].decode(): number for number, row in enumerate(self._bots.read_all()) if row["name"]}
        if name not in names:
            raise ControlError("bad-argument", f"there is no bot {name!r}; there are {', '.join(names) or 'none'}")
        if action not in ("start", "stop"):
            raise ControlError("bad-argument", f"{action!r} is no action; use start or stop")
        verb = lib.SF_VERB_BOT_START if action == "start" else lib.SF_VERB_BOT_STOP
        self._try_send(verb, number=names[name], bot=names[name])
        self.event("bot", f"{name} {'started' if action == 'start' else 'stopped'}")
        return {"name": name, "running": action == "start"}

    def _try_send(self, verb: int, **fields: int) -> None:
        try:
            self._send(verb, **fields)
        except CoreError as error:
            raise ControlError("refused", f"risk takes no commands now: {error.sentence}") from None

    def event(self, event: str, detail: str) -> None:
        """Writes an event where the monitor finds it."""
        row = self._event_row
        row["number"] = self._events
        row["time_ns"] = time.time_ns()
        row["text"] = f"{event}: {detail}".encode()[:231]
        self._table.write(self._events % self._table.rows, row)
        self._events += 1
