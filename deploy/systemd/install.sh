#!/bin/sh
# install.sh [plan options]: installs the unit set and gives it the cores that `tune plan` proposes.
# Options go to the plan, e.g. --groups /etc/sniperforge/sniperforge.toml --nic eth0. With DESTDIR set nothing but
# files below it is written. Nothing is enabled or started; the last lines say how.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
prefix=${PREFIX:-/opt/sniperforge}
root=${DESTDIR:-}
units=$root/etc/systemd/system

[ -n "$root" ] || [ "$(id -u)" = 0 ] || { echo "install.sh: needs root; run it with sudo" >&2; exit 1; }
[ -x "$prefix/.venv/bin/python" ] || { echo "install.sh: $prefix has no .venv; run make build there first" >&2; exit 1; }

install -d "$units" "$root/etc/sysusers.d" "$root/etc/sniperforge"
for unit in sniperforge.slice sniperforge.service sniperforge-tune.service sniperforge-dma-latency.service; do
  sed "s|/opt/sniperforge|$prefix|g" "$here/$unit" >"$units/$unit"
  chmod 644 "$units/$unit"
done
install -m 644 "$here/sniperforge.sysusers.conf" "$root/etc/sysusers.d/sniperforge.conf"
cd "$prefix"
.venv/bin/python -m tuning plan --units "$units" "$@"

if [ -z "$root" ]; then
  systemd-sysusers
  systemctl daemon-reload
fi
echo
echo "installed; put the configuration lines above into /etc/sniperforge/sniperforge.toml, then:"
echo "  sudo systemctl enable --now sniperforge-dma-latency sniperforge-tune sniperforge"
