//! The messages of RFC 9292 §5, and ways to take messages apart.

#![allow(dead_code, reason = "each test uses its part")]

use std::borrow::Cow;

use bytes::Bytes;
use hex_literal::hex;
use oblivious_bhttp::{
    DecodeError, DecodeOptions, Decoder, EncodeOptions, Event, Fields, Framing, Padding, Request,
    Response, ResponseHead,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// RFC 9292 §5.1: the request of known length.
pub(crate) const REQUEST_KNOWN: &[u8] = &hex!(
    "00034745540568747470 73000a2f68656c6c6f2e74787440 6c0a757365722d6167656e74 346375726c2f372e"
    "31362e33206c69626375726c2f372e31362e33204f70656e53534c2f302e392e376c207a6c69622f312e322e33"
    "04686f73740f7777772e6578616d706c652e636f6d0f6163636570742d6c616e677561676506656e2c206d690000"
);

/// RFC 9292 §5.1: the same request with indeterminate length, and padding.
pub(crate) const REQUEST_INDETERMINATE: &[u8] = &hex!(
    "0203474554056874747073000a2f68656c6c6f2e747874 0a757365722d6167656e74346375726c2f372e31362e"
    "33206c69626375726c2f372e31362e33204f70656e53534c2f302e392e376c207a6c69622f312e322e330468"
    "6f73740f7777772e6578616d706c652e636f6d0f6163636570742d6c616e677561676506656e2c206d69"
    "000000 00000000000000000000"
);

/// RFC 9292 §5.2: the response with informational responses, indeterminate length.
pub(crate) const RESPONSE_INFORMATIONAL: &[u8] = &hex!(
    "03406607 72756e6e696e670a22736c65657020313522 00 4067046c696e6b233c2f7374796c652e6373733e3b"
    "2072656c3d7072656c6f61643b2061733d7374796c65046c696e6b243c2f7363726970742e6a733e3b2072656c"
    "3d7072656c6f61643b2061733d7363726970740040c804646174651d4d6f6e2c203237204a756c203230303920"
    "31323a32383a353320474d5406736572766572064170616368650d6c6173742d6d6f6469666965641d5765642c"
    "203232204a756c20323030392031393a31353a353620474d540465746167142233346161333837"
    "2d642d3135363865623030220d6163636570742d72616e6765730562797465730e636f6e74656e742d6c656e67"
    "746802353104766172790f4163636570742d456e636f64696e670c636f6e74656e742d747970650a746578742f"
    "706c61696e003348656c6c6f20576f726c6421204d7920636f6e74656e7420696e636c75646573206120747261"
    "696c696e672043524c462e0d0a0000"
);

/// RFC 9292 §5.2: the response with a trailer, known length.
pub(crate) const RESPONSE_TRAILER: &[u8] = &hex!(
    "0140c8001d5468697320636f6e74656e7420636f6e7461696e732043524c462e0d0a0d07747261696c6572"
    "0474657874"
);

pub(crate) const VECTORS: [&[u8]; 4] =
    [REQUEST_KNOWN, REQUEST_INDETERMINATE, RESPONSE_INFORMATIONAL, RESPONSE_TRAILER];

pub(crate) fn encode_options(framing: Framing, padding: Padding) -> EncodeOptions {
    EncodeOptions::default().with_framing(framing).with_padding(padding)
}

/// Fields from pairs.
pub(crate) fn fields<'a>(lines: impl IntoIterator<Item = (&'a str, &'a str)>) -> Fields {
    Fields::try_from_iter(lines).unwrap()
}

/// All events of a message that comes in these pieces, with adjoining content joined.
pub(crate) fn events<'a>(
    mut decoder: Decoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Event>, Result<(), DecodeError>) {
    let mut events = Vec::new();
    let mut take = |decoder: &mut Decoder| -> Result<(), DecodeError> {
        while let Some(event) = decoder.next_event()? {
            match (events.last_mut(), event) {
                (Some(Event::Content(before)), Event::Content(piece)) => {
                    assert!(!piece.is_empty());
                    *before = [&before[..], &piece[..]].concat().into();
                }
                (_, event) => events.push(event),
            }
        }
        Ok(())
    };
    let all = || {
        for piece in pieces {
            decoder.push(Bytes::copy_from_slice(piece));
            take(&mut decoder)?;
        }
        decoder.finish();
        take(&mut decoder)
    };
    let result = all();
    (events, result)
}

/// All events of a message in one piece, whichever kind it is.
pub(crate) fn whole(message: &[u8]) -> (Vec<Event>, Result<(), DecodeError>) {
    events(Decoder::for_any(&DecodeOptions::default()), [message])
}

/// The error of a message in one piece, whichever kind it is.
pub(crate) fn error(message: &[u8]) -> DecodeError {
    whole(message).1.expect_err("the message is invalid")
}

/// Any field section that may be encoded; as trailers, if without pseudo-fields.
pub(crate) fn any_fields() -> impl Strategy<Value = Fields> {
    let name = "[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,20}";
    let lines = vec((name, any_value()), 0..8);
    lines.prop_map(|lines| {
        let mut fields = Fields::new();
        for (name, value) in lines {
            // Those that are checked against the rest of the message have tests of their own.
            if !["host", "content-length"].contains(&&*name.to_ascii_lowercase()) {
                fields.push(name, value).unwrap();
            }
        }
        fields
    })
}

/// Any field value, of any bytes that may be in one.
pub(crate) fn any_value() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..100).prop_map(|mut value| {
        value.iter_mut().filter(|byte| matches!(byte, 0 | 10 | 13)).for_each(|byte| *byte = b'x');
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let start = value.iter().take_while(|byte| blank(byte)).count();
        value.drain(..start);
        let end = value.iter().rev().take_while(|byte| blank(byte)).count();
        value.truncate(value.len() - end);
        value
    })
}

pub(crate) fn any_content() -> impl Strategy<Value = Bytes> {
    prop_oneof![Just(Bytes::new()), vec(any::<u8>(), 0..300).prop_map(Bytes::from)]
}

pub(crate) fn any_request() -> impl Strategy<Value = Request> {
    let method = prop_oneof![Just("GET".to_owned()), Just("POST".to_owned()), "[A-Z!-]{1,12}"];
    let scheme =
        prop_oneof![Just("https".to_owned()), Just("http".to_owned()), "[a-z][a-z0-9+.-]{0,8}"];
    let head = (method, scheme, "[a-z0-9.-]{0,20}(:[0-9]{1,5})?", "/[a-zA-Z0-9/?=&%._~-]{0,80}");
    (head, any_fields(), any_content(), any_fields()).prop_map(
        |((method, scheme, authority, path), fields, content, trailers)| {
            let method = if method == "CONNECT" { "GET".to_owned() } else { method };
            let mut request = Request::new(method, scheme, authority, path);
            request.head.fields = fields;
            request.content = content;
            request.trailers = trailers;
            request
        },
    )
}

pub(crate) fn any_response() -> impl Strategy<Value = Response> {
    let head = |status| {
        (status, any_fields()).prop_map(|(status, fields)| ResponseHead { status, fields })
    };
    let informational = vec(head(100..=199_u16), 0..3);
    (informational, head(200..=599_u16), any_content(), any_fields()).prop_map(
        |(informational, head, content, trailers)| Response {
            informational,
            head,
            content,
            trailers,
        },
    )
}

pub(crate) fn any_encode_options() -> impl Strategy<Value = EncodeOptions> {
    (any_framing(), any_padding()).prop_map(|(framing, padding)| encode_options(framing, padding))
}

pub(crate) fn any_framing() -> impl Strategy<Value = Framing> {
    prop_oneof![Just(Framing::KnownLength), Just(Framing::IndeterminateLength)]
}

pub(crate) fn any_padding() -> impl Strategy<Value = Padding> {
    prop_oneof![
        Just(Padding::None),
        (0..100_usize).prop_map(Padding::ToMultiple),
        Just(Padding::Buckets(Cow::Borrowed(&[64, 256, 1024]))),
        (2000..3000_usize).prop_map(|more| Padding::ToExact(more * 3)),
    ]
}

/// Any message at all.
pub(crate) fn any_message() -> impl Strategy<Value = Bytes> {
    let message =
        prop_oneof![any_request().prop_map(Err).boxed(), any_response().prop_map(Ok).boxed(),];
    (message, any_encode_options()).prop_map(|(message, options)| match message {
        Ok(response) => response.encode(&options).unwrap(),
        Err(request) => request.encode(&options).unwrap(),
    })
}
