#!/bin/sh
# All of pytest: first what only computes, on every core, then what starts engines or takes times, one after the other.
#   tools/test.sh [arguments of pytest that choose among the tests, like -k name]
cd "$(dirname "$0")/.." || exit 1
NONE=5 # how pytest says that nothing was chosen

.venv/bin/python -m pytest -n auto --dist loadfile tests/unit tests/model tests/replay tests/emulation "$@"
computing=$?
[ $computing -eq 0 ] || [ $computing -eq $NONE ] || [ $computing -eq 1 ] || exit $computing # 1: some failed
.venv/bin/python -m pytest tests/integration tests/stress "$@"
running=$?
[ $computing -ne $NONE ] || exit $running
[ $running -ne $NONE ] || running=0
[ $computing -eq 0 ] && exit $running
exit $computing
