"""Boot parameters: isolation is decided when the kernel starts, so they are written down for a person.

`tune apply cores --boot` puts them into the boot loader's configuration; what makes that count (update-grub, a
reboot) is always left to the person.
"""

from __future__ import annotations

from dataclasses import dataclass

from tuning.action import Action, Put, directory_and_file
from tuning.cpus import cpu_list, list_text
from tuning.host import Host

GRUB_FILE = "/etc/default/grub.d/50-sniperforge.cfg"
KERNEL_CMDLINE = "/etc/kernel/cmdline"


def boot_parameters(isolated: list[int], rest: list[int]) -> list[str]:
    """Returns the parameters that take these cores away from everything that is not pinned to them."""
    cores = list_text(isolated)
    return [
        f"isolcpus=managed_irq,domain,{cores}",
        f"nohz_full={cores}",
        f"rcu_nocbs={cores}",
        f"irqaffinity={list_text(rest)}",
        "nmi_watchdog=0",
        "skew_tick=1",
    ]


def missing_parameters(command_line: str, wanted: list[str]) -> list[str]:
    """Returns the wanted parameters that the kernel was not started with; more cores than wanted are as good."""
    given = dict(word.partition("=")[::2] for word in command_line.split())
    missing = []
    for word in wanted:
        name, _, value = word.partition("=")
        cores = set(cpu_list(value)) if name in ("isolcpus", "nohz_full", "rcu_nocbs") else None
        met = cores <= set(cpu_list(given.get(name))) if cores is not None else given.get(name) == value
        if not met:
            missing.append(word)
    return missing


@dataclass(frozen=True)
class Loader:
    """How one boot loader is told."""

    name: str
    by_hand: str
    """What a person does, with all the parameters."""
    actions: list[Action]
    """What `--boot` does; empty if only the loader's own program may write."""
    then: str
    """What makes it count."""


def loaders(host: Host, parameters: list[str]) -> list[Loader]:
    """Returns the boot loaders of this machine."""
    text = " ".join(parameters)
    found = []
    if host.exists("/etc/default/grub"):
        line = f'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX {text}"\n'
        actions = directory_and_file(host, GRUB_FILE, line)
        found.append(Loader("GRUB", f"put {line.strip()} into {GRUB_FILE}", actions, "sudo update-grub, then reboot"))
    if host.exists("/usr/bin/kernelstub"):
        command = f'sudo kernelstub -a "{text}" (back: sudo kernelstub -d "{text}")'
        found.append(Loader("kernelstub", command, [], "reboot"))
    elif host.exists(KERNEL_CMDLINE):
        words = [word for word in (host.read(KERNEL_CMDLINE) or "").split() if word not in parameters]
        put = Put(KERNEL_CMDLINE, " ".join([*words, *parameters]) + "\n")
        then = "sudo kernel-install add $(uname -r) /boot/vmlinuz-$(uname -r), then reboot"
        found.append(Loader("systemd-boot", f"append {text} to {KERNEL_CMDLINE}", [put], then))
    return found
