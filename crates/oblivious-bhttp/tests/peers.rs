//! Faults that were found in other implementations, and are not here.

mod common;

use bytes::Bytes;
use common::*;
use hex_literal::hex;
use oblivious_bhttp::{
    DecodeError, DecodeOptions, Decoder, EncodeError, EncodeOptions, Event, Fields, Framing,
    Padding, Part, Request, Response,
};

fn line(name: &str, value: &str) -> Vec<u8> {
    let prefixed = |bytes: &str| [&[u8::try_from(bytes.len()).unwrap()], bytes.as_bytes()].concat();
    [prefixed(name), prefixed(value)].concat()
}

fn response_with(lines: &[u8]) -> Vec<u8> {
    [&hex!("0340c8")[..], lines, &[0, 0, 0]].concat()
}

/// RFC 9292 §3.6. One peer keeps line ends in names and values, and takes pseudo-fields.
#[test]
fn names_and_values_cannot_break_out_of_a_line() {
    for (name, value, error_is) in [
        ("a\r\nb", "", DecodeError::FieldName),
        ("a: b\r\nc", "", DecodeError::FieldName),
        ("a", "b\r\nc: d", DecodeError::FieldValue),
        ("a", "b\nc", DecodeError::FieldValue),
        ("a", "b\0c", DecodeError::FieldValue),
        ("a", " b", DecodeError::FieldValue),
        ("a", "b\t", DecodeError::FieldValue),
        (":path", "/", DecodeError::ForbiddenPseudoField),
        (":Path", "/", DecodeError::ForbiddenPseudoField),
    ] {
        assert_eq!(error(&response_with(&line(name, value))), error_is, "{name:?} {value:?}");
    }
}

/// RFC 9292 §3.4. The same peer takes empty methods, and line ends in control data.
#[test]
fn control_data_is_checked() {
    let valid = Request::new("GET", "https", "a", "/");
    assert!(valid.encode(&EncodeOptions::default()).is_ok());
    for (method, scheme, authority, path, error_is) in [
        ("", "https", "a", "/", DecodeError::Method),
        ("GET / HTTP/1.1\r\nx:", "https", "a", "/", DecodeError::Method),
        ("GET", "", "a", "/", DecodeError::Scheme),
        ("GET", "https", "a\r\nb", "/", DecodeError::Authority),
        ("GET", "https", "a", "", DecodeError::Path),
        ("GET", "https", "a", "/ HTTP/1.1\r\nx: ", DecodeError::Path),
        ("GET", "https", "a", "@b/", DecodeError::Path),
    ] {
        let parts = [method, scheme, authority, path];
        let mut message = vec![0];
        for part in parts {
            message.push(u8::try_from(part.len()).unwrap());
            message.extend(part.as_bytes());
        }
        assert_eq!(error(&message), error_is, "{parts:?}");
        let invalid = Request::new(method, scheme, authority, path);
        assert!(invalid.encode(&EncodeOptions::default()).is_err(), "{parts:?}");
    }
}

/// RFC 9292 §3.6. The same peer writes upper-case names as they came.
#[test]
fn names_are_written_in_lower_case() {
    let message = Bytes::from(response_with(&line("X-Upper", "Value")));
    let decoded = Response::decode(message, "GET").unwrap();
    assert_eq!(decoded.head.fields, fields([("x-upper", "Value")]));
    let encoded = decoded.encode(&EncodeOptions::default()).unwrap();
    assert_eq!(encoded[4..], line("x-upper", "Value"));
}

/// RFC 9110 §8.6. The same peer writes two content lengths, and chunked framing besides.
#[test]
fn there_is_one_content_length() {
    let twice = [line("content-length", "0"), line("content-length", "5")].concat();
    assert_eq!(error(&response_with(&twice)), DecodeError::InvalidContentLength);
    let mut response = Response::new(200);
    response.content = "abc".into();
    response.head.fields = fields([("content-length", "4")]);
    let encoded = response.encode(&EncodeOptions::default());
    assert_eq!(encoded, Err(EncodeError::ContentLengthMismatch));
}

/// RFC 9292 §3. Nine bytes make an asynchronous reader allocate until it aborts.
#[test]
fn nine_bytes_allocate_nothing_to_speak_of() {
    for first in 0..4 {
        let message = [&[first], &[0xff; 8][..]].concat();
        let memory = allocation_counter::measure(|| {
            let mut decoder = Decoder::for_any(&DecodeOptions::default());
            decoder.push(Bytes::copy_from_slice(&message));
            assert!(decoder.next_event().is_err());
        });
        assert!(memory.bytes_max < 128, "{memory:?}");
    }
}

/// RFC 9292 §3.1. One peer loops forever when a section ends exactly with a field line.
#[test]
fn sections_end_with_their_last_line() {
    let message = hex!("0140c8 04 01610162");
    let (events, result) = whole(&message);
    assert_eq!(result, Ok(()));
    assert_eq!(events.len(), 2);
    // And a line that goes one byte further is an error.
    assert_eq!(error(&hex!("0140c8 03 01610162")), DecodeError::FieldOverrun);
    assert_eq!(error(&hex!("0140c8 01 01610162")), DecodeError::FieldOverrun);
    assert_eq!(error(&hex!("0140c8 05 01610162 00")), DecodeError::EmptyFieldName);
}

/// RFC 9000 §16. Sums of lengths overflow in one peer.
#[test]
fn lengths_do_not_overflow() {
    let most = [0xff_u8; 8];
    let mut options = DecodeOptions::default();
    options.limits.field_section = usize::MAX;
    options.limits.field_name = usize::MAX;
    options.limits.field_value = usize::MAX;
    options.limits.control_data = usize::MAX;
    options.limits.content = Some(u64::MAX);
    for (message, part) in [
        ([&hex!("0340c8")[..], &most].concat(), Part::Header),
        ([&hex!("0340c80161")[..], &most].concat(), Part::Header),
        ([&hex!("0340c800")[..], &most].concat(), Part::Content),
        ([&hex!("0140c800")[..], &most, &most].concat(), Part::Content),
        ([&hex!("0003474554")[..], &most, &most].concat(), Part::ControlData),
    ] {
        let (_, result) = events(Decoder::for_any(&options), [&message[..]]);
        assert_eq!(result, Err(DecodeError::Truncated(part)), "{message:02x?}");
    }
}

/// RFC 9292 §3.2. One peer reads indeterminate-length messages as if they had known lengths.
#[test]
fn framings_are_told_apart() {
    let known = &hex!("0140c8 04 01610162 0163");
    let indeterminate = &hex!("0340c8 01610162 00 0163 00");
    assert_eq!(whole(known), whole(indeterminate));
    assert_eq!(whole(known).1, Ok(()));
    assert!(whole(&[&[3], &known[1..]].concat()).1.is_err());
    assert!(whole(&[&[1], &indeterminate[1..]].concat()).1.is_err());
}

/// RFC 9292 §3.5.1. Two peers write the framing indicator after each informational response.
#[test]
fn informational_responses_have_no_framing_of_their_own() {
    let mut response = Response::new(200);
    response
        .informational
        .push(oblivious_bhttp::ResponseHead { status: 100, fields: Fields::new() });
    for (framing, message) in [
        (Framing::KnownLength, &hex!("014064 00 40c8")[..]),
        (Framing::IndeterminateLength, &hex!("034064 00 40c8 000000")[..]),
    ] {
        assert_eq!(response.encode(&encode_options(framing, Padding::None)).unwrap(), message);
    }
}

/// RFC 9292 §3.1. One peer takes the trailers of a known-length message for padding.
#[test]
fn trailers_are_not_padding() {
    let (events, result) = whole(RESPONSE_TRAILER);
    assert_eq!(result, Ok(()));
    assert_eq!(events[2], Event::Trailers(fields([("trailer", "text")])));
}

/// RFC 9292 §3.8. One peer pads with random bytes.
#[test]
fn padding_is_always_zeros() {
    let mut response = Response::new(200);
    response.content = "a".into();
    for framing in [Framing::KnownLength, Framing::IndeterminateLength] {
        let length = response.encode(&encode_options(framing, Padding::None)).unwrap().len();
        let message = response.encode(&encode_options(framing, Padding::ToExact(1000))).unwrap();
        assert_eq!(message.len(), 1000);
        assert!(message[length..].iter().all(|&byte| byte == 0));
    }
}

/// Conversions, in which other peers lose things.
#[cfg(feature = "http")]
mod conversion {
    use oblivious_bhttp::{decode_request, decode_response};

    use super::*;

    /// Trailers make one peer panic.
    #[test]
    fn requests_have_trailers() {
        let mut request = Request::new("POST", "https", "a", "/");
        request.content = "b".into();
        request.trailers = fields([("c", "d")]);
        let message = request.encode(&EncodeOptions::default()).unwrap();
        let request = decode_request(message, &DecodeOptions::default()).unwrap();
        assert_eq!(request.body().trailers.as_ref().unwrap()["c"], "d");
    }

    /// RFC 9292 §3.6. The same peer keeps one of repeated fields, and joins cookies by blanks.
    #[test]
    fn repeated_fields_stay_apart() {
        let mut response = Response::new(200);
        response.head.fields =
            fields([("set-cookie", "a=1"), ("x", "1"), ("set-cookie", "b=2; Path=/"), ("x", "1")]);
        let message = response.encode(&EncodeOptions::default()).unwrap();
        let options = DecodeOptions::default();
        let response = decode_response(message, &http::Method::GET, &options).unwrap();
        let all = |name| response.headers().get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(all("set-cookie"), ["a=1", "b=2; Path=/"]);
        assert_eq!(all("x"), ["1", "1"]);

        let mut request = Request::new("GET", "https", "a", "/");
        request.head.fields = fields([("cookie", "a=1"), ("cookie", "b=2; c=3")]);
        let message = request.encode(&EncodeOptions::default()).unwrap();
        let request = decode_request(message, &options).unwrap();
        let cookies: Vec<_> = request.headers().get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3"]);
    }

    /// The same peer drops the query.
    #[test]
    fn the_query_stays() {
        let request = Request::new("GET", "https", "a", "/b?c=d&e");
        let message = request.encode(&EncodeOptions::default()).unwrap();
        let request = decode_request(message, &DecodeOptions::default()).unwrap();
        assert_eq!(request.uri(), "https://a/b?c=d&e");
        assert_eq!(request.uri().query(), Some("c=d&e"));
    }

    /// RFC 9292 §3.6. What concerns a connection would, as HTTP/1.1, change how a message is read.
    #[test]
    fn fields_of_connections_are_not_passed_on() {
        let mut request = Request::new("POST", "https", "a", "/");
        request.head.fields = fields([("transfer-encoding", "chunked"), ("content-length", "1")]);
        request.content = "b".into();
        let message = request.encode(&EncodeOptions::default()).unwrap();
        let request = decode_request(message, &DecodeOptions::default()).unwrap();
        assert_eq!(request.headers().len(), 1);
        assert_eq!(request.headers()["content-length"], "1");
    }
}
