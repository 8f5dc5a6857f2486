//! Tokens as events of a stream (`text/event-stream`): written by the model, read by the client.

use bytes::Buf;
use serde::{Deserialize, Serialize};

/// Each event is as long as this, in bytes. Without that, anybody who sees how long the sealed
/// pieces are can guess the words.
const LENGTH: usize = 64;

#[derive(Serialize, Deserialize)]
struct Event<'a> {
    token: std::borrow::Cow<'a, str>,
    padding: std::borrow::Cow<'a, str>,
}

/// The data of the event that holds a token.
pub(crate) fn data(token: &str) -> String {
    let event = |padding: &str| {
        let event = Event { token: token.into(), padding: padding.into() };
        serde_json::to_string(&event).expect("strings are JSON")
    };
    let missing = LENGTH.saturating_sub(event("").len());
    event(&"-".repeat(missing))
}

/// The data of the event that ends the stream.
pub(crate) const END: &str = "[DONE]";

/// Reads tokens from a stream.
#[derive(Default)]
pub(crate) struct Tokens {
    unread: Vec<u8>,
    complete: bool,
}

impl Tokens {
    /// The tokens that are complete with this piece of the stream.
    pub(crate) fn read(&mut self, mut piece: impl Buf) -> anyhow::Result<Vec<String>> {
        while piece.has_remaining() {
            let chunk = piece.chunk();
            self.unread.extend_from_slice(chunk);
            piece.advance(chunk.len());
        }
        let mut tokens = Vec::new();
        while let Some(end) = self.unread.windows(2).position(|two| two == b"\n\n") {
            let event: Vec<u8> = self.unread.drain(..end + 2).collect();
            // Those without data are comments, which keep the connection open.
            let Some(data) = event.strip_prefix(b"data: ") else { continue };
            if data.trim_ascii() == END.as_bytes() {
                self.complete = true;
            } else {
                tokens.push(serde_json::from_slice::<Event<'_>>(data)?.token.into_owned());
            }
        }
        Ok(tokens)
    }

    /// Whether the end has come.
    pub(crate) fn are_complete(&self) -> bool {
        self.complete
    }
}
