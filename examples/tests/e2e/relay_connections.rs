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

/// How much memory the relay may take for that many without TLS, with all that it takes anyway.
const MOST: u64 = 100 << 20;

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

/// Opens that many connections with `open`, each of which stays after a request of its own.
/// Returns them and how much memory the relay has then.
fn idle<S: Read + Write>(relay: &Server, open: impl Fn() -> S) -> (Vec<S>, u64) {
    let before = memory(relay);
    let mut connections: Vec<_> = (0..IDLE).map(|_| open()).collect();
    for connection in &mut connections {
        assert!(ask(connection).unwrap().starts_with("HTTP/1.1 200 "));
    }
    let after = memory(relay);
    // All of them are there.
    assert!(relay.descriptors() >= IDLE, "{}", relay.descriptors());
    for connection in connections.iter_mut().step_by(100) {
        assert!(ask(connection).unwrap().starts_with("HTTP/1.1 200 "));
    }
    let each = after.saturating_sub(before) / IDLE as u64;
    eprintln!("{IDLE} idle connections: {after} bytes resident, {each} for each");
    (connections, after)
}

#[test]
fn idle_connections_take_little_memory() {
    raise_limit();
    let relay = relay_to_with(NOWHERE, &["--head-timeout", "600"]);
    let (_connections, after) = idle(&relay, || TcpStream::connect(relay.address()).unwrap());
    assert!(after < MOST, "{after}");
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
        let tls = ClientConnection::new(config.clone(), name).unwrap();
        let mut stream = StreamOwned::new(tls, TcpStream::connect(relay.address()).unwrap());
        stream.flush().unwrap();
        stream
    };
    let (_connections, after) = idle(&relay, open);
    assert!(after < 4 * MOST, "{after}");
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
