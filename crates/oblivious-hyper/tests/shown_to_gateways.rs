//! What a relay shows to a gateway that asks who it is: certificates and tokens.

mod common;

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use common::{http_client, start};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::Full;
use oblivious_hyper::server::{ClientCertificate, Options};
use oblivious_hyper::tls::{self, Identity, Roots};
use oblivious_hyper::{ClientTls, Credentials, HttpClient, RequestBody, TokenFile};
use oblivious_relay::{Relay, Route, Routes};
use oblivious_service::Live;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tower::{ServiceExt, service_fn};

/// A folder of files, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("oblivious-http-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An authority, and a certificate of it with its key, for `localhost`.
struct Issued {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Issued {
    fn new(folder: &Folder, name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let authority = KeyPair::generate().unwrap();
        let authority = CertifiedIssuer::self_signed(params, authority).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        Self {
            authority: folder.write(&format!("{name}-ca.pem"), &authority.as_ref().pem()),
            certificate: folder.write(&format!("{name}.pem"), &certificate.pem()),
            key: folder.write(&format!("{name}-key.pem"), &key.serialize_pem()),
        }
    }

    fn identity(&self) -> Identity<'_> {
        Identity { certificate: &self.certificate, key: &self.key }
    }
}

fn sealed() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from("sealed"));
    response.headers_mut().insert("content-type", "message/ohttp-res".parse().unwrap());
    response
}

/// A gateway that wants a certificate of the authority in `clients`.
async fn gateway_asking(own: &Issued, clients: &Path) -> Uri {
    let service = service_fn(|request: Request<RequestBody>| async move {
        let mut response = sealed();
        if request.extensions().get::<ClientCertificate>().is_none() {
            *response.status_mut() = StatusCode::UNAUTHORIZED;
        }
        Ok::<_, Infallible>(response)
    });
    let config = tls::server_config(&own.certificate, &own.key, Some(clients)).unwrap();
    let options = Options { tls: Some(Live::new(config)), ..Options::default() };
    let address = start(service, options).await;
    format!("https://localhost:{}/gateway", address.port()).parse().unwrap()
}

async fn status(relay: &Relay<HttpClient>) -> u16 {
    let request = Request::post("/gateway").header("content-type", "message/ohttp-req");
    let request = request.body(Full::<Bytes>::from("sealed")).unwrap();
    relay.clone().oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_certificate_is_for_one_gateway_and_can_be_replaced() {
    let folder = Folder::new("certificates");
    let [gateway, own, other] = ["gateway", "own", "other"].map(|name| Issued::new(&folder, name));
    let uri = gateway_asking(&gateway, &own.authority).await;
    let pinned = Roots::Only(&gateway.authority);
    let config = |identity| tls::client_config_with(pinned, identity).unwrap();
    let public = || tls::client_config_with(Roots::Public, None).unwrap();
    let wrongly_pinned =
        tls::client_config_with(Roots::Only(&other.authority), Some(own.identity())).unwrap();
    let another = format!("https://localhost:{}/", uri.port_u16().unwrap() ^ 1).parse().unwrap();
    for (tls, expected, case) in [
        (ClientTls::new(public()), 502, "an unknown authority"),
        (ClientTls::new(config(None)), 401, "no certificate"),
        (
            ClientTls::new(config(None)).with(&another, config(Some(own.identity()))),
            401,
            "a certificate for another gateway",
        ),
        (
            ClientTls::new(public()).with(&uri, config(Some(own.identity()))),
            200,
            "a certificate for this gateway",
        ),
        (ClientTls::new(config(Some(other.identity()))), 502, "one that it does not know"),
        (ClientTls::new(wrongly_pinned), 502, "another authority is pinned"),
    ] {
        let relay = Relay::new(HttpClient::with_live_tls(Live::new(tls)));
        let status = status(&relay.route("/gateway", uri.clone()).unwrap()).await;
        assert_eq!(status, expected, "{case}");
    }

    let live = Live::new(ClientTls::new(config(Some(other.identity()))));
    let relay = Relay::new(HttpClient::with_live_tls(live.clone()));
    let relay = relay.route("/gateway", uri).unwrap();
    assert_eq!(status(&relay).await, 502);
    live.replace(ClientTls::new(config(Some(own.identity()))));
    assert_eq!(status(&relay).await, 200);
}

#[test]
fn files_that_do_not_go_together_say_so() {
    let folder = Folder::new("mismatch");
    let [one, other] = ["one", "other"].map(|name| Issued::new(&folder, name));
    let mixed = Identity { certificate: &one.certificate, key: &other.key };
    let error = tls::client_config_with(Roots::Public, Some(mixed)).unwrap_err();
    assert!(error.to_string().contains("do not match"), "{error}");
    let error = tls::client_config_with(Roots::Only(&one.key), None).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("PRIVATE"), "{error}");
}

/// A gateway of ours that wants a token gets it from a relay of ours, and the new one when the file
/// has changed.
#[tokio::test]
async fn a_token_is_shown_and_renewed() {
    const FIRST: &str = "0123456789abcdef0123456789abcdef";
    const SECOND: &str = "fedcba9876543210fedcba9876543210";
    let folder = Folder::new("tokens");
    let known = folder.write("known", FIRST);
    let credentials = Live::new(Credentials::read(false, Some(&known)).unwrap());
    let gateway = {
        let credentials = credentials.clone();
        service_fn(move |mut request: Request<RequestBody>| {
            let refusal = credentials.current().refusal(&mut request);
            async move {
                let refusal = refusal.map(|refusal| refusal.map(|body| body.data.into()));
                Ok::<_, Infallible>(refusal.unwrap_or_else(sealed))
            }
        })
    };
    let gateway = start(gateway, Options::default()).await;
    let gateway: Uri = format!("http://{gateway}/gateway").parse().unwrap();
    let shown = folder.write("shown", FIRST);
    let token = TokenFile::open_with_interval(&shown, Duration::ZERO).unwrap();
    let route = || Route::path("/gateway", gateway.clone()).unwrap().allow_http();
    let relay_with = |route: Route| {
        let mut routes = Routes::new();
        routes.add(route).unwrap();
        Relay::new(http_client()).routes(routes)
    };
    // Without it, what the gateway says is for the relay's operator.
    assert_eq!(status(&relay_with(route())).await, 502);
    let relay = relay_with(route().authorization(token.into()));
    assert_eq!(status(&relay).await, 200);
    folder.write("known", SECOND);
    credentials.replace(Credentials::read(false, Some(&known)).unwrap());
    assert_eq!(status(&relay).await, 502);
    folder.write("shown", SECOND);
    assert_eq!(status(&relay).await, 200);
}
