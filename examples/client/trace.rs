//! What `-v` shows of a message's journey, and what `-w` can name: sizes, statuses, which key.
//! Never what is inside, except for what the caller prints itself.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body::{Body, Frame, SizeHint};
use oblivious_http::client::{Demand, Fetching, KeyDigest, KeySource, OuterBody};
use oblivious_http::hpke::RequestHeader;
use oblivious_http::keys::KeyConfigList;
use oblivious_http::service::media_type;
use tower_service::Service;

/// What has happened so far.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    is_verbose: bool,
    sealed: AtomicU64,
    received: AtomicU64,
    header: OnceLock<RequestHeader>,
    relay_status: OnceLock<StatusCode>,
}

impl Trace {
    pub(crate) fn new(is_verbose: bool) -> Arc<Self> {
        Arc::new(Self { is_verbose, ..Self::default() })
    }

    /// Says something on stderr, if that is wanted.
    pub(crate) fn say(&self, what: fmt::Arguments<'_>) {
        if self.is_verbose {
            eprintln!("* {what}");
        }
    }

    pub(crate) fn is_verbose(&self) -> bool {
        self.is_verbose
    }

    /// Bytes sent to the relay.
    pub(crate) fn sealed(&self) -> u64 {
        self.sealed.load(Ordering::Relaxed)
    }

    /// Bytes that came from the relay.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// The key and suite in use.
    pub(crate) fn header(&self) -> Option<RequestHeader> {
        self.header.get().copied()
    }

    /// The status of the relay's response.
    pub(crate) fn relay_status(&self) -> Option<StatusCode> {
        self.relay_status.get().copied()
    }

    fn note_sent(&self, bytes: &Bytes) {
        self.sealed.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        // What is sent begins with the key's id and the algorithms (RFC 9458 §4.3).
        if let (None, Some(header)) = (self.header.get(), RequestHeader::decode(bytes)) {
            let RequestHeader { key_id, kem, suite, .. } = header;
            self.say(format_args!("sealed to key {key_id}: {kem}, {suite}"));
            let _ = self.header.set(header);
        }
    }

    fn note_answer<B>(&self, response: &Response<B>) {
        let status = response.status();
        let kind = media_type(response.headers()).map_or("another type", |kind| kind.as_str());
        self.say(format_args!("the relay answered: {status}, {kind}"));
        let _ = self.relay_status.set(status);
    }
}

/// A source of keys that says what it got.
pub(crate) struct TracedKeys {
    source: Box<dyn KeySource>,
    trace: Arc<Trace>,
}

impl TracedKeys {
    pub(crate) fn new(source: Box<dyn KeySource>, trace: &Arc<Trace>) -> Self {
        Self { source, trace: Arc::clone(trace) }
    }
}

impl KeySource for TracedKeys {
    fn name(&self) -> String {
        self.source.name()
    }

    fn fetch(&self, demand: Demand) -> Fetching<'_> {
        Box::pin(async move {
            let fetched = self.source.fetch(demand).await?;
            if self.trace.is_verbose {
                let configs = KeyConfigList::decode(&fetched.list)
                    .map_or(0, |list| list.configs().len() + list.skipped().len());
                self.trace.say(format_args!(
                    "keys from {}: {configs} configurations in {} bytes, SHA-256 {}",
                    self.name(),
                    fetched.list.len(),
                    KeyDigest::of(&fetched.list)
                ));
            }
            Ok(fetched)
        })
    }

    fn is_independent_of(&self, relay: &Uri) -> bool {
        self.source.is_independent_of(relay)
    }
}

/// An HTTP client, watched.
#[derive(Clone)]
pub(crate) struct Watched<S> {
    http_client: S,
    trace: Arc<Trace>,
}

impl<S> Watched<S> {
    pub(crate) fn new(http_client: S, trace: &Arc<Trace>) -> Self {
        Self { http_client, trace: Arc::clone(trace) }
    }
}

impl<S, R> Service<Request<OuterBody>> for Watched<S>
where
    S: Service<Request<Counted<OuterBody>>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<Counted<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.http_client.poll_ready(cx)
    }

    fn call(&mut self, request: Request<OuterBody>) -> Self::Future {
        let trace = Arc::clone(&self.trace);
        match request.body().size_hint().exact() {
            Some(bytes) => trace.say(format_args!("POST to {}: {bytes} bytes", request.uri())),
            None => trace.say(format_args!("POST to {}: in chunks", request.uri())),
        }
        let count = Trace::note_sent;
        let request = request.map(|body| Counted { body, trace: Arc::clone(&trace), count });
        let answering = self.http_client.call(request);
        Box::pin(async move {
            let response = answering.await?;
            trace.note_answer(&response);
            let count = |trace: &Trace, bytes: &Bytes| {
                trace.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            };
            Ok(response.map(|body| Counted { body, trace, count }))
        })
    }
}

/// A body whose bytes are counted.
pub(crate) struct Counted<B> {
    body: B,
    trace: Arc<Trace>,
    count: fn(&Trace, &Bytes),
}

impl<B: Body<Data = Bytes> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(bytes) = frame.data_ref()
        {
            (self.count)(&self.trace, bytes);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
