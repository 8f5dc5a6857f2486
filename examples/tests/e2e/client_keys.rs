//! Where the client's keys come from, and the tools for them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use oblivious_http::service::Content;
use serde_json::Value;

use crate::programs::{Server, run};
use crate::setup::{Setup, TempFile, send, stderr, stdout, text};

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&text(&run("client", arguments))).unwrap()
}

/// A server that answers every request with these bytes.
fn serving(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 65536]);
            let _ = stream.write_all(&answer);
        }
    });
    origin
}

/// RFC 9458 §7: sources must agree before anything is sent.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_compared_pinned_and_discovered() {
    let (setup, other) = (Setup::start().await, Server::start("gateway", &GATEWAY));
    let (keys, foreign) = (setup.gateway.url("/ohttp-keys"), other.url("/ohttp-keys"));
    let relay = setup.relay.url("/gateway");
    let url = setup.target.url("/length");
    let ask = |arguments: &[&str]| {
        run("client", &[arguments, &["--relay", &relay, "-d", "12345", &url]].concat())
    };
    let shown = json(&["keys", "show", "--json", &keys]);
    let digest = shown[0]["sha256"].as_str().unwrap().to_owned();
    let wrong = "00".repeat(32);
    let origin = &setup.gateway.origin;
    let works: [&[&str]; 5] = [
        &["--keys", &keys, "--keys", &keys],
        &["--discover", origin],
        &["--discover", origin, "--keys", &keys],
        &["--keys", &keys, "--keys", &foreign, "--keys", &keys, "--agree", "2"],
        &["--keys", &keys, "--pin", &wrong, "--pin", &digest],
    ];
    for arguments in works {
        assert_eq!(text(&ask(arguments)), "5", "{arguments:?}");
    }
    let nonsense = TempFile::new("no-keys", "nonsense");
    let fails: [(&[&str], i32, &str); 6] = [
        (&["--keys", nonsense.path()], 8, nonsense.path()),
        (&["--keys", &keys, "--keys", &foreign], 90, "disagree"),
        (&["--keys", &keys, "--pin", &wrong], 90, "is pinned"),
        (&["--keys", "/nowhere/keys"], 26, "cannot read"),
        (&["--keys", &setup.target.url("/echo")], 8, "application/ohttp-keys"),
        (&[], 2, "--keys"),
    ];
    for (arguments, code, reason) in fails {
        let failed = ask(arguments);
        assert_eq!(failed.status.code(), Some(code), "{arguments:?}: {}", stderr(&failed));
        assert!(stderr(&failed).contains(reason), "{arguments:?}: {}", stderr(&failed));
    }
}

/// draft-schinazi-httpbis-ohttp-ext-key-config: both forms make the same keys, where both are there.
#[tokio::test(flavor = "multi_thread")]
async fn keys_say_how_long_they_are_valid_where_both_sides_want_it() {
    let (plain, extended) = (Setup::start().await, Setup::start_with(&["--extended-keys"]).await);
    for (setup, is_there) in [(&plain, false), (&extended, true)] {
        let keys = setup.gateway.url("/ohttp-keys");
        let request = http::Request::get(&keys).header("accept", "application/ohttp-keys-ext-00");
        let received = send(request.body(Content::default()).unwrap()).await;
        let media_type = &received.headers["content-type"];
        assert_eq!(media_type == "application/ohttp-keys-ext-00", is_there);

        let fetch =
            |form: &[&str]| stdout(&run("client", &[&["keys", "fetch", &keys], form].concat()));
        assert_eq!(fetch(&["--extended-keys"]), fetch(&[]));
        let asked = setup.client(&["--extended-keys", "-d", "12345"], "/length");
        assert_eq!(text(&asked), "5");
    }
}

const GATEWAY: [&str; 3] = ["--generate-key", "--allow-target", "https://example.com"];

/// An HTTP proxy, and the servers that it was asked to connect to.
fn proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let noted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            let head = String::from_utf8(head).unwrap();
            let server = head.split(' ').nth(1).unwrap().to_owned();
            assert!(head.starts_with("CONNECT "), "{head}");
            let mut other = TcpStream::connect(&server).unwrap();
            noted.lock().unwrap().push(server);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let (mut from, mut to) = (other.try_clone().unwrap(), stream.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || std::io::copy(&mut stream, &mut other));
        }
    });
    (origin, asked)
}

/// RFC 9458 §7: the server that has the keys does not see who asks for them.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_fetched_by_way_of_a_proxy_and_nothing_else_is() {
    let setup = Setup::start().await;
    let (proxy, asked) = proxy();
    let url = setup.target.url("/length");
    let output = setup.ask(&["--keys-proxy", &proxy, "-d", "12345", &url], b"");
    assert_eq!(text(&output), "5");
    assert_eq!(*asked.lock().unwrap(), [setup.gateway.address()]);
}

/// What is kept is used without being fetched, and is gone once a gateway refuses it.
#[tokio::test(flavor = "multi_thread")]
async fn kept_keys_are_used_until_a_gateway_refuses_them() {
    let (setup, other) = (Setup::start().await, Server::start("gateway", &GATEWAY));
    let cache = TempFile::new("key-cache", "");
    std::fs::remove_file(cache.path()).unwrap();
    let (relay, keys) = (setup.relay.url("/gateway"), setup.gateway.url("/ohttp-keys"));
    let url = setup.target.url("/204");
    let fixed = ["-v", "--relay", &relay, "--keys", &keys, "--key-cache", cache.path(), &url];
    let first = run("client", &fixed);
    assert!(first.status.success() && stderr(&first).contains("* keys from"), "{}", stderr(&first));
    let second = run("client", &fixed);
    assert!(second.status.success(), "{}", stderr(&second));
    assert!(!stderr(&second).contains("* keys from"), "{}", stderr(&second));

    // The relay leads to another gateway now, which has other keys.
    let elsewhere = crate::setup::relay_to(&other.url("/gateway"));
    let moved = elsewhere.url("/gateway");
    let moved = ["--relay", &moved, "--keys", &keys, "--key-cache", cache.path(), &url];
    assert_eq!(run("client", &moved).status.code(), Some(8));
    assert!(!std::path::Path::new(cache.path()).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_show_what_is_in_keys() {
    let gateway = Server::start("gateway", &GATEWAY);
    let other = Server::start("gateway", &GATEWAY);
    let (keys, foreign) = (gateway.url("/ohttp-keys"), other.url("/ohttp-keys"));
    let file = TempFile::new("tool-keys", "");
    assert_eq!(text(&run("client", &["keys", "fetch", &keys, "-o", file.path()])), "");
    let list = std::fs::read(file.path()).unwrap();

    let shown = json(&["keys", "show", "--json", file.path()]);
    assert_eq!(shown[0]["bytes"], list.len());
    let kems: Vec<_> =
        shown[0]["configs"].as_array().unwrap().iter().map(|it| &it["kem"]["id"]).collect();
    assert_eq!(kems, [&Value::from(0x20), &Value::from(0x647a)]);
    assert_eq!(shown[0]["chosen"]["key_id"], shown[0]["configs"][1]["key_id"]);
    let human = text(&run("client", &["keys", "show", file.path()]));
    assert!(human.contains("X-Wing (0x647a)") && human.contains("<- this client's"), "{human}");
    assert!(human.contains(shown[0]["sha256"].as_str().unwrap()), "{human}");

    let same = run("client", &["keys", "compare", &keys, file.path()]);
    assert!(text(&same).contains("all sources agree"));
    let differing = run("client", &["keys", "compare", "--json", &keys, &foreign]);
    assert_eq!(differing.status.code(), Some(1));
    let differing: Value = serde_json::from_slice(&differing.stdout).unwrap();
    assert_eq!(differing["agree"], false);
    assert_eq!(differing["sources"][0]["only_here"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn lint_finds_what_is_wrong_with_keys() {
    let gateway = Server::start("gateway", &GATEWAY);
    let file = TempFile::new("lint-keys", "");
    let keys = gateway.url("/ohttp-keys");
    assert!(run("client", &["keys", "fetch", &keys, "-o", file.path()]).status.success());
    let sound = run("client", &["keys", "lint", "--strict", file.path()]);
    assert!(text(&sound).contains("no faults found"), "{}", text(&sound));

    let list = std::fs::read(file.path()).unwrap();
    // The X25519 configuration alone: id 1 or so, its KEM, 32 bytes of key, suites.
    let length = 2 + usize::from(u16::from_be_bytes([list[0], list[1]]));
    let config = &list[..length];
    let mut small_order = config.to_vec();
    small_order[5..37].fill(0);
    let mut one_stage = config.to_vec();
    one_stage[39..41].copy_from_slice(&[0, 0x10]);
    let unknown = b"\0\x07\x05\x12\x34data";
    for (bytes, code, reason) in [
        (list[..list.len() - 1].to_vec(), 1, "cut short"),
        (Vec::new(), 1, "empty"),
        ([config, config].concat(), 1, "appears twice"),
        (small_order, 1, "not a valid public key"),
        (one_stage, 0, "no Extract and Expand"),
        (config.to_vec(), 0, "note: no post-quantum"),
        ([unknown, config].concat(), 0, "unknown KEM 0x1234"),
        (unknown.to_vec(), 1, "can use none of the configurations"),
    ] {
        std::fs::write(file.path(), &bytes).unwrap();
        let found = run("client", &["keys", "lint", file.path()]);
        let printed = String::from_utf8_lossy(&found.stdout);
        assert_eq!(found.status.code(), Some(code), "{reason}: {printed}");
        assert!(printed.contains(reason), "{reason}: {printed}");
    }
    std::fs::write(file.path(), config).unwrap();
    let bare = TempFile::new("lint-bare", &config[2..]);
    let shown = json(&["keys", "show", "--json", "--bare-keys", bare.path()]);
    assert_eq!(shown[0]["configs"].as_array().unwrap().len(), 1);

    let mistyped = serving(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec());
    let found = json_of_failed(&["keys", "lint", "--json", &mistyped]);
    assert_eq!(found[0]["findings"][0]["level"], "error");
}

fn json_of_failed(arguments: &[&str]) -> Value {
    let output = run("client", arguments);
    assert_eq!(output.status.code(), Some(1));
    serde_json::from_slice(&output.stdout).unwrap()
}
