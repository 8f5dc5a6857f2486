//! The relay when its files change.

use std::sync::Arc;

use http::StatusCode;
use oblivious_hyper::tls;

use crate::programs::Server;
use crate::setup::{Setup, TempFile, send};
use crate::signals::shown;
use crate::tls::certificate;

/// A configuration file with these routes.
fn config(setup: &Setup, paths: &[&str]) -> String {
    let gateway = setup.gateway.url("/gateway");
    let route = |path: &&str| format!("[[route]]\npath = {path:?}\ngateway = {gateway:?}\n");
    let routes = paths.iter().map(route).collect::<String>();
    format!("listen = \"127.0.0.1:0\"\nallow-http-gateway = true\n{routes}")
}

fn write(file: &TempFile, text: impl AsRef<[u8]>) {
    std::fs::write(file.path(), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn at_sighup_routes_are_read_again() {
    let mut setup = Setup::start().await;
    let file = TempFile::new("reloaded-relay.toml", config(&setup, &["/gateway", "/old"]));
    setup.relay = Server::start("relay", &["--config", file.path()]);
    let status = async |path: &str| {
        let (sealed, _) = setup.seal(b"no binary HTTP").await;
        let mut request = setup.outer(sealed);
        *request.uri_mut() = setup.relay.url(path).parse().unwrap();
        send(request).await.status
    };
    assert_eq!(status("/old").await, StatusCode::OK);
    assert_eq!(status("/new").await, StatusCode::NOT_FOUND);

    // What cannot be used changes nothing, not even in part.
    for (wrong, said) in [
        (format!("{}path = 1\n", config(&setup, &["/new"])), "line"),
        (config(&setup, &["/new", "/new"]), "already a route"),
        (config(&setup, &[]), "no gateway is named"),
        (config(&setup, &["/new", "/health"]), "--health-path"),
        (format!("unheard-of = 1\n{}", config(&setup, &["/new"])), "unheard-of"),
    ] {
        write(&file, wrong);
        setup.relay.signal("HUP");
        setup.relay.await_log(said);
        setup.relay.await_log("everything in use stays");
        assert_eq!(status("/old").await, StatusCode::OK);
        assert_eq!(status("/new").await, StatusCode::NOT_FOUND);
    }

    write(&file, config(&setup, &["/gateway", "/new"]));
    setup.relay.signal("HUP");
    setup.relay.await_log("routes, tokens and certificates were read again");
    assert_eq!(status("/old").await, StatusCode::NOT_FOUND);
    assert_eq!(status("/new").await, StatusCode::OK);
    assert!(setup.client(&[], "/204").status.success());

    // Settings that a restart takes are told.
    write(&file, format!("body-limit = 1\n{}", config(&setup, &["/gateway", "/newer"])));
    setup.relay.signal("HUP");
    setup.relay.await_log("after a restart");
    assert_eq!(status("/newer").await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_sighup_the_certificate_of_the_relay_is_read_again() {
    let (first, second) = (certificate("relay-first"), certificate("relay-second"));
    let arguments = [
        "--tls-cert",
        first.cert.path(),
        "--tls-key",
        first.key.path(),
        "--gateway",
        "https://gateway.example/",
    ];
    let relay = Server::start("relay", &arguments);
    let both = [&first, &second].map(|of| std::fs::read_to_string(of.ca.path()).unwrap()).concat();
    let trust = Arc::new(tls::client_config(Some(&both)).unwrap());
    let before = shown(&relay, trust.clone()).await.unwrap();

    write(&first.cert, std::fs::read(second.cert.path()).unwrap());
    relay.signal("HUP");
    relay.await_log("everything in use stays");
    assert_eq!(shown(&relay, trust.clone()).await.unwrap(), before);

    write(&first.key, std::fs::read(second.key.path()).unwrap());
    relay.signal("HUP");
    relay.await_log("were read again");
    assert_ne!(shown(&relay, trust).await.unwrap(), before);
}
