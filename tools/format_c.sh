#!/bin/sh
# format_c.sh [--check]: clang-format over the C code, by .clang-format.  The layouts in ipc/include are
# tables drawn by hand and stay as they are.
set -eu
cd "$(dirname "$0")/.."
files=$(find csrc ipc tests/c tests/fuzz bench -name '*.[ch]' -not -path 'ipc/include/*' -not -name '_core.c' 2>/dev/null)
if [ "${1:-}" = --check ]; then
  # shellcheck disable=SC2086
  exec clang-format-14 --dry-run -Werror --ferror-limit=1 $files
fi
# shellcheck disable=SC2086
exec clang-format-14 -i $files
