#!/usr/bin/env bash
# Figures of the release binary against their limits: fsyncs per step, memory, start-up, planning. Timing limits are generous here, because
# the machines that run this are shared; `cargo bench` and docs/performance.md have the figures themselves.
set -euo pipefail
flow=$(realpath "${1:?usage: limits.sh BINARY}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export HOME=$work CEPTRA_FLOW_STATE=$work/state NO_COLOR=1
failed=0

head_of() { printf 'schema = 1\n[runbook]\nname = "%s"\ntitle = "%s"\n' "$1" "$1"; }
chain() { head_of chain; awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) printf "[steps.s%d]\ntype = \"set\"\neffect = \"once\"\n%swith = { value = %d }\n", i, i ? "needs = [\"s" i-1 "\"]\n" : "", i }'; }
layers() { head_of layers; awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) { l = int(i / 100); c = i % 100; needs = ""; if (l) needs = sprintf("needs = [\"s%d\", \"s%d\", \"s%d\"]\n", (l-1)*100+c, (l-1)*100+(c+7)%100, (l-1)*100+(c+14)%100); printf "[steps.s%d]\ntype = \"set\"\neffect = \"once\"\n%swith = { value = %d }\n", i, needs, i } }'; }

# limit NAME VALUE MOST UNIT
limit() {
  if awk -v a="$2" -v b="$3" 'BEGIN { exit !(a <= b) }'; then verdict=ok; else verdict=TOO-MUCH; failed=1; fi
  printf '%-52s %10s %-8s (at most %s) %s\n' "$1" "$2" "$4" "$3" "$verdict"
}
now() { date +%s%N; }
# fastest NAME MOST-MS COMMAND...: the fastest of several tries, in ms.
fastest() {
  local name=$1 most=$2 best=999999; shift 2
  for _ in 1 2 3 4 5 6 7; do
    local t0 t1; t0=$(now); "$@" >/dev/null 2>&1 || true; t1=$(now)
    best=$(awk -v a=$best -v b=$(( t1 - t0 )) 'BEGIN { b /= 1e6; printf "%.1f", (a < b) ? a : b }')
  done
  limit "$name" "$best" "$most" ms
}

chain 1000 > chain.toml; layers 10000 > layers.toml; layers 100000 > huge.toml
chain 3 > small.toml

syncs=$(strace -f -c -e trace=fsync,fdatasync -o counts "$flow" run chain.toml --quiet >/dev/null && awk '/fsync|fdatasync/ { n += $4 } END { print n + 0 }' counts)
limit "fsyncs per step, chain of 1,000" "$(awk -v n="$syncs" 'BEGIN { print n / 1000 }')" 1.05 each

/usr/bin/time -f %M -o peak "$flow" run chain.toml --quiet >/dev/null
limit "peak memory, run of 1,000 steps" "$(awk '{ printf "%.1f", $1 / 1024 }' peak)" 20 MiB
/usr/bin/time -f '%M %e' -o peak "$flow" run huge.toml --quiet >/dev/null
limit "peak memory, run of 100,000 steps" "$(awk '{ printf "%.1f", $1 / 1024 }' peak)" 150 MiB
printf '%-52s %10s s\n' "time, run of 100,000 steps" "$(awk '{ print $2 }' peak)"

# Three times the limit of a quiet machine.
fastest "--version" 30 "$flow" --version
fastest "check of a small file" 30 "$flow" check small.toml
fastest "plan of 10,000 steps" 450 "$flow" plan layers.toml --format json

[ $failed = 0 ]
