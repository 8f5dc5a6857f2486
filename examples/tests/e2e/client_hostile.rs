//! The client program with a relay that means it harm: each attack ends, with an error.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::{HeaderValue, Request, Response, header};
use http_body_util::BodyExt;
use oblivious_http::service::{BoxError, Content};
use oblivious_hyper::{RequestBody, server};
use tower::service_fn;

use crate::programs::run;
use crate::setup::{Received, Setup, send, stderr, text};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Attack {
    /// Nothing, to see that it works.
    None,
    WrongType,
    CutOff,
    /// The answer to the first request answers all others too.
    Replayed,
    Altered,
    Endless,
    Slow,
}

/// A relay of which it is known what it does. Returns its URL.
async fn relay(attack: Attack, gateway: String) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/gateway", listener.local_addr().unwrap());
    let first = Arc::<Mutex<Option<Bytes>>>::default();
    let service = service_fn(move |request: Request<RequestBody>| {
        let (gateway, first) = (gateway.clone(), Arc::clone(&first));
        async move {
            let (parts, body) = request.into_parts();
            let content_type = parts.headers[header::CONTENT_TYPE].clone();
            let body = body.collect().await.unwrap().to_bytes();
            let outer = Request::post(gateway).header(header::CONTENT_TYPE, content_type);
            let answer = send(outer.body(Content::from(body)).unwrap()).await;
            let first = first.lock().unwrap().get_or_insert_with(|| answer.body.clone()).clone();
            Ok::<_, Infallible>(attacked(attack, answer, first))
        }
    });
    tokio::spawn(server::serve(listener, None, service, std::future::pending()));
    url
}

fn attacked(attack: Attack, answer: Received, first: Bytes) -> Response<Body> {
    let half = answer.body.slice(..answer.body.len() / 2);
    let body = match attack {
        Attack::None | Attack::WrongType => Body::from(answer.body),
        Attack::Replayed => Body::from(first),
        Attack::Altered => {
            let mut altered = answer.body.to_vec();
            *altered.last_mut().unwrap() ^= 1;
            Body::from(altered)
        }
        Attack::CutOff => {
            // Not before the first half has gone.
            let broken = stream::once(async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Err::<Bytes, BoxError>("cut off".into())
            });
            Body::from_stream(stream::once(async { Ok(half) }).chain(broken))
        }
        Attack::Endless => {
            let piece = Bytes::from_static(&[0x3f; 16_384]);
            Body::from_stream(stream::repeat_with(move || Ok::<_, BoxError>(piece.clone())))
        }
        Attack::Slow => Body::from_stream(stream::unfold(half, |mut rest| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, BoxError>(rest.split_to(1)), rest))
        })),
    };
    let mut response = Response::new(body);
    let content_type = match attack {
        Attack::WrongType => HeaderValue::from_static("application/octet-stream"),
        _ => answer.headers[header::CONTENT_TYPE].clone(),
    };
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

#[tokio::test(flavor = "multi_thread")]
async fn no_relay_can_pass_off_a_wrong_answer_or_keep_a_client() {
    let setup = Setup::start().await;
    let keys = setup.gateway.url("/ohttp-keys");
    let url = setup.target.url("/length");
    for (attack, whole, in_chunks) in [
        (Attack::None, 0, 0),
        (Attack::WrongType, 8, 8),
        (Attack::CutOff, 18, 18),
        (Attack::Replayed, 8, 8),
        (Attack::Altered, 8, 8),
        // In chunks it is not long before there is one that does not open.
        (Attack::Endless, 63, 8),
        (Attack::Slow, 28, 28),
    ] {
        for (way, code) in [(&[][..], whole), (&["--chunked"], in_chunks)] {
            let relay = relay(attack, setup.gateway.url("/gateway")).await;
            let fixed = ["-m", "5", "--relay", &relay, "--keys", &keys, "-d", "12345", &url];
            let arguments = [way, &fixed].concat();
            let first = run("client", &arguments);
            // The first answer is right, until it is that to another request.
            let output = match attack {
                Attack::Replayed => {
                    assert_eq!(text(&first), "5");
                    run("client", &arguments)
                }
                _ => first,
            };
            let shown = stderr(&output);
            assert_eq!(output.status.code(), Some(code), "{attack:?} {way:?}: {shown}");
            match code {
                0 => assert_eq!(text(&output), "5"),
                _ => assert!(output.stdout.is_empty(), "{attack:?} {way:?}"),
            }
        }
    }
}
