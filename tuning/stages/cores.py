"""Hot cores: nothing but the spinning group runs there."""

from __future__ import annotations

from tuning.action import Action, Pin, Stop, Write
from tuning.boot import GRUB_FILE, KERNEL_CMDLINE, boot_parameters, loaders, missing_parameters
from tuning.cpus import cpu_list, cpu_mask, list_text, mask_text
from tuning.host import CPU
from tuning.stage import Setup, Stage, Verdict, want

ENOUGH_TO_ISOLATE = 4
"""Physical cores below which taking one away from the rest of the system costs more than it brings."""
NO_HOT = "no core is named hot: give --hot CORES (sniperforge tune plan proposes them)"


def judge_isolation(setup: Setup) -> Verdict:
    host = setup.host
    isolated = cpu_list(host.read(f"{CPU}/isolated"))
    physical = {tuple(host.siblings(cpu)) for cpu in setup.online}
    found = f"{len(setup.online)} online on {len(physical)} physical, {len(isolated)} isolated"
    if len(setup.online) < 2:
        fix = "a spinning group and Python cannot share one core: give the machine two, or set every group to park"
        return Verdict("problem", found, fix)
    if not setup.hot and len(physical) < ENOUGH_TO_ISOLATE:
        return Verdict("ok", f"{found}; too few to take one from the rest")
    if not setup.hot:
        return Verdict("advice", found, "isolation is decided at boot: sniperforge tune plan writes the parameters")
    away = sorted({cpu for hot in setup.hot for cpu in host.siblings(hot)})
    parameters = boot_parameters(away, [cpu for cpu in setup.online if cpu not in away])
    missing = missing_parameters(host.read("/proc/cmdline") or "", parameters)
    if not missing:
        return Verdict("ok", found)
    known = loaders(host, parameters)
    text = " ".join(parameters)
    written = [host.read(name) or "" for name in (GRUB_FILE, KERNEL_CMDLINE)]
    if any(text in file for file in written):
        return Verdict("advice", found, f"the parameters are written down; {known[0].then if known else 'reboot'}")
    actions = [action for loader in known for action in loader.actions]
    found += f"; not booted with {' '.join(missing)}"
    by_hand = "; ".join(f"{loader.name}: {loader.by_hand}; {loader.then}" for loader in known)
    if setup.goal.boot and actions:
        return Verdict("advice", found, "; ".join(loader.then for loader in known), actions)
    by_hand = by_hand or f"boot with {text} (no GRUB, kernelstub or /etc/kernel/cmdline here)"
    return Verdict("advice", found, by_hand + ("; or --boot writes it" if actions else ""))


def judge_smt(setup: Setup) -> Verdict:
    host = setup.host
    if host.read(f"{CPU}/smt/active") in (None, "0"):
        return Verdict("absent", "one thread a core here")
    if not setup.hot:
        return Verdict("advice", "two threads a core", NO_HOT)
    idle = sorted({cpu for hot in setup.hot for cpu in host.siblings(hot)} & set(setup.online) - set(setup.hot))
    shared = [hot for hot in setup.hot if set(host.siblings(hot)) & set(setup.hot) - {hot}]
    if shared:
        return Verdict("advice", f"hot cores {list_text(shared)} share physical cores", "name one thread of each core")
    if not idle:
        return Verdict("ok", "no hot core has a sibling online")
    actions: list[Action] = [
        Write(f"{CPU}/cpu{cpu}/online", "0") for cpu in idle if host.exists(f"{CPU}/cpu{cpu}/online")
    ]
    found = f"{list_text(idle)} share physical cores with hot ones"
    return Verdict("advice", found, "" if actions else "the boot core cannot be taken offline: choose another", actions)


def judge_irq(setup: Setup) -> Verdict:
    host = setup.host
    files = host.names("/proc/irq/[0-9]*/smp_affinity_list")
    if not files:
        return Verdict("absent", "no interrupt can be seen here")
    if not setup.hot:
        return Verdict("advice", f"{len(files)} interrupts may go anywhere", NO_HOT)
    target = list_text(setup.irq)
    wrong = [name for name in files if set(cpu_list(host.read(name))) & set(setup.hot)]
    actions: list[Action] = [Write(name, target) for name in wrong]
    default = "/proc/irq/default_smp_affinity"
    if set(cpu_mask(host.read(default))) & set(setup.hot):
        actions.append(Write(default, mask_text(setup.irq)))
    if not actions:
        return Verdict("ok", f"none of {len(files)} interrupts is served by a hot core")
    return Verdict("advice", f"{len(wrong)} of {len(files)} interrupts may be served by a hot core", "", actions)


def judge_irqbalance(setup: Setup) -> Verdict:
    if not setup.host.running("irqbalance"):
        return Verdict("ok", "not running")
    return Verdict("advice", "running: it moves interrupts back to hot cores", "", [Stop("irqbalance")])


def judge_workqueues(setup: Setup) -> Verdict:
    host = setup.host
    files = host.names("/sys/devices/virtual/workqueue/cpumask") + host.names(
        "/sys/devices/virtual/workqueue/*/cpumask"
    )
    if not files:
        return Verdict("absent", "this kernel does not let workqueues be moved")
    if not setup.hot:
        return Verdict("advice", "work of the kernel may run anywhere", NO_HOT)
    wrong = [name for name in files if set(cpu_mask(host.read(name))) & set(setup.hot)]
    if not wrong:
        return Verdict("ok", f"{len(files)} workqueue masks without a hot core")
    actions: list[Action] = [Write(name, mask_text(setup.rest)) for name in wrong]
    return Verdict("advice", f"{len(wrong)} workqueue masks have hot cores", "", actions)


def judge_kernel_threads(setup: Setup) -> Verdict:
    host = setup.host
    if not setup.hot:
        return Verdict("advice", "threads of the kernel may run anywhere", NO_HOT)
    wrong: list[Action] = []
    threads = host.kernel_threads()
    for pid, name in threads.items():
        try:
            touches = set(host.affinity(pid)) & set(setup.hot)
        except OSError:
            continue  # it has ended
        started = host.started(pid)
        if touches and started:
            wrong.append(Pin(pid, name, started, list_text(setup.rest)))
    if not threads:
        return Verdict("absent", "no thread of the kernel can be seen here")
    if not wrong:
        return Verdict("ok", f"{len(threads)} movable threads, none on a hot core")
    return Verdict("advice", f"{len(wrong)} of {len(threads)} movable threads may run on hot cores", "", wrong)


def judge_watchdog(setup: Setup) -> Verdict:
    wanted = {"/proc/sys/kernel/nmi_watchdog": "0"}
    if setup.hot:
        wanted["/proc/sys/kernel/watchdog_cpumask"] = list_text(setup.rest)
    return want(setup.host, wanted)


STAGES = (
    Stage(
        "smt",
        "SMT siblings of hot cores",
        judge_smt,
        "Two threads of one physical core share its execution units and its first caches: a busy sibling costs a "
        "spinning group a third of its speed at times of its own choosing. apply takes the siblings of hot cores "
        "offline; undo brings them back. An interrupt that was bound to nothing but such a sibling is moved by the "
        "kernel and does not come back.",
    ),
    Stage(
        "cores",
        "cores and isolation",
        judge_isolation,
        "isolcpus keeps the scheduler and managed interrupts off the hot cores, nohz_full stops their timer tick while "
        "one thread runs, rcu_nocbs moves the kernel's deferred frees elsewhere, irqaffinity keeps interrupts away, "
        "skew_tick keeps the ticks of the other cores from coinciding. All are decided at boot: they are written down "
        "for you, and put into the boot loader's configuration with --boot only.",
    ),
    Stage(
        "irqbalance",
        "interrupt balancing",
        judge_irqbalance,
        "irqbalance moves interrupts every ten seconds to where it finds capacity, a spinning core included. apply "
        "stops it until the next boot, undo starts it again if it was active.",
    ),
    Stage(
        "irq",
        "interrupts off the hot cores",
        judge_irq,
        "An interrupt on a hot core costs 1 to 20 µs and the caches it displaces. apply moves each interrupt to the "
        "other cores (--irq names which). Interrupts that the kernel manages itself (NVMe queues) refuse; for those "
        "isolcpus=managed_irq counts.",
    ),
    Stage(
        "workqueues",
        "workqueues off the hot cores",
        judge_workqueues,
        "Work that the kernel puts off (writeback, network, block) runs on any core in these masks. apply takes the "
        "hot cores out of them. Per-CPU workqueues stay: only isolation avoids their cause.",
    ),
    Stage(
        "kthreads",
        "kernel threads off the hot cores",
        judge_kernel_threads,
        "Threads of the kernel that are not bound to a core. apply moves each to the other cores and remembers where "
        "it was allowed; threads that the kernel starts later go where isolcpus and nohz_full let them.",
    ),
    Stage(
        "watchdog",
        "lockup watchdogs",
        judge_watchdog,
        "The NMI watchdog takes a hardware counter and an interrupt a second on each core; the soft one wakes a thread "
        "of high priority there. apply turns the first off and keeps the second to the other cores.",
    ),
)
