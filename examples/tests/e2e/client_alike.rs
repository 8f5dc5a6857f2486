//! What a relay sees of clients that ask for the same: nothing that tells them apart.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

use crate::programs::program;
use crate::setup::Setup;

/// A relay that takes one request, of which it knows the header and the content.
fn relay() -> (String, std::thread::JoinHandle<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/gateway", listener.local_addr().unwrap());
    let seen = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            let length = stream.read(&mut buffer).unwrap();
            seen.extend_from_slice(&buffer[..length]);
            let end = seen.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4);
            let Some(end) = end else { continue };
            let head = String::from_utf8(seen[..end].to_vec()).unwrap();
            let content = &seen[end..];
            let is_whole = match head.split_once("content-length: ") {
                Some((_, rest)) => content.len().to_string() == rest.split("\r\n").next().unwrap(),
                None => content.ends_with(b"0\r\n\r\n"),
            };
            if is_whole {
                let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
                return (head, content.to_vec());
            }
        }
    });
    (url, seen)
}

/// RFC 9458 §5, §6.1: equal input makes equal requests but for what is encrypted, whoever types it,
/// and wherever.
#[tokio::test(flavor = "multi_thread")]
async fn equal_requests_of_different_users_differ_in_ciphertext_alone() {
    let setup = Setup::start().await;
    let keys = setup.gateway.url("/ohttp-keys");
    let one = [
        ("HOME", "/root"),
        ("LANG", "C"),
        ("LC_ALL", "C"),
        ("TERM", "dumb"),
        ("TZ", "UTC"),
        ("USER", "one"),
    ];
    let other = [
        ("COLUMNS", "40"),
        ("EDITOR", "vi"),
        ("HOME", "/nowhere"),
        ("LANG", "de_DE.UTF-8"),
        ("LC_ALL", "de_DE.UTF-8"),
        ("TERM", "xterm-256color"),
        ("TZ", "Asia/Tokyo"),
        ("USER", "other"),
        ("http_proxy", "http://127.0.0.1:1"),
        ("https_proxy", "http://127.0.0.1:1"),
    ];
    for way in [&[][..], &["--chunked"]] {
        let mut all_seen = Vec::new();
        for (environment, folder) in [(&one[..], "/"), (&other[..], "/tmp")] {
            let (relay, seen) = relay();
            let failed = program("client")
                .args(way)
                .args(["--relay", &relay, "--keys", &keys, "-d", "what is asked"])
                .arg("https://target.example/path")
                .envs(environment.iter().copied())
                .current_dir(folder)
                .stdin(Stdio::null())
                .output()
                .unwrap();
            assert_eq!(failed.status.code(), Some(8), "{}", crate::setup::stderr(&failed));
            let (head, content) = seen.join().unwrap();
            let host = relay.split('/').nth(2).unwrap();
            all_seen.push((head.replace(host, "relay.example"), content));
        }
        let [(head, content), (other_head, other_content)] = &all_seen[..] else { panic!("two") };
        assert_eq!(head, other_head);
        assert_eq!(content.len(), other_content.len());
        // The frame of HTTP's own chunks apart, they begin with the key and its suite.
        let start = content.windows(2).position(|two| two == b"\r\n").filter(|_| !way.is_empty());
        let start = start.map_or(0, |at| at + 2);
        assert_eq!(content[..start + 7], other_content[..start + 7]);
        assert_ne!(content[start + 7..start + 39], other_content[start + 7..start + 39]);
    }
}
