//! An answer in chunks, sealed while it is made.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::Response;
use http_body::Body;
use oblivious_bhttp::{Content, EncodedBody, Padding, ResponseEncoder};
use oblivious_hpke::ChunkSealer;
use oblivious_service::{BoxError, Sleep, Timeout};
use thiserror::Error;

use super::{
    any_body::{AnyBody, any_body},
    deadline::has_passed,
    idle::Idle,
};
use crate::{
    InformationalSender, TargetError, concurrency::Permit, observe::Exchange, refusal::InnerRefusal,
};

/// The target's answer, while it is waited for.
type Asking = Pin<Box<dyn Future<Output = Asked> + Send>>;

/// The target's answer, or why there is none.
pub(crate) struct Asked {
    pub(crate) answer: Result<Response<AnyBody>, InnerRefusal>,
    /// Whether it answers HEAD.
    pub(crate) is_head: bool,
    /// The end of the whole exchange, if that has not passed.
    pub(crate) deadline: Option<Sleep>,
}

/// What bounds an answer, and how it is padded.
pub(crate) struct Settings {
    pub(crate) padding: Padding,
    /// The most bytes of it.
    pub(crate) limit: u64,
    /// How long the target may send nothing.
    pub(crate) idle: Option<Timeout>,
}

/// An encapsulated answer in the making: asks the target, then seals what it sends, piece by piece
/// and only as it is asked for.
pub(crate) struct ChunkedAnswer {
    state: State,
    informational: InformationalSender,
    /// Taken by the final chunk.
    sealer: Option<ChunkSealer>,
    /// Sealed and not yet given out.
    out: BytesMut,
    /// How much of `out`, at the start, is no reason to give it out: the response nonce.
    nonce_len: usize,
    padding: Padding,
    left: u64,
    idle: Idle,
    /// The end of the whole exchange; who asks the target watches it till there is an answer.
    deadline: Option<Sleep>,
    exchange: Arc<Exchange>,
    /// Held until the answer is over.
    _permit: Permit,
}

enum State {
    Asking(Asking, ResponseEncoder),
    Answering(Box<EncodedBody<AnyBody>>),
    /// What was sealed before goes out first.
    CutOff(CutOff),
    Over,
}

/// Why an answer was broken off. It tells nothing of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum CutOff {
    #[error("the target's answer broke off")]
    TargetFailed,
    #[error("the target stopped sending")]
    TargetStalled,
    #[error("the answer is longer than this gateway takes")]
    TooLarge,
    #[error("the exchange took too long")]
    TooSlow,
    #[error("the answer cannot be sealed")]
    CannotSeal,
}

impl ChunkedAnswer {
    /// `out` holds what precedes the chunks.
    pub(crate) fn new(
        asking: Asking,
        informational: InformationalSender,
        sealer: ChunkSealer,
        out: BytesMut,
        settings: Settings,
        exchange: Arc<Exchange>,
        permit: Permit,
    ) -> Self {
        Self {
            state: State::Asking(asking, ResponseEncoder::new()),
            informational,
            sealer: Some(sealer),
            nonce_len: out.len(),
            out,
            padding: settings.padding,
            left: settings.limit,
            idle: Idle::new(settings.idle),
            deadline: None,
            exchange,
            _permit: permit,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over) && self.out.is_empty()
    }

    /// The next sealed bytes, `None` after the last.
    pub(crate) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BoxError>>> {
        loop {
            match self.poll_more(cx) {
                Poll::Ready(Ok(true)) if self.out.len() < ChunkSealer::MAX_CHUNK_LEN => continue,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(cut_off)) => {
                    self.exchange.cut_off(cut_off.label());
                    self.state = State::CutOff(cut_off);
                }
                // What is ready does not wait for what is not.
                Poll::Pending if self.out.len() > self.nonce_len => {}
                Poll::Pending => return Poll::Pending,
            }
            if !self.out.is_empty() {
                self.nonce_len = 0;
                return Poll::Ready(Some(Ok(self.out.split().freeze())));
            }
            return Poll::Ready(match std::mem::replace(&mut self.state, State::Over) {
                State::CutOff(cut_off) => Some(Err(cut_off.into())),
                _ => None,
            });
        }
    }

    /// Seals what comes next, if it is there. Returns whether something is left to come.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, CutOff>> {
        match &mut self.state {
            State::Over | State::CutOff(_) => return Poll::Ready(Ok(false)),
            State::Asking(asking, encoder) => {
                let asked = asking.as_mut().poll(cx);
                let mut early = BytesMut::new();
                for response in self.informational.poll_take(cx) {
                    // What binary HTTP cannot hold is left out: it was a hint at most.
                    let _ = encoder.informational(&response, &mut early);
                }
                if !early.is_empty() {
                    self.seal(&early)?;
                }
                if let Poll::Ready(asked) = asked {
                    self.begin(asked);
                    return Poll::Ready(Ok(true));
                }
            }
            State::Answering(answer) => {
                // First, since a target that always has more would never let it be looked at.
                if has_passed(&mut self.deadline, cx) {
                    return Poll::Ready(Err(CutOff::TooSlow));
                }
                if let Poll::Ready(frame) = Pin::new(&mut **answer).poll_frame(cx) {
                    let over = answer.is_end_stream();
                    self.idle.reset();
                    return Poll::Ready(self.seal_frame(frame, over));
                }
                if self.idle.poll_elapsed(cx).is_ready() {
                    return Poll::Ready(Err(CutOff::TargetStalled));
                }
            }
        }
        Poll::Pending
    }

    /// Takes the target's answer, or what is said in its place, as what is sealed from now on.
    fn begin(&mut self, Asked { answer, is_head, deadline }: Asked) {
        let State::Asking(_, encoder) = std::mem::replace(&mut self.state, State::Over) else {
            return;
        };
        self.deadline = deadline;
        let own = |refusal: InnerRefusal| refusal.into_response().map(any_body);
        self.exchange.answered(answer.as_ref().map(Response::status));
        let mut response = answer.unwrap_or_else(own);
        if is_head {
            // RFC 9110 §9.3.2: no content in answer to HEAD, whatever the target service returned.
            *response.body_mut() = any_body(Content::default());
        }
        let invalid = InnerRefusal::Target(TargetError::InvalidResponse);
        let encoded = encoder
            .response(response, self.padding.clone())
            .or_else(|(encoder, _)| encoder.response(own(invalid), self.padding.clone()));
        // The gateway's own answers can be encoded.
        if let Ok(encoded) = encoded {
            self.state = State::Answering(Box::new(encoded));
        }
    }

    /// Seals a frame of the encoded answer, of which `over` tells whether it is the last.
    fn seal_frame<E>(
        &mut self,
        frame: Option<Result<http_body::Frame<Bytes>, E>>,
        over: bool,
    ) -> Result<bool, CutOff> {
        let data = match frame {
            Some(frame) => frame.map_err(|_| CutOff::TargetFailed)?.into_data().unwrap_or_default(),
            None => Bytes::new(),
        };
        if !over {
            self.seal(&data)?;
            return Ok(true);
        }
        self.count(data.len())?;
        let sealer = self.sealer.take().ok_or(CutOff::CannotSeal)?;
        sealer.finish(&data, &mut self.out).map_err(|_| CutOff::CannotSeal)?;
        // Lets go of the target.
        self.state = State::Over;
        Ok(false)
    }

    fn seal(&mut self, data: &[u8]) -> Result<(), CutOff> {
        self.count(data.len())?;
        let sealer = self.sealer.as_mut().ok_or(CutOff::CannotSeal)?;
        sealer.seal(data, &mut self.out).map_err(|_| CutOff::CannotSeal)
    }

    fn count(&mut self, length: usize) -> Result<(), CutOff> {
        self.left = self.left.checked_sub(length as u64).ok_or(CutOff::TooLarge)?;
        Ok(())
    }
}

impl CutOff {
    fn label(self) -> &'static str {
        match self {
            Self::TargetFailed => "target_failed",
            Self::TargetStalled => "target_stalled",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::CannotSeal => "cannot_seal",
        }
    }
}

impl fmt::Debug for ChunkedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkedAnswer").field("over", &self.is_over()).finish_non_exhaustive()
    }
}
