//! An answer in chunks, sealed while it is produced.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::Response;
use http_body::{Body, Frame};
use oblivious_bhttp::{Content, EncodedBody, ResponseEncoder};
use oblivious_hpke::{ChunkSealer, SealingBody, SealingError};
use oblivious_service::{BoxError, Sleep};
use thiserror::Error;

use crate::{
    InformationalSender, TargetError,
    any_body::{AnyBody, any_body},
    concurrency::Permit,
    config::Config,
    observe::Observer,
    refusal::InnerRefusal,
    time_limits::{Idle, has_passed},
};

/// The target's answer, still awaited.
pub(crate) type Asking = Pin<Box<dyn Future<Output = Asked> + Send>>;

/// The target's answer, or why there is none.
pub(crate) struct Asked {
    pub(crate) answer: Result<Response<AnyBody>, InnerRefusal>,
    /// Whether it answers HEAD.
    pub(crate) is_head: bool,
    /// The deadline of the whole exchange, until it has passed.
    pub(crate) deadline: Option<Sleep>,
}

/// An encapsulated answer while it is produced: asks the target, then seals what it sends, piece by
/// piece and only on demand.
pub(crate) struct ChunkedAnswer {
    sealed: SealingBody<AnswerMessage>,
    observer: Arc<Observer>,
    /// Held until answer and request are over.
    _permit: Arc<Permit>,
}

impl ChunkedAnswer {
    /// `prefix` is what precedes the chunks.
    pub(crate) fn new(
        prefix: BytesMut,
        sealer: ChunkSealer,
        message: AnswerMessage,
        permit: Arc<Permit>,
    ) -> Self {
        let observer = Arc::clone(&message.observer);
        Self { sealed: SealingBody::new(prefix, sealer, message), observer, _permit: permit }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.sealed.is_end_stream()
    }

    /// The next sealed bytes, `None` after the last.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.sealed).poll_frame(cx).map_err(|error| {
            let cut_off = match error {
                SealingError::Body(cut_off) => cut_off,
                _ => CutOff::CannotSeal,
            };
            self.observer.cut_off(cut_off.label());
            cut_off.into()
        })
    }
}

/// The binary HTTP of an answer: informational responses as they come, then the target's answer, or
/// the gateway's own in its place.
pub(crate) struct AnswerMessage {
    state: State,
    informational: InformationalSender,
    config: Arc<Config>,
    /// The most bytes still to come.
    left: u64,
    idle: Idle,
    /// The deadline of the whole exchange; until there is an answer, the call to the target watches
    /// it.
    deadline: Option<Sleep>,
    observer: Arc<Observer>,
}

enum State {
    Asking(Asking, ResponseEncoder),
    Answering(Box<EncodedBody<AnyBody>>),
    Over,
}

/// Why an answer was broken off. It reveals nothing about the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum CutOff {
    #[error("the target's answer broke off")]
    TargetFailed,
    #[error("the target stopped sending")]
    TargetStalled,
    #[error("the target's answer is longer than the gateway's limit")]
    TooLarge,
    #[error("the exchange took too long")]
    TooSlow,
    #[error("the answer cannot be sealed")]
    CannotSeal,
}

impl AnswerMessage {
    pub(crate) fn new(
        asking: Asking,
        informational: InformationalSender,
        config: Arc<Config>,
        observer: Arc<Observer>,
    ) -> Self {
        Self {
            state: State::Asking(asking, ResponseEncoder::new()),
            informational,
            left: config.stream_limit,
            idle: Idle::new(config.idle_timeout.clone()),
            config,
            deadline: None,
            observer,
        }
    }

    /// The next informational response; `None` once the answer itself has begun.
    fn poll_early(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, CutOff>>> {
        let State::Asking(asking, encoder) = &mut self.state else { return Poll::Ready(None) };
        let asked = asking.as_mut().poll(cx);
        let mut early = BytesMut::new();
        for response in self.informational.poll_take(cx) {
            // What binary HTTP cannot hold is left out: it was only a hint.
            let _ = encoder.informational(&response, &mut early);
        }
        let is_answered = asked.is_ready();
        if let Poll::Ready(asked) = asked {
            self.begin(asked)?;
        }
        match early.is_empty() {
            false => Poll::Ready(Some(Ok(early.freeze()))),
            true if is_answered => Poll::Ready(None),
            true => Poll::Pending,
        }
    }

    /// Continues with the target's answer, or with the gateway's own in its place.
    fn begin(&mut self, Asked { answer, is_head, deadline }: Asked) -> Result<(), CutOff> {
        let State::Asking(_, encoder) = std::mem::replace(&mut self.state, State::Over) else {
            return Ok(());
        };
        self.deadline = deadline;
        let own = |refusal: InnerRefusal| refusal.into_response().map(any_body);
        self.observer.answered(answer.as_ref().map(Response::status));
        let mut response = answer.unwrap_or_else(own);
        if is_head {
            // RFC 9110 §9.3.2: no content in answer to HEAD, whatever the target service returned.
            *response.body_mut() = any_body(Content::default());
        }
        let invalid = InnerRefusal::Target(TargetError::InvalidResponse);
        let padding = &self.config.encode_options.padding;
        let encoded = encoder
            .response(response, padding.clone())
            .or_else(|(encoder, _)| encoder.response(own(invalid), padding.clone()))
            // The gateway's own answers can be encoded.
            .map_err(|_| CutOff::CannotSeal)?;
        self.state = State::Answering(Box::new(encoded));
        Ok(())
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, CutOff>>> {
        let State::Answering(answer) = &mut self.state else { return Poll::Ready(None) };
        // Checked first, since a target that always has more data would keep it from ever being
        // checked.
        if has_passed(&mut self.deadline, cx) {
            return Poll::Ready(Some(Err(CutOff::TooSlow)));
        }
        let Poll::Ready(frame) = Pin::new(&mut **answer).poll_frame(cx) else {
            ready!(self.idle.poll_elapsed(cx));
            return Poll::Ready(Some(Err(CutOff::TargetStalled)));
        };
        self.idle.reset();
        let data = |frame: Result<Frame<Bytes>, _>| match frame {
            Ok(frame) => Ok(frame.into_data().unwrap_or_default()),
            Err(_) => Err(CutOff::TargetFailed),
        };
        Poll::Ready(frame.map(data))
    }
}

impl Body for AnswerMessage {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let data = match ready!(self.poll_early(cx)) {
            Some(early) => early?,
            None => match ready!(self.poll_answer(cx)) {
                Some(data) => data?,
                None => return Poll::Ready(None),
            },
        };
        let left = self.left.checked_sub(data.len() as u64);
        self.left = left.ok_or(CutOff::TooLarge)?;
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Asking(..) => false,
            State::Answering(answer) => answer.is_end_stream(),
            State::Over => true,
        }
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
        f.debug_struct("ChunkedAnswer").field("is_over", &self.is_over()).finish_non_exhaustive()
    }
}
