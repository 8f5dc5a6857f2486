//! The relay with very many connections, and with more than it may have.

#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::programs::Server;
use crate::setup::relay_to_with;
use crate::streaming::memory;
use crate::tls::certificate;

/// No gateway is there, and none is asked.
const NOWHERE: &str = "http://127.0.0.1:1/";

/// How many idle connections there are; builds for debugging take longer, and more memory.
const IDLE: usize = if cfg!(debug_assertions) { 1000 } else { 10_000 };

/// How much memory the relay may take for each connection that is open and has asked nothing.
const OPEN: u64 = 12 << 10;

/// How much more for one over which a request came: hyper keeps the buffers that it read and wrote
/// with, of 8 KiB each.
const USED: u64 = 17 << 10;

/// How much more with TLS.
const TLS: u64 = 7 << 10;

/// Lets this process open as many sockets as the system permits.
fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let most = limit.current.unwrap_or(u64::MAX);
    assert!(
        most > IDLE as u64 + 200,
        "only {most} files may be open: raise the limit (ulimit -Hn)"
    );
}

/// One request, answered without a gateway.
fn ask(stream: &mut (impl Read + Write)) -> std::io::Result<String> {
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut buffer = [0; 512];
    while !answer.ends_with(b"ok\n") {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&buffer[..length]);
    }
    Ok(String::from_utf8(answer).unwrap())
}

/// Opens that many connections with `open`, each of which asks once and then stays. Returns how much
/// memory the relay takes for each when they are open, and when they have asked.
fn idle<S: Read + Write>(relay: &Server, open: impl Fn() -> S) -> (u64, u64) {
    let before = memory(relay);
    let mut connections: Vec<_> = (0..IDLE).map(|_| open()).collect();
    while relay.descriptors() < IDLE {
        std::thread::sleep(Duration::from_millis(10));
    }
    let opened = memory(relay);
    for connection in &mut connections {
        assert!(ask(connection).unwrap().starts_with("HTTP/1.1 200 "));
    }
    let used = memory(relay);
    for connection in connections.iter_mut().step_by(100) {
        assert!(ask(connection).unwrap().starts_with("HTTP/1.1 200 "), "all are still there");
    }
    eprintln!("{IDLE} idle connections: {before}, {opened} when open, {used} when used");
    let each = |memory: u64| memory.saturating_sub(before) / IDLE as u64;
    (each(opened), each(used))
}

#[test]
fn idle_connections_take_little_memory() {
    raise_limit();
    let relay = relay_to_with(NOWHERE, &["--head-timeout", "600"]);
    let (opened, used) = idle(&relay, || TcpStream::connect(relay.address()).unwrap());
    assert!(opened < OPEN && used < OPEN + USED, "{opened} {used}");
}

#[test]
fn idle_connections_with_tls_take_little_memory() {
    raise_limit();
    let own = certificate("idle");
    let files = ["--tls-cert", own.cert.path(), "--tls-key", own.key.path()];
    let relay = relay_to_with(NOWHERE, &[&["--head-timeout", "600"], &files[..]].concat());
    let ca = std::fs::read_to_string(own.ca.path()).unwrap();
    let config = Arc::new(oblivious_hyper::tls::client_config(Some(&ca)).unwrap());
    let open = || {
        let name = ServerName::try_from("localhost").unwrap();
        let mut tls = ClientConnection::new(config.clone(), name).unwrap();
        let mut stream = TcpStream::connect(relay.address()).unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut stream).unwrap();
        }
        StreamOwned::new(tls, stream)
    };
    let (opened, used) = idle(&relay, open);
    assert!(opened < OPEN + TLS && used < OPEN + USED + TLS, "{opened} {used}");
}

/// The processor time that a process has had, in clock ticks of a hundredth of a second.
fn ticks(relay: &Server) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", relay.id())).unwrap();
    // The name of the program is in parentheses, and could contain anything.
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn without_descriptors_the_relay_waits_and_goes_on() {
    let relay = relay_to_with(NOWHERE, &["--head-timeout", "600"]);
    let left = 20;
    let most = Some(relay.descriptors() as u64 + left);
    let id = Pid::from_raw(relay.id().try_into().unwrap());
    prlimit(id, Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();

    let mut connections: Vec<_> =
        (0..4 * left).map(|_| TcpStream::connect(relay.address()).unwrap()).collect();
    relay.await_log("cannot accept a connection");
    assert!(
        ask(&mut connections[0]).unwrap().starts_with("HTTP/1.1 200 "),
        "it serves those it has"
    );
    let (began, before) = (Instant::now(), ticks(&relay));
    std::thread::sleep(Duration::from_secs(2));
    let spent = ticks(&relay) - before;
    eprintln!("out of descriptors: {spent} ticks of processor time in {:?}", began.elapsed());
    assert!(spent < 20, "{spent} hundredths of a second in two");

    // Whoever was waiting is served as soon as others leave, and so are newcomers.
    let mut waiting = connections.pop().unwrap();
    drop(connections);
    assert!(ask(&mut waiting).unwrap().starts_with("HTTP/1.1 200 "));
    let mut another = TcpStream::connect(relay.address()).unwrap();
    assert!(ask(&mut another).unwrap().starts_with("HTTP/1.1 200 "));
}
