#!/usr/bin/env bash
# How many requests a second gateways answer, side by side, on this machine's loopback: ours with
# all providers and the crate ohttp-gateway forward to an nginx; ours also answers in process, and
# with graviola requests under X-Wing too.
#
# Needs wrk and nginx (Debian: apt-get install wrk nginx-light), curl, and the other gateway:
#   cargo install ohttp-gateway --version 1.0.2 --locked
# Then, from the root of the repository:
#   bash benches/load/run.sh
# ROUNDS (3), SECONDS_EACH (8), CONNECTIONS (64) and COUNT (300000) change what is measured. Every
# contender gets COUNT different requests; ours have the replay guard on, so each must be sent once
# only, and what the target answered is counted at the target. Every round runs all contenders, so
# that a machine that changes its speed does so for all.
set -euo pipefail
cd "$(dirname "$0")/../.."
ROUNDS=${ROUNDS:-3} SECONDS_EACH=${SECONDS_EACH:-8} CONNECTIONS=${CONNECTIONS:-64}
COUNT=${COUNT:-300000}
PEER=${PEER:-$(command -v ohttp-gateway || true)}
work=$(mktemp -d)
started=()
finish() { for id in "${started[@]}"; do kill "$id" 2>/dev/null || true; done; rm -rf "$work"; }
trap finish EXIT

cargo build --release -p benches -p examples --features benches/aws-lc,benches/graviola,examples/aws-lc \
  --example load-requests --example load-in-process --example gateway
bin=target/release/examples

mkdir "$work/nginx"
cat > "$work/nginx.conf" <<CONF
worker_processes 1;
pid $work/nginx/pid;
error_log $work/nginx/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path $work/nginx/a; proxy_temp_path $work/nginx/b;
  fastcgi_temp_path $work/nginx/c; uwsgi_temp_path $work/nginx/d; scgi_temp_path $work/nginx/e;
  server {
    listen 127.0.0.1:18080;
    location / { return 200 "hello\n"; }
    location /status { stub_status; }
  }
}
CONF
nginx -c "$work/nginx.conf" -g 'daemon off;' & started+=($!)

await() { for _ in $(seq 100); do curl -sf "$1" -o "$2" && return; sleep 0.1; done; exit 1; }
# How many requests nginx, or the target in process, has answered.
answered() {
  if [ "$1" = in-process ]; then curl -s http://127.0.0.1:18081/answered
  else curl -s http://127.0.0.1:18080/status | awk 'NR==3 {print $3}'; fi
}

# contender NAME TARGET KEYS-PATH COMMAND...: runs a gateway, loads it, ends it.
contender() {
  local name=$1 target=$2 keys=$3; shift 3
  "$@" > "$work/log" 2>&1 & local id=$!; started+=("$id")
  await "http://127.0.0.1:18081$keys" "$work/keys"
  "$bin/load-requests" "$work/keys" http://127.0.0.1:18080/ "$COUNT" > "$work/requests"
  local before after; before=$(answered "$target")
  wrk -t1 -c"$CONNECTIONS" -d"${SECONDS_EACH}s" --latency -s benches/load/cycle.lua \
    http://127.0.0.1:18081 -- "$work/requests" > "$work/wrk"
  after=$(answered "$target")
  kill "$id"; wait "$id" 2>/dev/null || true
  awk -v name="$name" -v answered=$((after - before)) '
    /requests in/ {sent=$1} /Requests\/sec/ {rate=$2} /50%/ {p50=$2} /99%/ {p99=$2}
    /Non-2xx/ {bad=$NF}
    END {printf "%-28s %8.0f/s  p50 %-9s p99 %-9s sent %d, answered by the target %d, refused %d\n",
      name, rate, p50, p99, sent, answered, bad}' "$work/wrk" | tee -a "$work/results"
}

ours="$bin/gateway --listen 127.0.0.1:18081 --generate-key --allow-target http://127.0.0.1:18080"
in_process="$bin/load-in-process 127.0.0.1:18081"
for round in $(seq "$ROUNDS"); do
  echo "round $round"
  [ -z "$PEER" ] || contender ohttp-gateway nginx /ohttp-configs env PORT=18081 LOG_LEVEL=error \
    ALLOWED_TARGET_ORIGINS=127.0.0.1:18080 BACKEND_URL=http://127.0.0.1:18080 "$PEER"
  for provider in rust-crypto aws-lc graviola; do
    contender "forwarding, $provider" nginx /ohttp-keys $ours --kem x25519 --provider $provider
    contender "in process, $provider" in-process /ohttp-keys $in_process $provider x25519
  done
  contender 'forwarding, graviola, X-Wing' nginx /ohttp-keys \
    $ours --kem x-wing --provider graviola
  contender 'in process, graviola, X-Wing' in-process /ohttp-keys $in_process graviola x-wing
done
echo "medians of $ROUNDS rounds"
sed 's/ \+\([0-9]\+\)\/s.*/\t\1/' "$work/results" | sort -t"$(printf '\t')" -k1,1 -k2,2n |
  awk -F'\t' '{n[$1]++; v[$1, n[$1]] = $2}
    END {for (c in n) printf "%-28s %8d/s\n", c, v[c, int((n[c] + 1) / 2)]}' | sort
