//! The HTTP client reqwest, as a tower service.

use std::{
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use oblivious_service::BoxError;
use reqwest::{ClientBuilder, redirect, retry};
use tower_service::Service;

use crate::erased::{AnyBody, Erased};

/// The HTTP client reqwest, to post to the relay and fetch keys: it follows no redirects, sends
/// nothing twice, sends no `Referer`, and streams both ways.
///
/// What else it tells a server depends on the builder: give it no cookies, and no `User-Agent` that
/// differs between users. Features of reqwest that decompress responses add an `Accept-Encoding`.
///
/// ```no_run
/// use oblivious_client::{ReqwestClient, UrlKeys};
///
/// let http_client = ReqwestClient::new(reqwest::Client::builder())?;
/// let keys = UrlKeys::new("https://gateway.example/ohttp-keys".parse()?, http_client)?;
/// # let _ = keys;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ReqwestClient {
    client: reqwest::Client,
}

impl ReqwestClient {
    /// A client with these settings, apart from redirects, retries and the `Referer`.
    ///
    /// # Errors
    /// If reqwest cannot be set up like this.
    pub fn new(builder: ClientBuilder) -> Result<Self, reqwest::Error> {
        // RFC 9458 §6.5: a repeated request may be processed twice.
        let builder = builder.redirect(redirect::Policy::none()).retry(retry::never());
        Ok(Self { client: builder.referer(false).build()? })
    }
}

impl<B> Service<Request<B>> for ReqwestClient
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<reqwest::Body>;
    type Error = reqwest::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, reqwest::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), reqwest::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let client = self.client.clone();
        let request = request.map(|body| reqwest::Body::wrap(Shareable::new(body)));
        Box::pin(async move { Ok(client.execute(request.try_into()?).await?.into()) })
    }
}

/// A body that can be shared among threads, as reqwest requires. The lock is never contended.
struct Shareable(Mutex<AnyBody>);

impl Shareable {
    fn new<B>(body: B) -> Self
    where
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Mutex::new(Box::pin(Erased::new(body))))
    }
}

impl Body for Shareable {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let body = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        body.as_mut().poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
