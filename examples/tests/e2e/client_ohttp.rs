//! The client program with a gateway made of the independent crates `ohttp` and `bhttp`, through
//! the real relay: whole and in chunks.

use std::convert::Infallible;
use std::io::Cursor;

use axum::body::Body;
use bhttp::{ControlData, Message, Mode};
use futures::{AsyncReadExt, AsyncWriteExt};
use http::{HeaderValue, Request, Response, header};
use http_body_util::BodyExt;
use oblivious_hyper::{RequestBody, server};
use ohttp::hpke::{Aead, Kdf, Kem};
use tower::service_fn;

use crate::programs::run;
use crate::setup::{TempFile, relay_to, stderr, text};
use crate::stream_client::Written;

/// Their configuration cannot be cloned with its secret, so one is made again from the same seed.
fn their_server() -> ohttp::Server {
    let suites = vec![ohttp::SymmetricSuite::new(Kdf::HkdfSha256, Aead::Aes128Gcm)];
    let config = ohttp::KeyConfig::derive(7, Kem::X25519Sha256, suites, &[9; 32]).unwrap();
    ohttp::Server::new(config).unwrap()
}

/// Answers with the content that came, twice.
fn answer(request: &[u8]) -> Message {
    let request = Message::read_bhttp(&mut Cursor::new(request)).unwrap();
    let ControlData::Request { method, authority, path, .. } = request.control() else {
        panic!("a request")
    };
    assert_eq!((&method[..], &path[..]), (&b"POST"[..], &b"/a?b"[..]));
    assert_eq!(authority, b"example.com");
    let mut answer = Message::response(201_u64.try_into().unwrap());
    answer.write_content(request.content().repeat(2));
    answer
}

async fn answer_whole(sealed: &[u8]) -> Vec<u8> {
    let (opened, reply) = their_server().decapsulate(sealed).unwrap();
    let mut message = Vec::new();
    answer(&opened).write_bhttp(Mode::KnownLength, &mut message).unwrap();
    reply.encapsulate(&message).unwrap()
}

async fn answer_in_chunks(sealed: &[u8]) -> Vec<u8> {
    let mut asked = their_server().decapsulate_stream(sealed);
    let mut opened = Vec::new();
    asked.read_to_end(&mut opened).await.unwrap();
    let mut message = Vec::new();
    answer(&opened).write_bhttp(Mode::IndeterminateLength, &mut message).unwrap();
    let written = Written::default();
    let mut reply = asked.response(written.clone()).unwrap();
    // In pieces that have nothing to do with the parts of the message.
    for piece in message.chunks(1000) {
        reply.write_all(piece).await.unwrap();
    }
    reply.close().await.unwrap();
    written.take()
}

/// Their gateway. Returns its URL.
async fn gateway() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let service = service_fn(|request: Request<RequestBody>| async {
        let (parts, body) = request.into_parts();
        let sealed = body.collect().await.unwrap().to_bytes();
        let (content_type, sealed) = match parts.headers[header::CONTENT_TYPE].as_bytes() {
            b"message/ohttp-req" => ("message/ohttp-res", answer_whole(&sealed).await),
            _ => ("message/ohttp-chunked-res", answer_in_chunks(&sealed).await),
        };
        let mut response = Response::new(Body::from(sealed));
        let content_type = HeaderValue::from_static(content_type);
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        Ok::<_, Infallible>(response)
    });
    tokio::spawn(server::serve(listener, None, service, std::future::pending()));
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_is_understood_by_an_independent_gateway() {
    let relay = relay_to(&gateway().await);
    let relay_url = relay.url("/gateway");
    let keys = ohttp::KeyConfig::encode_list(&[their_server().config()]).unwrap();
    let keys = TempFile::new("their-keys", keys);
    let content = "x".repeat(50_000);
    let file = TempFile::new("for-them", &content);
    let data = format!("@{}", file.path());
    for way in [&[][..], &["--chunked"]] {
        let fixed = ["--relay", &relay_url, "--keys", keys.path(), "--data-binary", &data];
        let shown = ["--allow-http", "-w", "%{http_code}", "https://example.com/a?b"];
        let output = run("client", &[way, &fixed, &shown].concat());
        assert!(output.status.success(), "{way:?}: {}", stderr(&output));
        assert_eq!(text(&output), format!("{}201", content.repeat(2)), "{way:?}");
    }
}
