//! Messages of indeterminate length have all three terminators, however they are written.

mod common;

use std::io::Cursor;

use bytes::BytesMut;
use common::*;
use hex_literal::hex;
use oblivious_bhttp::{EncodeError, Encoder, Fields, Framing, Padding, Request, Response};
use proptest::prelude::*;

const INDETERMINATE: Framing = Framing::IndeterminateLength;

/// `bhttp` takes no message without them.
fn bhttp_reads(message: &[u8]) -> bhttp::Message {
    bhttp::Message::read_bhttp(&mut Cursor::new(message)).expect("all terminators are there")
}

/// One part after the other, in as few calls as can be.
fn in_parts(response: &Response, padding: &Padding) -> Result<BytesMut, EncodeError> {
    let mut encoder = Encoder::indeterminate_length();
    let mut out = BytesMut::new();
    for head in &response.informational {
        encoder.informational(head, &mut out)?;
    }
    encoder.response(&response.head, &mut out)?;
    encoder.content(&response.content, &mut out)?;
    if response.trailers != Fields::new() {
        encoder.trailers(&response.trailers, &mut out)?;
    }
    encoder.finish(padding, &mut out)?;
    Ok(out)
}

/// RFC 9292 §3.2, §3.8: three zeros, each behind what it ends, where less would be allowed too.
#[test]
fn empty_parts_are_terminated() {
    let response = |early: bool, lines: bool, content: &'static str, trailers: bool| {
        let some = || fields([("a", "b")]);
        let mut response = Response::new(200);
        if early {
            response.informational = vec![oblivious_bhttp::ResponseHead::default()];
            response.informational[0].status = 100;
        }
        response.head.fields = if lines { some() } else { Fields::new() };
        response.content = content.into();
        response.trailers = if trailers { some() } else { Fields::new() };
        response
    };
    for (response, message) in [
        (response(false, false, "", false), &hex!("0340c8 00 00 00")[..]),
        (response(true, false, "", false), &hex!("034064 00 40c8 00 00 00")),
        (response(false, true, "", false), &hex!("0340c8 01610162 00 00 00")),
        (response(false, false, "c", false), &hex!("0340c8 00 0163 00 00")),
        (response(false, true, "c", false), &hex!("0340c8 01610162 00 0163 00 00")),
        (response(false, false, "", true), &hex!("0340c8 00 00 01610162 00")),
        (response(true, true, "c", true), &hex!("034064 00 40c8 0161016200 016300 0161016200")),
    ] {
        assert_eq!(
            response.encode(&encode_options(INDETERMINATE, Padding::None)).unwrap(),
            message
        );
        assert_eq!(in_parts(&response, &Padding::None).unwrap(), message);
        let padded = [message, &[0; 5]].concat();
        let padding = Padding::ToExact(padded.len());
        assert_eq!(
            response.encode(&encode_options(INDETERMINATE, padding.clone())).unwrap(),
            padded
        );
        assert_eq!(in_parts(&response, &padding).unwrap(), padded);
        // The terminators are not taken for padding.
        let short = Padding::ToExact(message.len() - 1);
        assert_eq!(
            response.encode(&encode_options(INDETERMINATE, short.clone())),
            Err(EncodeError::PaddingTooShort)
        );
        assert_eq!(in_parts(&response, &short), Err(EncodeError::PaddingTooShort));
        bhttp_reads(message);
        bhttp_reads(&padded);
    }
    let request = Request::new("GET", "https", "a", "/");
    let message = request.encode(&encode_options(INDETERMINATE, Padding::None)).unwrap();
    assert_eq!(message, hex!("02 03474554 056874747073 0161 012f 00 00 00")[..]);
    bhttp_reads(&message);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn requests(request in any_request(), padding in any_padding()) {
        let message = request.encode(&encode_options(INDETERMINATE, padding.clone())).unwrap();
        let theirs = bhttp_reads(&message);
        prop_assert_eq!(theirs.content(), &request.content[..]);
        prop_assert_eq!(theirs.trailer().iter().count(), request.trailers.len());
    }

    #[test]
    fn responses(response in any_response(), padding in any_padding()) {
        let message = in_parts(&response, &padding).unwrap();
        let theirs = bhttp_reads(&message);
        prop_assert_eq!(theirs.informational().len(), response.informational.len());
        prop_assert_eq!(theirs.content(), &response.content[..]);
        prop_assert_eq!(theirs.trailer().iter().count(), response.trailers.len());
    }
}

#[cfg(feature = "http")]
mod bodies {
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use bytes::Bytes;
    use http_body::{Body, Frame};
    use oblivious_bhttp::{Content, EncodedBody, ResponseEncoder};

    use super::*;

    /// A body that lets each of its frames be waited for.
    struct Late(Content, bool);

    impl Body for Late {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            self.1 = !self.1;
            if self.1 { Poll::Pending } else { Pin::new(&mut self.0).poll_frame(cx) }
        }
    }

    fn collect<B: Body<Data = Bytes>>(body: B) -> Vec<u8>
    where
        B::Error: std::fmt::Debug,
    {
        let mut body = pin!(body);
        let mut all = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            match body.as_mut().poll_frame(&mut cx) {
                Poll::Pending => {}
                Poll::Ready(None) => return all,
                Poll::Ready(Some(frame)) => all.extend(frame.unwrap().into_data().unwrap()),
            }
        }
    }

    /// RFC 9292 §3.2: so it is with bodies, there or late, of every shape.
    #[test]
    fn bodies_are_terminated() {
        let mut lines = http::HeaderMap::new();
        lines.insert("a", "b".parse().unwrap());
        let early = http::Response::builder().status(103).body(()).unwrap();
        for content in ["", "c"] {
            for trailers in [None, Some(http::HeaderMap::new()), Some(lines.clone())] {
                let count = trailers.as_ref().map_or(0, http::HeaderMap::len);
                let body = Content { data: content.into(), trailers };
                let check = |message: Vec<u8>| {
                    let theirs = bhttp_reads(&message);
                    assert_eq!(theirs.content(), content.as_bytes());
                    assert_eq!(theirs.trailer().iter().count(), count);
                };
                for padding in [Padding::None, Padding::ToMultiple(64)] {
                    let request = http::Request::post("https://a/").body(body.clone()).unwrap();
                    let late = request.clone().map(|body| Late(body, false));
                    let encode = EncodedBody::from_request(
                        request,
                        &encode_options(INDETERMINATE, padding.clone()),
                    );
                    check(collect(encode.unwrap()));
                    let encode = EncodedBody::from_request(
                        late,
                        &encode_options(INDETERMINATE, padding.clone()),
                    );
                    check(collect(encode.unwrap()));

                    let mut encoder = ResponseEncoder::new();
                    let mut message = BytesMut::new();
                    encoder.informational(&early, &mut message).unwrap();
                    let response = http::Response::new(Late(body.clone(), false));
                    let encoded = encoder.response(response, padding).map_err(|(_, error)| error);
                    check([message.to_vec(), collect(encoded.unwrap())].concat());
                }
            }
        }
    }
}
