//! Against `bhttp`, which shares no code with this crate: each reads what the other writes.

mod common;

use std::io::Cursor;

use bhttp::{Message, Mode};
use bytes::Bytes;
use common::*;
use oblivious_bhttp::{Fields, Framing, Request, Response};
use proptest::prelude::*;

fn theirs_of(message: &[u8]) -> Message {
    Message::read_bhttp(&mut Cursor::new(message)).expect("bhttp reads what this crate writes")
}

fn same_fields(ours: &Fields, theirs: &bhttp::FieldSection) -> bool {
    ours.len() == theirs.len()
        && ours
            .iter()
            .zip(theirs.iter())
            .all(|(ours, theirs)| ours.name == theirs.name() && ours.value == theirs.value())
}

fn write_theirs(theirs: &Message, framing: Framing) -> Bytes {
    let mode = match framing {
        Framing::KnownLength => Mode::KnownLength,
        Framing::IndeterminateLength => Mode::IndeterminateLength,
    };
    let mut out = Vec::new();
    theirs.write_bhttp(mode, &mut out).unwrap();
    out.into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn requests(request in any_request(), framing in any_framing(), padding in any_padding()) {
        let message = request.encode(&encode_options(framing, padding.clone())).unwrap();
        let theirs = theirs_of(&message);
        let control = theirs.control();
        prop_assert_eq!(control.method(), Some(request.head.method()));
        prop_assert_eq!(control.scheme(), Some(request.head.scheme()));
        prop_assert_eq!(control.authority().unwrap_or_default(), request.head.authority());
        prop_assert_eq!(control.path(), Some(request.head.path()));
        prop_assert!(same_fields(&request.head.fields, theirs.header()));
        prop_assert_eq!(theirs.content(), &request.content[..]);
        prop_assert!(same_fields(&request.trailers, theirs.trailer()));

        prop_assert_eq!(Request::decode(write_theirs(&theirs, framing)), Ok(request));
    }

    #[test]
    fn responses(response in any_response(), framing in any_framing(), padding in any_padding()) {
        let message = response.encode(&encode_options(framing, padding.clone())).unwrap();
        let theirs = theirs_of(&message);
        prop_assert_eq!(theirs.control().status().unwrap().code(), response.head.status);
        prop_assert_eq!(theirs.informational().len(), response.informational.len());
        for (theirs, ours) in theirs.informational().iter().zip(&response.informational) {
            prop_assert_eq!(theirs.status().code(), ours.status);
            prop_assert!(same_fields(&ours.fields, theirs.fields()));
        }
        prop_assert!(same_fields(&response.head.fields, theirs.header()));
        prop_assert_eq!(theirs.content(), &response.content[..]);
        prop_assert!(same_fields(&response.trailers, theirs.trailer()));

        prop_assert_eq!(Response::decode(write_theirs(&theirs, framing), "GET"), Ok(response));
    }
}
