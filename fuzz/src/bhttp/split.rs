//! Division into pushes, which must not make a difference.

use bytes::{Bytes, BytesMut};
use oblivious_bhttp::{DecodeError, Decoder, Event, Request, Response};

use super::case::{Case, Kind, Message};

/// Decodes a message in one push, in single bytes, in pieces of any size, and in pieces that are
/// all pushed before the first event is pulled: events and outcome are the same each time, and
/// those of the whole decode.
pub fn split(data: &[u8]) {
    let Some(case) = Case::read(data) else { return };
    let whole = run(&case, vec![case.message.clone()], Pull::AfterEach);
    check_whole(&case, &whole);

    let pieces = pieces(&case.message, case.knob);
    assert_eq!(run(&case, pieces.clone(), Pull::AfterEach), whole);
    assert_eq!(run(&case, pieces, Pull::AtTheEnd), whole);
    let bytes = (0..case.message.len()).map(|at| case.message.slice(at..=at)).collect();
    assert_eq!(run(&case, bytes, Pull::AfterEach), whole);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pull {
    AfterEach,
    AtTheEnd,
}

/// Events, with all content as one piece, and how it ended.
type Run = (Vec<Event>, Result<(), DecodeError>);

fn run(case: &Case, pieces: Vec<Bytes>, pull: Pull) -> Run {
    let mut decoder = match case.kind {
        Kind::Request => Decoder::for_request(&case.options),
        Kind::Response(method) => Decoder::for_response(method, &case.options),
        Kind::Any => Decoder::for_any(&case.options),
    };
    let mut taken = Taken { memory: &case.message, ..Taken::default() };
    let result = (|| {
        for piece in pieces {
            decoder.push(piece);
            if pull == Pull::AfterEach {
                taken.pull(&mut decoder)?;
            }
        }
        decoder.finish();
        taken.pull(&mut decoder)
    })();
    assert_eq!(result.is_ok(), taken.events.last() == Some(&Event::End));
    // After the end and after an error, nothing changes any more.
    assert_eq!(decoder.next_event(), result.map(|()| None));
    (taken.events, result)
}

#[derive(Default)]
struct Taken<'a> {
    memory: &'a [u8],
    events: Vec<Event>,
    /// What is still to come, once the decoder has told.
    remaining: Option<u64>,
}

impl Taken<'_> {
    fn pull(&mut self, decoder: &mut Decoder) -> Result<(), DecodeError> {
        while let Some(event) = decoder.next_event()? {
            match event {
                Event::Content(piece) => self.content(piece),
                event => {
                    if matches!(event, Event::Trailers(_) | Event::End) {
                        assert!(matches!(self.remaining, None | Some(0)));
                    }
                    self.events.push(event);
                }
            }
            let remaining = decoder.content_remaining();
            assert!(self.remaining.is_none() || self.remaining == remaining);
            self.remaining = remaining;
        }
        Ok(())
    }

    fn content(&mut self, piece: Bytes) {
        assert!(!piece.is_empty());
        // Content is never copied.
        assert!(self.memory.as_ptr_range().contains(&piece.as_ptr()));
        if let Some(remaining) = &mut self.remaining {
            *remaining = remaining.checked_sub(piece.len() as u64).expect("no more than announced");
        }
        if let Some(Event::Content(before)) = self.events.last_mut() {
            let mut joined = BytesMut::from(&before[..]);
            joined.extend_from_slice(&piece);
            *before = joined.freeze();
        } else {
            self.events.push(Event::Content(piece));
        }
    }
}

/// The message in pieces of which the sizes vary, some of them empty.
fn pieces(message: &Bytes, seed: u16) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let mut rest = message.clone();
    let mut state = u32::from(seed);
    while !rest.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Short pieces, and now and then a long one.
        let most = if state >> 30 == 0 { 200 } else { 8 };
        let size = (state >> 16) as usize % most;
        pieces.push(rest.split_to(size.min(rest.len())));
    }
    pieces
}

/// The events make the message that the whole decode gives.
fn check_whole(case: &Case, (events, result): &Run) {
    let mut request = Request::default();
    let mut response = Response::default();
    for event in events.iter().cloned() {
        match event {
            Event::Request(head) => request.head = head,
            Event::Informational(head) => response.informational.push(head),
            Event::Response(head) => response.head = head,
            Event::Content(content) => {
                request.content = content.clone();
                response.content = content;
            }
            Event::Trailers(trailers) => {
                request.trailers = trailers.clone();
                response.trailers = trailers;
            }
            _ => {}
        }
    }
    if case.kind == Kind::Any {
        // What a response answers is not known then, and a long framing indicator is not looked at.
        return;
    }
    match (case.decode(), result) {
        (Ok(Message::Request(whole)), Ok(())) => assert_eq!(request, whole),
        (Ok(Message::Response(whole)), Ok(())) => assert_eq!(response, whole),
        (whole, result) => assert_eq!(whole.err(), result.err()),
    }
}
