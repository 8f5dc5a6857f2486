//! The messages of RFC 9292 §5 byte for byte, and what truncation makes of them.

mod common;

use bytes::Bytes;
use common::*;
use hex_literal::hex;
use oblivious_bhttp::{
    DecodeError, DecodeOptions, Decoder, EncodeOptions, Event, Fields, Framing, Padding, Request,
    Response, ResponseHead,
};

fn request() -> Request {
    let mut request = Request::new("GET", "https", "", "/hello.txt");
    request.head.fields = fields([
        ("user-agent", "curl/7.16.3 libcurl/7.16.3 OpenSSL/0.9.7l zlib/1.2.3"),
        ("host", "www.example.com"),
        ("accept-language", "en, mi"),
    ]);
    request
}

fn response_informational() -> Response {
    let mut response = Response::new(200);
    let informational =
        |status, lines: &[(&str, &str)]| ResponseHead { status, fields: fields(lines.to_vec()) };
    response.informational = vec![
        informational(102, &[("running", "\"sleep 15\"")]),
        informational(
            103,
            &[
                ("link", "</style.css>; rel=preload; as=style"),
                ("link", "</script.js>; rel=preload; as=script"),
            ],
        ),
    ];
    response.head.fields = fields([
        ("date", "Mon, 27 Jul 2009 12:28:53 GMT"),
        ("server", "Apache"),
        ("last-modified", "Wed, 22 Jul 2009 19:15:56 GMT"),
        ("etag", "\"34aa387-d-1568eb00\""),
        ("accept-ranges", "bytes"),
        ("content-length", "51"),
        ("vary", "Accept-Encoding"),
        ("content-type", "text/plain"),
    ]);
    response.content = "Hello World! My content includes a trailing CRLF.\r\n".into();
    response
}

fn response_trailer() -> Response {
    let mut response = Response::new(200);
    response.content = "This content contains CRLF.\r\n".into();
    response.trailers = fields([("trailer", "text")]);
    response
}

/// RFC 9292 §5.1: the zeros at the end are padding or empty parts, which is the same.
#[test]
fn request_of_the_document() {
    for (message, framing) in [
        (REQUEST_KNOWN, Framing::KnownLength),
        (REQUEST_INDETERMINATE, Framing::IndeterminateLength),
    ] {
        let decoded = Request::decode(Bytes::from_static(message)).unwrap();
        assert_eq!(decoded, request());
        assert_eq!(decoded.head.effective_authority(), Some(&b"www.example.com"[..]));
        let encoded =
            request().encode(&encode_options(framing, Padding::ToExact(message.len()))).unwrap();
        assert_eq!(encoded, message);
    }
}

/// RFC 9292 §5.2.
#[test]
fn responses_of_the_document() {
    for (message, response, framing) in [
        (RESPONSE_INFORMATIONAL, response_informational(), Framing::IndeterminateLength),
        (RESPONSE_TRAILER, response_trailer(), Framing::KnownLength),
    ] {
        assert_eq!(Response::decode(Bytes::from_static(message), "GET").unwrap(), response);
        let padding = Padding::ToExact(message.len());
        assert_eq!(response.encode(&encode_options(framing, padding.clone())).unwrap(), message);
    }
}

/// RFC 9292 §5.1: up to two or twelve bytes can be cut off without a change of the meaning.
#[test]
fn request_of_the_document_may_be_cut() {
    for (message, cuttable) in [(REQUEST_KNOWN, 2), (REQUEST_INDETERMINATE, 12)] {
        for cut in 0..=cuttable {
            let cut = Bytes::from_static(&message[..message.len() - cut]);
            assert_eq!(Request::decode(cut).unwrap(), request());
        }
        let cut = &message[..message.len() - cuttable - 1];
        assert!(matches!(error(cut), DecodeError::Truncated(_)));
    }
}

/// RFC 9458 §A: the messages inside its example.
#[test]
fn messages_of_oblivious_http() {
    let message = &hex!("00034745540568747470730b6578616d706c652e636f6d012f");
    let request = Request::new("GET", "https", "example.com", "/");
    assert_eq!(Request::decode(Bytes::from_static(message)).unwrap(), request);
    assert_eq!(request.encode(&EncodeOptions::default()).unwrap(), message[..]);

    let message = &hex!("0140c8");
    let response = Response::new(200);
    assert_eq!(Response::decode(Bytes::from_static(message), "GET").unwrap(), response);
    assert_eq!(response.encode(&EncodeOptions::default()).unwrap(), message[..]);
}

/// RFC 9292 §3.8: a message ends before a part of which it and all after it are empty; any other
/// end is an error. The parts of each message here are told by where they begin.
#[test]
fn every_truncation_is_a_documented_one_or_an_error() {
    // Where known-length messages may end: before the section lengths; and where the others may:
    // before the first line or chunk.
    let allowed = |message: &'static [u8]| -> Vec<usize> {
        let end = message.len();
        match message[0] {
            0 => vec![23, end - 2, end - 1, end],
            1 => vec![3, 4, end - 14, end],
            2 => [23].into_iter().chain(end - 12..=end).collect(),
            _ => {
                let header = RESPONSE_INFORMATIONAL
                    .windows(4)
                    .position(|window| window == hex!("0040c804"))
                    .unwrap();
                let content = end - 2 - 52;
                vec![header + 3, content, end - 1, end]
            }
        }
    };
    for message in VECTORS {
        for end in 0..=message.len() {
            let (events, result) = whole(&message[..end]);
            if allowed(message).contains(&end) {
                // The content is not there to have the length that was declared.
                assert_eq!(result, Ok(()), "{end} bytes of {}", message[0]);
                assert_eq!(events.last(), Some(&Event::End));
            } else {
                assert!(
                    matches!(result, Err(DecodeError::Truncated(_))),
                    "{end} bytes of {}: {result:?}",
                    message[0]
                );
            }
        }
    }
}

/// RFC 9292 §3.8: what is missing reads as empty.
#[test]
fn missing_parts_are_empty_parts() {
    for (short, long) in [
        (&hex!("0140c8")[..], &hex!("0140c8000000")[..]),
        (&hex!("0340c8")[..], &hex!("0340c8000000")[..]),
        (&hex!("0140c80401610162")[..], &hex!("0140c804016101620000 000000")[..]),
        (&hex!("0340c80161016200")[..], &hex!("0340c80161016200 0000")[..]),
        (&hex!("0140c80001ff")[..], &hex!("0140c80001ff00")[..]),
        (&hex!("0340c80001ff00")[..], &hex!("0340c80001ff0000 00")[..]),
    ] {
        assert_eq!(whole(short), whole(long));
        assert_eq!(whole(short).1, Ok(()));
    }
}

/// RFC 9292 §3.2, §3.8: what has begun has a terminator, and an informational response is followed
/// by a final one.
#[test]
fn other_ends_are_errors() {
    for message in [
        &hex!("")[..],
        &hex!("40"),
        &hex!("0003474554"),
        &hex!("01"),
        &hex!("0140"),
        &hex!("014064"),
        &hex!("01406400"),
        &hex!("034064"),
        &hex!("03406400"),
        &hex!("0340c801610162"),
        &hex!("0340c80001ff"),
        &hex!("0340c80002ff"),
        &hex!("0340c8000001610162"),
        &hex!("0140c80201"),
        &hex!("0140c840"),
        &hex!("0140c80002ff"),
        &hex!("0140c8000004016101"),
    ] {
        let error = error(message);
        assert!(matches!(error, DecodeError::Truncated(_)), "{message:02x?}: {error:?}");
    }
}

/// RFC 9292 §3: integers need not be in their shortest form, and come out in it.
#[test]
fn longer_integers_than_needed_are_read() {
    let message = &hex!(
        "4000 8000000347 4554 c00000000000000568747470 73 4000 40012f
         4006 40014180000001 62 8000000131 40044001 63 00 0000"
    );
    let mut request = Request::new("GET", "https", "", "/");
    request.head.fields = fields([("a", "b")]);
    request.content = "1".into();
    request.trailers = fields([("c", "")]);
    // The length of the header section counts its bytes as they are.
    let mut message = message.to_vec();
    let header = message.iter().position(|&byte| byte == 0x06).unwrap();
    message[header] = 8;
    assert_eq!(Request::decode(message.into()), Ok(request.clone()));
    let again = request.encode(&EncodeOptions::default()).unwrap();
    assert_eq!(again, hex!("0003474554056874747073 00012f 0401610162 0131 03016300")[..]);
}

/// RFC 9292 §3.3, §3.5: framing indicators and status codes that there are not.
#[test]
fn unknown_framing_and_status_are_errors() {
    for indicator in [4, 5, 0x3f] {
        assert_eq!(error(&[indicator]), DecodeError::Framing);
    }
    assert_eq!(error(&[0xff; 8]), DecodeError::Framing);
    for status in [0, 1, 3, 99, 600, 999, 16_383_u16] {
        let [high, low] = status.to_be_bytes();
        assert_eq!(error(&[1, 0x40 | high, low]), DecodeError::Status, "{status}");
    }
    assert_eq!(error(&hex!("01ffffffffffffffff")), DecodeError::Status);
}

/// RFC 9292 §3.3: the one kind does not pass for the other.
#[test]
fn requests_are_no_responses() {
    assert_eq!(
        Request::decode(Bytes::from_static(RESPONSE_TRAILER)),
        Err(DecodeError::ExpectedRequest)
    );
    for method in ["GET", "HEAD"] {
        assert_eq!(
            Response::decode(Bytes::from_static(REQUEST_KNOWN), method),
            Err(DecodeError::ExpectedResponse)
        );
    }
}

/// RFC 9113 §8.1.1: `content-length` and its exceptions, in both framings.
#[test]
fn content_length_agrees_with_the_content() {
    let with = |status: u16, declared: &str, content: &str| {
        let mut response = Response::new(status);
        response.content = Bytes::copy_from_slice(content.as_bytes());
        // Spliced in afterwards: what disagrees cannot be encoded.
        let body = response.encode(&EncodeOptions::default()).unwrap();
        let line = fields([("content-length", declared)]);
        let mut message = body[..3].to_vec();
        message.push(u8::try_from(line.as_bytes().len()).unwrap());
        message.extend(line.as_bytes());
        message.push(u8::try_from(content.len()).unwrap());
        message.extend(content.as_bytes());
        let known = Bytes::from(message);

        let mut message = body[..3].to_vec();
        message[0] = 3;
        message.extend(line.as_bytes());
        message.push(0);
        for byte in content.bytes() {
            message.extend([1, byte]);
        }
        message.push(0);
        [known, Bytes::from(message)]
    };
    let mismatch = Err(DecodeError::ContentLengthMismatch);
    for (status, declared, content, method, expected) in [
        (200, "2", "ab", "GET", Ok(())),
        (200, "0", "", "GET", Ok(())),
        (200, "1", "ab", "GET", mismatch),
        (200, "3", "ab", "GET", mismatch),
        (200, "3", "", "GET", mismatch),
        (200, "3", "", "head", mismatch),
        (200, "3", "", "HEAD", Ok(())),
        (304, "3", "", "GET", Ok(())),
        (200, "3", "ab", "HEAD", mismatch),
        (304, "3", "ab", "GET", mismatch),
        (200, "2x", "ab", "GET", Err(DecodeError::InvalidContentLength)),
        (200, "", "", "HEAD", Err(DecodeError::InvalidContentLength)),
        (200, "2, 2", "ab", "GET", Err(DecodeError::InvalidContentLength)),
        (200, "18446744073709551616", "", "GET", Err(DecodeError::InvalidContentLength)),
    ] {
        for message in with(status, declared, content) {
            let decoded = Response::decode(message, method).map(|_| ());
            assert_eq!(decoded, expected, "{status} {declared:?} {content:?} {method}");
        }
    }
    // Repeated, even if they agree.
    let message =
        &hex!("0140c820 0e636f6e74656e742d6c656e677468 0130 0e636f6e74656e742d6c656e677468 0130");
    let mut message = message.to_vec();
    message[3] = 34;
    assert_eq!(error(&message), DecodeError::InvalidContentLength);
}

/// RFC 9113 §8.3.1: a request names one authority.
#[test]
fn host_and_authority_agree() {
    let message = |authority: &str, hosts: &[&str]| {
        let mut request = Request::new("GET", "https", authority, "/");
        let lines: Vec<u8> =
            hosts.iter().flat_map(|host| fields([("host", *host)]).as_bytes().to_vec()).collect();
        request.head.fields = Fields::new();
        // Control data alone, to which a header section of the other framing is added.
        let mut message = request.encode(&EncodeOptions::default()).unwrap().to_vec();
        message[0] = 2;
        message.extend(lines);
        message.push(0);
        Request::decode(message.into())
    };
    for (authority, hosts, effective) in [
        ("a.example", &["a.example"][..], Some("a.example")),
        ("a.example", &["A.Example:443"], Some("a.example")),
        ("a.example", &[], Some("a.example")),
        ("", &["b.example:8443"], Some("b.example:8443")),
        ("", &[""], None),
        ("", &[], None),
    ] {
        let request = message(authority, hosts).unwrap();
        assert_eq!(request.head.effective_authority(), effective.map(str::as_bytes));
    }
    for (authority, hosts) in [
        ("a.example", &["b.example"][..]),
        ("a.example", &[""]),
        ("a.example", &["a.example:80"]),
        ("a.example", &["a.example", "a.example"]),
        ("", &["a.example", "a.example"]),
        ("", &["a.example/path"]),
        ("", &["user@a.example"]),
        ("", &["a.example, b.example"]),
    ] {
        assert_eq!(message(authority, hosts), Err(DecodeError::Host), "{authority:?} {hosts:?}");
    }
}

/// RFC 9292 §3.6: pseudo-fields come first, are not those of the control data, and never trailers.
#[test]
fn pseudo_fields_have_their_place() {
    let head = &hex!("0340c8");
    let line = |name: &str| [&[u8::try_from(name.len()).unwrap()], name.as_bytes(), &[0]].concat();
    let message = |lines: &[&str], trailers: &[&str]| {
        let mut message = head.to_vec();
        lines.iter().for_each(|name| message.extend(line(name)));
        message.extend([0, 0]);
        trailers.iter().for_each(|name| message.extend(line(name)));
        message.push(0);
        whole(&message).1
    };
    assert_eq!(message(&[":a", ":b", "c"], &["d"]), Ok(()));
    for name in [":method", ":scheme", ":authority", ":path", ":status", ":STATUS"] {
        assert_eq!(message(&[name], &[]), Err(DecodeError::ForbiddenPseudoField), "{name}");
        assert_eq!(message(&[], &[name]), Err(DecodeError::ForbiddenPseudoField), "{name}");
    }
    assert_eq!(message(&["a", ":b"], &[]), Err(DecodeError::MisplacedPseudoField));
    assert_eq!(message(&[], &[":b"]), Err(DecodeError::MisplacedPseudoField));
}

/// RFC 9292 §3.8: padding is zeros, unless the receiver does not look.
#[test]
fn padding_is_zeros() {
    let mut message = RESPONSE_TRAILER.to_vec();
    message.extend([0; 1000]);
    assert_eq!(whole(&message), whole(RESPONSE_TRAILER));
    for at in RESPONSE_TRAILER.len()..message.len() {
        let mut message = message.clone();
        message[at] = 0x80;
        assert_eq!(error(&message), DecodeError::NonZeroPadding);
    }
    message.extend([1, 2, 3]);
    let mut options = DecodeOptions::default();
    options.accept_nonzero_padding = true;
    assert_eq!(events(Decoder::for_any(&options), [&message[..]]), whole(RESPONSE_TRAILER));
}

/// RFC 9292 §3.5.1: no framing indicator comes between responses, unless the receiver allows it.
#[test]
fn repeated_framing_is_an_error_by_default() {
    for (repeated, twice, clean) in [
        (&hex!("01406400 0140c8")[..], &hex!("01406400 010140c8")[..], &hex!("0140640040c8")[..]),
        (&hex!("03406400 0340c8")[..], &hex!("03406400 030340c8")[..], &hex!("0340640040c8")[..]),
    ] {
        assert_eq!(error(repeated), DecodeError::RepeatedFraming);
        let mut options = DecodeOptions::default();
        options.accept_repeated_framing = true;
        let lenient = |message| events(Decoder::for_any(&options), [message]);
        assert_eq!(lenient(repeated), whole(clean));
        assert_eq!(whole(clean).1, Ok(()));
        assert_eq!(lenient(twice).1, Err(DecodeError::RepeatedFraming));
    }
    let mut options = DecodeOptions::default();
    options.accept_repeated_framing = true;
    for message in [&hex!("0101 40c8")[..], &hex!("0303 40c8"), &hex!("03406400 0140c8")] {
        let (_, result) = events(Decoder::for_any(&options), [message]);
        assert_eq!(result, Err(DecodeError::Status), "{message:02x?}");
    }
}
