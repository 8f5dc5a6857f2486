//! The path of a request through the gateway, from top to bottom: outer request → decapsulate →
//! guard → policy → target → encapsulate, for whole messages and for messages in chunks.

use std::sync::Arc;

use bytes::BytesMut;
use http::{Method, Request, Response};
use oblivious_bhttp::{decode_request, read_request};
use oblivious_service::{MediaType, SendBody, Sleep, Timeout, has_content_coding, media_type};
use tracing::Instrument;

use crate::{
    EncapsulatedBody, GatewayBody, InformationalSender, Target,
    admit::{Opened, admit},
    any_body::{AnyBody, any_body},
    chunked_answer::{AnswerMessage, Asked, ChunkedAnswer},
    concurrency::Permit,
    config::Config,
    encapsulate::{encapsulate, encapsulate_in_chunks, encodable},
    nesting::Hops,
    observe::{Observer, Stage, Stopwatch},
    receive::{OpenedRequest, receive, receive_first_chunk},
    refusal::{Fault, InnerRefusal, OuterRefusal, RequestFault},
    target::{call, call_for_whole},
    time_limits::{TargetTime, until},
};

/// Serves a request. What goes wrong before decapsulation is answered in clear, everything after it
/// encapsulated (RFC 9458 §5.2).
pub(crate) async fn serve<T: Target, B: SendBody>(
    config: Arc<Config>,
    target: T,
    request: Request<B>,
) -> Response<EncapsulatedBody> {
    let observer = Arc::new(Observer::begin());
    let span = observer.span();
    let outcome = dispatch(config, target, request, &observer).instrument(span).await;
    outcome.unwrap_or_else(|refusal| {
        observer.refused(refusal);
        refusal.into_response().map(EncapsulatedBody::from)
    })
}

/// Looks only at the outer request.
async fn dispatch<T: Target, B: SendBody>(
    config: Arc<Config>,
    target: T,
    request: Request<B>,
    observer: &Arc<Observer>,
) -> Result<Response<EncapsulatedBody>, OuterRefusal> {
    if request.method() != Method::POST {
        return Err(OuterRefusal::Method);
    }
    let kind = media_type(request.headers());
    if kind.is_some() && has_content_coding(request.headers()) {
        return Err(OuterRefusal::ContentCoding);
    }
    let hops = config.nesting.hops(request.headers());
    let permit = config.concurrency.enter().ok_or(OuterRefusal::Busy)?;
    let chunked = config.chunked;
    let exchange = Exchange { config, target, observer: Arc::clone(observer), hops };
    match kind {
        Some(MediaType::OhttpRequest) => exchange.whole(request.into_body(), permit).await,
        Some(MediaType::OhttpChunkedRequest) if chunked => {
            exchange.chunked(request.into_body(), permit).await
        }
        _ => Err(OuterRefusal::MediaType),
    }
}

/// One exchange, and all that it needs.
struct Exchange<T> {
    config: Arc<Config>,
    target: T,
    observer: Arc<Observer>,
    /// The path that the encapsulated request has taken.
    hops: Hops,
}

impl<T: Target> Exchange<T> {
    /// Whole messages (RFC 9458 §4.3 and §4.4).
    async fn whole<B: SendBody>(
        self,
        body: B,
        permit: Permit,
    ) -> Result<Response<EncapsulatedBody>, OuterRefusal> {
        let Self { config, target, observer, hops } = self;
        let mut stopwatch = Stopwatch::start();
        let received = receive(&config, body).await?;
        stopwatch.end(Stage::Receive);
        let (message, reply) =
            config.keys.current().ring().at(config.now()).decapsulate(received)?;
        stopwatch.end(Stage::Decapsulate);
        observer.decapsulated(reply.header().key_id);

        let mut is_head = false;
        let admitting = async {
            let options = config.decode_options(config.request_limit as u64);
            let request = decode_request(message.freeze(), &options)
                .map_err(|error| InnerRefusal::from(RequestFault::from(error)))?;
            is_head = request.method() == Method::HEAD;
            let opened = Opened { header: reply.header(), enc: reply.enc(), hops };
            admit(&config, opened, request).await
        };
        let admitted = admitting.await;
        stopwatch.end(Stage::Admit);
        let answer = match admitted {
            Ok(request) => {
                let request = request.map(GatewayBody::whole);
                let answer = call_for_whole(&config, target, request).await;
                stopwatch.end(Stage::Target);
                answer.and_then(|answer| encodable(answer, is_head, &config.encode_options))
            }
            Err(refusal) => Err(refusal),
        };
        observer.answered(answer.as_ref().map(|answer| answer.get_ref().status()));
        let answer = answer
            .or_else(|refusal| {
                encodable(refusal.into_response(), is_head, &config.encode_options)
            })
            // The gateway's own answers can be encoded.
            .map_err(|_| OuterRefusal::CannotSeal)?;

        let sealed = encapsulate(reply, &answer, permit);
        stopwatch.end(Stage::Encapsulate);
        sealed
    }

    /// Messages in chunks (draft-ietf-ohai-chunked-ohttp): both stream, and memory is bounded by a
    /// chunk, whatever their length. The response begins once the first chunk has been opened:
    /// whatever goes wrong later is reported inside, or breaks it off.
    async fn chunked<B: SendBody>(
        self,
        body: B,
        permit: Permit,
    ) -> Result<Response<EncapsulatedBody>, OuterRefusal> {
        let Self { config, target, observer, hops } = self;
        let mut deadline = config.exchange_timeout.as_ref().map(Timeout::start);
        let mut stopwatch = Stopwatch::start();
        let permit = Arc::new(permit);
        let (opened, reply) =
            receive_first_chunk(&config, any_body(body), &mut deadline, Arc::clone(&permit))
                .await?;
        stopwatch.end(Stage::Receive);
        observer.decapsulated(reply.header().key_id);

        let (header, enc) = (reply.header(), reply.enc().to_vec());
        let informational = InformationalSender::default();
        let asking = {
            let (config, informational) = (Arc::clone(&config), informational.clone());
            async move {
                let asking = Asking { config: &config, target, informational, stopwatch };
                let identity = Opened { header, enc: &enc, hops };
                asking.ask(opened, identity, deadline).await
            }
        };
        let asking = Box::pin(asking.instrument(observer.span()));

        let mut prefix = BytesMut::new();
        let sealer =
            reply.start(&mut prefix, &config.chunk_limits).map_err(|_| OuterRefusal::CannotSeal)?;
        let message = AnswerMessage::new(asking, informational, config, observer);
        Ok(encapsulate_in_chunks(ChunkedAnswer::new(prefix, sealer, message, permit)))
    }
}

/// From the first chunk of a request to the head of the target's answer.
struct Asking<'a, T> {
    config: &'a Config,
    target: T,
    informational: InformationalSender,
    stopwatch: Stopwatch,
}

impl<T: Target> Asking<'_, T> {
    /// The target's answer, or why there is none.
    async fn ask(
        self,
        opened: OpenedRequest,
        identity: Opened<'_>,
        mut deadline: Option<Sleep>,
    ) -> Asked {
        let mut is_head = false;
        let answer = until(&mut deadline, self.ask_in_time(opened, identity, &mut is_head)).await;
        Asked { answer: answer.unwrap_or(Err(InnerRefusal::TargetTooSlow)), is_head, deadline }
    }

    async fn ask_in_time(
        self,
        opened: OpenedRequest,
        identity: Opened<'_>,
        is_head: &mut bool,
    ) -> Result<Response<AnyBody>, InnerRefusal> {
        let Self { config, target, informational, mut stopwatch } = self;
        let fault = Fault::default();
        let time = config.target_timeout.clone().map(TargetTime::new);
        let renewal = time.as_ref().map(TargetTime::renewal).unwrap_or_default();
        let request = read_request(opened, &config.decode_options(config.stream_limit))
            .await
            .map_err(|error| InnerRefusal::from(RequestFault::from(error)))?;
        *is_head = request.method() == Method::HEAD;
        let mut request = admit(config, identity, request)
            .await?
            .map(|message| GatewayBody::streamed(message, fault.clone(), renewal));
        request.extensions_mut().insert(informational);
        stopwatch.end(Stage::Admit);
        let calling = call(target, request);
        let answered = match time {
            Some(time) => time.run(calling).await.unwrap_or(Err(InnerRefusal::TargetTooSlow)),
            None => calling.await,
        };
        stopwatch.end(Stage::Target);
        // A target that failed because the request did is not to blame.
        let response =
            answered.map_err(|refusal| fault.noted().map_or(refusal, InnerRefusal::from))?;
        Ok(response.map(any_body))
    }
}
