//! What requests and responses of HTTP/1.1 have in common (RFC 9112).

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, DATE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    TRAILER, TRANSFER_ENCODING,
};
use thiserror::Error;

use crate::spare_memory;

/// The most bytes that a head may have, and the trailers of a message.
pub(crate) const HEAD_LIMIT: usize = 64 * 1024;

/// The most fields that either may have.
pub(crate) const MAX_FIELDS: usize = 100;

/// Why something is not a message of HTTP/1.1.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub(crate) struct Invalid(pub(crate) &'static str);

/// How the end of a content is found (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    /// It ends with the connection, which only a response can do.
    UntilClose,
}

/// Finds the ends of heads in what arrives piece by piece. Nothing is looked at twice.
#[derive(Debug, Default)]
pub(crate) struct HeadEnd {
    searched: usize,
}

impl HeadEnd {
    /// The length of the head that `buffer` begins with, or nothing if some of it is missing.
    pub(crate) fn find(&mut self, buffer: &[u8]) -> Result<Option<usize>, Invalid> {
        let line_ends = memchr::memchr_iter(b'\n', &buffer[self.searched..]);
        let end = line_ends.map(|index| self.searched + index).find_map(|end| {
            // RFC 9112 §2.2: a line may end without a carriage return.
            let before = buffer[..end].strip_suffix(b"\r").unwrap_or(&buffer[..end]);
            before.ends_with(b"\n").then_some(end + 1)
        });
        self.searched = if end.is_some() { 0 } else { buffer.len() };
        if end.unwrap_or(buffer.len()) > HEAD_LIMIT {
            return Err(Invalid("its head is too long"));
        }
        Ok(end)
    }
}

/// The fields that were parsed from `block`, whose memory they share.
pub(crate) fn fields(block: &Bytes, parsed: &[httparse::Header<'_>]) -> Result<HeaderMap, Invalid> {
    let mut fields = spare_memory::take_headers();
    fields.reserve(parsed.len());
    for field in parsed {
        let invalid = || Invalid("it has a field that is not valid");
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| invalid())?;
        let value = block.slice_ref(field.value.trim_ascii());
        fields.append(name, HeaderValue::from_maybe_shared(value).map_err(|_| invalid())?);
    }
    Ok(fields)
}

/// What a header says about its message. All of it is found in one pass: to look for each field is
/// slower, and most are not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) length: ContentLength,
    pub(crate) has_transfer_coding: bool,
    /// RFC 9112 §9.6: the message is the last over its connection.
    pub(crate) says_close: bool,
    /// How often there is a `host`.
    pub(crate) hosts: usize,
    pub(crate) has_expectation: bool,
    /// RFC 9110 §10.1.4: whoever sent it takes trailers.
    pub(crate) takes_trailers: bool,
    pub(crate) announces_trailers: bool,
    pub(crate) has_date: bool,
}

/// What the `content-length` says (RFC 9110 §8.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ContentLength {
    #[default]
    Missing,
    Is(u64),
    /// It is no number, or there are different ones.
    Invalid,
}

impl Noted {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut noted = Self::default();
        for (name, value) in headers {
            let value = value.as_bytes();
            match *name {
                CONTENT_LENGTH => noted.length = noted.length.and(value),
                TRANSFER_ENCODING => noted.has_transfer_coding = true,
                CONNECTION => noted.says_close |= has_member(value, "close"),
                HOST => noted.hosts += 1,
                EXPECT => noted.has_expectation = true,
                TE => noted.takes_trailers |= has_member(value, "trailers"),
                TRAILER => noted.announces_trailers = true,
                DATE => noted.has_date = true,
                _ => {}
            }
        }
        noted
    }
}

impl ContentLength {
    /// One more line, which may be a list: the number may be repeated, and nothing else.
    fn and(self, line: &[u8]) -> Self {
        let mut numbers = line.split(|&byte| byte == b',').map(number);
        let Some(first) = numbers.next().flatten() else { return Self::Invalid };
        let is_same = numbers.all(|other| other == Some(first));
        match self {
            Self::Missing if is_same => Self::Is(first),
            Self::Is(before) if is_same && before == first => self,
            _ => Self::Invalid,
        }
    }
}

fn number(text: &[u8]) -> Option<u64> {
    let digits = text.trim_ascii();
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

/// Whether a line of a list (RFC 9110 §5.6.1) has this member.
fn has_member(line: &[u8], member: &str) -> bool {
    line.split(|&byte| byte == b',')
        .any(|other| other.trim_ascii().eq_ignore_ascii_case(member.as_bytes()))
}

/// Writes a line of a header or of trailers.
pub(crate) fn write_field(name: &HeaderName, value: &HeaderValue, into: &mut Vec<u8>) {
    into.extend_from_slice(name.as_str().as_bytes());
    into.extend_from_slice(b": ");
    into.extend_from_slice(value.as_bytes());
    into.extend_from_slice(b"\r\n");
}

/// Writes the length of a content.
pub(crate) fn write_length(length: u64, into: &mut Vec<u8>) {
    into.extend_from_slice(b"content-length: ");
    into.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    into.extend_from_slice(b"\r\n");
}

/// The members of a field that is a list (RFC 9110 §5.6.1).
pub(crate) fn members(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(name).into_iter();
    let members = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
    members.map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_head_is_found_wherever_it_is_cut() {
        for head in ["HTTP/1.1 200 OK\r\na: b\r\n\r\n", "HTTP/1.1 200 OK\na: b\n\n", "x\r\n\n"] {
            let message = [head.as_bytes(), b"content\n\n"].concat();
            for cut in 0..=message.len() {
                let mut end = HeadEnd::default();
                let found = end.find(&message[..cut]).unwrap();
                assert_eq!(found, (cut >= head.len()).then_some(head.len()), "{head:?}, {cut}");
                if found.is_none() {
                    assert_eq!(end.find(&message).unwrap(), Some(head.len()));
                }
            }
        }
        assert!(HeadEnd::default().find(&[b'a'; HEAD_LIMIT]).unwrap().is_none());
        assert!(HeadEnd::default().find(&[b'a'; HEAD_LIMIT + 1]).is_err());
    }

    /// RFC 9110 §5.6.1, §8.6; RFC 9112 §9.6
    #[test]
    fn lists_are_read_over_all_their_lines() {
        let noted = |lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, HeaderValue::from_static(value));
            }
            Noted::of(&headers)
        };
        assert_eq!(noted(&[("x", "close")]), Noted::default());
        let close = [("connection", "x ,, Upgrade"), ("connection", ", CLOSE")];
        assert!(noted(&close).says_close);
        assert!(!noted(&close[..1]).says_close);
        assert!(noted(&[("te", "gzip, Trailers")]).takes_trailers);
        assert_eq!(noted(&[("host", "a"), ("host", "a")]).hosts, 2);
        let length = |other| noted(&[("content-length", "12"), ("content-length", other)]).length;
        for same in ["12", " 12, 12 ", "012"] {
            assert_eq!(length(same), ContentLength::Is(12), "{same}");
        }
        for other in ["13", "12, x", "+12", "0xc", "", "12,", "18446744073709551616"] {
            assert_eq!(length(other), ContentLength::Invalid, "{other}");
        }
    }
}
