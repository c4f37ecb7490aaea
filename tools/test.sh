#!/bin/sh
# All of pytest: first what only computes, on every core, then what starts engines or takes times, one after the other.
#   tools/test.sh [arguments of pytest that choose among the tests, like -k name]
cd "$(dirname "$0")/.." || exit 1
NONE=5 # how pytest says that nothing was chosen

.venv/bin/python -m pytest -n auto --dist loadfile tests/unit tests/model tests/replay tests/emulation "$@"
computing=$?
case $computing in
  0 | 1 | $NONE) ;; # 1: some failed
  *) exit $computing ;;
esac
.venv/bin/python -m pytest tests/integration tests/stress "$@"
running=$?

case $computing in
  0) [ $running -eq $NONE ] || exit $running ;;
  $NONE) exit $running ;;
esac
exit $computing
