#!/bin/sh
# fuzz.sh SECONDS [NAME...]: builds every tests/fuzz/fuzz_NAME.c with libFuzzer, AddressSanitizer and
# UndefinedBehaviorSanitizer, and runs each for so many seconds.  Found inputs stay in build/fuzz/corpus.
set -eu
cd "$(dirname "$0")/.."
seconds=$1
shift
flags="-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
make --no-print-directory -s -C csrc -j2 FLAVOUR=fuzz CC=clang-14 \
  CFLAGS_fuzz="$flags -fsanitize=fuzzer-no-link" lib
for source in tests/fuzz/fuzz_*.c; do
  name=$(basename "$source" .c)
  name=${name#fuzz_}
  [ $# -eq 0 ] || case " $* " in *" $name "*) ;; *) continue ;; esac
  mkdir -p "build/fuzz/corpus/$name" "build/fuzz/failures"
  # shellcheck disable=SC2086
  clang-14 -std=gnu11 -D_GNU_SOURCE -march=x86-64-v2 $flags -fsanitize=fuzzer -Icsrc -Iipc/include \
    -o "build/fuzz/$name" "$source" -Wl,--whole-archive build/fuzz/libsniperforge.a -Wl,--no-whole-archive \
    -luring -lnuma -lsodium -lssl -lcrypto -lm -lpthread
  echo "fuzz: $name for $seconds s"
  if ! "build/fuzz/$name" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="build/fuzz/failures/$name-" "build/fuzz/corpus/$name" >"build/fuzz/$name.log" 2>&1; then
    tail -40 "build/fuzz/$name.log"
    echo "fuzz: $name FAILED; the input is in build/fuzz/failures" >&2
    exit 1
  fi
  grep 'executed_units' "build/fuzz/$name.log"
done
