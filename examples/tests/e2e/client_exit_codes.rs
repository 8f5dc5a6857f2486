//! Exit codes: those of curl where something fails that both of them do.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::curl::{client, curl, is_there};
use crate::programs::{Server, run};
use crate::setup::{Setup, TempFile, stderr};
use crate::tls::certificate;

/// A server that takes connections and says nothing, or says `answer` and hangs up.
fn server(answer: Option<&'static [u8]>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming().flatten() {
            match answer {
                Some(answer) => {
                    // What is unread at the end would make a reset of it.
                    let _ = (&stream).read(&mut [0; 65536]);
                    let _ = (&stream).write_all(answer);
                }
                None => kept.push(stream),
            }
        }
    });
    address.to_string()
}

/// curl at a server, and the client with that server as its relay.
fn assert_same_code(code: i32, flags: &[&str], server: &str, keys: &TempFile) {
    let curl = curl(&[flags, &["-sS", "-d", "x", server]].concat(), b"");
    assert_eq!(curl.status.code(), Some(code), "curl {server}: {}", stderr(&curl));
    let fixed = ["--relay", server, "--keys", keys.path(), "https://target.example/"];
    let client = client(&[flags, &fixed].concat(), b"");
    assert_eq!(client.status.code(), Some(code), "client {server}: {}", stderr(&client));
}

/// Key configurations of nobody.
fn keys(name: &str) -> TempFile {
    let secret = TempFile::new(&format!("{name}-secret"), "");
    let keys = TempFile::new(name, "");
    std::fs::remove_file(secret.path()).unwrap();
    let made = run("client", &["keygen", "--key-file", secret.path(), "-o", keys.path()]);
    assert!(made.status.success(), "{}", stderr(&made));
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_cannot_be_asked_gives_curl_s_code() {
    if !is_there() {
        return;
    }
    let keys = keys("codes-keys");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_same_code(6, &[], "http://host.invalid/", &keys);
    assert_same_code(7, &[], &format!("http://{closed}/"), &keys);
    let cut_off = b"HTTP/1.1 200 OK\r\ncontent-type: message/ohttp-res\r\n\
        content-length: 100\r\n\r\nless";
    let (silent, rude, cut_off) = (server(None), server(Some(b"")), server(Some(cut_off)));
    assert_same_code(28, &["-m", "0.3"], &format!("http://{silent}/"), &keys);
    let slow = format!("https://{silent}/");
    assert_same_code(28, &["--connect-timeout", "0.3", "-m", "60"], &slow, &keys);
    assert_same_code(52, &[], &format!("http://{rude}/"), &keys);
    assert_same_code(18, &[], &format!("http://{cut_off}/"), &keys);

    let certificate = certificate("codes");
    let own = ["--tls-cert", certificate.cert.path(), "--tls-key", certificate.key.path()];
    let gateway = ["--gateway", "http://127.0.0.1:1/", "--allow-http-gateway"];
    let relay = Server::start("relay", &[&own[..], &gateway].concat());
    let port = relay.address().rsplit_once(':').unwrap().1;
    let named = format!("https://localhost:{port}/gateway");
    assert_same_code(60, &[], &named, &keys);
    assert_same_code(77, &["--cacert", "/nowhere/ca.pem"], &named, &keys);
    assert_same_code(35, &[], &format!("https://{rude}/"), &keys);

    // With the right certificate, or none asked for, both get the relay's answer: there is no
    // gateway behind it.
    let resolved = format!("relay.invalid:{port}:127.0.0.1");
    let elsewhere = format!("https://relay.invalid:{port}/gateway");
    for (flags, server) in [
        (&["--cacert", certificate.ca.path()][..], &named),
        (&["-k"], &named),
        (&["-k", "--resolve", &resolved], &elsewhere),
    ] {
        let curl = curl(&[flags, &["-sS", server]].concat(), b"");
        assert_eq!(curl.status.code(), Some(0), "{flags:?}: {}", stderr(&curl));
        let fixed = ["--relay", server, "--keys", keys.path(), "https://target.example/"];
        let client = client(&[flags, &fixed].concat(), b"");
        assert_eq!(client.status.code(), Some(8), "{flags:?}: {}", stderr(&client));
        assert!(stderr(&client).contains("status 502"), "{flags:?}: {}", stderr(&client));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_on_this_side_gives_curl_s_code() {
    if !is_there() {
        return;
    }
    let setup = Setup::start().await;
    let cases: &[(i32, &[&str], &str)] = &[
        (2, &["--no-such-flag"], "/204"),
        (22, &["-f"], "/500"),
        (22, &["--fail-with-body"], "/nowhere"),
        (23, &["-o", "/nowhere/at/all"], "/echo"),
        (23, &["-O"], "/"),
        (26, &["-T", "/nowhere/at/all"], "/echo"),
        (26, &["-F", "a=@/nowhere/at/all"], "/echo"),
        (28, &["-m", "0.3"], "/hang"),
        (63, &["--max-filesize", "1000"], "/large"),
    ];
    for (code, arguments, path) in cases {
        let both = setup.both(arguments, path, b"");
        both.assert_same_code(&format!("{arguments:?}"));
        assert_eq!(both.client.status.code(), Some(*code), "{arguments:?}");
    }
    // Here curl, until version 8, warns and sends nothing.
    let missing = setup.ask(&["-d", "@/nowhere/at/all", &setup.target.url("/echo")], b"");
    assert_eq!(missing.status.code(), Some(26), "{}", stderr(&missing));
    for (code, url) in [(3, "http://"), (3, "http://a b/"), (1, "nothing://a.example/")] {
        assert_eq!(curl(&["-sS", url], b"").status.code(), Some(code), "{url}");
        let client = setup.ask(&[url], b"");
        assert_eq!(client.status.code(), Some(code), "{url}: {}", stderr(&client));
    }
}

/// RFC 9458 §6, §6.1
#[tokio::test(flavor = "multi_thread")]
async fn http_has_to_be_allowed_for_relay_keys_and_target() {
    let setup = Setup::start().await;
    let (relay, keys) = (setup.relay.url("/gateway"), setup.gateway.url("/ohttp-keys"));
    let file = TempFile::new("http-keys", "");
    assert!(run("client", &["keys", "fetch", &keys, "-o", file.path()]).status.success());
    let strict = |arguments: &[&str]| {
        let mut command = crate::programs::program("client");
        command.env_remove("CLIENT_ALLOW_HTTP").args(arguments).output().unwrap()
    };
    let https = "https://target.example/";
    for arguments in [
        ["--relay", &relay, "--keys", file.path(), https],
        ["--relay", "https://127.0.0.1:1/", "--keys", &keys, https],
        ["--relay", "https://127.0.0.1:1/", "--keys", file.path(), &setup.target.origin],
    ] {
        let refused = strict(&arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {}", stderr(&refused));
        assert!(stderr(&refused).contains("--allow-http"), "{}", stderr(&refused));
    }
    let url = setup.target.url("/204");
    let allowed = strict(&["--allow-http", "--relay", &relay, "--keys", &keys, &url]);
    assert!(allowed.status.success(), "{}", stderr(&allowed));
}
