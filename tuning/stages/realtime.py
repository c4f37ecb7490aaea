"""Real-time throttling: the kernel takes a spinning SCHED_FIFO thread off its core 50 ms every second."""

from __future__ import annotations

from tuning.action import Write
from tuning.host import Host
from tuning.stage import Stage, Verdict
from tuning.stages.cores import CPU, cpu_list
from tuning.state import State

PATH = "/proc/sys/kernel/sched_rt_runtime_us"


def judge(host: Host, state: State) -> Verdict:
    runtime = host.read(PATH)
    if runtime is None or runtime == "-1":
        return Verdict("ok", "off")
    found = f"on ({runtime} µs of each period)"
    if not cpu_list(host.read(f"{CPU}/isolated")):
        return Verdict("ok", f"{found}; right as long as no core is isolated for real-time threads")
    return Verdict("advice", found, "", [Write(PATH, "-1")])


STAGE = Stage("realtime", "real-time throttling", judge)
