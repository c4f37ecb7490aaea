"""The network card and the sockets: a packet is handed over at once, on a core that is not hot."""

from __future__ import annotations

from collections.abc import Callable

from tuning.action import Action, Nic, Write
from tuning.cpus import cpu_mask, list_text, mask_text
from tuning.nic import NicError
from tuning.stage import Setup, Stage, Verdict, want

NO_NIC = "no card is named: give --nic NAME (sniperforge tune plan proposes it)"
COALESCE = {
    "use_adaptive_rx_coalesce": 0,
    "use_adaptive_tx_coalesce": 0,
    "rx_coalesce_usecs": 0,
    "rx_max_coalesced_frames": 1,
}
UNWANTED_FEATURES = ("rx-lro", "rx-gro-hw", "rx-gro-list", "rx-udp-gro-forwarding")
NTUPLE = "rx-ntuple-filter"
ETHERNET_MTU = 1500
BUFFER_BYTES = 128 << 20
AT_LEAST = {"rmem_max": BUFFER_BYTES, "wmem_max": BUFFER_BYTES, "netdev_max_backlog": 16384}
BUSY_US = "50"

JudgeNic = Callable[[Setup, str], Verdict]


def each_nic(judge: JudgeNic) -> Callable[[Setup], Verdict]:
    """Returns a judge of all cards that are named; the worst level counts."""

    def judge_all(setup: Setup) -> Verdict:
        if not setup.goal.nics:
            return Verdict("absent", NO_NIC)
        verdicts = {nic: _judge_one(judge, setup, nic) for nic in setup.goal.nics}
        levels = [verdict.level for verdict in verdicts.values()]
        return Verdict(
            next(level for level in ("problem", "advice", "ok", "absent") if level in levels),
            "; ".join(f"{nic}: {verdict.found}" for nic, verdict in verdicts.items()),
            "; ".join(verdict.fix for verdict in verdicts.values() if verdict.fix),
            [action for verdict in verdicts.values() for action in verdict.actions],
        )

    return judge_all


def _judge_one(judge: JudgeNic, setup: Setup, nic: str) -> Verdict:
    if not setup.host.exists(f"/sys/class/net/{nic}"):
        return Verdict("absent", "there is no such card")
    try:
        return judge(setup, nic)
    except NicError as error:
        return Verdict("absent", str(error))


def judge_rings(setup: Setup, nic: str) -> Verdict:
    now = setup.host.nic_read(nic, "rings")
    if not now.get("rx_max"):
        return Verdict("absent", f"the driver of {nic} has no rings to set")
    found = f"rx {now['rx']} of {now['rx_max']}, tx {now['tx']} of {now['tx_max']}"
    if now["rx"] >= now["rx_max"]:
        return Verdict("ok", found)
    return Verdict("advice", found, "", [Nic(nic, "rings", {"rx": now["rx_max"]})])


def judge_coalesce(setup: Setup, nic: str) -> Verdict:
    now = setup.host.nic_read(nic, "coalesce")
    wrong = {name: value for name, value in COALESCE.items() if now.get(name, value) != value}
    if wrong.get("rx_max_coalesced_frames") and now["rx_max_coalesced_frames"] == 0:
        del wrong["rx_max_coalesced_frames"]  # 0 = the frames do not count
    if not wrong:
        return Verdict("ok", "each packet is announced at once")
    actions: list[Action] = [Nic(nic, "coalesce", {name: value}) for name, value in wrong.items()]
    return Verdict("advice", ", ".join(f"{name} {now[name]}" for name in wrong), "", actions)


def judge_offloads(setup: Setup, nic: str) -> Verdict:
    now = setup.host.nic_read(nic, "features")
    wrong = [name for name in UNWANTED_FEATURES if now.get(name)]
    if not wrong:
        return Verdict("ok", "nothing on that holds packets back")
    return Verdict("advice", f"{', '.join(wrong)} on", "", [Nic(nic, "features", {name: 0}) for name in wrong])


def judge_steering(setup: Setup, nic: str) -> Verdict:
    now = setup.host.nic_read(nic, "features")
    if now.get(NTUPLE):
        return Verdict("ok", "on; ethtool -N says what goes where")
    if NTUPLE not in now:
        return Verdict("absent", f"the driver of {nic} cannot steer flows")
    return Verdict("advice", "off", "", [Nic(nic, "features", {NTUPLE: 1})])


def judge_rps(setup: Setup, nic: str) -> Verdict:
    host = setup.host
    files = host.names(f"/sys/class/net/{nic}/queues/rx-*/rps_cpus")
    if not files:
        return Verdict("absent", "this kernel has none")
    wrong = {name: cpus for name in files if (cpus := set(cpu_mask(host.read(name)))) & set(setup.hot)}
    actions: list[Action] = [Write(name, mask_text(cpus - set(setup.hot))) for name, cpus in wrong.items()]
    if not wrong:
        return Verdict("ok", f"{len(files)} receive queues hand nothing to a hot core")
    return Verdict("advice", f"{len(wrong)} of {len(files)} receive queues hand packets to hot cores", "", actions)


def judge_xps(setup: Setup, nic: str) -> Verdict:
    host = setup.host
    files = host.names(f"/sys/class/net/{nic}/queues/tx-*/xps_cpus")
    if len(files) < 2:
        return Verdict("absent", "one transmit queue: nothing to choose")
    files.sort(key=lambda name: int(name.split("/")[6].removeprefix("tx-")))
    order = [*setup.hot, *setup.rest]
    queues = {file: [cpu for place, cpu in enumerate(order) if place % len(files) == n] for n, file in enumerate(files)}
    wrong = {file: cpus for file, cpus in queues.items() if sorted(cpu_mask(host.read(file))) != sorted(cpus)}
    if not wrong:
        return Verdict("ok", f"each core has its queue of {len(files)}")
    found = ", ".join(f"tx-{n} {list_text(cpu_mask(host.read(file))) or 'any'}" for n, file in enumerate(files[:4]))
    return Verdict("advice", found, "", [Write(file, mask_text(cpus)) for file, cpus in wrong.items()])


def judge_mtu(setup: Setup, nic: str) -> Verdict:
    path = f"/sys/class/net/{nic}/mtu"
    now = int(setup.host.read(path) or 0)
    wanted = setup.goal.mtu or max(now, ETHERNET_MTU)
    if now == wanted:
        return Verdict("ok", f"{now} bytes")
    return Verdict("advice", f"{now} bytes", "", [Write(path, str(wanted))])


def judge_busy_poll(setup: Setup) -> Verdict:
    return want(setup.host, {"/proc/sys/net/core/busy_poll": BUSY_US, "/proc/sys/net/core/busy_read": BUSY_US})


def judge_buffers(setup: Setup) -> Verdict:
    wanted = {"/proc/sys/net/ipv4/tcp_slow_start_after_idle": "0"}
    for name, least in AT_LEAST.items():
        now = setup.host.read(f"/proc/sys/net/core/{name}")
        if now is not None:
            wanted[f"/proc/sys/net/core/{name}"] = str(max(int(now), least))
    return want(setup.host, wanted)


STAGES = (
    Stage(
        "rings",
        "receive ring of the card",
        each_nic(judge_rings),
        "A burst that does not fit into the receive ring is lost. apply asks for the largest; the transmit ring stays. "
        "Most drivers take the link down for a moment when it changes.",
    ),
    Stage(
        "coalesce",
        "interrupt coalescing of the card",
        each_nic(judge_coalesce),
        "The card waits for more packets before it says that one is there, 8 to 100 µs on most. apply sets 0 µs, one "
        "frame, and turns the adaptive modes off. It costs interrupts, which the interrupt cores pay.",
    ),
    Stage(
        "offloads",
        "receive offloads of the card",
        each_nic(judge_offloads),
        "LRO, hardware GRO, GRO lists and UDP GRO forwarding hold packets back to join them. apply turns these off. "
        "GRO itself stays: it joins only what is there already, and the engine's UDP sockets drain a full queue six "
        "times faster with it. Checksums and segmentation stay on the card.",
    ),
    Stage(
        "steering",
        "flow steering (ntuple)",
        each_nic(judge_steering),
        "With ntuple filters a port's packets go to the queue you name: ethtool -N NIC flow-type udp4 dst-port PORT "
        "action QUEUE. apply turns the filters on; the rules are yours, and undo loses those that the driver forgets.",
    ),
    Stage(
        "rps",
        "receive packet steering",
        each_nic(judge_rps),
        "RPS hands packets to other cores by software. apply takes the hot cores out of its masks.",
    ),
    Stage(
        "xps",
        "transmit queue of each core",
        each_nic(judge_xps),
        "A core that sends on a queue of its own waits for no lock. apply gives the hot cores the first queues and "
        "deals the rest out to the other cores.",
    ),
    Stage(
        "mtu",
        "packet size (MTU)",
        each_nic(judge_mtu),
        "1500 bytes is right for the internet: a Solana packet has 1232 bytes of payload and never needs more. apply "
        "raises a smaller one to 1500; --mtu N asks for another, for a private network where all have it.",
    ),
    Stage(
        "busypoll",
        "busy polling of sockets",
        judge_busy_poll,
        "A read or poll that finds nothing asks the card's queue itself for up to 50 µs before it waits for the "
        "interrupt. A spinning group's reads gain most. It costs processor time in every program that polls sockets.",
    ),
    Stage(
        "buffers",
        "socket buffers and TCP",
        judge_buffers,
        "A socket may ask for buffers up to rmem_max and wmem_max (128 MiB here, what validators ask for), and packets "
        "wait in netdev_max_backlog per core before they are dropped. tcp_slow_start_after_idle 0: a quiet connection "
        "sends its first burst whole.",
    ),
)
