//! Header and trailer sections.

use alloc::vec::Vec;
#[cfg(feature = "http")]
use core::ops::Range;

use bytes::{BufMut, Bytes};
use oblivious_wire::VarInt;

use crate::error::FieldError;
use crate::syntax::{self, UPPER};

/// The lines of a header or trailer section, in order (RFC 9292 §3.6).
///
/// All names are tokens in lower case, all values are valid, and pseudo-fields come first. Repeated
/// names stay separate lines.
///
/// The lines are kept as they are on the wire, checked, in their shortest form: decoding
/// takes a slice of the message and allocates nothing, encoding copies it, and two sections are
/// equal when their bytes are. (A message with upper-case names or lengths that are longer than
/// needed costs one copy.)
///
/// ```
/// use oblivious_bhttp::Fields;
///
/// let mut fields = Fields::new();
/// fields.push("Accept", "text/html")?;
/// fields.push("accept", "text/plain")?;
/// assert_eq!(fields.get("accept"), Some(&b"text/html"[..]));
/// assert_eq!(fields.get_all("accept").count(), 2);
/// assert!(fields.push("bad name", "").is_err());
/// # Ok::<(), oblivious_bhttp::FieldError>(())
/// ```
#[derive(Clone, Default)]
pub struct Fields {
    lines: Storage,
    count: usize,
}

#[derive(Clone)]
enum Storage {
    /// A slice of what was decoded.
    Shared(Bytes),
    /// What `push` is building.
    Owned(Vec<u8>),
}

/// One line of a section.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Field<'a> {
    /// The name, in lower case.
    pub name: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

impl Fields {
    /// A section without lines.
    pub const fn new() -> Self {
        Self { lines: Storage::Shared(Bytes::new()), count: 0 }
    }

    /// The number of lines.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no lines.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All lines in their order.
    #[inline]
    pub fn iter(&self) -> FieldIter<'_> {
        FieldIter { rest: self.as_bytes() }
    }

    /// The value of the first line with this name, whatever the case of its letters.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        self.iter().find(|field| field.name.eq_ignore_ascii_case(name.as_ref())).map(|it| it.value)
    }

    /// The values of all lines with this name, whatever the case of its letters, in their order.
    pub fn get_all<'a>(
        &'a self,
        name: &'a (impl AsRef<[u8]> + ?Sized),
    ) -> impl Iterator<Item = &'a [u8]> {
        let same = |field: &Field<'_>| field.name.eq_ignore_ascii_case(name.as_ref());
        self.iter().filter(same).map(|field| field.value)
    }

    /// Makes a section of these lines, names and values, in their order.
    ///
    /// There is no `FromIterator`, since not every name and value can be a line.
    ///
    /// # Errors
    /// Those of [`push`](Self::push), for the first line that has one.
    ///
    /// ```
    /// use oblivious_bhttp::{FieldError, Fields};
    ///
    /// let fields = Fields::try_from_iter([("accept", "text/html"), ("accept", "text/plain")])?;
    /// assert_eq!(fields.len(), 2);
    /// assert_eq!(Fields::try_from_iter([("a", "1\r\n")]), Err(FieldError::Value));
    /// # Ok::<(), FieldError>(())
    /// ```
    pub fn try_from_iter<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        lines: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, FieldError> {
        let mut fields = Self::new();
        fields.try_extend(lines)?;
        Ok(fields)
    }

    /// Adds lines, names and values, at the end.
    ///
    /// # Errors
    /// Those of [`push`](Self::push), for the first line that has one; those before it are added.
    pub fn try_extend<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        lines: impl IntoIterator<Item = (N, V)>,
    ) -> Result<(), FieldError> {
        lines.into_iter().try_for_each(|(name, value)| self.push(name, value))
    }

    /// Adds a line at the end, with its name in lower case.
    ///
    /// # Errors
    /// A [`FieldError`] if RFC 9292 §3.6 does not allow the line; nothing is added then.
    pub fn push(
        &mut self,
        name: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<(), FieldError> {
        let (name, value) = (name.as_ref(), value.as_ref());
        if let [b':', rest @ ..] = name {
            if !syntax::is_token(rest) {
                return Err(FieldError::Name);
            }
            if is_forbidden_pseudo_field(name) {
                return Err(FieldError::ForbiddenPseudoField);
            }
            if self.iter().last().is_some_and(|last| !is_pseudo_field(last.name)) {
                return Err(FieldError::MisplacedPseudoField);
            }
        } else if !syntax::is_token(name) {
            return Err(FieldError::Name);
        }
        if !syntax::is_field_value(value) {
            return Err(FieldError::Value);
        }
        let lines = self.owned();
        put_line(lines, name, value);
        self.count += 1;
        Ok(())
    }

    /// The lines as they are on the wire, without a length before or a terminator behind them.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.lines {
            Storage::Shared(lines) => lines,
            Storage::Owned(lines) => lines,
        }
    }

    /// Whether there are pseudo-fields: if so, the first line is one.
    pub(crate) fn has_pseudo_fields(&self) -> bool {
        self.iter().next().is_some_and(|field| is_pseudo_field(field.name))
    }

    /// Takes lines that the scanner has checked; `canonical` says that names are in lower case
    /// and lengths in their shortest form.
    pub(crate) fn from_scanned(lines: Bytes, count: usize, canonical: bool) -> Self {
        if canonical {
            return Self { lines: Storage::Shared(lines), count };
        }
        let mut rewritten = Vec::with_capacity(lines.len());
        for field in (FieldIter { rest: &lines }) {
            put_line(&mut rewritten, field.name, field.value);
        }
        Self { lines: Storage::Shared(rewritten.into()), count }
    }

    /// The lines as `Bytes`, to take slices from, with the ranges of each name and value.
    #[cfg(feature = "http")]
    pub(crate) fn into_shared(self) -> Bytes {
        match self.lines {
            Storage::Shared(lines) => lines,
            Storage::Owned(lines) => lines.into(),
        }
    }

    fn owned(&mut self) -> &mut Vec<u8> {
        if let Storage::Shared(lines) = &self.lines {
            let mut owned = Vec::with_capacity(lines.len() + ROOM);
            owned.extend_from_slice(lines);
            self.lines = Storage::Owned(owned);
        }
        match &mut self.lines {
            Storage::Owned(lines) => lines,
            Storage::Shared(_) => unreachable!("made owned above"),
        }
    }
}

/// A pseudo-field: its name begins with a colon (RFC 9292 §3.6).
#[inline]
pub(crate) fn is_pseudo_field(name: &[u8]) -> bool {
    name.first() == Some(&b':')
}

/// The pseudo-fields that the control data replaces (RFC 9292 §3.6).
pub(crate) fn is_forbidden_pseudo_field(name: &[u8]) -> bool {
    [&b":method"[..], b":scheme", b":authority", b":path", b":status"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

/// Where name and value of the line at `at` lie, if there is one that ends within `lines`.
#[cfg(feature = "http")]
#[inline]
pub(crate) fn line_at(lines: &[u8], at: usize) -> Option<(Range<usize>, Range<usize>)> {
    let name = prefixed_at(lines, at)?;
    let value = prefixed_at(lines, name.end)?;
    Some((name, value))
}

#[inline(always)]
fn split_prefixed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    if let [length @ 0..0x40, rest @ ..] = bytes {
        return rest.split_at_checked(usize::from(*length));
    }
    let (length, width) = decode_length(bytes)?;
    bytes[width..].split_at_checked(usize::try_from(length).ok()?)
}

#[cfg(feature = "http")]
#[inline]
fn prefixed_at(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let (length, width) = decode_length(bytes.get(at..)?)?;
    let start = at + width;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    (end <= bytes.len()).then_some(start..end)
}

/// Reads an integer; the lengths of names and values nearly always take one byte or two.
#[inline(always)]
pub(crate) fn decode_length(bytes: &[u8]) -> Option<(u64, usize)> {
    match *bytes {
        [only, ..] if only < 0x40 => Some((u64::from(only), 1)),
        [high, low, ..] if high < 0x80 => Some((u64::from(high & 0x3f) << 8 | u64::from(low), 2)),
        _ => VarInt::decode(bytes).map(|(value, width)| (value.get(), width)),
    }
}

/// The number of bytes of a line on the wire.
#[cfg(feature = "http")]
pub(crate) fn line_len(name: &[u8], value: &[u8]) -> usize {
    prefixed_len(name.len()) + prefixed_len(value.len())
}

/// The number of bytes of something with its length before it.
pub(crate) fn prefixed_len(length: usize) -> usize {
    length_varint(length).encoded_len() + length
}

/// Writes something with its length before it.
#[inline]
pub(crate) fn put_prefixed(out: &mut impl BufMut, bytes: &[u8]) {
    length_varint(bytes.len()).encode(out);
    out.put_slice(bytes);
}

/// The length of something in memory.
#[inline]
pub(crate) fn length_varint(length: usize) -> VarInt {
    // No object is larger than isize::MAX, but a 64-bit one is allowed a bit more than 62 here:
    // it cannot exist, and saturating keeps this free of a panic.
    VarInt::try_from(length).unwrap_or(VarInt::MAX)
}

/// How much is allocated when the first line is pushed: room for a few.
const ROOM: usize = 256;

fn put_line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    length_varint(name.len()).encode(out);
    let start = out.len();
    out.extend_from_slice(name);
    if syntax::name_classes(name) & UPPER != 0 {
        out[start..].make_ascii_lowercase();
    }
    put_prefixed(out, value);
}

impl Default for Storage {
    fn default() -> Self {
        Self::Shared(Bytes::new())
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Fields {}

impl core::fmt::Debug for Fields {
    /// Shows how much there is, never what.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Fields({} lines, {} bytes)", self.count, self.as_bytes().len())
    }
}

impl core::fmt::Debug for Field<'_> {
    /// Shows how much there is, never what.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Field({} bytes: {} bytes)", self.name.len(), self.value.len())
    }
}

impl<'a> IntoIterator for &'a Fields {
    type Item = Field<'a>;
    type IntoIter = FieldIter<'a>;

    fn into_iter(self) -> FieldIter<'a> {
        self.iter()
    }
}

/// The lines of [`Fields`], in their order.
#[derive(Clone)]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct FieldIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for FieldIter<'a> {
    type Item = Field<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<Field<'a>> {
        let (name, rest) = split_prefixed(self.rest)?;
        let (value, rest) = split_prefixed(rest)?;
        self.rest = rest;
        Some(Field { name, value })
    }
}

// Once no line can be read, nothing changes any more.
impl core::iter::FusedIterator for FieldIter<'_> {}

impl core::fmt::Debug for FieldIter<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "FieldIter({} bytes left)", self.rest.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9292 §3.6: names are lowered, order and number of lines stay.
    #[test]
    fn lines_keep_their_order_and_number() {
        let mut fields = Fields::new();
        fields.push(":protocol", "websocket").unwrap();
        fields.push("Set-Cookie", "a=1").unwrap();
        fields.push("x", "").unwrap();
        fields.push("set-cookie", [0xff, b'"']).unwrap();
        let lines: Vec<_> = fields.iter().map(|field| (field.name, field.value)).collect();
        assert_eq!(
            lines,
            [
                (&b":protocol"[..], &b"websocket"[..]),
                (b"set-cookie", b"a=1"),
                (b"x", b""),
                (b"set-cookie", b"\xff\""),
            ]
        );
        assert_eq!(fields.len(), 4);
        assert_eq!(fields.get("X"), Some(&b""[..]));
        assert_eq!(fields.get("y"), None);
        assert_eq!(fields.get_all("SET-COOKIE").count(), 2);
        assert!(fields.has_pseudo_fields());
    }

    /// RFC 9292 §3.6: what a field may not be is refused, and leaves no trace.
    #[test]
    fn invalid_fields_are_refused() {
        let mut fields = Fields::new();
        fields.push("a", "b").unwrap();
        let before = fields.clone();
        for (name, value, error) in [
            ("", "", FieldError::Name),
            ("a b", "", FieldError::Name),
            ("a:", "", FieldError::Name),
            (":", "", FieldError::Name),
            (":a b", "", FieldError::Name),
            ("a\r", "", FieldError::Name),
            ("a", "b\r\nc: d", FieldError::Value),
            ("a", " b", FieldError::Value),
            (":Path", "/", FieldError::ForbiddenPseudoField),
            (":status", "200", FieldError::ForbiddenPseudoField),
            (":protocol", "a", FieldError::MisplacedPseudoField),
        ] {
            assert_eq!(fields.push(name, value), Err(error), "{name:?}");
        }
        assert_eq!(fields, before);
    }

    /// A decoded section can be added to, without changing what it was decoded from.
    #[test]
    fn a_slice_of_a_message_becomes_its_own_when_pushed_to() {
        let message = Bytes::from_static(b"\x01a\x01b");
        let mut fields = Fields::from_scanned(message.clone(), 1, true);
        assert_eq!(fields.as_bytes().as_ptr(), message.as_ptr());
        fields.push("c", "d").unwrap();
        assert_eq!(fields.as_bytes(), b"\x01a\x01b\x01c\x01d");
    }

    #[test]
    fn debug_shows_no_bytes() {
        let mut fields = Fields::new();
        fields.push("secret-name", "secret-value").unwrap();
        let shown = alloc::format!("{fields:?} {:?} {:?}", fields.iter(), fields.iter().next());
        assert!(!shown.contains("secret"), "{shown}");
    }
}
