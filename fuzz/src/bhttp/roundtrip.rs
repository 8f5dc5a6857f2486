//! Decode, encode, decode.

use bytes::{Bytes, BytesMut};
use oblivious_bhttp::{
    DecodeOptions, EncodeError, EncodeOptions, Encoder, Fields, Framing, Padding, Request, Response,
};

use super::case::{Case, Message};

/// What was decoded can be encoded, in each framing and with any padding, at once and part by
/// part; decoding that gives the same message.
pub fn roundtrip(data: &[u8]) {
    let Some(case) = Case::read(data) else { return };
    // What is encoded is free of what the leniency let pass, and within the default limits if
    // the original is.
    let mut lenient = DecodeOptions::default();
    lenient.accept_repeated_framing = case.options.accept_repeated_framing;
    lenient.accept_nonzero_padding = case.options.accept_nonzero_padding;
    let Ok(message) = case.decode_other(case.message.clone(), &lenient) else { return };
    let strict = DecodeOptions::default();
    for framing in [Framing::KnownLength, Framing::IndeterminateLength] {
        let options = EncodeOptions::default().with_framing(framing);
        let bare = encode(&message, &options).expect("what is valid can be written");
        assert_eq!(case.decode_other(bare.clone(), &strict).as_ref(), Ok(&message));

        match encode(&message, &options.with_padding(case.padding.clone())) {
            Ok(padded) => {
                assert!(padded.starts_with(&bare));
                assert!(padded[bare.len()..].iter().all(|&byte| byte == 0));
                assert_eq!(case.padding.padded_len(bare.len()), Ok(padded.len()));
                assert_eq!(case.decode_other(padded, &strict).as_ref(), Ok(&message));
            }
            Err(error) => {
                assert_eq!(error, EncodeError::PaddingTooShort);
                assert_eq!(case.padding, Padding::ToExact(case.knob.into()));
                assert!(bare.len() > usize::from(case.knob));
            }
        }
    }
    in_parts(&case, &message);
}

/// Encodes a message into a buffer that is not empty.
fn encode(message: &Message, options: &EncodeOptions) -> Result<Bytes, EncodeError> {
    const BEFORE: &[u8] = b"before";
    let mut out = BytesMut::from(BEFORE);
    let result = match message {
        Message::Request(request) => request.encode_into(options, &mut out),
        Message::Response(response) => response.encode_into(options, &mut out),
    };
    assert!(out.starts_with(BEFORE));
    assert!(result.is_ok() || out.len() == BEFORE.len());
    result.map(|()| out.split_off(BEFORE.len()).freeze())
}

/// Encodes a message part by part, its content in pieces.
fn in_parts(case: &Case, message: &Message) {
    let (content, trailers) = match message {
        Message::Request(Request { content, trailers, .. })
        | Message::Response(Response { content, trailers, .. }) => (content, trailers),
    };
    let known = Encoder::known_length(content.len() as u64);
    for mut encoder in [known, Encoder::indeterminate_length()] {
        let mut out = BytesMut::new();
        match message {
            Message::Request(request) => encoder.request(&request.head, &mut out).unwrap(),
            Message::Response(response) => {
                for head in &response.informational {
                    encoder.informational(head, &mut out).unwrap();
                }
                encoder.response(&response.head, &mut out).unwrap();
            }
        }
        for piece in content.chunks(usize::from(case.knob % 64) + 1) {
            encoder.content(piece, &mut out).unwrap();
        }
        if *trailers != Fields::new() {
            encoder.trailers(trailers, &mut out).unwrap();
        }
        encoder.finish(&Padding::None, &mut out).unwrap();
        let decoded = case.decode_other(out.freeze(), &DecodeOptions::default());
        assert_eq!(decoded.as_ref(), Ok(message));
    }
}
