//! The walk over the lines of a field section that checks them.

use oblivious_wire::VarInt;

use crate::error::{DecodeError, Limit};
use crate::fields::{decode_length, is_forbidden_pseudo_field, is_pseudo_field};
use crate::options::Limits;
use crate::syntax::{self, NOT_TOKEN, UPPER};

/// Checks the lines of one section, and notes what the checks of the whole message need.
///
/// The walk can stop where the bytes end and continue when there are more: positions count from the
/// start of the section, so always pass the section from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Where the next line begins.
    pub(crate) at: usize,
    /// How many bytes have to be there for the next line to be read, as far as can be told.
    pub(crate) need: usize,
    /// The lines so far.
    pub(crate) count: usize,
    /// Whether a name has upper-case letters, or a length is longer than needed.
    pub(crate) uncanonical: bool,
    /// Whether there is a `:protocol` field, which changes what CONNECT looks like.
    pub(crate) protocol: bool,
    /// Where the value of the last `host` field lies, and how many there are.
    pub(crate) host: (usize, usize),
    pub(crate) hosts: usize,
    /// What `content-length` says.
    pub(crate) content_length: Option<u64>,
    regular: bool,
    trailer: bool,
}

impl Scan {
    /// The start of a header section. A constant is copied; building a value and moving it costs a
    /// good deal more, three times per message.
    pub(crate) const HEADER: Self = Self {
        at: 0,
        need: 0,
        count: 0,
        uncanonical: false,
        protocol: false,
        host: (0, 0),
        hosts: 0,
        content_length: None,
        regular: false,
        trailer: false,
    };

    /// The start of a trailer section.
    pub(crate) const TRAILER: Self = Self { trailer: true, ..Self::HEADER };

    /// Reads the lines of `section`, until a name of length zero: the end of a section of
    /// indeterminate length. Returns the bytes that this length takes; or `None` if `section` ends
    /// before, with the end of a line or within one.
    ///
    /// Never inlined: the loop runs faster in a function of its own.
    #[inline(never)]
    pub(crate) fn lines(
        &mut self,
        section: &[u8],
        limits: &Limits,
    ) -> Result<Option<usize>, DecodeError> {
        // A copy, so that it stays in registers.
        let mut scan = *self;
        let limits = *limits;
        let terminator = loop {
            let Some((name_len, width)) = decode_length(&section[scan.at..]) else {
                scan.need = varint_end(section, scan.at);
                break None;
            };
            if name_len == 0 {
                break Some(width);
            }
            if !scan.line(section, (name_len, width), &limits)? {
                break None;
            }
        };
        *self = scan;
        Ok(terminator)
    }

    /// Reads a whole section, from its start, if it is like nearly all sections: short names in
    /// lower case, lengths in their shortest form, no pseudo-fields, no control characters, all
    /// within the limits. `false` means that there is something else, valid or not, and that
    /// nothing was noted: [`lines`](Self::lines) then finds out.
    ///
    /// Control characters are not searched for value by value: those of the whole section are
    /// counted at once, and there must be exactly as many as there are lengths that look like one.
    #[inline(never)]
    pub(crate) fn plain(&mut self, section: &[u8], limits: &Limits) -> bool {
        let mut scan = Self { trailer: self.trailer, ..Self::HEADER };
        let (name_limit, value_limit) = (limits.field_name.min(0x3f), limits.field_value);
        let mut controls = 0;
        let mut rest = section;
        while let [name_len, bytes @ ..] = rest {
            let Some((name, after)) = bytes.split_at_checked(usize::from(*name_len)) else {
                return false;
            };
            let (value_len, low, after) = match after {
                [low @ ..0x40, after @ ..] => (usize::from(*low), low, after),
                // Below 0x40 the length would fit into one byte.
                [high @ 0x40..0x80, low, after @ ..] if *high > 0x40 || *low >= 0x40 => {
                    (usize::from(high & 0x3f) << 8 | usize::from(*low), low, after)
                }
                _ => return false,
            };
            let Some((value, after)) = after.split_at_checked(value_len) else { return false };
            controls += usize::from(*name_len < 0x20) + usize::from(*low < 0x20);
            let end = section.len() - after.len();
            if name.is_empty()
                || name.len() > name_limit
                || value_len > value_limit
                || matches!(value, [b' ', ..] | [.., b' '])
                || syntax::name_classes_within(bytes, name.len()) != 0
                || scan.note(name, value, (end - value_len, end)).is_err()
            {
                return false;
            }
            scan.regular = true;
            scan.count += 1;
            rest = after;
        }
        let plain = scan.count <= limits.fields && syntax::count_controls(section) == controls;
        if plain {
            *self = Self { at: section.len(), ..scan };
        }
        plain
    }

    /// Reads the next line, of which the length of the name, and the bytes that it takes, are known.
    /// `false` if not all of it is there.
    #[inline(always)]
    fn line(
        &mut self,
        section: &[u8],
        (name_len, name_len_width): (u64, usize),
        limits: &Limits,
    ) -> Result<bool, DecodeError> {
        let name_len = within(name_len, limits.field_name, Limit::FieldName)?;
        let name_start = self.at + name_len_width;
        let name_end = within_section(name_start, name_len, limits)?;
        let value_part = match section.get(name_end..) {
            Some(rest) => rest,
            None => {
                self.need = name_end.saturating_add(1);
                return Ok(false);
            }
        };
        let Some((value_len, value_len_width)) = decode_length(value_part) else {
            self.need = varint_end(section, name_end);
            return Ok(false);
        };
        let value_len = within(value_len, limits.field_value, Limit::FieldValue)?;
        let value_start = name_end + value_len_width;
        let value_end = within_section(value_start, value_len, limits)?;
        let Some(value) = section.get(value_start..value_end) else {
            self.need = value_end;
            return Ok(false);
        };
        let name = &section[name_start..name_end];

        self.count += 1;
        if self.count > limits.fields {
            return Err(DecodeError::Limit(Limit::Fields));
        }
        if name_len_width > 1 && name_len_width != narrowest(name_len)
            || value_len_width > 1 && value_len_width != narrowest(value_len)
        {
            self.uncanonical = true;
        }
        self.check_name(&section[name_start..], name_len)?;
        if !syntax::is_field_value(value) {
            return Err(DecodeError::FieldValue);
        }
        self.note(name, value, (value_start, value_end))?;
        self.at = value_end;
        Ok(true)
    }

    /// Checks the name that the first `length` bytes are.
    #[inline(always)]
    fn check_name(&mut self, bytes: &[u8], length: usize) -> Result<(), DecodeError> {
        let (token, length) = if is_pseudo_field(bytes) {
            self.check_pseudo_field(&bytes[..length])?;
            if length == 1 {
                return Err(DecodeError::FieldName);
            }
            (&bytes[1..], length - 1)
        } else {
            self.regular = true;
            (bytes, length)
        };
        let classes = syntax::name_classes_within(token, length);
        if classes & NOT_TOKEN != 0 {
            return Err(DecodeError::FieldName);
        }
        if classes & UPPER != 0 {
            self.uncanonical = true;
        }
        Ok(())
    }

    #[cold]
    fn check_pseudo_field(&mut self, name: &[u8]) -> Result<(), DecodeError> {
        if is_forbidden_pseudo_field(name) {
            return Err(DecodeError::ForbiddenPseudoField);
        }
        if self.regular || self.trailer {
            return Err(DecodeError::MisplacedPseudoField);
        }
        self.protocol |= name.eq_ignore_ascii_case(b":protocol");
        Ok(())
    }

    /// Keeps what the checks of the whole message need; most names are sorted out by their length.
    #[inline(always)]
    fn note(&mut self, name: &[u8], value: &[u8], at: (usize, usize)) -> Result<(), DecodeError> {
        match name.len() {
            4 if !self.trailer && self.is(name, b"host") => {
                self.hosts += 1;
                self.host = at;
            }
            14 if !self.trailer && self.is(name, b"content-length") => {
                // RFC 9110 §8.6: repeated values are rejected or merged. Merging would help no one.
                let length = syntax::content_length(value);
                if length.is_none() || self.content_length.is_some() {
                    return Err(DecodeError::InvalidContentLength);
                }
                self.content_length = length;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether a name that was checked is this one, in any letter case.
    #[inline(always)]
    fn is(&self, name: &[u8], lower: &[u8]) -> bool {
        name == lower || self.uncanonical && name.eq_ignore_ascii_case(lower)
    }
}

/// Where a varint that begins at `at` ends, as far as can be told.
fn varint_end(section: &[u8], at: usize) -> usize {
    at + section.get(at).map_or(1, |&first| VarInt::len_from_first_byte(first))
}

/// The width of the shortest encoding of a length.
#[inline]
fn narrowest(length: usize) -> usize {
    crate::fields::length_varint(length).encoded_len()
}

/// A claimed length, if the limit allows it.
#[inline]
fn within(claimed: u64, limit: usize, name: Limit) -> Result<usize, DecodeError> {
    match usize::try_from(claimed) {
        Ok(length) if length <= limit => Ok(length),
        _ => Err(DecodeError::Limit(name)),
    }
}

#[inline]
fn within_section(start: usize, length: usize, limits: &Limits) -> Result<usize, DecodeError> {
    match limits.field_section.checked_sub(start) {
        Some(left) if length <= left => Ok(start + length),
        _ => Err(DecodeError::Limit(Limit::FieldSection)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(section: &[u8]) -> Result<Scan, DecodeError> {
        let mut scan = Scan::HEADER;
        let terminator = scan.lines(section, &Limits::default())?;
        assert_eq!((terminator, scan.at), (None, section.len()));
        Ok(scan)
    }

    fn walk_within(section: &[u8], limits: &Limits) -> Result<Scan, DecodeError> {
        let mut scan = Scan::HEADER;
        match scan.lines(section, limits)? {
            Some(_) => Err(DecodeError::EmptyFieldName),
            None if scan.at < section.len() => Err(DecodeError::FieldOverrun),
            None => Ok(Scan { need: 0, ..scan }),
        }
    }

    #[test]
    fn notes_what_the_message_is_checked_against() {
        let scan = walk(b"\x09:protocol\x01a\x04HOST\x01b\x0econtent-length\x012").unwrap();
        assert_eq!((scan.count, scan.hosts, scan.content_length), (3, 1, Some(2)));
        assert!(scan.protocol && scan.uncanonical);
        assert_eq!(scan.host, (18, 19));
    }

    /// What `plain` accepts the walk line by line accepts, with the same outcome: for every value
    /// of every byte of a section, and each limit at and below what the section needs.
    #[test]
    fn a_plain_section_is_what_its_lines_are() {
        let section = [
            &b"\x04host\x01a\x0econtent-length\x0212\x09x-a.b-123\x00\x20"[..],
            &[b'a'; 0x20],
            b"\x1f",
            &[b'b'; 0x1f],
            b"\x01c",
            &[0x40, 0x45],
            &[0xff; 0x45],
            b"\x01d",
            &[0x41, 0x05],
            &[b'!'; 0x105],
        ]
        .concat();
        let limits = Limits::default();
        let check = |section: &[u8], limits: &Limits| {
            let mut plain = Scan::HEADER;
            let accepted = plain.plain(section, limits);
            let by_line = walk_within(section, limits);
            assert!(!accepted || by_line == Ok(plain), "{section:?}");
            accepted
        };
        assert!(check(&section, &limits));
        let mut accepted = 0;
        for at in 0..section.len() {
            for byte in 0..=u8::MAX {
                let mut section = section.clone();
                section[at] = byte;
                accepted += usize::from(check(&section, &limits));
            }
            check(&section[..at], &limits);
        }
        assert!(accepted > section.len() * 20, "{accepted}");
        for (fields, field_name, field_value, enough) in [
            (6, 0x20, 0x105, true),
            (5, 0x20, 0x105, false),
            (6, 0x1f, 0x105, false),
            (6, 0x20, 0x104, false),
        ] {
            let limits = Limits { fields, field_name, field_value, ..limits };
            assert_eq!(check(&section, &limits), enough);
            assert_eq!(walk_within(&section, &limits).is_ok(), enough);
        }
    }

    #[test]
    fn says_how_many_bytes_it_needs() {
        let section = b"\x40\x01a\x40\x02bc";
        for (given, need) in [(0, 1), (1, 2), (2, 4), (3, 4), (4, 5), (5, 7), (6, 7)] {
            let mut scan = Scan::HEADER;
            assert_eq!(scan.lines(&section[..given], &Limits::default()), Ok(None));
            assert_eq!((scan.at, scan.need), (0, need), "{given} bytes");
        }
        let mut scan = Scan::HEADER;
        assert_eq!(scan.lines(section, &Limits::default()), Ok(None));
        assert_eq!((scan.at, scan.need, scan.count), (7, 8, 1));
        assert!(scan.uncanonical, "the lengths are longer than needed");
    }

    /// RFC 9292 §3.6.
    #[test]
    fn checks_names_and_values() {
        for (section, error) in [
            (&b"\x03a b\x00"[..], DecodeError::FieldName),
            (b"\x01:\x00", DecodeError::FieldName),
            (b"\x03:\r\n\x00", DecodeError::FieldName),
            (b"\x01\xff\x00", DecodeError::FieldName),
            (b"\x01a\x02b\n", DecodeError::FieldValue),
            (b"\x01a\x02 b", DecodeError::FieldValue),
            (b"\x07:Method\x03GET", DecodeError::ForbiddenPseudoField),
            (b"\x01a\x00\x02:b\x00", DecodeError::MisplacedPseudoField),
            (b"\x0econtent-length\x01x", DecodeError::InvalidContentLength),
        ] {
            assert_eq!(walk(section).unwrap_err(), error, "{section:?}");
        }
    }
}
