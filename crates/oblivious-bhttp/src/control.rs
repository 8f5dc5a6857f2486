//! The control data of requests, shared by the decoder and whole messages.

use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;

/// The parts of the control data (RFC 9292 §3.4), in one piece of memory: a message is shared
/// once for all of them.
#[derive(Clone, Default)]
pub(crate) struct ControlData {
    bytes: Bytes,
    /// Where method, scheme, authority and path lie.
    parts: Parts,
}

/// Start and end of method, scheme, authority and path.
pub(crate) type Parts = [(usize, usize); 4];

impl ControlData {
    /// Joins the parts: method, scheme, authority, path.
    pub(crate) fn join(parts: [&[u8]; 4]) -> Self {
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        let parts = parts.map(|part| {
            let start = bytes.len();
            bytes.extend_from_slice(part);
            (start, bytes.len())
        });
        Self { bytes: bytes.into(), parts }
    }

    /// Takes parts that were found within `bytes`. A scheme of the web becomes lower case
    /// (RFC 3986 §3.1).
    #[inline]
    pub(crate) fn found(bytes: Bytes, parts: Parts) -> Self {
        let control = Self { bytes, parts };
        let scheme = control.scheme();
        if matches!(scheme, b"https" | b"http") { control } else { control.with_web_scheme() }
    }

    #[cold]
    fn with_web_scheme(self) -> Self {
        let [method, scheme, authority, path] = self.parts();
        for web in [&b"https"[..], b"http"] {
            if scheme.eq_ignore_ascii_case(web) {
                return Self::join([method, web, authority, path]);
            }
        }
        self
    }

    #[inline]
    pub(crate) fn parts(&self) -> [&[u8]; 4] {
        [self.method(), self.scheme(), self.authority(), self.path()]
    }

    #[inline]
    pub(crate) fn method(&self) -> &[u8] {
        &self.bytes[self.range(0)]
    }

    #[inline]
    pub(crate) fn scheme(&self) -> &[u8] {
        &self.bytes[self.range(1)]
    }

    #[inline]
    pub(crate) fn authority(&self) -> &[u8] {
        &self.bytes[self.range(2)]
    }

    #[inline]
    pub(crate) fn path(&self) -> &[u8] {
        &self.bytes[self.range(3)]
    }

    /// Authority and path, sharing the memory.
    #[cfg(feature = "http")]
    pub(crate) fn into_target(self) -> (Bytes, Bytes) {
        let authority = self.bytes.slice(self.range(2));
        let path = self.range(3);
        let mut bytes = self.bytes;
        bytes.truncate(path.end);
        (authority, bytes.split_off(path.start))
    }

    #[inline]
    fn range(&self, part: usize) -> Range<usize> {
        let (start, end) = self.parts[part];
        start..end
    }
}

impl PartialEq for ControlData {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for ControlData {}

impl core::fmt::Debug for ControlData {
    /// Shows how long the parts are, never what they say.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ControlData({} bytes)", self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3986 §3.1: schemes ignore case, and those of the web come out in lower case.
    #[test]
    fn parts_are_the_same_wherever_they_lie() {
        let wire = Bytes::from_static(b"\x03GET\x05HTTPS\x01a\x02/b");
        let parts = [(1, 4), (5, 10), (11, 12), (13, 15)];
        let found = ControlData::found(wire.clone(), parts);
        assert_eq!(found, ControlData::join([b"GET", b"https", b"a", b"/b"]));
        let other = Bytes::from_static(b"\x03GET\x05CoaPs\x01a\x02/b");
        assert_eq!(ControlData::found(other, parts).scheme(), b"CoaPs");
        assert_ne!(found, ControlData::join([b"GET", b"https", b"a/", b"b"]));
    }

    /// A scheme that is already in lower case is not copied.
    #[test]
    fn parts_are_slices_of_the_message() {
        let wire = Bytes::from_static(b"\x03GET\x05https\x01a\x02/b");
        let found = ControlData::found(wire.clone(), [(1, 4), (5, 10), (11, 12), (13, 15)]);
        assert_eq!(found.method().as_ptr(), wire[1..].as_ptr());
        #[cfg(feature = "http")]
        {
            let (authority, path) = found.into_target();
            assert_eq!((authority.as_ptr(), &authority[..]), (wire[11..].as_ptr(), &b"a"[..]));
            assert_eq!((path.as_ptr(), &path[..]), (wire[13..].as_ptr(), &b"/b"[..]));
        }
    }

    #[test]
    fn debug_shows_no_bytes() {
        let shown = alloc::format!("{:?}", ControlData::join([b"GET", b"https", b"a", b"/x"]));
        assert_eq!(shown, "ControlData(11 bytes)");
    }
}
