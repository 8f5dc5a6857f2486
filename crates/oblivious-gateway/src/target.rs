//! The target: the service that a gateway asks, and what is the same each time it is asked.

use std::future::poll_fn;

use http::{HeaderMap, HeaderValue, Request, Response, header::CONTENT_LENGTH};
use oblivious_bhttp::{Content, Informational};
use oblivious_service::{BoxError, CollectError, SendBody, collect};
use tower_service::Service;

use crate::{GatewayBody, InformationalSender, TargetError, config::Config, refusal::InnerRefusal};

/// The service that a [`Gateway`](crate::Gateway) asks: an application's own router, or a client
/// that forwards.
///
/// A shorthand for these bounds: every service from `http::Request<GatewayBody>` to
/// `http::Response<B>` implements it if it is `Clone` and `Send`, and its futures and `B` are
/// `Send`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the target of a gateway",
    note = "a target is a tower service from `http::Request<GatewayBody>` to `http::Response<B>`, \
            where `B` is an HTTP body",
    note = "it must be `Clone + Send + 'static`, its futures `Send`, and its errors must be \
            convertible into `BoxError`"
)]
pub trait Target:
    Service<
        Request<GatewayBody>,
        Response = Response<Self::Body>,
        Error: Into<BoxError>,
        Future: Send,
    > + Clone
    + Send
    + 'static
{
    /// The body of its responses.
    type Body: SendBody;
}

impl<S, B> Target for S
where
    S: Service<Request<GatewayBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: SendBody,
{
    type Body = B;
}

/// Calls the target as soon as it is ready, and waits for the head of its answer.
///
/// The fields that concern a connection are still there. The encoder leaves them out: without
/// `connection` it would not know what to leave out of the trailers.
pub(crate) async fn call<T: Target>(
    mut target: T,
    request: Request<GatewayBody>,
) -> Result<Response<T::Body>, InnerRefusal> {
    // The error's own text may name the target, which must not get into a log or an answer.
    let failed = |error: T::Error| InnerRefusal::Target(TargetError::of(&*error.into()));
    poll_fn(|cx| target.poll_ready(cx)).await.map_err(failed)?;
    let mut response = target.call(request).await.map_err(failed)?;
    if response.status().is_informational() {
        return Err(InnerRefusal::Target(TargetError::InvalidResponse));
    }
    join_content_lengths(response.headers_mut());
    // What a service leaves here for others in the same process does not belong on the wire.
    response.extensions_mut().clear();
    Ok(response)
}

/// Calls the target and reads its whole answer, within the time limit.
pub(crate) async fn call_for_whole<T: Target>(
    config: &Config,
    target: T,
    mut request: Request<GatewayBody>,
) -> Result<Response<Content>, InnerRefusal> {
    let informational = InformationalSender::default();
    request.extensions_mut().insert(informational.clone());
    let asking = async {
        let (parts, body) = call(target, request).await?.into_parts();
        let content = collect(body, config.response_limit).await.map_err(|error| match error {
            CollectError::TooLarge { .. } => InnerRefusal::TargetTooLarge,
            error => InnerRefusal::Target(TargetError::of(&error)),
        })?;
        Ok::<_, InnerRefusal>(Response::from_parts(parts, content))
    };
    let mut response = match &config.target_timeout {
        Some(timeout) => timeout.run(asking).await.map_err(|_| InnerRefusal::TargetTooSlow)??,
        None => asking.await?,
    };
    let informational = informational.take();
    if !informational.is_empty() {
        response.extensions_mut().insert(Informational(informational));
    }
    Ok(response)
}

/// Merges lengths that are all the same into one field, as RFC 9110 §8.6 allows. Others stay as
/// they are, and the encoder refuses them.
fn join_content_lengths(headers: &mut HeaderMap) {
    let joined = {
        let mut lengths = headers
            .get_all(CONTENT_LENGTH)
            .iter()
            .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
            .map(<[u8]>::trim_ascii);
        let first = lengths.next();
        let mut repeated = false;
        let mut all_equal = true;
        for length in lengths {
            repeated = true;
            all_equal &= Some(length) == first;
        }
        first
            .filter(|_| repeated && all_equal)
            .and_then(|first| HeaderValue::from_bytes(first).ok())
    };
    if let Some(length) = joined {
        headers.insert(CONTENT_LENGTH, length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9110 §8.6
    #[test]
    fn lengths_that_are_all_the_same_are_one() {
        let joined = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_LENGTH, HeaderValue::from_static(value));
            }
            join_content_lengths(&mut headers);
            let left = headers.get_all(CONTENT_LENGTH).iter();
            left.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(joined(&["3"]), ["3"]);
        assert_eq!(joined(&["3", "3"]), ["3"]);
        assert_eq!(joined(&["3 ,\t3", "3"]), ["3"]);
        assert_eq!(joined(&["3, 4"]), ["3, 4"]);
        assert_eq!(joined(&["3", "4"]), ["3", "4"]);
        assert_eq!(joined(&["3", "03"]), ["3", "03"]);
        assert!(joined(&[]).is_empty());
    }
}
