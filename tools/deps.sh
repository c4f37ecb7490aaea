#!/bin/sh
# deps.sh run|dev|peers: installs what building and running (run), or also testing (dev), needs; or, into an environment
# of their own, the engines that benchmarks stand beside (peers).
# Nothing is done twice: a stamp in the environment names what was installed last.
set -eu
cd "$(dirname "$0")/.."

refuse() { echo "deps: $*" >&2; exit 1; }

want=${1:-run}
venv=.venv
case $want in
  run) requirements="requirements.txt" ;;
  dev) requirements="requirements.txt requirements-dev.txt" ;;
  peers) requirements="requirements-peers.txt" venv=.venv-peers ;;
  *)   refuse "say what for: run, dev or peers" ;;
esac

stamp=$venv/.deps-$want-$(cat tools/deps.sh $requirements | cksum | cut -d' ' -f1)
[ -e "$stamp" ] && [ -x $venv/bin/python ] && exit 0

[ "$(uname -s)" = Linux ] && [ "$(uname -m)" = x86_64 ] ||
  refuse "SniperForge runs on Linux x86-64 only; this is $(uname -s) $(uname -m)"

# -- Python --------------------------------------------------------------------------------------
python=
for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ] && command -v python3 >/dev/null; then
  refuse "SniperForge needs Python 3.11 or newer; $(python3 --version) is installed (name another with PYTHON=...)"
fi

# -- system packages: probed by what they bring, so that another source of them is as good --------
header()  { echo "#include <$1>" | cc -E -x c - >/dev/null 2>&1; }
command_() { command -v "$1" >/dev/null; }
missing=
need() { missing="$missing $1"; }

command_ cc && command_ make || need build-essential
command_ pkg-config          || need pkg-config
header liburing.h || need liburing-dev
header numa.h     || need libnuma-dev
header sodium.h   || need libsodium-dev
header openssl/ssl.h || need libssl-dev
command_ clang-14 || command_ clang || need clang-14
if [ -z "$python" ]; then
  need python3-dev
  need python3-venv
else
  suffix=3
  [ "$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" = "$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')" ] ||
    suffix=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  "$python" -c 'import ensurepip, venv' 2>/dev/null || need "python$suffix-venv"
  "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
    need "python$suffix-dev"
fi
if [ "$want" = dev ]; then
  command_ clang-14 || need clang-14
  command_ clang-format-14 || need clang-format-14
  ls /usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a >/dev/null 2>&1 || need libclang-rt-14-dev
fi
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
missing=${missing% }

if [ -n "$missing" ]; then
  command_ apt-get || refuse "these packages (Debian's names) are missing, and there is no apt-get here: $missing"
  install="apt-get install -y --no-install-recommends $missing"
  if [ "$(id -u)" != 0 ]; then
    echo "deps: these packages are missing: $missing" >&2
    echo "deps: run this one command, then make again:" >&2
    echo "    sudo sh -c 'apt-get update && $install'" >&2
    exit 1
  fi
  echo "deps: installing $missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update
  $install
  python=${python:-python3}
fi

# -- the virtual environment ----------------------------------------------------------------------
if ! $venv/bin/python -c '' 2>/dev/null; then
  echo "deps: making $venv with $("$python" --version)"
  "$python" -m venv --clear $venv
fi
echo "deps: installing the pinned packages of $requirements into $venv"
set --
for file in $requirements; do set -- "$@" -r "$file"; done
$venv/bin/python -m pip install --disable-pip-version-check --progress-bar off "$@"
rm -f $venv/.deps-"$want"-*
touch "$stamp"
echo "deps: everything is installed"
