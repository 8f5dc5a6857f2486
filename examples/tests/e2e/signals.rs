//! The gateway at the end of its life, and when its files change.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode};
use oblivious_http::service::Content;
use rustls::pki_types::ServerName;

use crate::programs::{ADMIN, Server, contains};
use crate::setup::{Setup, TempFile, send, stdout};
use crate::tls::certificate;

/// SIGTERM drops no exchange: what is under way is answered, while load balancers are told to
/// send nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn at_sigterm_what_is_under_way_is_answered() {
    let mut setup = Setup::start_with(&[&ADMIN[..], &["--lame-duck", "0.5"]].concat()).await;
    let client = setup.spawn_client_with_output("/slow");
    while setup.target.calls.begun() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    setup.gateway.signal("TERM");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let ready = Request::get(setup.gateway.admin_url("/ready")).body(Content::default()).unwrap();
    assert_eq!(send(ready).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(stdout(&client.wait_with_output().unwrap()), b"slow and complete");
    assert_eq!(setup.gateway.wait(), Some(0));
}

/// Whatever hangs is cut off at the deadline.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_has_an_end() {
    let mut setup = Setup::start_with(&["--drain", "0.3"]).await;
    let mut client = setup.spawn_client("/hang");
    while setup.target.calls.begun() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    setup.gateway.signal("TERM");
    assert_eq!(setup.gateway.wait(), Some(0));
    assert!(!client.wait().unwrap().success());
}

/// What certificate a server shows.
pub(crate) async fn shown(
    server: &Server,
    config: Arc<rustls::ClientConfig>,
) -> std::io::Result<Vec<u8>> {
    let stream = tokio::net::TcpStream::connect(server.address()).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await?;
    Ok(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn at_sighup_certificates_and_keys_are_read_again() {
    let (first, second) = (certificate("first"), certificate("second"));
    let keys = TempFile::new("keys", format!("1 x25519 {}\n", "11".repeat(32)));
    let arguments = [
        "--tls-cert",
        first.cert.path(),
        "--tls-key",
        first.key.path(),
        "--key-file",
        keys.path(),
        "--allow-target",
        "https://example.com",
    ];
    let gateway = Server::start("gateway", &arguments);
    let both = [&first, &second].map(|of| std::fs::read_to_string(of.ca.path()).unwrap()).concat();
    let trust = Arc::new(oblivious_hyper::tls::client_config(Some(&both)).unwrap());
    let port = gateway.address().rsplit_once(':').unwrap().1;
    let published = async || {
        let trust = oblivious_hyper::tls::client_config(Some(&both)).unwrap();
        let url = format!("https://localhost:{port}/ohttp-keys");
        let request = Request::get(url).body(Content::default()).unwrap();
        let client = oblivious_hyper::HttpClient::new(trust);
        let response = tower::ServiceExt::oneshot(client, request).await.unwrap();
        oblivious_http::service::collect(response.into_body(), 10_000).await.unwrap().data
    };
    let (before, keys_before) = (shown(&gateway, trust.clone()).await.unwrap(), published().await);

    // What cannot be used changes nothing, not even in part.
    let write = |path: &str, text: &[u8]| std::fs::write(path, text).unwrap();
    write(first.cert.path(), &std::fs::read(second.cert.path()).unwrap());
    write(keys.path(), format!("2 x25519 {}\n", "22".repeat(32)).as_bytes());
    gateway.signal("HUP");
    gateway.await_log("everything in use stays");
    assert_eq!(shown(&gateway, trust.clone()).await.unwrap(), before);
    assert_eq!(published().await, keys_before);

    write(first.key.path(), &std::fs::read(second.key.path()).unwrap());
    gateway.signal("HUP");
    gateway.await_log("were read again");
    assert_ne!(shown(&gateway, trust).await.unwrap(), before);
    assert_ne!(published().await, keys_before);
}

/// What only a restart applies is told, by name and without its value.
#[tokio::test(flavor = "multi_thread")]
async fn at_sighup_other_settings_stay_and_are_named() {
    let config = |targets: &str, more: &str| {
        format!("listen = \"127.0.0.1:0\"\ngenerate-key = true\nallow-target = {targets:?}\n{more}")
    };
    let file = TempFile::new("hung-up-gateway.toml", config("https://a.example", ""));
    let gateway = Server::start("gateway", &["--config", file.path()]);
    gateway.signal("HUP");
    gateway.await_log("were read again");
    assert!(!contains(&gateway.log(), b"after a restart"));

    std::fs::write(file.path(), config("https://hunter2.example", "max-streams = 7\n")).unwrap();
    gateway.signal("HUP");
    gateway.await_log("after a restart");
    gateway.await_log("allow-target, max-streams");
    assert!(!contains(&gateway.log(), b"hunter2"));
}

/// New keys would not be those that clients have and other replicas use.
#[tokio::test(flavor = "multi_thread")]
async fn at_sighup_a_state_file_that_is_gone_is_not_replaced() {
    let state = TempFile::new("gone-state", "");
    std::fs::remove_file(state.path()).unwrap();
    let own = ["--state-file", state.path(), "--create-state", "--allow-target", "https://a.test"];
    let gateway = Server::start("gateway", &own);
    let published = async || {
        let request = Request::get(gateway.url("/ohttp-keys"));
        send(request.body(Content::default()).unwrap()).await.body
    };
    let before = published().await;
    std::fs::rename(state.path(), format!("{}-elsewhere", state.path())).unwrap();
    gateway.signal("HUP");
    gateway.await_log("everything in use stays");
    assert_eq!(published().await, before);
    assert!(!std::path::Path::new(state.path()).exists());
    std::fs::rename(format!("{}-elsewhere", state.path()), state.path()).unwrap();
}

/// A client certificate is asked of relays, and nobody else needs one.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_is_for_requests_and_not_for_keys() {
    let (own, relay) = (certificate("server"), certificate("relay"));
    let stranger = certificate("stranger");
    let arguments = [
        "--tls-cert",
        own.cert.path(),
        "--tls-key",
        own.key.path(),
        "--client-ca",
        relay.ca.path(),
        "--require-client-certificate",
        "--generate-key",
        "--allow-target",
        "https://example.com",
    ];
    let gateway = Server::start("gateway", &arguments);
    let port = gateway.address().rsplit_once(':').unwrap().1.to_owned();
    let url = |path: &str| format!("https://localhost:{port}{path}");
    let client = |identity: Option<&crate::tls::Certificate>| {
        oblivious_hyper::HttpClient::new(identity_config(&own, identity))
    };
    let post = || {
        Request::post(url("/gateway"))
            .header("content-type", "message/ohttp-req")
            .body(Content::from(vec![0; 100]))
            .unwrap()
    };
    let ask = async |identity, request| {
        let response = tower::ServiceExt::oneshot(client(identity), request).await;
        response.map(|response| response.status())
    };
    let keys = || Request::get(url("/ohttp-keys")).body(Content::default()).unwrap();
    assert_eq!(ask(None, keys()).await.unwrap(), StatusCode::OK);
    assert_eq!(ask(None, post()).await.unwrap(), StatusCode::UNAUTHORIZED);
    // It gets past the check, to a request that is for no key.
    assert_eq!(ask(Some(&relay), post()).await.unwrap(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(ask(Some(&stranger), post()).await.is_err(), "of another authority");
}

/// TLS that trusts the server, with a certificate to show or none.
fn identity_config(
    server: &crate::tls::Certificate,
    identity: Option<&crate::tls::Certificate>,
) -> rustls::ClientConfig {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(server.ca.path()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let Some(identity) = identity else { return builder.with_no_client_auth() };
    let chain = vec![CertificateDer::from_pem_file(identity.cert.path()).unwrap()];
    let key = PrivateKeyDer::from_pem_file(identity.key.path()).unwrap();
    builder.with_client_auth_cert(chain, key).unwrap()
}
