//! The content of an HTTP/1.1 request, on its way from its connection to whoever reads it, who may
//! be in another task.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::request_body_error::RequestBodyError;

/// Makes the two ends of a content, of which `length` bytes will come if that is known.
pub(crate) fn incoming(length: Option<u64>) -> (Feed, Incoming) {
    let shared = Arc::<Mutex<Shared>>::default();
    (Feed(Arc::clone(&shared)), Incoming { shared, left: length, is_over: false })
}

/// The end at the connection.
pub(crate) struct Feed(Arc<Mutex<Shared>>);

/// The end at the reader.
pub(crate) struct Incoming {
    shared: Arc<Mutex<Shared>>,
    /// How many bytes the reader has not got yet.
    left: Option<u64>,
    is_over: bool,
}

/// What the reader does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Nothing, or it has not yet taken what was fed.
    #[default]
    None,
    /// It waits for more.
    More,
    /// It has gone.
    Dropped,
}

#[derive(Default)]
struct Shared {
    demand: Demand,
    piece: Option<Frame<Bytes>>,
    end: Option<Result<(), RequestBodyError>>,
    reader: Option<Waker>,
    feeder: Option<Waker>,
}

impl Feed {
    /// Looks at what the reader does. If it does something else, the task is woken, unless the
    /// reader is in the same task: so ask again whenever that has been polled.
    pub(crate) fn demand(&mut self, cx: &mut Context<'_>) -> Demand {
        let mut shared = lock(&self.0);
        remember(&mut shared.feeder, cx);
        shared.demand
    }

    /// Gives the reader what it waits for. Returns whether it is in this task, which then is to be
    /// polled again.
    pub(crate) fn give(&mut self, cx: &mut Context<'_>, piece: Frame<Bytes>) -> bool {
        let mut shared = lock(&self.0);
        shared.piece = Some(piece);
        shared.serve(Some(cx))
    }

    /// There is no more. Returns whether the reader waits for that in this task.
    pub(crate) fn end(self, cx: &mut Context<'_>, end: Result<(), RequestBodyError>) -> bool {
        let mut shared = lock(&self.0);
        shared.end = Some(end);
        shared.serve(Some(cx))
    }
}

/// Without an end the content has broken off.
impl Drop for Feed {
    fn drop(&mut self) {
        let mut shared = lock(&self.0);
        if shared.end.is_none() {
            let broken = io::Error::from(io::ErrorKind::UnexpectedEof);
            shared.end = Some(Err(RequestBodyError::BrokeOff(broken)));
            shared.serve(None);
        }
    }
}

impl Shared {
    /// Wakes a reader that waits, or returns true if it is in the task at hand.
    fn serve(&mut self, cx: Option<&mut Context<'_>>) -> bool {
        if self.demand != Demand::More {
            return false;
        }
        self.demand = Demand::None;
        let Some(reader) = &self.reader else { return false };
        let is_here = cx.is_some_and(|cx| reader.will_wake(cx.waker()));
        if !is_here {
            reader.wake_by_ref();
        }
        is_here
    }

    fn ask(&mut self, demand: Demand, cx: Option<&mut Context<'_>>) {
        self.demand = demand;
        if let Some(feeder) = &self.feeder
            && !cx.is_some_and(|cx| feeder.will_wake(cx.waker()))
        {
            feeder.wake_by_ref();
        }
    }
}

impl Incoming {
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let mut shared = lock(&self.shared);
        if let Some(piece) = shared.piece.take() {
            if let (Some(left), Some(data)) = (&mut self.left, piece.data_ref()) {
                // `usize` has at most 64 bits on every platform that Rust supports.
                *left = left.saturating_sub(data.len() as u64);
            }
            return Poll::Ready(Some(Ok(piece)));
        }
        if let Some(end) = shared.end.take() {
            self.is_over = true;
            return Poll::Ready(end.err().map(Err));
        }
        remember(&mut shared.reader, cx);
        shared.ask(Demand::More, Some(cx));
        Poll::Pending
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.is_over || self.left == Some(0)
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        let is_over = shared.end.is_some() || self.is_over;
        shared.piece = None;
        if is_over {
            shared.demand = Demand::Dropped;
        } else {
            shared.ask(Demand::Dropped, None);
        }
    }
}

fn remember(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // Wakers do not panic, and nothing else runs under the lock.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{Duration, timeout};

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    async fn read_all(mut reader: Incoming) -> Result<Vec<u8>, RequestBodyError> {
        let mut content = Vec::new();
        while let Some(frame) = poll_fn(|cx| reader.poll_frame(cx)).await {
            content.extend_from_slice(&frame?.into_data().unwrap_or_default());
        }
        assert!(reader.is_end_stream());
        Ok(content)
    }

    /// Waits until the reader does this.
    async fn awaits(feed: &mut Feed, demand: Demand) {
        let asked = poll_fn(|cx| match feed.demand(cx) {
            asked if asked == demand => Poll::Ready(()),
            _ => Poll::Pending,
        });
        timeout(LONG, asked).await.unwrap();
    }

    #[tokio::test]
    async fn a_reader_elsewhere_gets_what_it_asks_for() {
        let (mut feed, reader) = incoming(Some(6));
        assert_eq!(reader.size_hint().exact(), Some(6));
        let reading = tokio::spawn(read_all(reader));
        for part in ["abc", "def"] {
            awaits(&mut feed, Demand::More).await;
            let is_here = poll_fn(|cx| Poll::Ready(feed.give(cx, Frame::data(part.into())))).await;
            assert!(!is_here);
        }
        poll_fn(|cx| {
            let (unused, _) = incoming(None);
            Poll::Ready(std::mem::replace(&mut feed, unused).end(cx, Ok(())))
        })
        .await;
        assert_eq!(timeout(LONG, reading).await.unwrap().unwrap().unwrap(), b"abcdef");
    }

    #[tokio::test]
    async fn a_reader_in_the_same_task_is_not_woken_but_polled() {
        let (mut feed, mut reader) = incoming(None);
        poll_fn(|cx| {
            assert_eq!(feed.demand(cx), Demand::None);
            assert!(reader.poll_frame(cx).is_pending());
            assert_eq!(feed.demand(cx), Demand::More);
            assert!(feed.give(cx, Frame::data("abc".into())));
            assert_eq!(feed.demand(cx), Demand::None, "one piece at a time");
            assert!(matches!(reader.poll_frame(cx), Poll::Ready(Some(Ok(_)))));
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test]
    async fn either_end_notices_when_the_other_goes() {
        let (feed, reader) = incoming(None);
        let reading = tokio::spawn(read_all(reader));
        tokio::task::yield_now().await;
        drop(feed);
        let broken = timeout(LONG, reading).await.unwrap().unwrap();
        assert!(matches!(broken, Err(RequestBodyError::BrokeOff(_))));

        let (mut feed, reader) = incoming(None);
        let dropping = tokio::spawn(async move {
            tokio::task::yield_now().await;
            drop(reader);
        });
        awaits(&mut feed, Demand::Dropped).await;
        dropping.await.unwrap();
    }
}
