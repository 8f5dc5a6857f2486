//! What the bytes of a fuzzer mean.

use std::borrow::Cow;

use bytes::Bytes;
use oblivious_bhttp::{DecodeError, DecodeOptions, Padding, Request, Response};

/// A message, how to decode it, and what to do with it then.
///
/// ```text
/// kind and options (1) ‖ [limits (8)] ‖ knobs (2) ‖ message
/// ```
pub(super) struct Case {
    pub(super) kind: Kind,
    pub(super) options: DecodeOptions,
    pub(super) padding: Padding,
    /// A number for whatever else there is to choose.
    pub(super) knob: u16,
    pub(super) message: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    /// The response to a request with this method.
    Response(&'static str),
    Any,
}

/// A decoded message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    Request(Request),
    Response(Response),
}

impl Case {
    /// Any bytes are a case, as long as there are enough of them.
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let (&flags, mut rest) = data.split_first()?;
        let mut options = DecodeOptions::default();
        options.accept_repeated_framing = flags & 4 != 0;
        options.accept_nonzero_padding = flags & 8 != 0;
        if flags & 16 != 0 {
            let (limits, behind) = rest.split_first_chunk::<8>()?;
            let [control, section, fields, name, value, informational, content, padding] =
                limits.map(usize::from);
            options.limits.control_data = control;
            options.limits.field_section = 4 * section;
            options.limits.fields = fields % 16;
            options.limits.field_name = name;
            options.limits.field_value = value;
            options.limits.informational = informational % 4;
            options.limits.content = Some(4 * content as u64);
            options.limits.padding = padding as u64;
            rest = behind;
        }
        let (knob, message) = rest.split_first_chunk::<2>()?;
        let knob = u16::from_le_bytes(*knob);
        Some(Self {
            kind: match flags & 3 {
                0 => Kind::Request,
                1 => Kind::Response("GET"),
                2 => Kind::Response("HEAD"),
                _ => Kind::Any,
            },
            options,
            padding: match flags >> 6 {
                0 => Padding::None,
                1 => Padding::ToMultiple(knob.into()),
                2 => Padding::Buckets(Cow::Owned(vec![64, usize::from(knob), 1024])),
                _ => Padding::ToExact(knob.into()),
            },
            knob,
            message: Bytes::copy_from_slice(message),
        })
    }

    /// The method that a response answers. A message of either kind is decoded as a response
    /// to GET, if it is one.
    pub(super) fn request_method(&self) -> &'static str {
        match self.kind {
            Kind::Response(method) => method,
            Kind::Request | Kind::Any => "GET",
        }
    }

    /// Whether the message is taken for a request; otherwise it is for a response.
    pub(super) fn is_request(&self) -> bool {
        match self.kind {
            Kind::Request => true,
            Kind::Response(_) => false,
            Kind::Any => self.message.first().is_none_or(|indicator| indicator % 2 == 0),
        }
    }

    /// Decodes the message at once.
    pub(super) fn decode(&self) -> Result<Message, DecodeError> {
        self.decode_other(self.message.clone(), &self.options)
    }

    /// Decodes another message of the same kind.
    pub(super) fn decode_other(
        &self,
        message: Bytes,
        options: &DecodeOptions,
    ) -> Result<Message, DecodeError> {
        if self.is_request() {
            return Request::decode_with(message, options).map(Message::Request);
        }
        Response::decode_with(message, self.request_method(), options).map(Message::Response)
    }
}
