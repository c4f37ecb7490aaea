"""Clocks and timers: cheap to read, right, and silent on hot cores."""

from __future__ import annotations

import ctypes

from tuning.action import Write
from tuning.stage import Setup, Stage, Verdict, want

DIRECTORY = "/sys/devices/system/clocksource/clocksource0"
CURRENT = f"{DIRECTORY}/current_clocksource"
CHEAP = ("tsc", "kvm-clock", "hyperv_clocksource_tsc_page")
DAEMONS = ("chronyd", "ntpd", "systemd-timesyncd", "ptp4l", "phc2sys")
GOOD_OFFSET_US = 1000
STA_UNSYNC = 0x0040
STA_NANO = 0x2000


class Timex(ctypes.Structure):
    """The kernel's `struct timex`, up to what is read here (adjtimex(2))."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror_us", ctypes.c_long),
        ("esterror_us", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def judge_clocksource(setup: Setup) -> Verdict:
    host = setup.host
    current = host.read(CURRENT)
    if current is None:
        return Verdict("absent", "the kernel does not say")
    flags = (host.read("/proc/cpuinfo") or "").split()
    invariant = "constant_tsc" in flags and "nonstop_tsc" in flags
    found = f"{current}, TSC {'invariant' if invariant else 'not invariant: the engine asks the kernel instead'}"
    if current in CHEAP:
        return Verdict("ok", found)
    if "tsc" in (host.read(f"{DIRECTORY}/available_clocksource") or "").split():
        return Verdict("advice", found, "", [Write(CURRENT, "tsc")])
    return Verdict("advice", found, "the kernel does not trust this machine's TSC and does not offer it")


def judge_timers(setup: Setup) -> Verdict:
    verdict = want(setup.host, {"/proc/sys/kernel/timer_migration": "0"})
    slack = setup.host.read("/proc/self/timerslack_ns") or "50000"
    return Verdict(verdict.level, f"{verdict.found}, timer slack {slack} ns here", verdict.fix, verdict.actions)


def judge_timesync(setup: Setup) -> Verdict:
    host = setup.host
    daemons = host.running(*DAEMONS)
    clocks = len(host.names("/dev/ptp[0-9]*"))
    found = f"{', '.join(daemons) or 'no daemon'}, {clocks} PTP clock{'' if clocks == 1 else 's'}"
    tracking = (host.output("chronyc", "-c", "tracking") or "").split(",")
    if len(tracking) > 4:
        offset_us = abs(float(tracking[4])) * 1e6
        found += f", {offset_us:.1f} µs off by chrony"
        if offset_us > GOOD_OFFSET_US:
            return Verdict("advice", found, "see chronyc sources: its servers are far away or few")
        return Verdict("ok", found)
    timex = Timex()
    ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    if timex.status & STA_UNSYNC:
        found += ", the kernel's clock is not synchronised"
        return Verdict("advice", found, "apt install chrony; with a PTP clock: linuxptp, or chrony's refclock PHC")
    offset_us = abs(timex.offset) / (1000 if timex.status & STA_NANO else 1)
    return Verdict("ok", f"{found}, {offset_us:.1f} µs off, at most {timex.maxerror_us} µs by the kernel")


def judge_mitigations(setup: Setup) -> Verdict:
    host = setup.host
    files = host.names("/sys/devices/system/cpu/vulnerabilities/*")
    if not files:
        return Verdict("absent", "the kernel does not say")
    states = [host.read(file) or "" for file in files]
    count = sum(state.startswith("Mitigation") for state in states)
    open_ = sum(state.startswith("Vulnerable") for state in states)
    words = (host.read("/proc/cmdline") or "").split()
    chosen = next((word for word in words if word.startswith("mitigations=")), "the kernel's default")
    return Verdict("ok", f"{count} active, {open_} open of {len(files)}; {chosen}")


STAGES = (
    Stage(
        "clocksource",
        "clock source and TSC",
        judge_clocksource,
        "The engine stamps with the TSC; the kernel's clock is its reference and must be read without a system call. "
        "apply changes to tsc where the kernel offers it. A kernel that does not offer it has seen it drift: that is "
        "the firmware's or the hypervisor's to fix.",
    ),
    Stage(
        "timers",
        "timers stay where they were armed",
        judge_timers,
        "timer_migration lets timers of idle cores fire on busy ones, and a spinning core is always busy. apply turns "
        "it off. Timer slack (50 µs by default: how late a sleep may end) is the process's own: park groups set 1 ns "
        "themselves, and the systemd unit sets it for the rest.",
    ),
    Stage(
        "timesync",
        "time of day (chrony, PTP)",
        judge_timesync,
        "Nothing in the engine decides by the time of day, but journals of two machines and the chain's own times are "
        "compared by it. Only looked at: which daemon keeps it, and how far off it is.",
    ),
    Stage(
        "mitigations",
        "mitigations of processor flaws",
        judge_mitigations,
        "They cost a few hundred nanoseconds for each system call and more for each context switch; the hot path makes "
        "neither between packet and packet. Only looked at: mitigations=off is a choice for a machine that runs nobody "
        "else's code, made by you at boot.",
    ),
)
