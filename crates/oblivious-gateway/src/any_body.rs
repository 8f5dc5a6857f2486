//! The bodies that streams are made from.

use bytes::{Buf, Bytes};
use http_body::Body;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use oblivious_service::BoxError;

/// A body of any type: the bodies that a stream is made from outlive the call that received them.
pub(crate) type AnyBody = UnsyncBoxBody<Bytes, BoxError>;

pub(crate) fn any_body<B>(body: B) -> AnyBody
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    body.map_frame(|frame| {
        frame.map_data(|mut data| {
            let length = data.remaining();
            data.copy_to_bytes(length)
        })
    })
    .map_err(Into::into)
    .boxed_unsync()
}
