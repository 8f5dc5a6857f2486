//! Against the server side of the independent crates `ohttp` and `bhttp`, whole and in chunks.

mod common;

use std::{
    io::{self, Cursor},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bhttp::{ControlData, Message, Mode, StatusCode};
use bytes::Bytes;
use futures_util::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use http::{Request, Response, Uri};
use oblivious_client::{ClientLayer, FixedKeys, Gateway, KeyCache, OuterBody};
use oblivious_service::{BoxError, Content, TokioTimer, collect};
use ohttp::hpke::{Aead, Kdf, Kem};
use tower::{Layer, ServiceExt, service_fn};

use common::whole;

/// A gateway of theirs; their configuration cannot be cloned with its secret, so one is made again
/// from the same seed.
fn server() -> ohttp::Server {
    let suites = vec![ohttp::SymmetricSuite::new(Kdf::HkdfSha256, Aead::ChaCha20Poly1305)];
    let config = ohttp::KeyConfig::derive(7, Kem::X25519Sha256, suites, &[9; 32]).unwrap();
    ohttp::Server::new(config).unwrap()
}

fn layer() -> ClientLayer {
    let list = ohttp::KeyConfig::encode_list(&[server().config()]).unwrap();
    let keys = KeyCache::new(FixedKeys::new(list).unwrap(), TokioTimer);
    let gateway = Gateway::new(Uri::from_static(common::RELAY), keys).unwrap();
    ClientLayer::new(gateway.allow("https://example.com".parse().unwrap()))
}

/// What their target says to a request that it has read.
fn answer(request: &[u8]) -> Message {
    let request = Message::read_bhttp(&mut Cursor::new(request)).unwrap();
    let ControlData::Request { method, scheme, authority, path } = request.control() else {
        panic!("a request")
    };
    assert_eq!((&method[..], &scheme[..]), (&b"POST"[..], &b"https"[..]));
    assert_eq!((&authority[..], &path[..]), (&b"example.com"[..], &b"/a?b"[..]));
    assert_eq!(request.header().get(b"x-asked"), Some(&b"yes"[..]));
    assert!(request.header().get(b"date").is_some());
    let mut answer = Message::response(StatusCode::try_from(201_u64).unwrap());
    answer.put_header("x-answered", "yes");
    answer.write_content(request.content().repeat(2));
    answer
}

fn request(content: &[u8]) -> Request<Content> {
    Request::post("https://example.com/a?b")
        .header("x-asked", "yes")
        .body(Content::from(content.to_vec()))
        .unwrap()
}

#[tokio::test]
async fn their_server_answers_whole_messages() {
    let relay = service_fn(|outer: Request<OuterBody>| async move {
        let sealed = collect(outer.into_body(), usize::MAX).await?.data;
        let (opened, reply) = server().decapsulate(&sealed)?;
        let mut message = Vec::new();
        answer(&opened).write_bhttp(Mode::KnownLength, &mut message)?;
        let response = Response::builder().header("content-type", "message/ohttp-res");
        Ok::<_, BoxError>(response.body(Content::from(reply.encapsulate(&message)?))?)
    });
    let response = layer().layer(relay).oneshot(request(b"hello ")).await.unwrap();
    let response = whole(response).await;
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["x-answered"], "yes");
    assert_eq!(response.body().data, "hello hello ");
}

/// Where their server writes.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl AsyncWrite for Written {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().unwrap().extend_from_slice(data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn their_server_answers_in_chunks() {
    let relay = service_fn(|outer: Request<OuterBody>| async move {
        let sealed = collect(outer.into_body(), usize::MAX).await?.data;
        let mut asked = server().decapsulate_stream(&sealed[..]);
        let mut opened = Vec::new();
        asked.read_to_end(&mut opened).await?;
        assert_eq!(opened[0], 2, "a request of indeterminate length");
        let mut message = Vec::new();
        answer(&opened).write_bhttp(Mode::IndeterminateLength, &mut message)?;
        let written = Written::default();
        let mut reply = asked.response(written.clone())?;
        // In pieces that have nothing to do with the parts of the message.
        for piece in message.chunks(1000) {
            reply.write_all(piece).await?;
        }
        reply.close().await?;
        let sealed = Bytes::from(std::mem::take(&mut *written.0.lock().unwrap()));
        let response = Response::builder().header("content-type", "message/ohttp-chunked-res");
        Ok::<_, BoxError>(response.body(Content::from(sealed))?)
    });
    let content = vec![b'x'; 50_000];
    let response = layer().in_chunks().layer(relay).oneshot(request(&content)).await.unwrap();
    let response = whole(response).await;
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["x-answered"], "yes");
    assert_eq!(response.body().data, content.repeat(2));
}
