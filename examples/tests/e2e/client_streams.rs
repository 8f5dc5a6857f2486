//! Large files, both ways in chunks: the client holds little of them.

#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::Write;
use std::process::Stdio;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, put};
use http_body_util::BodyExt;
use oblivious_hyper::server;

use crate::programs::{Server, program};
use crate::setup::{TempFile, relay_to, relay_to_with};
use crate::streaming::Zeros;

const LARGE: u64 = 64 << 20;
/// What the client may take in all: it is less than half of what it carries.
const MEMORY: u64 = 32 << 20;

/// A target that sends and takes much.
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
        .route("/count", put(count));
    tokio::spawn(server::serve(listener, None, router, std::future::pending()));
    origin
}

/// The most memory that a process has had, in bytes; `None` once it has ended.
fn peak(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_pass_through_little_memory() {
    let target = target().await;
    let gateway = Server::start_with(
        "gateway",
        &["--generate-key", "--allow-target", &target],
        &[("RUST_LOG", "info")],
    );
    let relay = relay_to_with(&gateway.url("/gateway"), &["--body-limit", "100000000"]);
    let file = TempFile::new("large-file", "");
    let (relay, keys) = (relay.url("/gateway"), gateway.url("/ohttp-keys"));
    let fixed = ["--chunked", "--relay", &relay, "--keys", &keys];

    // Down, into a file; then up, from that file.
    let runs: [(&[&str], &str); 2] =
        [(&["-o", file.path()], "/zeros"), (&["-T", file.path()], "/count")];
    for (arguments, path) in runs {
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
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{path}");
        assert!(most > 0 && most < MEMORY, "{path}: {most} bytes");
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
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/echo", put(async |body: Body| body));
    tokio::spawn(server::serve(listener, None, router, std::future::pending()));
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
