#!/usr/bin/env bash
# How many requests a second relays pass on, side by side, on this machine's loopback: ours, nginx
# with proxy_pass, the crate ohttp-relay, and for one worker in clear text the least that can be made
# of hyper. The gateway is an nginx that always gives the same answer of 1 KiB to requests of 1 KiB.
#
# Modes: `clear` is HTTP/1.1 without TLS on both sides; `tls` HTTP/1.1 with TLS on both sides; `h2`
# HTTP/2 with TLS from the clients, and HTTP/1.1 with TLS to the gateway. TLS is version 1.3 with
# TLS_AES_128_GCM_SHA256 and X25519 everywhere; what was really negotiated is printed, on the
# clients' side by openssl s_client, on the gateway's by the gateway.
#
# Needs wrk, h2load, nginx, openssl (Debian: apt-get install wrk nghttp2-client nginx-light openssl),
# curl, python3, and the other relay, which only speaks HTTP/1.1 in clear to its clients and takes
# only whole messages, so that it is in the first mode alone:
#   cargo install ohttp-relay --version 0.0.11 --locked
# Then, from the root of the repository:
#   bash benches/load/relay.sh
# MODES, WORKERS (1 2), ROUNDS (3), SECONDS_EACH (5), CONNECTIONS (64), STREAMS (1, for each HTTP/2
# connection), PEER, and RELAY_FLAGS change what is measured; RELAY and BARE name programs that are
# built already, and BEFORE another build of ours to compare with.
#
# All of it shares two processors. With one worker the relay has the second to itself, and clients
# and gateway share the first: otherwise the scheduler would decide who waits for whom. With two
# workers everything runs everywhere. Where clients and gateway need more than a processor the rates
# are theirs, so the processor time that each relay took for a request is printed as well. Every
# round runs all contenders, so that a machine that changes its speed does so for all. What is
# counted are the answers of the gateway.
set -euo pipefail
cd "$(dirname "$0")/../.."
MODES=${MODES:-clear tls h2} WORKERS=${WORKERS:-1 2} ROUNDS=${ROUNDS:-3}
SECONDS_EACH=${SECONDS_EACH:-5} CONNECTIONS=${CONNECTIONS:-64} STREAMS=${STREAMS:-1}
PEER=${PEER:-$(command -v ohttp-relay || true)}
work=$(mktemp -d)
started=()
finish() { for id in "${started[@]}"; do kill "$id" 2>/dev/null || true; done; rm -rf "$work"; }
trap finish EXIT

if [ -z "${RELAY:-}" ]; then
  cargo build --release -p examples --example relay
  RELAY=${CARGO_TARGET_DIR:-target}/release/examples/relay
fi
if [ -z "${BARE:-}" ]; then
  cargo build --release -p benches --example load-bare-relay
  BARE=${CARGO_TARGET_DIR:-target}/release/examples/load-bare-relay
fi

# The certificate of relay and gateway.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \
  -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
# Clients that offer one cipher and one curve.
cat > "$work/openssl.cnf" <<CONF
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = tls
[tls]
MinProtocol = TLSv1.3
Ciphersuites = TLS_AES_128_GCM_SHA256
Groups = X25519
CONF
head -c 1024 /dev/zero | tr '\0' q > "$work/body"
cat > "$work/post.lua" <<'LUA'
wrk.method = "POST"
wrk.headers["Content-Type"] = "message/ohttp-req"
wrk.body = string.rep("q", 1024)
LUA

# nginx_conf NAME WORKERS: the beginning of a configuration. Answers are not logged.
nginx_conf() {
  mkdir -p "$work/$1"
  cat <<CONF
worker_processes $2;
pid $work/$1/pid;
error_log $work/$1/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600;
  client_body_buffer_size 64k;
  client_body_temp_path $work/$1/a; proxy_temp_path $work/$1/b;
  fastcgi_temp_path $work/$1/c; uwsgi_temp_path $work/$1/d; scgi_temp_path $work/$1/e;
  ssl_certificate $work/cert.pem;
  ssl_certificate_key $work/key.pem;
  ssl_protocols TLSv1.3;
  ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
  ssl_ecdh_curve X25519;
CONF
}

{
  nginx_conf gateway 1
  cat <<CONF
  default_type message/ohttp-res;
  log_format tls "\$ssl_protocol \$ssl_cipher \$ssl_curve";
  map \$connection_requests \$first { 1 1; default 0; }
  server {
    listen 127.0.0.1:18080;
    listen 127.0.0.1:18443 ssl;
    location / { return 200 "$(head -c 1024 /dev/zero | tr '\0' a)"; }
    location /gateway {
      access_log $work/negotiated tls if=\$first;
      return 200 "$(head -c 1024 /dev/zero | tr '\0' a)";
    }
    location = /status { default_type text/plain; stub_status; }
  }
}
CONF
} > "$work/gateway.conf"
for workers in $WORKERS; do
  {
    nginx_conf "relay-$workers" "$workers"
    cat <<CONF
  upstream clear { server 127.0.0.1:18080; keepalive 512; keepalive_requests 1000000000; }
  upstream secret { server 127.0.0.1:18443; keepalive 512; keepalive_requests 1000000000; }
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_ssl_protocols TLSv1.3;
  proxy_ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
  http2_max_requests 1000000000;
  server {
    listen 127.0.0.1:18081 reuseport;
    location /gateway { proxy_pass http://clear; }
  }
  server {
    listen 127.0.0.1:18082 ssl http2 reuseport;
    location /gateway { proxy_pass https://secret; }
  }
}
CONF
  } > "$work/relay-$workers.conf"
done
taskset -c 0 nginx -c "$work/gateway.conf" -g 'daemon off;' & started+=($!)

await() {
  for _ in $(seq 100); do
    curl -skf -X POST -H 'content-type: message/ohttp-req' --data-binary "@$work/body" "$1" \
      -o /dev/null && return
    sleep 0.1
  done
  echo "nothing answers at $1" >&2; cat "$work/log" >&2; exit 1
}
# How many requests the gateway has answered.
answered() { curl -s http://127.0.0.1:18080/status | awk 'NR==3 {print $3}'; }
# The processor time of a process and its children so far, in ticks.
ticks() {
  local id; for id in "$1" $(pgrep -P "$1"); do cat "/proc/$id/stat"; done |
    awk '{sub(/.*\) /, ""); sum += $12 + $13} END {print sum}'
}

# contender NAME MODE WORKERS PATH COMMAND...: runs a relay, loads it, ends it.
contender() {
  local name=$1 mode=$2 workers=$3 path=$4; shift 4
  local place=(taskset -c 0,1) clients=(taskset -c 0,1) url=http://127.0.0.1:18081$path
  if [ "$workers" = 1 ]; then place=(taskset -c 1) clients=(taskset -c 0); fi
  [ "$mode" = clear ] || url=https://127.0.0.1:18082$path
  export OPENSSL_CONF=
  : > "$work/negotiated"
  "${place[@]}" "$@" > "$work/log" 2>&1 & local id=$!; started+=("$id")
  await "$url"
  export OPENSSL_CONF="$work/openssl.cnf"
  local before after used
  before=$(answered) used=$(ticks "$id")
  if [ "$mode" = h2 ]; then
    "${clients[@]}" h2load -D "$SECONDS_EACH" -c "$CONNECTIONS" -m "$STREAMS" -d "$work/body" \
      -H 'content-type: message/ohttp-req' --log-file="$work/times" "$url" > "$work/out"
  else
    "${clients[@]}" wrk -t1 -c"$CONNECTIONS" -d"${SECONDS_EACH}s" --latency -s "$work/post.lua" \
      "$url" > "$work/out"
  fi
  after=$(answered) used=$(($(ticks "$id") - used))
  [ "$mode" = clear ] || openssl s_client -connect 127.0.0.1:18082 < /dev/null 2> /dev/null |
    awk -v name="$name" '/Server Temp Key/ {curve = $4 $5} /Cipher is/ {cipher = $1 $NF}
      END {print "  clients of " name ": " cipher, curve}' >> "$work/negotiations"
  [ "$mode" = clear ] || sort "$work/negotiated" | uniq -c |
    awk -v name="$name" '{$1 = ""; print "  " name " to the gateway:" $0}' >> "$work/negotiations"
  kill "$id"; wait "$id" 2>/dev/null || true
  NAME=$name MODE=$mode COUNT=$workers ANSWERED=$((after - before - 1)) TICKS=$used \
    python3 - "$work" <<'PYTHON'
import os, re, sys
work = sys.argv[1]
env = os.environ
out = open(f"{work}/out").read()
answered = int(env["ANSWERED"])
if env["MODE"] == "h2":
    times = sorted(int(line.split()[2]) for line in open(f"{work}/times"))
    wrong = sum(int(n) for n in re.findall(r"(\d+) (?:3xx|4xx|5xx)", out))
    wrong += int(re.search(r"(\d+) failed", out)[1])
    elapsed = float(re.search(r"finished in ([\d.]+)s", out)[1])
    p50, p99 = (times[int(len(times) * part)] / 1000 for part in (0.5, 0.99))
else:
    unit = {"us": 0.001, "ms": 1, "s": 1000}
    percentile = lambda n: [float(v) * unit[u] for v, u in re.findall(rf"{n}%\s+([\d.]+)(us|ms|s)", out)][0]
    p50, p99 = percentile(50), percentile(99)
    elapsed = float(re.search(r"requests in ([\d.]+)s", out)[1])
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    wrong = int(bad[1]) if bad else 0
    wrong += sum(int(n) for n in errors.groups()) if errors else 0
rate = answered / elapsed
micros = int(env["TICKS"]) * 1e6 / os.sysconf("SC_CLK_TCK") / max(answered, 1)
row = [env["MODE"], env["COUNT"], env["NAME"], rate, p50, p99, micros, wrong]
print("{:5} {:>2} {:12} {:8.0f}/s  p50 {:6.2f} ms  p99 {:6.2f} ms  {:5.1f} us of processor  wrong {}".format(*row))
print(*row, sep="\t", file=open(f"{work}/results", "a"))
PYTHON
}

export TOKIO_WORKER_THREADS
for round in $(seq "$ROUNDS"); do
  echo "round $round"
  : > "$work/negotiations"
  for workers in $WORKERS; do
    TOKIO_WORKER_THREADS=$workers
    for mode in $MODES; do
      contender nginx "$mode" "$workers" /gateway \
        nginx -c "$work/relay-$workers.conf" -g 'daemon off;'
      case $mode in
        clear) flags=(--listen 127.0.0.1:18081 --allow-http-gateway
                 --gateway http://127.0.0.1:18080/gateway) ;;
        *) flags=(--listen 127.0.0.1:18082 --tls-cert "$work/cert.pem" --tls-key "$work/key.pem"
             --ca "$work/cert.pem" --gateway https://127.0.0.1:18443/gateway) ;;
      esac
      # shellcheck disable=SC2086
      contender ours "$mode" "$workers" /gateway \
        "$RELAY" "${flags[@]}" --workers "$workers" ${RELAY_FLAGS:-}
      # shellcheck disable=SC2086
      [ -z "${BEFORE:-}" ] || contender before "$mode" "$workers" /gateway \
        "$BEFORE" "${flags[@]}" --workers "$workers" ${RELAY_FLAGS:-}
      [ "$mode$workers" != clear1 ] ||
        contender 'only hyper' clear 1 /gateway "$BARE" 127.0.0.1:18081 127.0.0.1:18080
      if [ "$mode" = clear ] && [ -n "$PEER" ]; then
        contender ohttp-relay clear "$workers" / \
          env PORT=18081 GATEWAY_ORIGIN=http://127.0.0.1:18080 "$PEER"
      fi
    done
  done
done
sort -u "$work/negotiations"
echo "medians of $ROUNDS rounds; the ratios to nginx are those of each round, likewise"
python3 - "$work/results" <<'PYTHON'
import collections, statistics, sys
rows = collections.defaultdict(list)
for line in open(sys.argv[1]):
    mode, workers, name, *numbers = line.rstrip("\n").split("\t")
    rows[mode, workers, name].append([float(number) for number in numbers])
medians = {key: [statistics.median(column) for column in zip(*runs)] for key, runs in rows.items()}
for (mode, workers, name), (rate, p50, p99, micros, wrong) in medians.items():
    runs = rows[mode, workers, name]
    pairs = list(zip(runs, rows[mode, workers, "nginx"]))
    ratio = lambda column: statistics.median(run[column] / base[column] for run, base in pairs)
    spread = [run[0] for run in runs]
    print(f"{mode:5} {workers:>2} {name:12} {rate:8.0f}/s ({min(spread):.0f}-{max(spread):.0f})  "
          f"p50 {p50:6.2f} ms  p99 {p99:6.2f} ms  {micros:5.1f} us  wrong {wrong:.0f}  "
          f"rate {ratio(0):.2f}x  p99 {ratio(2):.2f}x  processor {ratio(3):.2f}x")
PYTHON
