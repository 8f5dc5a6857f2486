//! Large files, both ways in chunks: the client holds little of them.

#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, put};
use http_body_util::BodyExt;
use oblivious_hyper::server;

use crate::programs::{Server, program};
use crate::setup::{TempFile, relay_to};
use crate::streaming::Zeros;

/// How long the large files are; builds for debugging encrypt slowly.
const LARGE: u64 = if cfg!(debug_assertions) { 64 << 20 } else { 1 << 30 };
/// How much more memory the client may take for them than for a line.
const GROWTH: u64 = 16 << 20;

/// A target that sends and takes much, and sends back what it is sent.
async fn target() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let count = async |mut body: Body| {
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame.unwrap().into_data().map_or(0, |data| data.len() as u64);
        }
        length.to_string()
    };
    let router = Router::new()
        .route("/zeros", get(async || Body::new(Zeros(LARGE))))
        .route("/count", put(count))
        .route("/echo", put(async |body: Body| body));
    tokio::spawn(server::serve(listener, None, router, std::future::pending()));
    origin
}

/// The most memory that a process has had, in bytes; `None` once it has ended.
fn peak(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

/// A client that has sent a line and printed it, and goes on: its memory.
fn peak_of_a_line(fixed: &[&str], url: &str) -> u64 {
    let mut process = program("client")
        .args(fixed)
        .args(["-T", "-", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    input.write_all(b"line\n").unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "line\n");
    let peak = peak(process.id()).unwrap();
    drop(input);
    assert!(process.wait().unwrap().success());
    peak
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_pass_through_little_memory() {
    let target = target().await;
    let gateway = Server::start_with(
        "gateway",
        &["--generate-key", "--allow-target", &target],
        // Trace logs of a large message are large.
        &[("RUST_LOG", "info")],
    );
    let relay = Server::start_with(
        "relay",
        &[
            "--gateway",
            &gateway.url("/gateway"),
            "--allow-http-gateway",
            "--body-limit",
            "2000000000",
        ],
        &[("RUST_LOG", "info")],
    );
    let file = TempFile::new("large-file", "");
    let (relay, keys) = (relay.url("/gateway"), gateway.url("/ohttp-keys"));
    let fixed = ["--chunked", "--relay", &relay, "--keys", &keys];
    let before = peak_of_a_line(&fixed, &format!("{target}/echo"));

    // Down, into a file; then up, from that file.
    let runs: [(&[&str], &str); 2] =
        [(&["-o", file.path()], "/zeros"), (&["-T", file.path()], "/count")];
    for (arguments, path) in runs {
        let begun = std::time::Instant::now();
        let mut process = program("client")
            .args(fixed)
            .args(arguments)
            .arg(format!("{target}{path}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut most = 0;
        while process.try_wait().unwrap().is_none() {
            most = most.max(peak(process.id()).unwrap_or(0));
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let rate = (LARGE >> 10) / u64::try_from(begun.elapsed().as_millis()).unwrap();
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{path}");
        let growth = most.saturating_sub(before);
        eprintln!("{path}: {LARGE} bytes, {rate} MB/s: memory grew from {before} by {growth}");
        assert!(most > 0 && growth < GROWTH, "{path}: {before} bytes grew by {growth}");
        if path == "/zeros" {
            assert_eq!(File::open(file.path()).unwrap().metadata().unwrap().len(), LARGE);
        } else {
            assert_eq!(output.stdout, LARGE.to_string().into_bytes());
        }
    }
}

/// What comes on standard input goes out at once, and what is answered is printed at once.
#[tokio::test(flavor = "multi_thread")]
async fn chunks_are_sent_and_printed_as_they_come() {
    let origin = target().await;
    let gateway = Server::start("gateway", &["--generate-key", "--allow-target", &origin]);
    let relay = relay_to(&gateway.url("/gateway"));
    let url = format!("{origin}/echo");
    let mut process = program("client")
        .args(["--chunked", "--relay", &relay.url("/gateway")])
        .args(["--keys", &gateway.url("/ohttp-keys"), "-T", "-", &url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
    let mut output = std::io::BufReader::new(output);
    for line in ["one\n", "two\n", "three\n"] {
        input.write_all(line.as_bytes()).unwrap();
        let mut read = String::new();
        std::io::BufRead::read_line(&mut output, &mut read).unwrap();
        assert_eq!(read, line);
    }
    drop(input);
    assert!(process.wait().unwrap().success());
}
