//! What a gateway gets of a client, to the byte.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use common::{ask, connect_from, http_client, recording_gateway, start};
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Request};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use oblivious_hyper::server::Options;
use oblivious_relay::{RateLimit, Relay, Route, Routes};
use oblivious_service::{Pseudonym, Timeout, TokioTimer};

/// Every field by which someone has told clients apart, with the number of the client in it.
const TELLING: [(&str, &str); 40] = [
    ("accept", "text/html;q=0.{}"),
    ("accept-charset", "utf-{}"),
    ("accept-encoding", "gzip;q=0.{}"),
    ("accept-language", "mi;q=0.{}"),
    ("authorization", "Basic {}"),
    ("baggage", "user={}"),
    ("cache-control", "max-age={}"),
    ("cf-connecting-ip", "192.0.2.{}"),
    ("client-ip", "192.0.2.{}"),
    ("cookie", "who={}"),
    ("date", "Mon, 27 Jul 2009 12:28:5{} GMT"),
    ("device-memory", "{}"),
    ("dnt", "{}"),
    ("downlink", "{}"),
    ("early-data", "1{}"),
    ("forwarded", "for=192.0.2.{}"),
    ("from", "me{}@site.example"),
    ("if-modified-since", "Mon, 27 Jul 2009 12:28:5{} GMT"),
    ("if-none-match", "\"{}\""),
    ("max-forwards", "{}"),
    ("origin", "https://site{}.example"),
    ("pragma", "p{}"),
    ("priority", "u={}"),
    ("proxy-authorization", "Basic {}"),
    ("range", "bytes={}-"),
    ("referer", "https://site.example/{}"),
    ("rtt", "{}"),
    ("save-data", "on{}"),
    ("sec-ch-ua", "\"me\";v=\"{}\""),
    ("sec-fetch-site", "none{}"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333{}-01"),
    ("true-client-ip", "192.0.2.{}"),
    ("user-agent", "curl/{}"),
    ("via", "1.{} proxy"),
    ("viewport-width", "{}"),
    ("x-client-cert", "{}"),
    ("x-forwarded-for", "192.0.2.{}"),
    ("x-real-ip", "192.0.2.{}"),
    ("x-request-id", "{}"),
    ("x-unheard-of", "{}"),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Whole,
    /// Its length is not known, and it has a trailer.
    Chunked,
}

fn fields(client: usize, form: Form) -> Vec<(String, String)> {
    let number = client.to_string();
    let mut fields: Vec<_> = TELLING
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.replace("{}", &number)))
        .collect();
    let kind = match form {
        Form::Whole => "Message/ohttp-req",
        Form::Chunked => "message/OHTTP-chunked-req",
    };
    fields.push(("content-type".to_owned(), format!("{kind}; client={client}")));
    fields.push(("incremental".to_owned(), format!("?1;client={client}")));
    fields
}

/// An address of its own for each client.
fn address(client: usize) -> String {
    format!("127.0.0.{}", client + 1)
}

async fn send_http1(relay: SocketAddr, client: usize, form: Form) {
    let mut request =
        format!("POST /gateway?client={client} HTTP/1.1\r\nhost: r{client}.example\r\n");
    for (name, value) in fields(client, form) {
        request += &format!("{name}: {value}\r\n");
    }
    request += "connection: close\r\n";
    request += &match form {
        Form::Whole => "content-length: 6\r\n\r\nsealed".to_owned(),
        Form::Chunked => format!(
            "te: trailers\r\ntransfer-encoding: chunked\r\n\r\n\
             6;client={client}\r\nsealed\r\n0\r\nx-client: {client}\r\n\r\n"
        ),
    };
    let answer = ask(connect_from(&address(client), relay).await, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

async fn send_http2(relay: SocketAddr, client: usize, form: Form) {
    let stream = TokioIo::new(connect_from(&address(client), relay).await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let mut frames = vec![Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from("sealed")))];
    let mut request = Request::post(format!("http://r{client}.example/gateway?client={client}"));
    for (name, value) in fields(client, form) {
        request = request.header(name, value);
    }
    match form {
        Form::Whole => request = request.header("content-length", 6),
        Form::Chunked => {
            let number = HeaderValue::from(client);
            let trailers = HeaderMap::from_iter([(HeaderName::from_static("x-client"), number)]);
            frames.push(Ok(Frame::trailers(trailers)));
        }
    }
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let answer = sender.send_request(request.body(body).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
}

/// RFC 9458 §6.2: identical for two clients with the same body, whatever each has to tell, from
/// whatever address and over whatever version of HTTP.
#[tokio::test]
async fn a_gateway_gets_the_same_bytes_of_every_client() {
    let (gateway, mut recorded) = recording_gateway().await;
    let mut routes = Routes::new();
    routes.add(Route::path("/gateway", gateway.clone()).unwrap().allow_http()).unwrap();
    let relay = Relay::new(http_client())
        .routes(routes)
        .rate_limit(RateLimit::per_second(1000.try_into().unwrap()))
        .idle_timeout(Timeout::new(Duration::from_secs(30), TokioTimer))
        .pseudonym(Pseudonym::new("the-relay").unwrap());
    let relay = start(relay, Options::default()).await;
    let authority = gateway.authority().unwrap();
    let head = |kind: &str, framing: &str| {
        format!(
            "POST /gateway HTTP/1.1\r\nhost: {authority}\r\ncontent-type: {kind}\r\n\
             via: 1.1 the-relay\r\nincremental: ?1\r\n{framing}\r\n\r\n"
        )
    };
    let whole = head("message/ohttp-req", "content-length: 6") + "sealed";
    let chunked = head("message/ohttp-chunked-req", "transfer-encoding: chunked")
        + "6\r\nsealed\r\n0\r\n\r\n";
    for (form, expected) in [(Form::Whole, whole), (Form::Chunked, chunked)] {
        for client in 1..=2 {
            send_http1(relay, client, form).await;
            let got = recorded.recv().await.unwrap();
            assert_eq!(String::from_utf8(got).unwrap(), expected, "HTTP/1.1, {client}");
            send_http2(relay, client, form).await;
            let got = recorded.recv().await.unwrap();
            assert_eq!(String::from_utf8(got).unwrap(), expected, "HTTP/2, {client}");
        }
    }
}
