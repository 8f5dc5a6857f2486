//! The relay when its files change.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, StatusCode, header};
use oblivious_http::service::Content;
use oblivious_hyper::{server, tls};

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
    setup.relay.await_log("body-limit");
    assert_eq!(status("/newer").await, StatusCode::OK);
}

/// A route that is as before goes on with the keys that it has, and leaves a gateway that does not
/// answer in peace; one that has changed does neither.
#[tokio::test(flavor = "multi_thread")]
async fn at_sighup_routes_that_stay_keep_what_they_know() {
    let setup = Setup::start().await;
    let get = |url: String| send(Request::get(url).body(Content::default()).unwrap());
    let list = get(setup.gateway.url("/ohttp-keys")).await.body;
    // It counts how often it is asked.
    let asked = Arc::new(AtomicUsize::new(0));
    let keys = {
        let asked = asked.clone();
        let answer = move || {
            asked.fetch_add(1, Ordering::Relaxed);
            let kind = (header::CONTENT_TYPE, "application/ohttp-keys");
            let fresh = (header::CACHE_CONTROL, "max-age=3600");
            std::future::ready(([kind, fresh], list.clone()))
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/", axum::routing::get(answer));
        tokio::spawn(server::serve(listener, None, router, std::future::pending()));
        url
    };
    let config = |more: &str| {
        format!(
            "listen = \"127.0.0.1:0\"\nallow-http-gateway = true\nbreaker-failures = 1\n\
             breaker-pause = 60\n[[route]]\npath = \"/gateway\"\n\
             gateway = \"http://127.0.0.1:1/\"\nkeys = {keys:?}\n{more}"
        )
    };
    let file = TempFile::new("kept-relay.toml", config(""));
    let relay = Server::start("relay", &["--config", file.path()]);
    let post = || {
        let request = Request::post(relay.url("/gateway"));
        let request = request.header(header::CONTENT_TYPE, "message/ohttp-req");
        send(request.body(Content::from("8 bytes.")).unwrap())
    };
    assert_eq!(get(relay.url("/gateway")).await.status, StatusCode::OK);
    assert_eq!(post().await.status, StatusCode::BAD_GATEWAY);
    assert_eq!(post().await.status, StatusCode::SERVICE_UNAVAILABLE);

    // Another route is new, this one is as before.
    let another = "[[route]]\npath = \"/another\"\ngateway = \"https://another.example/\"\n";
    write(&file, config(another));
    relay.signal("HUP");
    relay.await_log("were read again");
    assert_eq!(get(relay.url("/gateway")).await.status, StatusCode::OK);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(post().await.status, StatusCode::SERVICE_UNAVAILABLE);

    // Its authorities are others now: what was learned before is not of their servers.
    let ca = certificate("kept").ca;
    write(&file, config(&format!("ca = {:?}\n", ca.path())));
    relay.signal("HUP");
    for _ in 0..200 {
        if asked.load(Ordering::Relaxed) > 1 {
            break;
        }
        assert_eq!(get(relay.url("/gateway")).await.status, StatusCode::OK);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert_eq!(post().await.status, StatusCode::BAD_GATEWAY);
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
