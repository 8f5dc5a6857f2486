//! Conversion to and from the types of `http`.

mod bodies;
mod expected;
mod message;

use bytes::{Bytes, BytesMut};
use oblivious_bhttp::{
    ConvertError, DecodeOptions, EncodableRequest, EncodableResponse, EncodeError, EncodeOptions,
    Framing, encode_request_into, encode_response_into,
};

use self::message::Http;
use super::case::{Case, Message};

/// Converts a message to a request or response of `http`. Every value in there is one of the
/// message, all of the message is in there but for what may not be, and encoding it and decoding
/// that gives it back; the same when it is read and written as a body.
pub fn convert(data: &[u8]) {
    let Some(case) = Case::read(data) else { return };
    let decoded = case.decode();
    let converted = Http::decode(&case, case.message.clone(), &case.options);
    match (&decoded, &converted) {
        (Ok(message), Ok(converted)) => expected::check(message, &converted.parts()),
        (Ok(message), Err(error)) => check_refusal(message, *error),
        // What comes first is told: a head that cannot be converted, or a fault behind it.
        (Err(decode), Err(ConvertError::Decode(error))) => assert_eq!(decode, error),
        (Err(_), converted) => assert!(converted.is_err()),
    }
    bodies::check_read(&case, &converted);

    let Ok(converted) = converted else { return };
    for framing in [Framing::KnownLength, Framing::IndeterminateLength] {
        let options = EncodeOptions::default().with_framing(framing);
        let bytes = encode(&converted, &options).expect("it can be written again");
        let again = Http::decode(&case, bytes.clone(), &DecodeOptions::default());
        let again = again.expect("and read again");
        assert_eq!(again.parts(), converted.parts());
        bodies::check_written(&case, &converted, framing, &bytes);
    }
}

/// A valid message is refused for a reason only.
fn check_refusal(message: &Message, error: ConvertError) {
    if let Message::Request(request) = message {
        let head = &request.head;
        match error {
            ConvertError::Connect => return assert_eq!(head.method(), b"CONNECT"),
            ConvertError::AsteriskForm => return assert_eq!(head.path(), b"*"),
            ConvertError::MissingAuthority => return assert_eq!(head.effective_authority(), None),
            // Here the `http` crate has rules of its own, which are not repeated.
            ConvertError::Scheme | ConvertError::Authority | ConvertError::Path => return,
            _ => {}
        }
    }
    let sections = match message {
        Message::Request(request) => vec![&request.head.fields, &request.trailers],
        Message::Response(response) => {
            let informational = response.informational.iter().map(|head| &head.fields);
            informational.chain([&response.head.fields, &response.trailers]).collect()
        }
    };
    let mut fields = sections.iter().flat_map(|section| section.iter());
    let control = |byte: &u8| *byte < 0x20 && *byte != b'\t' || *byte == 0x7f;
    match error {
        ConvertError::PseudoField => assert!(fields.any(|field| field.name[0] == b':')),
        ConvertError::FieldValue => assert!(fields.any(|field| field.value.iter().any(control))),
        other => panic!("{other}"),
    }
}

/// Encodes a message at once, and after it was found to be encodable: that is the same.
fn encode(message: &Http, options: &EncodeOptions) -> Result<Bytes, EncodeError> {
    let mut out = BytesMut::new();
    let mut measured = BytesMut::new();
    let length = match message {
        Http::Request(request) => {
            encode_request_into(request, options, &mut out)?;
            let encodable = EncodableRequest::new(request.clone(), options)?;
            encodable.encode_into(&mut measured);
            encodable.encoded_len()
        }
        Http::Response(response) => {
            encode_response_into(response, options, &mut out)?;
            let encodable = EncodableResponse::new(response.clone(), options)?;
            encodable.encode_into(&mut measured);
            encodable.encoded_len()
        }
    };
    assert_eq!(out.len(), length);
    assert_eq!(out, measured);
    Ok(out.freeze())
}
