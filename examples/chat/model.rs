//! The target: a stand-in for a language model, which takes as long to answer.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use futures::stream::{self, Stream};

use crate::events;

/// How long the model takes to begin.
const THINKING: Duration = Duration::from_millis(50);
/// How long it takes for each token.
const TOKEN: Duration = Duration::from_millis(20);

/// When the last token was written.
#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Option<Instant>>>);

impl Written {
    pub(crate) fn last(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

pub(crate) fn router(written: Written) -> Router {
    Router::new()
        .route("/ready", get(|| async { "ready" }))
        .route("/chat", post(chat))
        .with_state(written)
}

async fn chat(
    State(written): State<Written>,
    prompt: Bytes,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let tokens = tokens(&prompt).into_iter().enumerate();
    let events = stream::unfold((tokens, written), |(mut tokens, written)| async {
        let (place, token) = tokens.next()?;
        tokio::time::sleep(if place == 0 { THINKING } else { TOKEN }).await;
        written.note();
        Some((Ok(Event::default().data(token)), (tokens, written)))
    });
    Sse::new(events)
}

/// The data of all events of an answer.
fn tokens(prompt: &[u8]) -> Vec<String> {
    let length = prompt.len();
    let answer = format!(
        "I got a prompt of {length} bytes from a gateway. It does not know who you are, and so \
         neither do I. Your relay knows, and saw nothing but sealed bytes. Do not sign your prompt."
    );
    let tokens = answer.split_inclusive(' ').map(events::data);
    tokens.chain([events::END.to_owned()]).collect()
}
