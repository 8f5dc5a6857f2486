//! The grammar of RFC 9292 §3, read from pieces of any size.

mod control;
mod grammar;

use bytes::Bytes;

use crate::control::ControlData;
use crate::error::DecodeError;
use crate::fields::Fields;
use crate::head::{RequestHead, ResponseHead};
use crate::input::Input;
use crate::options::DecodeOptions;
use crate::scan::Scan;

/// Decodes one message from bytes that come in pieces.
///
/// Push bytes, divided in any way; pull events until there are none; call [`finish`](Self::finish)
/// when the bytes have ended. Both framings give the same events (RFC 9292 §3.1, §3.2). Events are
/// slices of what was pushed wherever that was contiguous; content always is.
///
/// Push and pull in turn: the [`Limits`](crate::Limits) bound what the decoder holds of a part, but
/// bytes that are pushed and never pulled are all kept.
///
/// A message can turn out to be invalid at its very end, after most of its events. Code that acts
/// on events before [`Event::End`] must be able to stop half-way (RFC 9292 §4).
///
/// ```
/// use oblivious_bhttp::{DecodeOptions, Decoder, Event};
///
/// let mut decoder = Decoder::for_response("GET", &DecodeOptions::default());
/// decoder.push((&b"\x01\x40"[..]).into());
/// assert_eq!(decoder.next_event()?, None); // more is needed
/// decoder.push((&b"\xc8\0\x05hello"[..]).into());
/// let Some(Event::Response(head)) = decoder.next_event()? else { panic!() };
/// assert_eq!(head.status, 200);
/// assert_eq!(decoder.next_event()?, Some(Event::Content("hello".into())));
/// assert_eq!(decoder.next_event()?, None);
/// decoder.finish();
/// assert_eq!(decoder.next_event()?, Some(Event::End));
/// # Ok::<(), oblivious_bhttp::DecodeError>(())
/// ```
#[derive(Debug)]
#[must_use = "a decoder does nothing unless bytes are pushed and events pulled"]
pub struct Decoder {
    input: Input,
    options: DecodeOptions,
    expected: Expected,
    state: State,
    /// Whether sections and content have terminators instead of lengths.
    indeterminate: bool,
    /// Control data whose header section has not arrived yet.
    control: Control,
    scan: Scan,
    informational: usize,
    content: ContentCheck,
    failed: Option<DecodeError>,
}

/// A part of a message, in the order of the message.
///
/// `Debug` shows only lengths.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Control data and header section of a request; the first event of a request.
    Request(RequestHead),
    /// An informational response (RFC 9292 §3.5.1).
    Informational(ResponseHead),
    /// Control data and header section of the final response.
    Response(ResponseHead),
    /// A piece of the content, never empty. How the content is divided has no meaning.
    Content(Bytes),
    /// The trailer section, if it has any lines.
    Trailers(Fields),
    /// The message is complete and valid. The last event.
    End,
}

impl core::fmt::Debug for Event {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Request(head) => f.debug_tuple("Request").field(head).finish(),
            Self::Informational(head) => f.debug_tuple("Informational").field(head).finish(),
            Self::Response(head) => f.debug_tuple("Response").field(head).finish(),
            Self::Content(piece) => write!(f, "Content({} bytes)", piece.len()),
            Self::Trailers(fields) => f.debug_tuple("Trailers").field(fields).finish(),
            Self::End => f.write_str("End"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Request,
    Response,
    HeadResponse,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Framing,
    RequestControl,
    Status,
    /// The length of a section of known length.
    SectionLength(Section),
    /// The lines of a section of known length.
    KnownSection(Section, usize),
    /// The lines of a section of indeterminate length.
    OpenSection(Section),
    ContentLength,
    KnownContent(u64),
    ChunkLength,
    Chunk(u64),
    Padding(u64),
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Informational,
    Header,
    Trailer,
}

#[derive(Debug)]
enum Control {
    Request(ControlData),
    Response { status: u16 },
}

#[derive(Debug, Default)]
struct ContentCheck {
    /// What `content-length` says.
    declared: Option<u64>,
    /// Whether there may be no content whatever it says (RFC 9113 §8.1.1).
    may_be_absent: bool,
    /// The content so far.
    seen: u64,
}

/// Whether a state came any further with the input that is there.
#[derive(PartialEq, Eq)]
enum Progress {
    Made,
    NeedsInput,
}

/// Where events go: into a whole message, or one at a time to a caller who pulls.
///
/// Heads are large, so they are written to their destination instead of being returned through
/// every call.
pub(crate) trait Sink {
    /// What can go wrong besides an invalid message.
    type Error: From<DecodeError>;
    /// Takes an event.
    fn give(&mut self, event: Event) -> Result<(), Self::Error>;
}

impl Sink for Option<Event> {
    type Error = DecodeError;

    #[inline]
    fn give(&mut self, event: Event) -> Result<(), DecodeError> {
        *self = Some(event);
        Ok(())
    }
}

impl Decoder {
    /// A decoder for a request.
    pub fn for_request(options: &DecodeOptions) -> Self {
        Self::new(Expected::Request, options)
    }

    /// A decoder for the response to a request with this method: what answers HEAD may have a
    /// `content-length` without the content (RFC 9113 §8.1.1).
    pub fn for_response(request_method: &str, options: &DecodeOptions) -> Self {
        let head = request_method == "HEAD";
        Self::new(if head { Expected::HeadResponse } else { Expected::Response }, options)
    }

    /// A decoder for a request, or a response to any method. The content of a response must be as
    /// long as its `content-length` says, or absent, since the request may have been a HEAD.
    pub fn for_any(options: &DecodeOptions) -> Self {
        Self::new(Expected::Any, options)
    }

    fn new(expected: Expected, options: &DecodeOptions) -> Self {
        Self {
            input: Input::default(),
            options: *options,
            expected,
            state: State::Framing,
            indeterminate: false,
            control: Control::Response { status: 0 },
            scan: Scan::HEADER,
            informational: 0,
            content: ContentCheck::default(),
            failed: None,
        }
    }

    /// Adds bytes of the message.
    pub fn push(&mut self, bytes: Bytes) {
        if self.input.has_ended() {
            self.failed.get_or_insert(DecodeError::PushAfterFinish);
        } else if self.failed.is_none() {
            self.input.push(bytes);
        }
    }

    /// Says that the message has no more bytes. Call it only when the bytes have ended in good
    /// order: otherwise a message that was cut off could pass for a shorter one.
    pub fn finish(&mut self) {
        self.input.end();
    }

    /// The next event; `None` when more has to be pushed first, and after [`Event::End`].
    ///
    /// # Errors
    /// A [`DecodeError`] if the message is invalid, or exceeds a limit; from then on every call
    /// returns the same error.
    pub fn next_event(&mut self) -> Result<Option<Event>, DecodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let mut event = None;
        while event.is_none() {
            match self.step(&mut event) {
                Ok(Progress::Made) => {}
                Ok(Progress::NeedsInput) => break,
                Err(error) => {
                    self.failed = Some(error);
                    self.input.clear();
                    return Err(error);
                }
            }
        }
        Ok(event)
    }

    /// Decodes a message that is complete in memory.
    #[inline]
    pub(crate) fn decode_whole<S: Sink>(
        mut self,
        message: Bytes,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        self.push(message);
        self.finish();
        while self.step(sink)? == Progress::Made {}
        Ok(())
    }

    /// The number of content bytes still to come, if the framing or a `content-length` has
    /// announced it by now.
    pub fn content_remaining(&self) -> Option<u64> {
        let declared = self.content.declared.filter(|_| !self.content.may_be_absent);
        let unannounced = declared.map(|declared| declared - self.content.seen.min(declared));
        match self.state {
            State::KnownContent(left) => Some(left),
            State::ContentLength | State::ChunkLength => unannounced,
            State::Chunk(left) => unannounced.map(|more| left + more),
            State::Padding(_) | State::Done => Some(0),
            State::SectionLength(section)
            | State::KnownSection(section, _)
            | State::OpenSection(section) => (section == Section::Trailer).then_some(0),
            State::Framing | State::RequestControl | State::Status => None,
        }
    }
}
