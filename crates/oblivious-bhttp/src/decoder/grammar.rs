//! The states of the grammar, in the order of the message.

use bytes::Bytes;

use super::control::{control_parts, within};
use super::{ContentCheck, Control, Decoder, Event, Expected, Progress, Section, Sink, State};
use crate::control::ControlData;
use crate::error::{DecodeError, Limit, Part};
use crate::fields::Fields;
use crate::head::{RequestHead, ResponseHead};
use crate::options::Limits;
use crate::scan::Scan;
use crate::syntax;

impl Decoder {
    /// Does what the state says.
    #[inline]
    pub(super) fn step<S: Sink>(&mut self, sink: &mut S) -> Result<Progress, S::Error> {
        match self.state {
            State::Framing => Ok(self.framing()?),
            State::RequestControl => Ok(self.request_control()?),
            State::Status => Ok(self.status()?),
            State::SectionLength(section) => self.section_length(section, sink),
            State::KnownSection(section, length) => self.known_section(section, length, sink),
            State::OpenSection(section) => self.open_section(section, sink),
            State::ContentLength => Ok(self.content_length()?),
            State::KnownContent(left) => self.known_content(left, sink),
            State::ChunkLength => Ok(self.chunk_length()?),
            State::Chunk(left) => self.chunk(left, sink),
            State::Padding(seen) => self.padding(seen, sink),
            State::Done => Ok(Progress::NeedsInput),
        }
    }

    /// RFC 9292 §3.3.
    fn framing(&mut self) -> Result<Progress, DecodeError> {
        let Some(indicator) = self.input.varint() else {
            return self.needs_input(Part::FramingIndicator);
        };
        let request = match indicator.get() {
            0 | 2 => true,
            1 | 3 => false,
            _ => return Err(DecodeError::Framing),
        };
        match self.expected {
            Expected::Request if !request => return Err(DecodeError::ExpectedRequest),
            Expected::Response | Expected::HeadResponse if request => {
                return Err(DecodeError::ExpectedResponse);
            }
            _ => {}
        }
        self.indeterminate = indicator.get() >= 2;
        self.state = if request { State::RequestControl } else { State::Status };
        Ok(Progress::Made)
    }

    /// RFC 9292 §3.4.
    fn request_control(&mut self) -> Result<Progress, DecodeError> {
        let limit = self.options.limits.control_data;
        let Some(parts) = control_parts(&mut self.input, limit)? else {
            return self.needs_input(Part::ControlData);
        };
        let [.., (_, end)] = parts;
        self.control = Control::Request(ControlData::found(self.input.take(end), parts));
        self.enter(Section::Header);
        Ok(Progress::Made)
    }

    /// RFC 9292 §3.5.
    fn status(&mut self) -> Result<Progress, DecodeError> {
        let Some(status) = self.input.varint() else {
            let first = self.informational == 0;
            return self.needs_input(if first {
                Part::ControlData
            } else {
                Part::InformationalResponse
            });
        };
        let framing = 1 + 2 * u64::from(self.indeterminate);
        if status.get() == framing && self.informational > 0 {
            // The other status codes up to 99 are invalid too, so nothing is read differently.
            if !self.options.accept_repeated_framing || self.framing_was_repeated() {
                return Err(DecodeError::RepeatedFraming);
            }
            self.control = Control::Response { status: REPEATED_FRAMING };
            return Ok(Progress::Made);
        }
        let status = u16::try_from(status.get()).map_err(|_| DecodeError::Status)?;
        match status {
            100..=199 => {
                self.informational += 1;
                if self.informational > self.options.limits.informational {
                    return Err(DecodeError::Limit(Limit::Informational));
                }
                self.enter(Section::Informational);
            }
            200..=599 => self.enter(Section::Header),
            _ => return Err(DecodeError::Status),
        }
        self.control = Control::Response { status };
        Ok(Progress::Made)
    }

    fn framing_was_repeated(&self) -> bool {
        matches!(self.control, Control::Response { status: REPEATED_FRAMING })
    }

    fn enter(&mut self, section: Section) {
        self.scan = match section {
            Section::Trailer => Scan::TRAILER,
            _ => Scan::HEADER,
        };
        self.state = if self.indeterminate {
            State::OpenSection(section)
        } else {
            State::SectionLength(section)
        };
    }

    /// RFC 9292 §3.1.
    fn section_length<S: Sink>(
        &mut self,
        section: Section,
        sink: &mut S,
    ) -> Result<Progress, S::Error> {
        let Some(length) = self.input.varint() else {
            return self.may_end_before(section, sink);
        };
        let length = within(length, self.options.limits.field_section, Limit::FieldSection)?;
        self.state = State::KnownSection(section, length);
        Ok(Progress::Made)
    }

    fn known_section<S: Sink>(
        &mut self,
        section: Section,
        length: usize,
        sink: &mut S,
    ) -> Result<Progress, S::Error> {
        if !self.input.fill(length) {
            return Ok(self.needs_input(section.part())?);
        }
        let bytes = self.input.take(length);
        if self.scan.plain(&bytes, &self.options.limits) {
            return self.scanned(section, bytes, sink);
        }
        match self.scan.lines(&bytes, &self.options.limits)? {
            Some(_) => Err(DecodeError::EmptyFieldName.into()),
            None if self.scan.at < length => Err(DecodeError::FieldOverrun.into()),
            None => self.scanned(section, bytes, sink),
        }
    }

    /// RFC 9292 §3.2.
    fn open_section<S: Sink>(
        &mut self,
        section: Section,
        sink: &mut S,
    ) -> Result<Progress, S::Error> {
        let terminator = loop {
            if let Some(width) = self.scan.lines(self.input.view(), &self.options.limits)? {
                break width;
            }
            if !self.input.fill(self.scan.need) {
                return self.may_end_before(section, sink);
            }
        };
        let bytes = self.input.take(self.scan.at);
        self.input.skip(terminator);
        self.scanned(section, bytes, sink)
    }

    /// The message may end where a section would begin (RFC 9292 §3.8), but for that of an
    /// informational response; otherwise more is needed.
    fn may_end_before<S: Sink>(
        &mut self,
        section: Section,
        sink: &mut S,
    ) -> Result<Progress, S::Error> {
        if self.input.is_at_end() && section != Section::Informational {
            return self.leave(section, Fields::new(), sink);
        }
        Ok(self.needs_input(section.part())?)
    }

    #[inline]
    fn scanned<S: Sink>(
        &mut self,
        section: Section,
        lines: Bytes,
        sink: &mut S,
    ) -> Result<Progress, S::Error> {
        if section == Section::Header {
            self.check_host(&lines)?;
        }
        let fields = Fields::from_scanned(lines, self.scan.count, !self.scan.uncanonical);
        self.leave(section, fields, sink)
    }

    /// RFC 9113 §8.3.1: a request names one authority.
    #[inline]
    fn check_host(&self, lines: &Bytes) -> Result<(), DecodeError> {
        let Control::Request(control) = &self.control else { return Ok(()) };
        let [_, scheme, authority, _] = control.parts();
        let host = &lines[self.scan.host.0..self.scan.host.1];
        match self.scan.hosts {
            0 => Ok(()),
            1 if syntax::host_agrees(scheme, authority, host) => Ok(()),
            _ => Err(DecodeError::Host),
        }
    }

    /// Emits what ends with `section`.
    #[inline]
    fn leave<S: Sink>(
        &mut self,
        section: Section,
        fields: Fields,
        sink: &mut S,
    ) -> Result<Progress, S::Error> {
        if section == Section::Trailer {
            self.state = State::Padding(0);
            if fields.is_empty() {
                return Ok(Progress::Made);
            }
            sink.give(Event::Trailers(fields))?;
            return Ok(Progress::Made);
        }
        let control = core::mem::replace(&mut self.control, Control::Response { status: 0 });
        if section == Section::Informational {
            self.state = State::Status;
            let Control::Response { status } = control else { return Ok(Progress::Made) };
            sink.give(Event::Informational(ResponseHead { status, fields }))?;
            return Ok(Progress::Made);
        }
        self.state = if self.indeterminate { State::ChunkLength } else { State::ContentLength };
        self.content.declared = self.scan.content_length;
        match control {
            Control::Request(control) => {
                let [method, scheme, authority, path] = control.parts();
                syntax::check_control(method, scheme, authority, path, self.scan.protocol)
                    .map_err(DecodeError::from)?;
                sink.give(Event::Request(RequestHead { control, fields }))?;
            }
            Control::Response { status } => {
                self.content.may_be_absent = status == 304
                    || matches!(self.expected, Expected::HeadResponse | Expected::Any);
                sink.give(Event::Response(ResponseHead { status, fields }))?;
            }
        }
        Ok(Progress::Made)
    }

    /// RFC 9292 §3.1.
    fn content_length(&mut self) -> Result<Progress, DecodeError> {
        let length = match self.input.varint() {
            Some(length) => length.get(),
            // RFC 9292 §3.8: content and all that follows may be missing.
            None if self.input.is_at_end() => 0,
            None => return self.needs_input(Part::Content),
        };
        self.content.add(length, &self.options.limits)?;
        self.content.end()?;
        self.state = State::KnownContent(length);
        Ok(Progress::Made)
    }

    #[inline]
    fn known_content<S: Sink>(&mut self, left: u64, sink: &mut S) -> Result<Progress, S::Error> {
        if left == 0 {
            self.enter(Section::Trailer);
            return Ok(Progress::Made);
        }
        let Some(piece) = self.input.take_up_to(left) else {
            return Ok(self.needs_input(Part::Content)?);
        };
        self.state = State::KnownContent(left - piece.len() as u64);
        sink.give(Event::Content(piece))?;
        Ok(Progress::Made)
    }

    /// RFC 9292 §3.2.
    fn chunk_length(&mut self) -> Result<Progress, DecodeError> {
        let length = match self.input.varint() {
            Some(length) => length.get(),
            // RFC 9292 §3.8: content may be missing, its terminator may not.
            None if self.input.is_at_end() && self.content.seen == 0 => 0,
            None => return self.needs_input(Part::Content),
        };
        if length == 0 {
            self.content.end()?;
            self.enter(Section::Trailer);
        } else {
            self.content.add(length, &self.options.limits)?;
            self.state = State::Chunk(length);
        }
        Ok(Progress::Made)
    }

    #[inline]
    fn chunk<S: Sink>(&mut self, left: u64, sink: &mut S) -> Result<Progress, S::Error> {
        let Some(piece) = self.input.take_up_to(left) else {
            return Ok(self.needs_input(Part::Content)?);
        };
        let left = left - piece.len() as u64;
        self.state = if left == 0 { State::ChunkLength } else { State::Chunk(left) };
        sink.give(Event::Content(piece))?;
        Ok(Progress::Made)
    }

    /// RFC 9292 §3.8.
    fn padding<S: Sink>(&mut self, seen: u64, sink: &mut S) -> Result<Progress, S::Error> {
        let Some(piece) = self.input.take_up_to(u64::MAX) else {
            if !self.input.has_ended() {
                return Ok(Progress::NeedsInput);
            }
            self.state = State::Done;
            sink.give(Event::End)?;
            return Ok(Progress::Made);
        };
        // In the order of the bytes, so that the first fault is reported however they are divided.
        let left = self.options.limits.padding.saturating_sub(seen);
        let allowed = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
        let set = piece[..allowed].iter().fold(0, |set, byte| set | byte);
        if set != 0 && !self.options.accept_nonzero_padding {
            return Err(DecodeError::NonZeroPadding.into());
        }
        if allowed < piece.len() {
            return Err(DecodeError::Limit(Limit::Padding).into());
        }
        self.state = State::Padding(seen + piece.len() as u64);
        Ok(Progress::Made)
    }

    /// More is needed for `part`: an error if the message has ended.
    fn needs_input(&self, part: Part) -> Result<Progress, DecodeError> {
        if self.input.has_ended() {
            return Err(DecodeError::Truncated(part));
        }
        Ok(Progress::NeedsInput)
    }
}

impl ContentCheck {
    /// Counts content that is announced.
    fn add(&mut self, length: u64, limits: &Limits) -> Result<(), DecodeError> {
        // Each length is below 2^62 and the sum so far within a limit: saturating is exact enough.
        self.seen = self.seen.saturating_add(length);
        if self.seen > limits.content_limit() {
            return Err(DecodeError::Limit(Limit::Content));
        }
        if self.declared.is_some_and(|declared| self.seen > declared) {
            return Err(DecodeError::ContentLengthMismatch);
        }
        Ok(())
    }

    /// All content has been announced.
    fn end(&self) -> Result<(), DecodeError> {
        match self.declared {
            Some(_) if self.seen == 0 && self.may_be_absent => Ok(()),
            Some(declared) if declared != self.seen => Err(DecodeError::ContentLengthMismatch),
            _ => Ok(()),
        }
    }
}

impl Section {
    const fn part(self) -> Part {
        match self {
            Self::Informational => Part::InformationalResponse,
            Self::Header => Part::Header,
            Self::Trailer => Part::Trailer,
        }
    }
}

/// Stands in for the status code after a framing indicator was skipped.
const REPEATED_FRAMING: u16 = 1;
