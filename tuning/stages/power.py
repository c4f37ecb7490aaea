"""Clock speed and sleep: a core that rests answers the first message late."""

from __future__ import annotations

from tuning.action import Action, Hold, Write
from tuning.host import CPU
from tuning.stage import Setup, Stage, Verdict, want

GOVERNOR = "performance"
LATENCY_DEVICE = "/dev/cpu_dma_latency"


def judge_governor(setup: Setup) -> Verdict:
    host = setup.host
    files = host.names(f"{CPU}/cpu[0-9]*/cpufreq/scaling_governor")
    if not files:
        return Verdict("absent", "the kernel does not set the frequency here (virtual machine or fixed clock)")
    governors = {file: host.read(file) or "unknown" for file in files}
    wrong = [file for file, governor in governors.items() if governor != GOVERNOR]
    found = ", ".join(sorted(set(governors.values())))
    if wrong:
        offered = (host.read(wrong[0].replace("scaling_governor", "scaling_available_governors")) or GOVERNOR).split()
        if GOVERNOR not in offered:
            return Verdict("advice", found, f"the driver offers only {' '.join(offered)}: set it in the firmware")
    actions: list[Action] = [Write(file, GOVERNOR) for file in wrong]
    for file in host.names(f"{CPU}/cpu[0-9]*/cpufreq/energy_performance_preference"):
        offered = (host.read(file.replace("_preference", "_available_preferences")) or GOVERNOR).split()
        if host.read(file) != GOVERNOR and GOVERNOR in offered:
            actions.append(Write(file, GOVERNOR))
    if not actions:
        return Verdict("ok", found)
    return Verdict("advice", f"{found} on {len(wrong)} of {len(files)} cores", "", actions)


def judge_turbo(setup: Setup) -> Verdict:
    verdict = want(setup.host, {f"{CPU}/intel_pstate/no_turbo": "0", f"{CPU}/cpufreq/boost": "1"})
    if verdict.level == "absent":
        return Verdict("absent", "this machine does not let the kernel choose")
    return verdict


def judge_cstates(setup: Setup) -> Verdict:
    host = setup.host
    driver = host.read(f"{CPU}/cpuidle/current_driver") or "none"
    if not host.exists(LATENCY_DEVICE):
        return Verdict("absent", f"idle driver {driver}; this kernel has no {LATENCY_DEVICE}: boot with idle=poll")
    latency_us = host.latency_us(LATENCY_DEVICE)
    held = any(host.holders(change.found or "") for change in setup.state.of("cstates") if change.in_force(host))
    if held or latency_us == 0:
        return Verdict(
            "ok", f"idle driver {driver}; {LATENCY_DEVICE} is held at 0 {'by us' if held else 'by somebody'}"
        )
    cannot_see = "" if latency_us is not None else " (only root can see whether somebody does)"
    found = f"idle driver {driver}; nobody holds {LATENCY_DEVICE}{cannot_see}, so a parked group wakes late"
    return Verdict("advice", found, "", [Hold(LATENCY_DEVICE)])


STAGES = (
    Stage(
        "governor",
        "frequency governor",
        judge_governor,
        "powersave and schedutil let an idle core clock down; the first message after a pause is then served at a "
        "third of the speed. apply asks for performance, in the governor and in the energy preference if there is one.",
    ),
    Stage(
        "turbo",
        "turbo and boost",
        judge_turbo,
        "With few busy cores turbo is a fifth to a half more clock, which is worth more than the steadiness of a fixed "
        "one. apply turns it on. Heavy AVX-512 on other cores still lowers it.",
    ),
    Stage(
        "cstates",
        "C-states (cpu_dma_latency)",
        judge_cstates,
        "A parked group's core falls into sleep states that take 1 to 100 µs to leave. While a process keeps "
        "/dev/cpu_dma_latency open with 0 in it the kernel uses none of them; on a virtual machine the futex wake was "
        "ten times faster. apply starts such a process, undo ends it; under systemd sniperforge-dma-latency.service is "
        "that process. It costs power and, on few cores, turbo.",
    ),
)
