"""python -m tuning check|apply|undo [--json] [--dry-run] [STAGE...]

Exit code: 0 = all is as wanted; 1 = something could be better, or was refused; 2 = wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys

from tuning.host import Host
from tuning.stage import Result, apply, undo
from tuning.stages import STAGES
from tuning.state import State

MARKS = {"ok": "ok", "advice": "advice", "problem": "PROBLEM"}


def main(arguments: list[str] | None = None, host: Host | None = None) -> int:
    names = [stage.name for stage in STAGES]
    parser = argparse.ArgumentParser(
        prog="python -m tuning", description="Checks, applies and undoes settings of this machine."
    )
    parser.add_argument("verb", choices=["check", "apply", "undo"])
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"all, if none is named: {' '.join(names)}")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, change nothing")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.stages if name not in names]
    if unknown:
        parser.error(f"no stage {unknown[0]}; there are {' '.join(names)}")
    host = host or Host()
    wanted = [stage for stage in STAGES if not options.stages or stage.name in options.stages]

    if options.verb == "check":
        state = State(host)
        findings = [stage.check(host, state) for stage in wanted]
        if options.json:
            print(json.dumps([finding.as_json() for finding in findings], indent=1))
        else:
            for finding in findings:
                print(f"{MARKS[finding.level]:8}{finding.stage:13}{finding.found}")
                if finding.fix:
                    print(f"{'':21}fix: {finding.fix}")
        return int(any(finding.level == "problem" for finding in findings))

    results: list[Result] = []
    for stage in wanted if options.verb == "apply" else reversed(wanted):
        act = apply if options.verb == "apply" else undo
        results += act(stage, host, dry_run=options.dry_run)
    if options.json:
        print(json.dumps([result.as_json() for result in results], indent=1))
    else:
        for result in results:
            print(f"{result.outcome:9}{result.stage:13}{result.text}")
    return int(any(result.outcome == "refused" for result in results))


if __name__ == "__main__":
    sys.exit(main())
