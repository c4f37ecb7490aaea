"""The scheduler: who may take a core from a spinning group."""

from __future__ import annotations

from tuning.stage import Setup, Stage, Verdict, want

RUNTIME = "/proc/sys/kernel/sched_rt_runtime_us"


def judge_realtime(setup: Setup) -> Verdict:
    runtime = setup.host.read(RUNTIME)
    if runtime in (None, "-1"):
        return Verdict("absent" if runtime is None else "ok", "off")
    if not setup.hot:
        return Verdict("ok", f"on ({runtime} µs of each period); right as long as no core is hot")
    return want(setup.host, {RUNTIME: "-1"})


def judge_autogroup(setup: Setup) -> Verdict:
    return want(setup.host, {"/proc/sys/kernel/sched_autogroup_enabled": "0"})


STAGES = (
    Stage(
        "realtime",
        "real-time throttling",
        judge_realtime,
        "The kernel takes a spinning SCHED_FIFO thread off its core 50 ms of every second. apply turns that off when "
        "there are hot cores. From Linux 6.12 on a thread of normal priority that waits for such a core still gets "
        "these 50 ms (the fair server); on an isolated core none waits.",
    ),
    Stage(
        "autogroup",
        "session groups of the scheduler",
        judge_autogroup,
        "A spinning group shares its core by session, and some kernels starve it then. Seen on Linux 6.18: the virtual "
        "time of another session's group did not advance while that ran, and a pinned spinner was runnable for 20 s "
        "without its core. Without session groups it gets its share every few milliseconds.",
    ),
)
