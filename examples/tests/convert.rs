//! The program `convert`, run as it is used.

#[allow(dead_code, reason = "the other tests use more of it")]
#[path = "e2e/programs.rs"]
mod programs;

use std::io::Write;
use std::process::{Output, Stdio};

/// Runs the program with this input.
fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut process = programs::program("convert")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // All inputs here are shorter than what a pipe holds.
    process.stdin.take().unwrap().write_all(input).unwrap();
    process.wait_with_output().unwrap()
}

/// What the program makes of the input.
fn convert(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let output = run(arguments, input);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?} on {}: {error}", input.escape_ascii());
    assert_eq!(error, "");
    output.stdout
}

/// Why the program does not take the input. It must not have printed any of it.
fn refusal(arguments: &[&str], input: &[u8]) -> String {
    let output = run(arguments, input);
    assert_eq!(output.status.code(), Some(1), "{arguments:?} on {}", input.escape_ascii());
    assert_eq!(output.stdout, b"", "{arguments:?} on {}", input.escape_ascii());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("error: "), "{error}");
    error
}

/// Text to binary and back, in both framings and with padding, is the same text.
fn there_and_back(text: &str, arguments: &[&str]) {
    for framing in [&["--pad", "128"][..], &["--indeterminate"], &[]] {
        let binary = convert(&[&["encode"], arguments, framing].concat(), text.as_bytes());
        assert!(!framing.contains(&"--pad") || binary.len().is_multiple_of(128));
        let decode: Vec<_> =
            ["decode"].iter().chain(arguments.iter().filter(|it| !it.contains("scheme"))).collect();
        let decode: Vec<_> = decode.into_iter().copied().collect();
        assert_eq!(String::from_utf8(convert(&decode, &binary)).unwrap(), text);
    }
}

/// A known-length request with these field lines, and content.
fn request(lines: &[(&str, &str)], content: &str) -> Vec<u8> {
    let mut message = b"\0\x04POST\x05https\x01a\x01/".to_vec();
    let section = section(lines);
    message.push(u8::try_from(section.len()).unwrap());
    message.extend(section);
    message.push(u8::try_from(content.len()).unwrap());
    message.extend(content.bytes());
    assert!(message.iter().all(|&byte| byte < 0x80));
    message
}

fn section(lines: &[(&str, &str)]) -> Vec<u8> {
    let prefixed = |part: &str| [&[u8::try_from(part.len()).unwrap()], part.as_bytes()].concat();
    let section = lines.iter().flat_map(|(name, value)| [prefixed(name), prefixed(value)]);
    let section = section.collect::<Vec<_>>().concat();
    assert!(section.len() < 64, "lengths of one byte are enough here");
    section
}

/// RFC 9292 §5.1: the text that the section begins with becomes the message that it gives.
#[test]
fn the_request_of_the_rfc() {
    let text = b"GET /hello.txt HTTP/1.1\r\n\
        User-Agent: curl/7.16.3 libcurl/7.16.3 OpenSSL/0.9.7l zlib/1.2.3\r\n\
        Host: www.example.com\r\n\
        Accept-Language: en, mi\r\n\r\n";
    let mut known = hex::decode(
        "00034745540568747470 73000a2f68656c6c6f2e747874406c0a757365722d6167656e74346375726c2f372e\
         31362e33206c69626375726c2f372e31362e33204f70656e53534c2f302e392e376c207a6c69622f312e322e33\
         04686f73740f7777772e6578616d706c652e636f6d0f6163636570742d6c616e677561676506656e2c206d69"
            .replace(' ', ""),
    )
    .unwrap();
    assert_eq!(convert(&["encode"], text), known);

    // The other framing has no length before the section, and a zero behind it; what follows is
    // padding.
    known[0] = 2;
    known.drain(23..25);
    let indeterminate = convert(&["encode", "--indeterminate", "--pad", "10"], text);
    assert_eq!(indeterminate.len() % 10, 0);
    let zeros = indeterminate.strip_prefix(&known[..]).unwrap();
    assert!(zeros.iter().all(|&byte| byte == 0));
}

/// RFC 9292 §5.2.
#[test]
fn the_response_of_the_rfc() {
    let text = "HTTP/1.1 102 Processing\r\n\
        running: \"sleep 15\"\r\n\r\n\
        HTTP/1.1 103 Early Hints\r\n\
        link: </style.css>; rel=preload; as=style\r\n\
        link: </script.js>; rel=preload; as=script\r\n\r\n\
        HTTP/1.1 200 OK\r\n\
        date: Mon, 27 Jul 2009 12:28:53 GMT\r\n\
        vary: Accept-Encoding\r\n\
        content-length: 51\r\n\r\n\
        Hello World! My content includes a trailing CRLF.\r\n";
    there_and_back(text, &[]);
}

/// RFC 9112 §7.1: chunks and trailers.
#[test]
fn chunks_are_joined_and_trailers_kept() {
    let text = b"HTTP/1.1 200 Fine\nTransfer-Encoding: Chunked\nX: 1\n\n\
        5;name=value\r\nhello\r\n7\r\n, world\r\n0\r\nDigest: abc\r\n\r\n";
    let binary = convert(&["encode"], text);
    assert_eq!(binary, b"\x01\x40\xc8\x04\x01x\x011\x0chello, world\x0b\x06digest\x03abc");
    let text = "HTTP/1.1 200 OK\r\nx: 1\r\ntransfer-encoding: chunked\r\n\r\n\
        c\r\nhello, world\r\n0\r\ndigest: abc\r\n\r\n";
    assert_eq!(convert(&["decode"], &binary), text.as_bytes());
    there_and_back(text, &[]);
}

/// RFC 9112 §3.2: the four forms of a request's target.
#[test]
fn the_forms_of_targets() {
    there_and_back("GET /a?b=http://c HTTP/1.1\r\nhost: a:8443\r\n\r\n", &[]);
    there_and_back("GET http://a:8080/b HTTP/1.1\r\nhost: a:8080\r\n\r\n", &[]);
    there_and_back("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", &[]);
    there_and_back("OPTIONS http://a HTTP/1.1\r\nhost: a\r\n\r\n", &[]);
    there_and_back("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n", &[]);
    let binary = convert(&["encode", "--scheme", "http"], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(binary, b"\0\x03GET\x04http\0\x01/\x07\x04host\x01a");
    let error = refusal(&["encode"], b"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n");
    assert!(error.contains("`host`"), "{error}");
}

/// RFC 9112 §6.3: some responses have no content, whatever they say.
#[test]
fn responses_that_never_have_content() {
    let text = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";
    there_and_back(text, &["--request-method", "HEAD"]);
    assert!(refusal(&["encode"], text.as_bytes()).contains("content-length"));
    there_and_back("HTTP/1.1 304 Not Modified\r\ncontent-length: 100\r\n\r\n", &[]);
    there_and_back("HTTP/1.1 204 No Content\r\n\r\n", &[]);
    // Others do not end before the connection does.
    assert_eq!(
        convert(&["encode"], b"HTTP/1.1 200 OK\r\n\r\nto the end"),
        b"\x01\x40\xc8\0\nto the end"
    );
    assert!(refusal(&["encode"], b"HTTP/1.1 204 OK\r\n\r\nx").contains("no content"));
    assert!(refusal(&["decode"], b"\x01\x40\xcc\0\x01x").contains("neither content"));
}

/// Text that two readers could read in two ways.
#[test]
fn ambiguous_text_is_refused() {
    for (lines, body, why) in [
        ("content-length: 1\r\ntransfer-encoding: chunked", "0\r\n\r\n", "beside"),
        ("content-length: 1\r\ncontent-length: 1", "x", "more than one"),
        ("content-length: +1", "x", "not a number"),
        ("content-length: 2", "x", "shorter"),
        ("content-length: 1", "xy", "1 bytes after"),
        ("x: y", "x", "1 bytes after"),
        ("transfer-encoding: gzip, chunked", "0\r\n\r\n", "only supported `transfer-encoding`"),
        ("transfer-encoding: chunked", "z\r\n\r\n", "hexadecimal"),
        ("transfer-encoding: chunked", "1\r\nxy\r\n0\r\n\r\n", "longer than its length says"),
        ("transfer-encoding: chunked", "1\r\nx\r\n", "middle of the chunks"),
        ("transfer-encoding: chunked", "ffffffffffffffff\r\nx", "middle of the chunks"),
        ("transfer-encoding: chunked", "0\r\nx: y\r\n", "middle of the chunks"),
        ("transfer-encoding: chunked", "0\r\n\r\nx", "1 bytes after"),
        ("x: y\r\n z", "", "invalid"),
        ("x : y", "", "invalid"),
        ("x: \x01", "", "invalid"),
        ("host: b", "", "`host`"),
    ] {
        let text = format!("POST / HTTP/1.1\r\nhost: a\r\n{lines}\r\n\r\n{body}");
        let error = refusal(&["encode"], text.as_bytes());
        assert!(error.contains(why), "{lines}: {error}");
    }
    for text in ["", "GET", "GET / HTTP/1.1\r\nhost: a\r\n", "HTTP/1.1 200 OK\r\n"] {
        assert!(refusal(&["encode"], text.as_bytes()).contains("middle of a header"), "{text}");
    }
    assert!(refusal(&["encode"], b"HTTP/1.1 101 Switch\r\n\r\n").contains("another protocol"));
    assert!(refusal(&["encode"], b"HTTP/1.1 100 Continue\r\n\r\n").contains("middle of a header"));
}

/// What one decoder of binary HTTP lets through into text: line ends, forged fields, a second
/// answer to where the message ends.
#[test]
fn no_field_can_forge_the_text() {
    for lines in [
        &[("x", "a\r\ny: b")][..],
        &[("x\r\ny", "a")],
        &[("x", "a\nb")],
        &[("x", "a\0b")],
        &[("x: y\r\nz", "")],
        &[(":path", "/admin")],
        &[("content-length", "5"), ("content-length", "0")],
        &[("content-length", "0")],
        &[("host", "b")],
    ] {
        let error = refusal(&["decode"], &request(lines, "hello"));
        assert!(error.contains("not a valid binary message"), "{lines:?}: {error}");
    }
    for message in [
        &b"\0\x03GET\x05https\x01a\x0f/ HTTP/1.1\r\nx:y"[..],
        b"\0\x07GET / x\x05https\x01a\x01/",
        b"\0\x03GET\x05https\x05a\r\nb:\x01/",
    ] {
        assert!(refusal(&["decode"], message).contains("not a valid binary message"));
    }
    // There is one answer, made by the program.
    let lines = [("transfer-encoding", "chunked"), ("content-length", "5"), ("X", "1")];
    let text = convert(&["decode"], &request(&lines, "hello"));
    let expected = "POST / HTTP/1.1\r\nhost: a\r\nx: 1\r\ncontent-length: 5\r\n\r\nhello";
    assert_eq!(String::from_utf8(text).unwrap(), expected);
    for lines in [
        [("connection", "close, x-hop"), ("x-hop", "1")],
        [("keep-alive", "1"), ("upgrade", "h2c")],
        [("te", "gzip"), ("proxy-connection", "1")],
    ] {
        let text = convert(&["decode"], &request(&lines, ""));
        assert_eq!(String::from_utf8(text).unwrap(), "POST / HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    // Nor can trailers give another.
    let trailers = |lines: &[_]| {
        let section = section(lines);
        let length = u8::try_from(section.len()).unwrap();
        [&request(&[], "hello")[..], &[length], &section].concat()
    };
    let error = refusal(&["decode"], &trailers(&[("content-length", "0")]));
    assert!(error.contains("`content-length` in the trailers"), "{error}");
    let text = convert(&["decode"], &trailers(&[("transfer-encoding", "x"), ("sum", "1")]));
    assert!(
        text.ends_with(b"\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nsum: 1\r\n\r\n")
    );
    // What binary HTTP allows and HTTP/1.1 does not.
    for lines in [[("x", "\x1b[2J")], [(":protocol", "websocket")]] {
        let error = refusal(&["decode"], &request(&lines, ""));
        assert!(error.contains("cannot be converted to HTTP/1.1"), "{error}");
    }
}

/// RFC 9292 §3.6, RFC 9113 §8.2.3.
#[test]
fn cookies_come_as_one() {
    let lines = [("cookie", "a=1"), ("x", "1"), ("cookie", ""), ("cookie", "b=2")];
    let text = convert(&["decode"], &request(&lines, ""));
    let expected = "POST / HTTP/1.1\r\nhost: a\r\nx: 1\r\ncookie: a=1; b=2\r\n\r\n";
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn a_dump_can_be_read() {
    let lines = [("X-Escape", "\x1b[2J"), ("content-length", "20")];
    let dump = convert(&["dump"], &request(&lines, "twenty bytes\r\nof it."));
    let expected = "\
request of known length, 70 bytes
method: POST
scheme: https
authority: a
path: /
header, 2 fields
  x-escape: \\x1b[2J
  content-length: 20
content, 20 bytes
  00000000  74 77 65 6e 74 79 20 62 79 74 65 73 0d 0a 6f 66  twenty bytes..of
  00000010  20 69 74 2e                                       it.
end
";
    assert_eq!(String::from_utf8(dump).unwrap(), expected);

    let long = [&b"\x03\x40\x66\0\x40\xc8\0\x41\x02"[..], &[b'x'; 258], b"\0\x01t\x01u\0"].concat();
    let dump = String::from_utf8(convert(&["dump"], &long)).unwrap();
    assert!(
        dump.starts_with(
            "response of indeterminate length, 273 bytes\ninformational status: 102\n"
        )
    );
    assert!(dump.contains("\ncontent, 258 bytes\n"));
    assert!(
        dump.ends_with(
            "\n  and 2 more bytes, which --all shows\ntrailers, 1 fields\n  t: u\nend\n"
        )
    );
    let dump = String::from_utf8(convert(&["dump", "--all"], &long)).unwrap();
    assert!(dump.contains("\n  00000100  78 78  ") && !dump.contains("more"));
}

/// What comes before a fault is shown, and then the fault.
#[test]
fn a_dump_of_an_invalid_message_ends_at_the_fault() {
    let output = run(&["dump"], b"\x01\x40\xc8\0\x05hel");
    assert_eq!(output.status.code(), Some(1));
    let dump = String::from_utf8(output.stdout).unwrap();
    assert!(dump.contains("status: 200\n") && dump.contains("content, 3 bytes\n"), "{dump}");
    assert!(!dump.contains("end\n"), "{dump}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("in the middle of its content"));
}

/// RFC 9292 §3.8 lets a receiver look away; the program does when it is told to.
#[test]
fn leniency_is_asked_for() {
    let padded = b"\x01\x40\xc8\0\x02hi\0pad";
    assert!(refusal(&["decode"], padded).contains("hint: some senders make this fault; --lenient"));
    let text = convert(&["decode", "--lenient"], padded);
    assert_eq!(text, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
    let repeated = b"\x01\x40\x64\0\x01\x40\xc8\0";
    assert!(refusal(&["decode"], repeated).contains("--lenient"));
    assert!(convert(&["dump", "--lenient"], repeated).ends_with(b"end\n"));
}

#[test]
fn mistakes_are_explained() {
    let error = refusal(&["decode"], b"GET / HTTP/1.1\r\n\r\n");
    assert!(error.contains("hint: this may be HTTP/1.1 text: that is for `encode`"), "{error}");
    let output = run(&["encode", "--pad", "many"], b"");
    assert_eq!(output.status.code(), Some(2));
    let output = run(&["encode", "--help"], b"");
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("--indeterminate"));
}
