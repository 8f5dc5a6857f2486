//! What trailers may say, to the target and to the client, whole and in chunks.

mod common;

use std::sync::{Arc, Mutex};

use common::{
    ask_bytes,
    chunks::{Sealing, content, open, piece, post, post_head, send},
    gateway_with, get, layer,
};
use http::{HeaderMap, Method, Request, Response};
use oblivious_bhttp::Content;
use oblivious_gateway::GatewayBody;
use oblivious_service::{BoxError, collect};
use tower::{Layer, service_fn};

/// Field lines (RFC 9292 §3.6) and what ends them.
fn lines(fields: &[(&str, &str)]) -> Vec<u8> {
    let parts = fields.iter().flat_map(|(name, value)| [name, value]);
    let lines = parts.flat_map(|part| piece(part.as_bytes()));
    lines.chain([0]).collect()
}

/// A POST with a header section and trailers as they are, in the indeterminate-length form.
fn message(header: &[(&str, &str)], trailers: &[(&str, &str)]) -> Vec<u8> {
    let head = post_head();
    let (_, before) = head.split_last().unwrap();
    [before, &lines(header), &piece(b"content"), &[0], &lines(trailers)].concat()
}

/// What the target gets of the trailers, first of a whole request and then of one in chunks.
async fn trailers_of(message: &[u8]) -> [Option<HeaderMap>; 2] {
    let noted = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&noted);
    let target = service_fn(move |request: Request<GatewayBody>| {
        let note = Arc::clone(&note);
        async move {
            let collected = collect(request.into_body(), 100).await?;
            assert_eq!(collected.data, "content");
            note.lock().unwrap().push(collected.trailers);
            Ok::<_, BoxError>(Response::new(Content::default()))
        }
    });
    ask_bytes(layer().layer(target.clone()), message, &Method::POST).await;
    let (mut sealing, pending) = Sealing::start();
    let body = Content::from(sealing.finish(message));
    open(pending, send(layer().layer(target), body).await).await;
    std::mem::take(&mut *noted.lock().unwrap()).try_into().unwrap()
}

/// RFC 9458 §6.3: what a target would believe of its gateway is not for the client to say.
#[tokio::test]
async fn the_target_sees_no_trailer_of_a_connection_or_a_way() {
    let of_a_way = [
        ("host", "evil.test"),
        ("forwarded", "for=10.0.0.1"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-real-ip", "10.0.0.1"),
        ("via", "1.1 me"),
        ("proxy-authorization", "Basic AA=="),
    ];
    let of_a_connection =
        [("x-named", "1"), ("connection", "x-other"), ("x-other", "2"), ("upgrade", "h2c")];
    let others = [("x-checksum", "123"), ("x-checksum", "456")];
    let header = [("connection", "x-named")];
    let trailers = [&of_a_way[..], &of_a_connection, &others].concat();
    for got in trailers_of(&message(&header, &trailers)).await {
        let got = got.unwrap();
        assert_eq!(got.keys().collect::<Vec<_>>(), ["x-checksum"]);
        assert_eq!(got.get_all("x-checksum").iter().collect::<Vec<_>>(), ["123", "456"]);
    }
    assert_eq!(trailers_of(&message(&[], &of_a_way)).await, [None, None]);
}

/// RFC 9110 §7.6.1: what a `connection` field of the header section names is of the connection in
/// the trailers too.
#[tokio::test]
async fn the_client_sees_no_trailer_of_the_connection_to_the_target() {
    let answer = || {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-hop", "1".parse().unwrap());
        trailers.insert("x-checksum", "123".parse().unwrap());
        let response = Response::builder().header("connection", "x-hop").header("x-hop", "2");
        response.body(Content::from("content").with_trailers(trailers)).unwrap()
    };
    let mut expected = HeaderMap::new();
    expected.insert("x-checksum", "123".parse().unwrap());

    let whole = gateway_with(layer(), move |_| Ok(answer()));
    let response = common::ask(whole, get("https://example.com/")).await;
    assert!(response.headers().is_empty());
    assert_eq!(response.body().trailers.as_ref(), Some(&expected));

    let (mut sealing, pending) = Sealing::start();
    let chunked = layer().layer(service_fn(move |_| async move { Ok::<_, BoxError>(answer()) }));
    let body = Content::from(sealing.finish(&post("")));
    let response = open(pending, send(chunked, body).await).await;
    assert!(response.headers().is_empty());
    assert_eq!(content(response.into_body()).await.unwrap().trailers, Some(expected));
}
