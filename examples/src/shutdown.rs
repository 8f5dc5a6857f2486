//! A shutdown that nobody should notice: first the server says that it will stop, then it stops.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderValue, Request, Response, Version, header};
use pin_project_lite::pin_project;
use tower_service::Service;

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

    /// Tells HTTP/1 clients, with each answer of `service` while this is so, that the server will
    /// not be there much longer. Were connections just closed, a request that is on its way would be
    /// lost. HTTP/2 has a way of its own.
    pub fn announced<S>(self, service: S) -> Announced<S> {
        Announced { draining: self, service }
    }
}

/// A service that says when the program is about to end: see [`Draining::announced`].
#[derive(Clone, Debug)]
pub struct Announced<S> {
    draining: Draining,
    service: S,
}

impl<S, A, B> Service<Request<A>> for Announced<S>
where
    S: Service<Request<A>, Response = Response<B>, Error = Infallible>,
{
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Announcing<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let http1 = request.version() <= Version::HTTP_11;
        Announcing {
            draining: http1.then(|| self.draining.clone()),
            answer: self.service.call(request),
        }
    }
}

pin_project! {
    /// The answer to come.
    pub struct Announcing<F> {
        #[pin]
        answer: F,
        draining: Option<Draining>,
    }
}

impl<F, B> Future for Announcing<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut answer = ready!(this.answer.poll(cx));
        let ends = this.draining.as_ref().is_some_and(Draining::has_begun);
        if let Ok(response) = &mut answer
            && ends
        {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        Poll::Ready(answer)
    }
}
