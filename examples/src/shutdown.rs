//! A shutdown that nobody should notice: first the server says that it will stop, then it stops.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{HeaderValue, Request, Response, Version, header};
use tower::util::ServiceExt;
use tower::{Service, service_fn};

/// Is ready when the program is asked to end, by ctrl-c or SIGTERM.
pub async fn requested() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => _ = signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}

/// Whether the program is about to end.
#[derive(Clone, Debug, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// Waits until the program is asked to end; says from then on that it will, and is ready after
    /// `lame_duck`, by when load balancers and clients have noticed.
    pub async fn requested(self, lame_duck: Duration) {
        requested().await;
        tracing::info!("asked to end: draining");
        self.0.store(true, Ordering::Relaxed);
        tokio::time::sleep(lame_duck).await;
    }

    /// Whether that has begun.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Tells HTTP/1 clients, with each answer while this is so, that the server will not be there
    /// much longer. Were connections just closed, a request that is on its way would be lost.
    /// HTTP/2 has a way of its own.
    pub fn announced<S, A, B>(
        self,
        service: S,
    ) -> impl Service<Request<A>, Response = Response<B>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static
    where
        S: Service<Request<A>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send,
        A: Send + 'static,
        B: 'static,
    {
        service_fn(move |request: Request<A>| {
            let (service, draining) = (service.clone(), self.clone());
            async move {
                let http1 = request.version() <= Version::HTTP_11;
                let mut response = service.oneshot(request).await?;
                if http1 && draining.has_begun() {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(header::CONNECTION, close);
                }
                Ok(response)
            }
        })
    }
}
