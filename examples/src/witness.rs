//! Notes what reaches a party: who sent it, and every byte of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use oblivious_http::service::{BoxError, Content, collect};
use oblivious_hyper::server::PeerAddr;

/// More is not expected in a demonstration.
const MAX_BODY: usize = 1 << 20;

/// What a party was sent, and what it sent back.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who sent it; inside the gateway, where a message comes out of its envelope, nobody.
    pub from: Option<SocketAddr>,
    /// What was to be done.
    pub method: Method,
    /// The URI as it was sent.
    pub uri: Uri,
    /// All fields.
    pub headers: HeaderMap,
    /// The content, in one piece.
    pub body: Bytes,
    /// Status and content of the answer, if the party gave one.
    pub answered: Option<(StatusCode, Bytes)>,
}

impl Message {
    /// Everything that was sent, as one string of bytes in which something can be looked for.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {}\r\n", self.method, self.uri).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(&self.body);
        if let Some((_, body)) = &self.answered {
            bytes.extend_from_slice(body);
        }
        bytes
    }
}

/// Stands beside a party and notes the messages that it gets.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    messages: Arc<Mutex<Vec<Message>>>,
}

impl Witness {
    /// Has this witness note every message that reaches `router`.
    pub fn watch(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.clone(), note))
    }

    /// What has been noted since the last call.
    pub fn take(&self) -> Vec<Message> {
        std::mem::take(&mut self.messages.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes a request, and hands it on with its body read.
    ///
    /// # Errors
    /// If the body breaks off, or is longer than anything that belongs in a demonstration.
    pub async fn note_request<B>(
        &self,
        request: http::Request<B>,
    ) -> Result<http::Request<Content>, BoxError>
    where
        B: http_body::Body,
        B::Error: Into<BoxError>,
    {
        let (message, request) = read(request).await?;
        self.add(message);
        Ok(request)
    }

    fn add(&self, message: Message) {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    }
}

/// Reads a request whole, which only a witness of small messages may do.
async fn read<B>(request: http::Request<B>) -> Result<(Message, http::Request<Content>), BoxError>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    let (parts, body) = request.into_parts();
    let body = collect(body, MAX_BODY).await?.data;
    let message = Message {
        from: parts.extensions.get::<PeerAddr>().map(|peer| peer.0),
        method: parts.method.clone(),
        uri: parts.uri.clone(),
        headers: parts.headers.clone(),
        body: body.clone(),
        answered: None,
    };
    Ok((message, http::Request::from_parts(parts, body.into())))
}

/// The middleware of [`Witness::watch`].
async fn note(State(witness): State<Witness>, request: Request, next: Next) -> Response {
    match note_exchange(&witness, request, next).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

async fn note_exchange(
    witness: &Witness,
    request: Request,
    next: Next,
) -> Result<Response, BoxError> {
    let (mut message, request) = read(request).await?;
    let (parts, body) = next.run(request.map(Body::new)).await.into_parts();
    let body = collect(body, MAX_BODY).await?.data;
    message.answered = Some((parts.status, body.clone()));
    witness.add(message);
    Ok(Response::from_parts(parts, Body::from(body)))
}
