//! Lengths that are claimed, limits, and the memory that both cost.

mod common;

use bytes::{Bytes, BytesMut};
use common::*;
use oblivious_bhttp::{
    DecodeError, DecodeOptions, Decoder, EncodeOptions, Encoder, Event, Framing, Limit, Limits,
    Padding, Part, Request, Response, ResponseHead,
};
use oblivious_wire::VarInt;

/// What comes before each length in a message, the limit on that length, and what it belongs to.
const SLOTS: [(&[u8], Limit, Part); 13] = [
    (b"\0", Limit::ControlData, Part::ControlData),
    (b"\0\x03GET", Limit::ControlData, Part::ControlData),
    (b"\0\x03GET\x05https", Limit::ControlData, Part::ControlData),
    (b"\0\x03GET\x05https\x01a", Limit::ControlData, Part::ControlData),
    (b"\0\x03GET\x05https\x01a\x01/", Limit::FieldSection, Part::Header),
    (b"\0\x03GET\x05https\x01a\x01/\0", Limit::Content, Part::Content),
    (b"\0\x03GET\x05https\x01a\x01/\0\0", Limit::FieldSection, Part::Trailer),
    (b"\x01\x40\x64", Limit::FieldSection, Part::InformationalResponse),
    (b"\x03\x40\xc8", Limit::FieldName, Part::Header),
    (b"\x03\x40\xc8\x01a", Limit::FieldValue, Part::Header),
    (b"\x03\x40\xc8\0", Limit::Content, Part::Content),
    (b"\x03\x40\xc8\0\0", Limit::FieldName, Part::Trailer),
    (b"\x03\x40\xc8\0\0\x01a", Limit::FieldValue, Part::Trailer),
];

const LENGTHS: [u64; 9] = [
    (1 << 14) - 1,
    1 << 14,
    (1 << 14) + 1,
    (1 << 31) - 1,
    1 << 31,
    (1 << 31) + 1,
    1 << 32,
    1 << 61,
    (1 << 62) - 1,
];

fn with_length(before: &[u8], length: u64) -> Vec<u8> {
    let mut message = before.to_vec();
    VarInt::new(length).unwrap().encode(&mut message);
    message
}

fn unlimited() -> DecodeOptions {
    let mut options = DecodeOptions::default();
    let limits = &mut options.limits;
    for limit in [
        &mut limits.control_data,
        &mut limits.field_section,
        &mut limits.fields,
        &mut limits.field_name,
        &mut limits.field_value,
        &mut limits.informational,
    ] {
        *limit = usize::MAX;
    }
    (limits.content, limits.padding) = (Some(u64::MAX), u64::MAX);
    options
}

/// RFC 9292 §8: a length that is only claimed costs nothing, whatever it is and wherever.
#[test]
fn claimed_lengths_cost_no_memory() {
    for (before, limit, part) in SLOTS {
        for length in LENGTHS {
            for options in [DecodeOptions::default(), unlimited()] {
                let message = Bytes::from(with_length(before, length));
                let mut result = None;
                let memory = allocation_counter::measure(|| {
                    let mut decoder = Decoder::for_any(&options);
                    decoder.push(message);
                    result = Some(loop {
                        match decoder.next_event() {
                            Ok(Some(_)) => {}
                            Ok(None) => {
                                decoder.finish();
                                break decoder.next_event().unwrap_err();
                            }
                            Err(error) => break error,
                        }
                    });
                });
                assert!(memory.bytes_max < 256, "{memory:?} for {length} after {before:02x?}");
                // Some limits are above the smallest of the lengths.
                let error = result.unwrap();
                let truncated = error == DecodeError::Truncated(part);
                let limited = error == DecodeError::Limit(limit);
                let expected = match (options == unlimited(), length >= 1 << 31) {
                    (true, _) => truncated,
                    (false, true) => limited,
                    (false, false) => truncated || limited,
                };
                assert!(expected, "{error:?} for {length} after {before:02x?}");
            }
        }
    }
}

/// A huge length of which the bytes come one by one is kept to the limit, and refused beyond.
#[test]
fn dribbled_bytes_stay_under_the_limits() {
    let mut options = DecodeOptions::default();
    options.limits.control_data = 4 << 10;
    options.limits.field_section = 4 << 10;
    options.limits.field_value = 4 << 10;
    for (before, ..) in SLOTS {
        let content = |event: &Event| matches!(event, Event::Content(_));
        for claimed in [2 << 10, 4 << 10, 1 << 20, (1 << 62) - 1] {
            let message = with_length(before, claimed);
            let dribble = [Bytes::from_static(b"x"), Bytes::from_static(b"\0")];
            let mut pushed = 0_u32;
            let memory = allocation_counter::measure(|| {
                let mut decoder = Decoder::for_any(&options);
                for byte in &message {
                    decoder.push(Bytes::copy_from_slice(&[*byte]));
                    while let Ok(Some(_)) = decoder.next_event() {}
                }
                for _ in 0..50_000 {
                    // Valid as a name, as a value, and as control data, as long as it goes.
                    decoder.push(dribble[0].clone());
                    match decoder.next_event() {
                        Ok(None) => {}
                        Ok(Some(event)) => assert!(content(&event)),
                        Err(_) => break,
                    }
                    pushed += 1;
                }
            });
            // Growth by doubling, and the old half while it is copied.
            assert!(memory.bytes_max < 3 * (4 << 10), "{memory:?} {claimed} after {before:02x?}");
            let passes_through = before.len() > 3 && pushed == 50_000;
            assert!(pushed < 5_000 || passes_through, "{pushed} {claimed} after {before:02x?}");
        }
    }
}

/// A header section that never ends is refused when it is over the limit, not kept.
#[test]
fn endless_sections_are_refused() {
    for (line, limit) in [
        (&b"\x01a\0"[..], Limit::Fields),
        (&[b"\x01a\x40\x40".as_slice(), &[b'b'; 64]].concat(), Limit::FieldSection),
    ] {
        let mut decoder = Decoder::for_response("GET", &DecodeOptions::default());
        decoder.push(Bytes::from_static(b"\x03\x40\xc8"));
        let line = Bytes::copy_from_slice(line);
        let memory = allocation_counter::measure(|| {
            let error = (0..100_000).find_map(|_| {
                decoder.push(line.clone());
                decoder.next_event().err()
            });
            assert_eq!(error, Some(DecodeError::Limit(limit)));
        });
        assert!(memory.bytes_max < 3 * (64 << 10), "{memory:?}");
    }
}

/// A message at a limit passes, and one beyond it is an error that names it.
#[test]
fn each_limit_is_named() {
    let mut request = Request::new("GET", "https", "a", "/bc");
    request.head.fields = fields([("name", "value"), ("b", "")]);
    request.content = "12345".into();
    request.trailers = fields([("c", "d")]);
    let mut response = Response::new(200);
    response.informational = vec![ResponseHead { status: 103, ..Default::default() }; 2];

    let set = |limits: &mut Limits, limit, value: usize| match limit {
        Limit::ControlData => limits.control_data = value,
        Limit::FieldSection => limits.field_section = value,
        Limit::Fields => limits.fields = value,
        Limit::FieldName => limits.field_name = value,
        Limit::FieldValue => limits.field_value = value,
        Limit::Informational => limits.informational = value,
        Limit::Content => limits.content = Some(value as u64),
        Limit::Padding => limits.padding = value as u64,
        _ => panic!("a limit that is not tested"),
    };
    for framing in [Framing::KnownLength, Framing::IndeterminateLength] {
        let unpadded = request.encode(&encode_options(framing, Padding::None)).unwrap().len();
        for (limit, enough) in [
            (Limit::ControlData, 16),
            (Limit::FieldSection, 14),
            (Limit::Fields, 2),
            (Limit::FieldName, 4),
            (Limit::FieldValue, 5),
            (Limit::Informational, 2),
            (Limit::Content, 5),
            (Limit::Padding, 100 - unpadded),
        ] {
            let decode = |allowed| {
                let mut options = DecodeOptions::default();
                set(&mut options.limits, limit, allowed);
                if limit == Limit::Informational {
                    let message = response.encode(&encode_options(framing, Padding::None)).unwrap();
                    return Response::decode_with(message, "GET", &options).map(|_| ());
                }
                let message =
                    request.encode(&encode_options(framing, Padding::ToExact(100))).unwrap();
                Request::decode_with(message, &options).map(|_| ())
            };
            let over = DecodeError::Limit(limit);
            assert_eq!(decode(enough), Ok(()), "{limit} {framing:?}");
            assert_eq!(decode(enough - 1), Err(over), "{limit} {framing:?}");
            assert!(over.to_string().contains(&format!("`{limit}`")), "{over}");
        }
    }
}

/// A chunk at a time, content stays under its limit too.
#[test]
fn chunks_add_up_to_the_content_limit() {
    let mut options = DecodeOptions::default();
    options.limits.content = Some(1000);
    let mut decoder = Decoder::for_response("GET", &options);
    decoder.push(Bytes::from_static(b"\x03\x40\xc8\0"));
    assert!(decoder.next_event().unwrap().is_some());
    for _ in 0..1000 {
        decoder.push(Bytes::from_static(b"\x01x"));
        assert_eq!(decoder.next_event(), Ok(Some(Event::Content("x".into()))));
    }
    decoder.push(Bytes::from_static(b"\x01x"));
    assert_eq!(decoder.next_event(), Err(DecodeError::Limit(Limit::Content)));
}

/// RFC 9292 §3.8: of padding that is too long and not zero, the fault that comes first is told,
/// however it is divided.
#[test]
fn the_first_fault_of_padding_is_told_in_any_division() {
    for (at, error) in [
        (8, DecodeError::NonZeroPadding),
        (9, DecodeError::Limit(Limit::Padding)),
        (40, DecodeError::Limit(Limit::Padding)),
    ] {
        let mut message = [&b"\x01\x40\xc8\0\0\0"[..], &[0; 50]].concat();
        message[6 + at] = 1;
        for size in 1..=message.len() {
            let mut options = DecodeOptions::default();
            options.limits.padding = 9;
            let decoder = Decoder::for_response("GET", &options);
            assert_eq!(events(decoder, message.chunks(size)).1, Err(error), "{at} {size}");
        }
    }
}

/// RFC 9292 §3.4: a length beyond the limit is told as soon as it is there, in any division, even
/// if the message ends right behind it.
#[test]
fn control_data_over_the_limit_is_told_in_any_division() {
    for before in [&b"\0"[..], b"\0\x03GET", b"\0\x03GET\x05https", b"\0\x03GET\x05https\x01a"] {
        let message = [before, b"\xff\xff\xff\xff\xff\xff\xff\xff"].concat();
        for size in 1..=message.len() {
            let decoder = Decoder::for_any(&DecodeOptions::default());
            let (_, result) = events(decoder, message.chunks(size));
            assert_eq!(result, Err(DecodeError::Limit(Limit::ControlData)), "{size}");
        }
    }
}

fn twelve_fields() -> Request {
    let mut request = Request::new("POST", "https", "www.example.com", "/api/v1/things?id=42");
    request.head.fields = fields((0..12).map(|_| ("x-some-header", "some value of it")));
    request.content = vec![b'x'; 1024].into();
    request
}

/// At most three allocations for a whole message: one for the shared count of the `Bytes`, one for
/// names that have to be lowered, or two for chunks that have to be joined.
#[test]
fn whole_decodes_allocate_little() {
    let request = twelve_fields();
    let known = request.encode(&EncodeOptions::default()).unwrap();
    let mut encoder = Encoder::indeterminate_length();
    let mut chunked = BytesMut::new();
    encoder.request(&request.head, &mut chunked).unwrap();
    for chunk in request.content.chunks(100) {
        encoder.content(chunk, &mut chunked).unwrap();
    }
    encoder.finish(&Padding::None, &mut chunked).unwrap();
    let mut upper = known.to_vec();
    let name = known.windows(6).position(|window| window == b"x-some").unwrap();
    upper[name] = b'X';
    for (message, most) in [(known, 1), (upper.into(), 2), (chunked.freeze(), 3)] {
        // As it comes from a `Vec`, so that the shared count has to be made.
        let message = Bytes::from(message.to_vec());
        let mut decoded = None;
        let memory = allocation_counter::measure(|| decoded = Some(Request::decode(message)));
        assert_eq!(decoded.unwrap(), Ok(request.clone()));
        assert_eq!(memory.count_total, most, "{memory:?}");
    }
}

/// One for the output, exactly as large as the message.
#[test]
fn encoding_allocates_once() {
    let request = twelve_fields();
    for framing in [Framing::KnownLength, Framing::IndeterminateLength] {
        let options = encode_options(framing, Padding::ToMultiple(512));
        let mut out = BytesMut::new();
        let memory = allocation_counter::measure(|| {
            request.encode_into(&options, &mut out).unwrap();
        });
        assert_eq!((memory.count_total, memory.bytes_total), (1, out.len() as u64));
    }
}

/// Content comes out as the memory that went in, in either framing.
#[test]
fn content_is_not_copied() {
    let piece = Bytes::from(vec![7; 16 << 10]);
    for framing in [Framing::KnownLength, Framing::IndeterminateLength] {
        let mut decoder = Decoder::for_response("GET", &DecodeOptions::default());
        let mut encoder = match framing {
            Framing::KnownLength => Encoder::known_length(1024 * piece.len() as u64),
            Framing::IndeterminateLength => Encoder::indeterminate_length(),
        };
        let mut out = BytesMut::new();
        let head = ResponseHead { status: 200, ..Default::default() };
        encoder.response(&head, &mut out).unwrap();
        decoder.push(out.split().freeze());
        for pushed in 0..1024 {
            encoder.content_prefix(piece.len(), &mut out).unwrap();
            decoder.push(out.split().freeze());
            decoder.push(piece.clone());
            if pushed == 0 {
                assert!(matches!(decoder.next_event(), Ok(Some(Event::Response(_)))));
            }
            let memory = allocation_counter::measure(|| {
                let Ok(Some(Event::Content(content))) = decoder.next_event() else {
                    panic!("there is content")
                };
                assert_eq!((content.as_ptr(), content.len()), (piece.as_ptr(), piece.len()));
                assert_eq!(decoder.next_event(), Ok(None));
            });
            assert_eq!(memory.count_total, 0);
        }
        encoder.finish(&Padding::None, &mut out).unwrap();
        decoder.push(out.freeze());
        decoder.finish();
        assert_eq!(decoder.next_event(), Ok(Some(Event::End)));
    }
}
