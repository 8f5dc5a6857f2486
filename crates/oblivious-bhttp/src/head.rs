//! The heads of messages, shared by the incremental codec and whole messages.

use crate::control::ControlData;
use crate::fields::Fields;

/// Control data and header section of a request (RFC 9292 §3.4, §3.6).
///
/// `Debug` shows how long the parts are, never what they say.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RequestHead {
    pub(crate) control: ControlData,
    /// The header section.
    pub fields: Fields,
}

impl RequestHead {
    /// A head without fields. Its parts are checked when it is encoded.
    pub fn new(
        method: impl AsRef<[u8]>,
        scheme: impl AsRef<[u8]>,
        authority: impl AsRef<[u8]>,
        path: impl AsRef<[u8]>,
    ) -> Self {
        let parts = [method.as_ref(), scheme.as_ref(), authority.as_ref(), path.as_ref()];
        Self { control: ControlData::join(parts), fields: Fields::new() }
    }

    /// The method, such as `GET`.
    #[inline]
    pub fn method(&self) -> &[u8] {
        self.control.method()
    }

    /// The scheme, such as `https`; empty for CONNECT.
    #[inline]
    pub fn scheme(&self) -> &[u8] {
        self.control.scheme()
    }

    /// The authority of the control data. May be empty, with a `host` field in its place: see
    /// [`effective_authority`](Self::effective_authority).
    #[inline]
    pub fn authority(&self) -> &[u8] {
        self.control.authority()
    }

    /// Path and query; empty for CONNECT.
    #[inline]
    pub fn path(&self) -> &[u8] {
        self.control.path()
    }

    /// What the request is addressed to: the authority of the control data, or else the `host`
    /// field (RFC 9292 §3.4, RFC 9113 §8.3.1). Decoding ensures that they agree.
    pub fn effective_authority(&self) -> Option<&[u8]> {
        if self.authority().is_empty() {
            return self.fields.get("host").filter(|host| !host.is_empty());
        }
        Some(self.authority())
    }
}

/// Control data and header section of a response, informational or final (RFC 9292 §3.5, §3.6).
///
/// `Debug` shows how long the parts are, never what they say.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// The header section.
    pub fields: Fields,
}

impl core::fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &self.method().len())
            .field("scheme", &self.scheme().len())
            .field("authority", &self.authority().len())
            .field("path", &self.path().len())
            .field("fields", &self.fields)
            .finish()
    }
}

impl core::fmt::Debug for ResponseHead {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ResponseHead")
            .field("status", &self.status)
            .field("fields", &self.fields)
            .finish()
    }
}
