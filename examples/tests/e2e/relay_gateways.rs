//! What the relay shows to gateways, and what it does when they do not answer.

use http::{Request, StatusCode, header};
use oblivious_http::service::Content;

use crate::programs::{Server, contains, run};
use crate::setup::{Setup, TempFile, relay_to_with, send, stderr, stdout, text};
use crate::target::Target;
use crate::tls::certificate;

/// A gateway with `--token-file` can be used with this relay, and the token can be changed.
#[tokio::test(flavor = "multi_thread")]
async fn the_relay_shows_its_token_and_reads_it_again() {
    let (old, new) = ("relay-token-0123456789-0123456789-0", "relay-token-9876543210-9876543210-9");
    let known = TempFile::new("gateway-tokens", format!("{new}\n"));
    let own = TempFile::new("relay-token", format!("{old}\n"));
    let mut setup = Setup::start_with(&["--token-file", known.path()]).await;
    let gateway = setup.gateway.url("/gateway");
    setup.relay = relay_to_with(&gateway, &["--token-file", own.path()]);
    assert!(!setup.client(&[], "/204").status.success());

    std::fs::write(own.path(), "two words\n").unwrap();
    setup.relay.signal("HUP");
    setup.relay.await_log("everything in use stays");
    std::fs::write(own.path(), format!("{new}\n")).unwrap();
    setup.relay.signal("HUP");
    setup.relay.await_log("were read again");
    assert!(setup.client(&[], "/204").status.success());
    for log in [setup.relay.log(), setup.gateway.log()] {
        assert!(!contains(&log, b"relay-token-"));
    }
}

/// RFC 9458 §3: key configurations by way of the relay, the same for all clients.
#[tokio::test(flavor = "multi_thread")]
async fn the_relay_hands_out_the_keys_of_its_gateway() {
    let mut setup = Setup::start().await;
    let (gateway, keys) = (setup.gateway.url("/gateway"), setup.gateway.url("/ohttp-keys"));
    let get = |url: String| send(Request::get(url).body(Content::default()).unwrap());
    assert_eq!(get(setup.relay.url("/gateway")).await.status, StatusCode::METHOD_NOT_ALLOWED);

    setup.relay = relay_to_with(&gateway, &["--keys", &keys]);
    let published = get(keys).await;
    let handed_out = get(setup.relay.url("/gateway")).await;
    assert_eq!(handed_out.status, StatusCode::OK);
    assert_eq!(handed_out.headers[header::CONTENT_TYPE], "application/ohttp-keys");
    assert_eq!(handed_out.body, published.body);
    let relay = setup.relay.url("/gateway");
    // RFC 9458 §6.1: alone they prove nothing, beside the gateway's own they do.
    let url = setup.target.url("/length");
    let by_relay = ["--relay", &relay, "--keys", &relay, "-d", "12345", &url];
    let alone = run("client", &by_relay);
    assert_eq!(alone.status.code(), Some(2), "{}", stderr(&alone));
    assert!(stderr(&alone).contains("--pin"), "{}", stderr(&alone));
    let keys = setup.gateway.url("/ohttp-keys");
    assert_eq!(text(&run("client", &[&by_relay[..], &["--keys", &keys]].concat())), "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_does_not_answer_is_left_in_peace() {
    let breaker = ["--breaker-failures", "2", "--breaker-pause", "60"];
    let relay = relay_to_with("http://127.0.0.1:1/", &breaker);
    let ask = || {
        let request = Request::post(relay.url("/gateway"))
            .header(header::CONTENT_TYPE, "message/ohttp-req")
            .body(Content::from("8 bytes."));
        send(request.unwrap())
    };
    for _ in 0..2 {
        assert_eq!(ask().await.status, StatusCode::BAD_GATEWAY);
    }
    let refused = ask().await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
}

/// RFC 9458 §4.6: other protocols have media types of their own.
#[tokio::test(flavor = "multi_thread")]
async fn a_route_can_take_other_media_types_and_hosts() {
    let file = TempFile::new(
        "relay-payload.toml",
        "listen = \"127.0.0.1:0\"\nallow-http-gateway = true\n\
         [[route]]\nhost = \"other.example\"\ngateway = \"http://127.0.0.1:1/\"\n\
         [[route]]\npath = \"/auction\"\ngateway = \"http://127.0.0.1:1/\"\nname = \"auction\"\n\
         payload = [{ request = \"message/auction-req\", response = \"message/auction-res\" }]\n",
    );
    let relay = Server::start("relay", &["--config", file.path()]);
    let ask = async |path: &str, host: &str, kind: &str| {
        let request = Request::post(relay.url(path))
            .header(header::HOST, host)
            .header(header::CONTENT_TYPE, kind)
            .body(Content::from("8 bytes."));
        send(request.unwrap()).await.status
    };
    for (path, host, kind, status) in [
        ("/auction", "relay.example", "message/auction-req", StatusCode::BAD_GATEWAY),
        ("/auction", "relay.example", "message/ohttp-req", StatusCode::BAD_GATEWAY),
        ("/auction", "relay.example", "message/x-req", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("/any", "other.example", "message/ohttp-req", StatusCode::BAD_GATEWAY),
        ("/any", "other.example", "message/auction-req", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("/any", "relay.example", "message/ohttp-req", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(ask(path, host, kind).await, status, "{path} {host} {kind}");
    }
}

/// RFC 9458 §6.2.3: requests are held for a while, and arrive.
#[tokio::test(flavor = "multi_thread")]
async fn a_delay_loses_nothing() {
    let mut setup = Setup::start().await;
    let gateway = setup.gateway.url("/gateway");
    setup.relay = relay_to_with(&gateway, &["--delay", "0.05"]);
    assert_eq!(text(&setup.client(&["-d", "12345"], "/length")), "5");
}

/// RFC 9458 §6.2.3: two make a batch, there and back.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_goes_as_soon_as_it_is_full() {
    let mut setup = Setup::start().await;
    let gateway = setup.gateway.url("/gateway");
    setup.relay = relay_to_with(&gateway, &["--batch", "2", "--batch-timeout", "600"]);
    let clients = [(); 2].map(|()| setup.spawn_client_with_output("/204"));
    for client in clients {
        stdout(&client.wait_with_output().unwrap());
    }
}

/// A gateway that asks for a certificate gets the relay's, and is known by an authority of its own.
/// Both can be changed while the relay runs.
#[tokio::test(flavor = "multi_thread")]
async fn the_relay_and_a_gateway_know_each_other_by_certificates() {
    let target = Target::start().await;
    let (own, relay_identity) = (certificate("mutual-gateway"), certificate("mutual-relay"));
    let other = certificate("mutual-other");
    let arguments = [
        "--tls-cert",
        own.cert.path(),
        "--tls-key",
        own.key.path(),
        "--client-ca",
        relay_identity.ca.path(),
        "--require-client-certificate",
        "--generate-key",
        "--allow-target",
        &target.origin,
    ];
    let gateway = Server::start("gateway", &arguments);
    let port = gateway.address().rsplit_once(':').unwrap().1;
    let origin = format!("https://localhost:{port}");
    let config = |ca: &TempFile, identity: &str| {
        format!(
            "listen = \"127.0.0.1:0\"\n[[route]]\npath = \"/gateway\"\n\
             gateway = \"{origin}/gateway\"\nca = {:?}\n{identity}",
            ca.path()
        )
    };
    let shown = format!(
        "client-cert = {:?}\nclient-key = {:?}\n",
        relay_identity.cert.path(),
        relay_identity.key.path()
    );
    let file = TempFile::new("mutual.toml", "");
    let (keys, url) = (format!("{origin}/ohttp-keys"), target.url("/length"));
    let ask = |relay: &Server| {
        let relay = relay.url("/gateway");
        let own = ["--keys", &keys, "--ca", own.ca.path(), "--relay", &relay];
        run("client", &[&own[..], &["-d", "12345", &url]].concat())
    };
    for (ca, identity) in [(&own.ca, ""), (&other.ca, &*shown)] {
        std::fs::write(file.path(), config(ca, identity)).unwrap();
        let relay = Server::start("relay", &["--config", file.path()]);
        assert!(!ask(&relay).status.success(), "{} {identity}", ca.path());
    }
    let relay = Server::start("relay", &["--config", file.path()]);
    assert!(!ask(&relay).status.success());
    std::fs::write(file.path(), config(&own.ca, &shown)).unwrap();
    relay.signal("HUP");
    relay.await_log("were read again");
    assert_eq!(text(&ask(&relay)), "5");
}
