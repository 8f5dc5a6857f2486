//! Answers that are given before the request has been read: the client gets to see them, whatever
//! it is still sending.

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use oblivious_http::service::BoxError;
use oblivious_hyper::{HttpClient, tls};
use tower::ServiceExt;

use crate::programs::Server;
use crate::tls::{Certificate, certificate};

/// More than the gateway's limit of 4 MiB, and less than the relay's.
const TOO_LONG: usize = 6_000_000;

/// How often each is tried: what goes wrong here does so now and then.
const ROUNDS: usize = if cfg!(debug_assertions) { 10 } else { 50 };

/// A gateway and the URLs under which it can be asked: its own, and that of a relay before it.
struct Asked {
    _gateway: Server,
    _relay: Server,
    urls: [String; 2],
    client: HttpClient,
}

impl Asked {
    /// With a `name` that no other test has.
    fn start(name: &str, with_tls: bool) -> Self {
        let Certificate { cert, key, ca } = certificate(name);
        let fixed = ["--generate-key", "--allow-target", "https://example.com"];
        let own = ["--tls-cert", cert.path(), "--tls-key", key.path()];
        let trusting = ["--ca", ca.path()];
        let own = if with_tls { &own[..] } else { &[] };
        let url = |server: &Server| {
            let port = server.address().rsplit_once(':').unwrap().1;
            let scheme = if with_tls { "https" } else { "http" };
            format!("{scheme}://localhost:{port}/gateway")
        };
        let gateway = Server::start("gateway", &[&fixed[..], own].concat());
        let towards = url(&gateway);
        let towards = ["--gateway", &towards, "--allow-http-gateway"];
        let relay = Server::start("relay", &[&towards[..], own, &trusting].concat());
        let roots = std::fs::read_to_string(ca.path()).unwrap();
        let client = HttpClient::new(tls::client_config(Some(&roots)).unwrap());
        let urls = [url(&gateway), url(&relay)];
        Self { _gateway: gateway, _relay: relay, urls, client }
    }

    async fn status(
        &self,
        url: &str,
        kind: &str,
        body: impl Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    ) -> Result<StatusCode, BoxError> {
        let request = Request::post(url).header(header::CONTENT_TYPE, kind).body(body)?;
        let response = self.client.clone().oneshot(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        Ok(status)
    }
}

/// A body that does not tell how long it is.
fn of_unknown_length(length: usize) -> impl Body<Data = Bytes, Error = BoxError> {
    crate::streaming::Zeros(length as u64)
}

fn of_known_length(length: usize) -> impl Body<Data = Bytes, Error = std::convert::Infallible> {
    Full::new(Bytes::from(vec![0; length]))
}

/// RFC 9110 §15.5.14, over HTTP/1.1 and HTTP/2, with and without an announced length.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_too_long_for_the_gateway_is_a_413() {
    for with_tls in [false, true] {
        let asked = Asked::start("too-long", with_tls);
        let kind = "message/ohttp-req";
        for url in &asked.urls {
            for round in 0..ROUNDS {
                let known = asked.status(url, kind, of_known_length(TOO_LONG)).await;
                let said = format!("{url}, TLS: {with_tls}, round {round}");
                assert_eq!(known.unwrap(), StatusCode::PAYLOAD_TOO_LARGE, "{said}");
                let unknown = asked.status(url, kind, of_unknown_length(TOO_LONG)).await;
                assert_eq!(unknown.unwrap(), StatusCode::PAYLOAD_TOO_LARGE, "{said}");
            }
        }
    }
}

/// Likewise what the relay or the gateway refuses at the first look, of any length.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_refused_at_once_is_told_so() {
    for with_tls in [false, true] {
        let asked = Asked::start("refused", with_tls);
        for url in &asked.urls {
            for length in [TOO_LONG, 8 * TOO_LONG] {
                let status = asked.status(url, "text/plain", of_unknown_length(length)).await;
                assert_eq!(status.unwrap(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{url} {length}");
            }
            let status = asked.status(url, "message/ohttp-req", of_known_length(20 << 20)).await;
            assert_eq!(status.unwrap(), StatusCode::PAYLOAD_TOO_LARGE, "{url}");
        }
    }
}
