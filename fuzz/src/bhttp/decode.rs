//! Whole messages: what is accepted keeps every rule, and an independent decoder reads the same.

use std::io::Cursor;

use bytes::Bytes;
use oblivious_bhttp::{DecodeOptions, Fields, Limits, RequestHead, ResponseHead};

use super::case::{Case, Message};

/// Decodes a message with any options, and checks what comes out against the rules of RFC 9292,
/// against the limits, and against what `bhttp` makes of the same bytes.
pub fn decode(data: &[u8]) {
    let Some(case) = Case::read(data) else { return };
    let decoded = match case.decode() {
        Ok(decoded) => decoded,
        Err(error) => return drop(error.to_string()),
    };
    let _ = format!("{decoded:?}");
    let limits = &case.options.limits;
    match &decoded {
        Message::Request(request) => {
            check_request_head(&request.head);
            check_fields(&request.head.fields, limits);
            check_trailers(&request.trailers, limits);
            check_content(&request.head.fields, &request.content, limits, false);
        }
        Message::Response(response) => {
            assert!(response.informational.len() <= limits.informational);
            for head in &response.informational {
                assert!((100..=199).contains(&head.status));
                check_fields(&head.fields, limits);
            }
            let ResponseHead { status, fields } = &response.head;
            assert!((200..=599).contains(status));
            check_fields(fields, limits);
            check_trailers(&response.trailers, limits);
            let may_be_absent = *status == 304 || case.request_method() == "HEAD";
            check_content(fields, &response.content, limits, may_be_absent);
        }
    }
    compare(&decoded, &case.message, &case.options);
}

/// RFC 9292 §3.4.
fn check_request_head(head: &RequestHead) {
    assert!(is_token(head.method()));
    for part in [head.scheme(), head.authority(), head.path()] {
        assert!(part.iter().all(|&byte| byte > b' ' && byte != 0x7f && byte != b'#'));
    }
    let hosts: Vec<_> = head.fields.get_all("host").collect();
    assert!(hosts.len() <= 1);
    let host = hosts.first().filter(|host| !host.is_empty());
    match head.effective_authority() {
        Some(authority) if head.authority().is_empty() => assert_eq!(host, Some(&authority)),
        Some(authority) => assert_eq!(authority, head.authority()),
        None => assert!(head.authority().is_empty() && host.is_none()),
    }
}

/// RFC 9292 §3.6, and the limits.
fn check_fields(fields: &Fields, limits: &Limits) {
    assert!(fields.as_bytes().len() <= limits.field_section);
    assert!(fields.len() <= limits.fields);
    assert_eq!(fields.iter().count(), fields.len());
    let mut regular = false;
    for field in fields {
        assert!(field.name.len() <= limits.field_name);
        assert!(field.value.len() <= limits.field_value);
        let pseudo = field.name.strip_prefix(b":");
        assert!(is_token(pseudo.unwrap_or(field.name)));
        assert!(!field.name.iter().any(u8::is_ascii_uppercase));
        assert!(!field.value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')));
        for end in [field.value.first(), field.value.last()] {
            assert!(!matches!(end, Some(b' ' | b'\t')));
        }
        if let Some(name) = pseudo {
            let forbidden: [&[u8]; 5] = [b"method", b"scheme", b"authority", b"path", b"status"];
            assert!(!forbidden.contains(&name) && !regular);
        }
        regular |= pseudo.is_none();
        assert!(fields.get(field.name).is_some());
    }
}

fn check_trailers(trailers: &Fields, limits: &Limits) {
    check_fields(trailers, limits);
    assert!(trailers.iter().all(|field| field.name[0] != b':'));
}

/// RFC 9113 §8.1.1.
fn check_content(header: &Fields, content: &Bytes, limits: &Limits, may_be_absent: bool) {
    assert!(content.len() as u64 <= limits.content.unwrap_or(1 << 30));
    let declared: Vec<_> = header.get_all("content-length").collect();
    let Some(declared) = declared.first().filter(|_| declared.len() <= 1) else {
        return assert!(declared.is_empty());
    };
    let declared: u64 = str::from_utf8(declared).unwrap().parse().unwrap();
    assert!(declared == content.len() as u64 || may_be_absent && content.is_empty());
}

fn is_token(bytes: &[u8]) -> bool {
    let other = |byte| b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || other(byte))
}

/// `bhttp` accepts more than is valid; what is valid it reads alike.
fn compare(ours: &Message, message: &[u8], options: &DecodeOptions) {
    // It does not know the leniency, nor CONNECT.
    let connect = matches!(ours, Message::Request(request) if request.head.method() == b"CONNECT");
    if options.accept_repeated_framing || connect {
        return;
    }
    // It does not know that sections may be left out, but takes zeros for them.
    let message = [message, &[0; 4]].concat();
    let theirs = bhttp::Message::read_bhttp(&mut Cursor::new(&message[..]));
    let theirs = theirs.expect("what this crate accepts is a message to bhttp");
    let control = theirs.control();
    let (fields, content, trailers) = match ours {
        Message::Request(request) => {
            let head = &request.head;
            assert_eq!(control.method(), Some(head.method()));
            assert!(control.scheme().unwrap().eq_ignore_ascii_case(head.scheme()));
            assert_eq!(control.authority().unwrap_or_default(), head.authority());
            assert_eq!(control.path().unwrap_or_default(), head.path());
            (&head.fields, &request.content, &request.trailers)
        }
        Message::Response(response) => {
            assert_eq!(control.status().map(|status| status.code()), Some(response.head.status));
            assert_eq!(theirs.informational().len(), response.informational.len());
            for (theirs, ours) in theirs.informational().iter().zip(&response.informational) {
                assert_eq!(theirs.status().code(), ours.status);
                compare_fields(&ours.fields, theirs.fields());
            }
            (&response.head.fields, &response.content, &response.trailers)
        }
    };
    compare_fields(fields, theirs.header());
    assert_eq!(theirs.content(), &content[..]);
    compare_fields(trailers, theirs.trailer());
}

fn compare_fields(ours: &Fields, theirs: &bhttp::FieldSection) {
    if ours.get_all("cookie").count() > 1 {
        // It joins them.
        return;
    }
    assert_eq!(ours.len(), theirs.iter().count());
    for (ours, theirs) in ours.iter().zip(theirs.iter()) {
        assert_eq!(ours.name, theirs.name().to_ascii_lowercase());
        assert_eq!(ours.value, theirs.value());
    }
}
