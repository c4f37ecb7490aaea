"""Reads the facts of a live instance: shared memory and the kernel's files, twice, with the time in between."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ipc._core import lib
from ipc.histogram import Histogram
from ipc.pages import HISTOGRAMS
from ipc.views import Instance, now_ns
from sniperforge.performance import kernel
from sniperforge.performance.counters import Counters
from sniperforge.performance.facts import (
    Edge,
    Facts,
    Group,
    Host,
    Link,
    Probe,
    Process,
    Spread,
    Tile,
    Workspace,
)
from tuning.stages import check_all

LAG_SAMPLES = 40
_COMMON = ("messages_in", "messages_out", "overrun_messages", "backpressure_turns", "turns", "busy_turns", "parks")


@dataclass
class _Moment:
    """Everything that rises, at one moment."""

    ns: int
    values: dict[str, dict[str, int]]
    histograms: dict[str, dict[str, Histogram]]
    threads: dict[str, kernel.Thread]
    stalls: dict[str, int]
    published: dict[str, int]
    lost: dict[tuple[str, str], int]


class Reading:
    """A reader of one instance.

    Args:
        instance: opened; must stay so.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._tiles = [name for name, tile in instance.tiles.items() if tile.runs != "external"]
        self._groups = {name: group for name, group in instance.groups.items() if group.tiles}
        self._links = {name: instance.link(name) for name in instance.link_names}
        self._threads = {
            name: (instance.cnc(group.tiles[0]).pid, instance.cnc(group.tiles[0]).tid)
            for name, group in self._groups.items()
        }

    def facts(self, seconds: float) -> Facts:
        """The facts of the next `seconds`; of the whole run so far if that is 0.

        Raises:
            ipc.errors.CoreError: the instance is not there any more.
        """
        tids = {name: tid for name, (_, tid) in self._threads.items()}
        lags: dict[tuple[str, str], int] = {}
        with Counters(tids if seconds else {}) as counters:
            before = self._moment() if seconds else None
            for _ in range(LAG_SAMPLES):
                self._sample(lags)
                time.sleep(seconds / LAG_SAMPLES)
            after = self._moment()
            counted = counters.read()
        refused = counters.refused if seconds else "they count from now on: not with --seconds 0"
        return self._between(before, after, lags, counted, refused)

    # -- one moment --

    def _moment(self) -> _Moment:
        cncs = {name: self._instance.cnc(name) for name in self._tiles}
        return _Moment(
            ns=now_ns(),
            values={name: cnc.values() for name, cnc in cncs.items()},
            histograms={name: {kind: cnc.histogram(kind) for kind in HISTOGRAMS} for name, cnc in cncs.items()},
            threads={name: kernel.thread(*ids) for name, ids in self._threads.items()},
            stalls={name: link.backpressure_turns for name, link in self._links.items()},
            published={name: link.published for name, link in self._links.items()},
            lost={(name, edge.consumer): edge.lost for name, link in self._links.items() for edge in link.edges()},
        )

    def _sample(self, lags: dict[tuple[str, str], int]) -> None:
        for name, link in self._links.items():
            for edge in link.edges():
                key = (name, edge.consumer)
                lags[key] = max(lags.get(key, 0), edge.lag)

    # -- the time between two --

    def _between(
        self,
        before: _Moment | None,
        after: _Moment,
        lags: Mapping[tuple[str, str], int],
        counted: Mapping[str, dict[str, int]],
        refused: str,
    ) -> Facts:
        instance = self._instance
        began = before.ns if before else min(instance.cnc(name).started_ns for name in self._tiles)
        histograms = {
            name: {
                kind: histogram.since(before.histograms[name][kind]) if before else histogram
                for kind, histogram in kinds.items()
            }
            for name, kinds in after.histograms.items()
        }
        tiles = {name: self._tile(name, before, after, histograms[name]) for name in self._tiles}
        send, sign = (instance.params(tile) if tile in instance.tiles else {} for tile in ("send", "sign"))
        return Facts(
            instance=instance.name,
            run=instance.control.run,
            seconds=(after.ns - began) / 1e9,
            whole_run=before is None,
            huge_pages=bool(instance.pointer.topology.huge_pages),
            before_send=send.get("before_send") == "1",
            ladder={"1": "on", "0": "off"}.get(sign.get("ladder", ""), "absent"),
            host=host(refused),
            groups=tuple(self._group(name, before, after, histograms, tiles, counted) for name in self._groups),
            tiles=tuple(tiles.values()),
            links=tuple(self._link(name, before, after, lags) for name in self._links),
            workspaces=self._workspaces(),
            processes=self._processes(),
        )

    def _tile(self, name: str, before: _Moment | None, after: _Moment, histograms: Mapping[str, Histogram]) -> Tile:
        info = self._instance.tiles[name]
        now = after.values[name]
        was = before.values[name] if before else {}
        rising = self._instance.cnc(name).counters()

        def rose(key: str) -> int:
            return now[key] - was.get(key, 0)

        own = {key: rose(key) if key in rising else value for key, value in now.items() if key not in _COMMON}
        return Tile(
            name=name,
            kind=info.kind,
            group=info.group,
            residual_ns=_residual(histograms["turn"]),
            counters=own,
            messages_in=rose("messages_in"),
            messages_out=rose("messages_out"),
            overrun_messages=rose("overrun_messages"),
            backpressure_turns=rose("backpressure_turns"),
            turns=rose("turns"),
            busy_turns=rose("busy_turns"),
            parks=rose("parks"),
            turn=Spread.of(histograms["turn"]),
            wait=Spread.of(histograms["wait"]),
            stage=Spread.of(histograms["stage"]),
            origin=Spread.of(histograms["origin"]),
        )

    def _group(
        self,
        name: str,
        before: _Moment | None,
        after: _Moment,
        histograms: Mapping[str, Mapping[str, Histogram]],
        tiles: Mapping[str, Tile],
        counted: Mapping[str, dict[str, int]],
    ) -> Group:
        info = self._groups[name]
        turns = Histogram()
        for tile in info.tiles:
            turns.merge(histograms[tile]["turn"])
        thread = after.threads[name].since(before.threads[name]) if before else after.threads[name]
        pid, tid = self._threads[name]
        return Group(
            name=name,
            wait=info.wait,
            wait_asked=info.wait_asked,
            core=info.core,
            node=None if info.core is None else kernel.node_of(info.core),
            pid=pid,
            tid=tid,
            tiles=info.tiles,
            turn=Spread.of(turns),
            busy_ns=sum(tiles[tile].busy_ns for tile in info.tiles),
            cpu_ns=thread.cpu_ns,
            run_delay_ns=thread.run_delay_ns,
            voluntary_switches=thread.voluntary_switches,
            involuntary_switches=thread.involuntary_switches,
            migrations=thread.migrations,
            minor_faults=thread.minor_faults,
            major_faults=thread.major_faults,
            counters=dict(counted.get(name, {})),
        )

    def _link(self, name: str, before: _Moment | None, after: _Moment, lags: Mapping[tuple[str, str], int]) -> Link:
        link = self._links[name]
        edges = tuple(
            Edge(
                consumer=edge.consumer,
                reliable=edge.reliable,
                most_lag=lags.get((name, edge.consumer), 0),
                lost=after.lost[name, edge.consumer] - (before.lost[name, edge.consumer] if before else 0),
            )
            for edge in link.edges()
        )
        return Link(
            name=name,
            producer=link.producer,
            depth=link.depth,
            slot_bytes=link.slot_bytes,
            published=after.published[name] - (before.published[name] if before else 0),
            stalls=after.stalls[name] - (before.stalls[name] if before else 0),
            edges=edges,
        )

    def _workspaces(self) -> tuple[Workspace, ...]:
        instance = self._instance
        below = str(instance.directory)
        by_pid = {pid: (kernel.mappings(pid, below), kernel.placed(pid, below)) for pid, _ in self._threads.values()}
        found = []
        for path in sorted(instance.directory.iterdir()):
            if not path.is_file():
                continue
            pair = path.name.removeprefix("link-") if path.name.startswith("link-") else ""
            writer = self._links[pair].producer if pair in self._links else path.name
            known = writer in instance.tiles and instance.tiles[writer].runs != "external"
            maps, places = by_pid.get(instance.cnc(writer).pid if known else 0, ({}, {}))
            mapped = maps.get(str(path), kernel.Mapping(str(path)))
            place = places.get(str(path), kernel.Placed())
            found.append(
                Workspace(
                    name=path.name,
                    writer=writer if known else "",
                    bytes=path.stat().st_size,
                    huge_bytes=mapped.huge,
                    locked=mapped.locked > 0,
                    nodes=place.nodes,
                    wanted_node=self._wanted_node(writer) if known else None,
                    numa_policy=place.policy,
                )
            )
        return tuple(found)

    def _wanted_node(self, writer: str) -> int | None:
        """The node of the pinned tiles that read most bytes of a tile's links; the writer's if none is pinned."""
        read: dict[int, int] = {}
        for name in self._instance.tiles[writer].outputs:
            link = self._links[name]
            for edge in link.edges():
                node = self._node(edge.consumer)
                if node is not None:
                    read[node] = read.get(node, 0) + link.depth * link.slot_bytes
        own = self._node(writer)
        return max(read, key=lambda node: (read[node], node == own)) if read else own

    def _node(self, tile: str) -> int | None:
        group = self._instance.tiles[tile].group
        core = self._groups[group].core if group in self._groups else None
        return None if core is None else kernel.node_of(core)

    def _processes(self) -> tuple[Process, ...]:
        tiles: dict[int, list[str]] = {}
        for name in self._tiles:
            tiles.setdefault(self._instance.cnc(name).pid, []).append(name)
        supervisor = self._instance.control.supervisor_pid
        tiles.setdefault(supervisor, []).append("supervisor")
        found = []
        for pid, names in tiles.items():
            maps = kernel.mappings(pid, str(self._instance.directory))
            private = maps.pop("")
            found.append(
                Process(
                    pid=pid,
                    tiles=tuple(names),
                    private_bytes=private.pss,
                    shared_bytes=sum(mapped.pss for mapped in maps.values()),
                    anonymous_huge_bytes=private.anonymous_huge,
                )
            )
        return tuple(found)


def _residual(histogram: Histogram) -> float:
    """What is left of a turn when something comes in the middle of it: the sum of squares over twice the sum."""
    counts = histogram.buckets
    used = np.flatnonzero(counts)
    tops = np.array([float(lib.sf_hist_bucket_top(int(bucket))) for bucket in used])
    weights = counts[used].astype(float)
    total = float((tops * weights).sum())
    return float((tops * tops * weights).sum()) / (2 * total) if total else 0.0


def host(counters_refused: str) -> Host:
    """This machine, as far as performance goes."""
    caches = kernel.caches()
    advice = tuple(
        (finding.stage, finding.found, finding.fix)
        for finding in check_all()
        if finding.level in ("advice", "problem") and finding.fix
    )
    return Host(
        cores=len(kernel.usable_cores()),
        l1_bytes=caches["l1"],
        l2_bytes=caches["l2"],
        l3_bytes=caches["l3"],
        tlb_pages=kernel.tlb_pages(),
        shmem_huge=kernel.shmem_huge(),
        node_distances=kernel.node_distances(),
        counters_refused=counters_refused,
        advice=advice,
    )


def probe(workspace_bytes: int) -> Probe:
    """What the machine takes for memory of the size of the workspaces; takes some hundred milliseconds."""
    return Probe(
        small_line_ns=lib.sf_probe_line_ps(workspace_bytes, 0) / 1000,
        huge_line_ns=lib.sf_probe_line_ps(workspace_bytes, 1) / 1000,
        fault_ns=lib.sf_probe_fault_ps() / 1000,
        bytes=workspace_bytes,
    )
