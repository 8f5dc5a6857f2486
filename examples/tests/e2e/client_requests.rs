//! What the flags for requests make: the target gets the same from curl and from the client.

use crate::curl::{Both, is_there};
use crate::setup::{Setup, TempFile, stderr, text};

/// A request as the target echoes it, without what each program adds by itself.
#[derive(Debug, PartialEq)]
struct Echo {
    line: String,
    fields: Vec<String>,
    content: String,
}

impl Echo {
    fn read(printed: &[u8]) -> Self {
        let text = String::from_utf8(printed.to_vec()).unwrap();
        let boundary = text.lines().find_map(|line| {
            line.strip_prefix("content-type: multipart/form-data; boundary=").map(str::to_owned)
        });
        let text = match boundary {
            Some(boundary) => text.replace(&boundary, "BOUNDARY"),
            None => text,
        };
        let (head, content) = text.split_once("\n\n").unwrap_or_else(|| panic!("{text:?}"));
        let mut lines = head.lines().map(str::to_owned);
        let line = lines.next().unwrap();
        let own = ["host: ", "date: ", "user-agent: curl/", "accept: */*", "expect: "];
        // Which codings each of them knows is another matter; and of what comes on standard input
        // one can say the length and the other cannot.
        let differing = ["accept-encoding: ", "transfer-encoding: "];
        let is_of_interest = |line: &String| {
            // The gateway says so where a method calls for it (RFC 9110 §8.6), and curl does not.
            let is_empty = line == "content-length: 0";
            !is_empty && !own.iter().chain(&differing).any(|start| line.starts_with(start))
        };
        let mut fields: Vec<_> = lines.filter(is_of_interest).collect();
        fields.sort();
        Self { line, fields, content: content.to_owned() }
    }
}

fn assert_same_request(both: &Both, what: &str) {
    both.assert_same_code(what);
    assert_eq!(Echo::read(&both.client.stdout), Echo::read(&both.curl.stdout), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_make_the_request_that_curl_makes_of_them() {
    if !is_there() {
        return;
    }
    let setup = Setup::start().await;
    let file = TempFile::new("flags.txt", "one\r\ntwo\nthree\n");
    let at_file = format!("@{}", file.path());
    let fields = TempFile::new("flags-fields", "x-one: 1\nx-two: 2\n");
    let fields = format!("@{}", fields.path());
    let encoded_file = format!("f{at_file}");
    let flags = "# what is sent\ndata = \"a=\\\"1\\\"\"\nheader: \"X-One: 1\"\n-A agent/2\n\n";
    let flags = TempFile::new("flags-config", flags);
    let more_flags = TempFile::new("flags-config-more", "request PUT\n--data b=2\n");
    let uploaded = format!("f=@{};type=text/x;filename=z", file.path());
    let (plain_upload, text_file) = (format!("f={at_file}"), format!("g=<{}", file.path()));
    let cases: &[(&[&str], &str)] = &[
        (&[], "/echo"),
        (&["-X", "PATCH"], "/echo?a=b"),
        (&["-X", "POST"], "/echo"),
        (&["-X", "DELETE", "-d", "x"], "/echo"),
        (
            &["-H", "A: 1", "-H", "a: 2", "-H", "Empty;", "-H", "Content-Type: text/x", "-d", "x"],
            "/echo",
        ),
        (&["-H", "Content-Type:", "-d", "x"], "/echo"),
        (&["-H", &fields], "/echo"),
        (&["-d", "a=1", "-d", "-b"], "/echo"),
        (&["-d", ""], "/echo"),
        (&["-d", &at_file], "/echo"),
        (&["--data-raw", "@x", "-d", "y", "--data-raw", "z"], "/echo"),
        (&["--data-binary", &at_file], "/echo"),
        (&["--data-binary", &at_file, "--data-binary", "x"], "/echo"),
        (&["--data-urlencode", "n=a b&c/é~", "--data-urlencode", "=d+e"], "/echo"),
        (&["--data-urlencode", &encoded_file, "--data-urlencode", "x y"], "/echo"),
        (&["--json", "{\"a\":", "--json", "1}"], "/echo"),
        (&["--json", &at_file, "-H", "Accept: text/x"], "/echo"),
        (&["-G", "-d", "a=1", "-d", "b=2"], "/echo"),
        (&["-G", "-d", "a=1", "--data-urlencode", "b=x y"], "/echo?c=d"),
        (&["-F", "a=b", "-F", &plain_upload], "/echo"),
        (&["-F", &uploaded, "-F", &text_file, "-F", "t=x;type=text/html"], "/echo"),
        (&["-T", file.path()], "/echo"),
        (&["-T", file.path(), "-X", "POST"], "/echo/folder/?q"),
        (&["-A", "agent/1"], "/echo"),
        (&["-A", "agent/1", "-H", "User-Agent: other"], "/echo"),
        (&["-e", "https://from.example/"], "/echo"),
        (&["-b", "a=1; b=2"], "/echo"),
        (&["-u", "user:pass word"], "/echo"),
        (&["-r", "0-9"], "/echo"),
        (&["-K", flags.path()], "/echo"),
        (&["-K", flags.path(), "-d", "from the command line"], "/echo"),
        (&["--config", more_flags.path(), "-K", flags.path()], "/echo"),
    ];
    for (arguments, path) in cases {
        assert_same_request(&setup.both(arguments, path, b""), &format!("{arguments:?}"));
    }
    for arguments in [&["-d", "@-"][..], &["--data-binary", "@-"], &["--json", "@-"]] {
        let both = setup.both(arguments, "/echo", b"of standard\ninput");
        both.assert_same_code("@-");
        let (client, curl) = (Echo::read(&both.client.stdout), Echo::read(&both.curl.stdout));
        assert_eq!((client.line, client.content), (curl.line, curl.content), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_is_uploaded_whole_and_in_chunks() {
    let setup = Setup::start().await;
    let input = vec![b'x'; 300_000];
    for way in [&[][..], &["--chunked"]] {
        let url = setup.target.url("/length");
        let output = setup.ask(&[way, &["-T", "-", &url]].concat(), &input);
        assert_eq!(text(&output), input.len().to_string(), "{way:?}");
        let url = setup.target.url("/echo");
        let output = setup.ask(&[way, &["-T", "-", &url]].concat(), &input);
        let echo = Echo::read(&output.stdout);
        assert_eq!(echo.line, "PUT /echo", "{way:?}");
        assert_eq!(echo.content.len(), input.len(), "{way:?}");
    }
}

/// RFC 9458 §6.1: what could link requests is warned of, and what could repeat them refused.
#[tokio::test(flavor = "multi_thread")]
async fn what_would_link_or_repeat_requests_is_explained() {
    let setup = Setup::start().await;
    let url = setup.target.url("/echo");
    for arguments in [["-b", "a=1"], ["-u", "a:b"], ["-H", "Authorization: x"]] {
        let warned = setup.ask(&[&arguments[..], &[&url]].concat(), b"");
        assert!(warned.status.success());
        assert!(stderr(&warned).contains("can link"), "{arguments:?}: {}", stderr(&warned));
        let silent = setup.ask(&[&["-s"], &arguments[..], &[&url]].concat(), b"");
        assert_eq!(stderr(&silent), "", "{arguments:?}");
    }
    for (arguments, reason) in [
        (&["-L"][..], "redirect"),
        (&["-C", "-"], "-r"),
        (&["--retry", "3"], "RFC 9458 §6.5"),
        (&["-b", "file-of-cookies"], "name=value"),
        (&["-d", "a", "-I"], "choose one"),
    ] {
        let refused = setup.ask(&[arguments, &[&url]].concat(), b"");
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&refused).contains(reason), "{arguments:?}: {}", stderr(&refused));
    }
    assert!(text(&setup.ask(&[&url], b"")).starts_with("GET /echo\n"));
}

/// RFC 9458 §5: what the relay sees is what the command line says for all users, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn the_relay_sees_the_fields_that_are_meant_for_it() {
    let setup = Setup::start().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = format!("http://{}/gateway", listener.local_addr().unwrap());
    let seen = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = vec![0; 1 << 16];
        let length = std::io::Read::read(&mut stream, &mut seen).unwrap();
        String::from_utf8_lossy(&seen[..length]).into_owned()
    });
    let keys = setup.gateway.url("/ohttp-keys");
    let fixed = ["--relay", &relay, "--keys", &keys, "--relay-header", "x-app: 1"];
    let inner = ["-A", "agent", "-b", "a=1", "-H", "x-inner: 1", "https://target.example/path"];
    crate::curl::client(&[&fixed[..], &inner].concat(), b"");
    let seen = seen.join().unwrap();
    let mut fields: Vec<_> = seen.split("\r\n\r\n").next().unwrap().split("\r\n").collect();
    assert_eq!(fields.remove(0), "POST /gateway HTTP/1.1");
    fields.sort_unstable();
    let host = relay.trim_start_matches("http://").trim_end_matches("/gateway");
    assert!(fields[0].starts_with("content-length: "), "{seen}");
    let others = ["content-type: message/ohttp-req", &format!("host: {host}"), "x-app: 1"];
    assert_eq!(fields[1..], others, "{seen}");
}

/// Nothing of the client's own: one user's request looks like another's.
#[tokio::test(flavor = "multi_thread")]
async fn a_plain_request_has_no_fields_but_host_and_date() {
    let setup = Setup::start().await;
    let echo = text(&setup.ask(&[&setup.target.url("/echo")], b""));
    let names: Vec<_> = echo
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, _)| name)
        .collect();
    assert!(names.iter().all(|name| ["host", "date"].contains(name)), "{echo}");
    let without = text(&setup.ask(&["--no-date", &setup.target.url("/echo")], b""));
    assert!(!without.contains("date: "), "{without}");
}
