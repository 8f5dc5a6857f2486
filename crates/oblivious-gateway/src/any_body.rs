//! Bodies that a stream is made of.

use bytes::{Buf, Bytes};
use http_body::Body;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use oblivious_service::BoxError;

/// A body of no particular type: those that a stream is made of outlive the call that got them.
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
