"""Memory: pages that stay where they are, and are few."""

from __future__ import annotations

import os
import resource

from tuning.action import Action, Resize, Write, directory_and_file
from tuning.host import Host
from tuning.stage import Setup, Stage, Verdict, want
from tuning.values import chosen

THP = "/sys/kernel/mm/transparent_hugepage"
LIMITS = "/etc/security/limits.d/50-sniperforge.conf"
LIMITS_TEXT = "".join(
    f"{who} - {what}\n" for who in ("*", "root") for what in ("memlock unlimited", "rtprio 50", "nofile 1048576")
)
ENOUGH_LOCKED_BYTES = 512 << 20
CAP_IPC_LOCK = 14
SHM = "/dev/shm"
ENOUGH_SHM_BYTES = 256 << 20
WANTED_SHM_BYTES = 1 << 30
VM = {
    "swappiness": "1",
    "stat_interval": "120",
    "dirty_writeback_centisecs": "1500",
    "compaction_proactiveness": "0",
    "zone_reclaim_mode": "0",
}


def judge_thp(setup: Setup) -> Verdict:
    found = chosen(setup.host.read(f"{THP}/enabled"))
    if found is None:
        return Verdict("absent", "not in this kernel")
    defrag = chosen(setup.host.read(f"{THP}/defrag"))
    actions: list[Action] = [] if found in ("madvise", "never") else [Write(f"{THP}/enabled", "madvise")]
    if defrag not in (None, "madvise", "defer+madvise", "never"):
        actions.append(Write(f"{THP}/defrag", "madvise"))
    joins = setup.host.read(f"{THP}/khugepaged/defrag")
    if joins == "1":
        actions.append(Write(f"{THP}/khugepaged/defrag", "0"))
    text = f"{found}, defrag {defrag}, khugepaged {'joins pages' if joins == '1' else 'leaves pages alone'}"
    return Verdict("advice" if actions else "ok", text, "", actions)


def judge_shared(setup: Setup) -> Verdict:
    found = chosen(setup.host.read(f"{THP}/shmem_enabled"))
    if found is None:
        return Verdict("absent", "not in this kernel: workspaces use 4 KiB pages")
    if found in ("advise", "within_size", "always", "force"):
        return Verdict("ok", f"{found}: workspaces that ask for them get them")
    return Verdict("advice", f"{found}: workspaces use 4 KiB pages", "", [Write(f"{THP}/shmem_enabled", "advise")])


def judge_reserved(setup: Setup) -> Verdict:
    files = setup.host.names("/sys/devices/system/node/node[0-9]*/hugepages/hugepages-2048kB/nr_hugepages")
    if not files:
        return Verdict("absent", "this kernel reserves none")
    found = {file: int(setup.host.read(file) or 0) for file in files}
    text = ", ".join(f"{file.split('/')[5]} {pages}" for file, pages in found.items())
    wanted = setup.goal.huge_pages
    short = [file for file, pages in found.items() if pages < wanted]
    if not short:
        return Verdict("ok", f"{text}" + ("" if wanted else "; none asked for (--huge-pages N)"))
    return Verdict("advice", f"{text}, {wanted} asked for on each", "", [Write(file, str(wanted)) for file in short])


def judge_numa(setup: Setup) -> Verdict:
    return want(setup.host, {"/proc/sys/kernel/numa_balancing": "0"})


def judge_vm(setup: Setup) -> Verdict:
    verdict = want(setup.host, {f"/proc/sys/vm/{name}": value for name, value in VM.items()})
    swaps = (setup.host.read("/proc/swaps") or "").splitlines()[1:]
    if swaps and verdict.level == "ok":
        return Verdict(
            "advice", f"{verdict.found}; {len(swaps)} swap area in use", "take it away: swapoff -a, /etc/fstab"
        )
    return verdict


def may_lock_all(host: Host) -> bool:
    """Says whether this process is above the limit (CAP_IPC_LOCK)."""
    for line in (host.read("/proc/self/status") or "").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> CAP_IPC_LOCK & 1)
    return os.geteuid() == 0


def judge_memlock(setup: Setup) -> Verdict:
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    text = "unlimited" if limit == resource.RLIM_INFINITY else f"{limit >> 10} KiB"
    if limit == resource.RLIM_INFINITY or limit >= ENOUGH_LOCKED_BYTES:
        return Verdict("ok", text)
    if may_lock_all(setup.host):
        return Verdict("ok", f"{text}, but this user may lock beyond it")
    if setup.host.read(LIMITS) == LIMITS_TEXT.strip():
        return Verdict("problem", text, "the new limit counts from the next login: log in again")
    return Verdict("problem", text, "then log in again", directory_and_file(setup.host, LIMITS, LIMITS_TEXT))


def judge_shm(setup: Setup) -> Verdict:
    try:
        size, free = setup.host.size_of(SHM)
    except OSError as error:
        return Verdict("problem", f"{SHM}: {error.strerror}", f"mount it: mount -t tmpfs tmpfs {SHM}")
    found = f"{free >> 20} MiB free of {size >> 20} MiB"
    if free >= ENOUGH_SHM_BYTES:
        return Verdict("ok", found)
    if size >= WANTED_SHM_BYTES:
        return Verdict("problem", found, f"{SHM} is full: remove what is not needed, or `sniperforge clean`")
    return Verdict("problem", found, "", [Resize(SHM, WANTED_SHM_BYTES)])


STAGES = (
    Stage(
        "thp",
        "transparent huge pages",
        judge_thp,
        "With `always` the kernel stops a process while it finds, clears and moves 2 MiB for it, and a kernel thread "
        "joins pages under running programs. apply asks for madvise (who asks gets them) and stops the joining.",
    ),
    Stage(
        "hugepages",
        "huge pages for shared memory",
        judge_shared,
        "Workspaces ask for huge pages in /dev/shm: fewer TLB misses on large tables. advise lets them have these. "
        "Never a precondition.",
    ),
    Stage(
        "hugetlb",
        "reserved huge pages on each node",
        judge_reserved,
        "The engine needs none; a bot or a library that maps hugetlbfs does. --huge-pages N reserves N pages of 2 MiB "
        "on each NUMA node, best soon after boot. What is reserved is lost to the rest; the kernel may grant fewer.",
    ),
    Stage(
        "numa",
        "automatic NUMA balancing",
        judge_numa,
        "The kernel unmaps pages to see who touches them and moves them to that node: page faults on hot paths. The "
        "engine places its memory itself. apply turns it off.",
    ),
    Stage(
        "vm",
        "swapping, statistics, writeback, compaction",
        judge_vm,
        "swappiness 1: program pages are not swapped for file cache. stat_interval 120: each core folds its counters "
        "every two minutes instead of every second. dirty_writeback 15 s: fewer flushes; the journal does its own. "
        "compaction_proactiveness 0 and zone_reclaim_mode 0: no moving or reclaiming of pages ahead of need.",
    ),
    Stage(
        "memlock",
        "memory lock and other limits",
        judge_memlock,
        "Workspaces and the signer's key are locked so that they are never paged out. apply puts a limits.d file in "
        "place (memlock, rtprio, nofile) that counts from the next login; under systemd the unit sets the same.",
    ),
    Stage(
        "shm",
        "size of /dev/shm",
        judge_shm,
        "An instance that does not fit is refused at the start. apply remounts /dev/shm with 1 GiB, undo with the size "
        "it had.",
    ),
)
