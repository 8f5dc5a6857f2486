//! The same over TLS, from the client to the target.

use oblivious_hyper::tls;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::programs::{Server, run};
use crate::setup::{TempFile, relay_to, text};
use crate::target::Target;

/// A certificate for `localhost`, its key, and the authority that signed it, in files.
pub(crate) struct Certificate {
    pub(crate) cert: TempFile,
    pub(crate) key: TempFile,
    pub(crate) ca: TempFile,
}

pub(crate) fn certificate(name: &str) -> Certificate {
    let mut authority = CertificateParams::default();
    // OpenSSL goes by names: that of the authority must not be the one of what it signs.
    authority.distinguished_name.push(DnType::CommonName, "authority of the tests");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    Certificate {
        cert: TempFile::new(&format!("{name}-cert.pem"), certificate.pem()),
        key: TempFile::new(&format!("{name}-key.pem"), key.serialize_pem()),
        ca: TempFile::new(&format!("{name}-ca.pem"), authority.as_ref().pem()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_connection_can_be_encrypted() {
    let Certificate { cert, key, ca } = certificate("all");
    let own = ["--tls-cert", cert.path(), "--tls-key", key.path(), "--ca", ca.path()];
    let config = tls::server_config(cert.path().as_ref(), key.path().as_ref(), None).unwrap();
    let target = Target::start_with(Some(config)).await;
    let allow = ["--allow-internal-target", &target.origin, "--generate-key"];
    let gateway = Server::start("gateway", &[&own[..], &allow].concat());
    // The certificates are for a name, and the programs print the address that they listen on.
    let named = |server: &Server, path: &str| {
        let port = server.address().rsplit_once(':').unwrap().1;
        format!("https://localhost:{port}{path}")
    };
    let gateway_url = named(&gateway, "/gateway");
    let relay = Server::start("relay", &[&own[..], &["--gateway", &gateway_url]].concat());
    assert!(relay.origin.starts_with("https://"));

    let (relay_url, keys) = (named(&relay, "/gateway"), named(&gateway, "/ohttp-keys"));
    let exchange = ["--relay", &relay_url, "--keys", &keys];
    let url = target.url("/echo");
    let with_ca = [&exchange[..], &["--ca", ca.path(), "-d", "sealed twice", &url]].concat();
    assert!(text(&run("client", &with_ca)).ends_with("\nsealed twice"));

    // Without the authority nobody is trusted.
    let without_ca = run("client", &[&exchange[..], &[&url]].concat());
    assert_eq!(without_ca.status.code(), Some(60));
    assert!(String::from_utf8_lossy(&without_ca.stderr).contains("cannot fetch key"));
}

/// The target of a rewrite offers HTTP/2 and gets HTTP/1.1, since it is to be told a host that is
/// not that of its certificate.
#[tokio::test(flavor = "multi_thread")]
async fn a_rewrite_keeps_the_host_that_the_client_named() {
    let Certificate { cert, key, ca } = certificate("rewrite");
    let config = tls::server_config(cert.path().as_ref(), key.path().as_ref(), None).unwrap();
    let target = Target::start_with(Some(config)).await;
    let rewrite = format!("example.com={}", target.origin);
    let gateway = ["--allow-target", "https://example.com", "--ca", ca.path(), "--generate-key"];
    let gateway = Server::start("gateway", &[&gateway[..], &["--rewrite", &rewrite]].concat());
    let relay = relay_to(&gateway.url("/gateway"));
    let (relay, keys) = (relay.url("/gateway"), gateway.url("/ohttp-keys"));
    let answer = run("client", &["--relay", &relay, "--keys", &keys, "https://example.com/echo?a"]);
    let echo = text(&answer);
    assert!(echo.starts_with("GET /echo?a\n"), "{echo}");
    assert!(echo.contains("\nhost: example.com\n"), "{echo}");
}
