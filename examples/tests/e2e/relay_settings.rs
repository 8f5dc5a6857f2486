//! What operators do with the relay: configure it, check that, watch it, and end it.

use std::time::Duration;

use http::{Request, StatusCode, header};
use oblivious_http::service::Content;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::programs::{ADMIN, Server, contains, program, run};
use crate::setup::{Setup, TempFile, relay_to_with, send, stderr, stdout, text};
use crate::target::Target;

/// What is checked can be used as a configuration file.
#[test]
fn a_check_prints_the_settings_in_effect() {
    let config = TempFile::new(
        "relay-check.toml",
        "gateway = \"https://one.example/gateway\"\nbody-limit = 1000\nidle-timeout = 2.5\n\
         allow-http-gateway = true\n[[route]]\npath = \"/two\"\n\
         gateway = \"http://two.example/gateway\"\n",
    );
    let printed = text(&run("relay", &["--config", config.path(), "--check"]));
    for line in [
        "gateway = \"https://one.example/gateway\"",
        "body-limit = 1000",
        "idle-timeout = 2.5",
        "head-timeout = 30.0",
        "max-connections = 20000",
        "allow-http-gateway = true",
        "[[route]]\npath = \"/two\"\ngateway = \"http://two.example/gateway\"",
    ] {
        assert!(printed.contains(line), "{line} is not in {printed}");
    }
    let again = TempFile::new("relay-checked.toml", &printed);
    assert_eq!(text(&run("relay", &["--config", again.path(), "--check"])), printed);

    // Flags replace the environment, which replaces the file.
    let replaced = program("relay")
        .args(["--config", config.path(), "--check", "--idle-timeout", "7"])
        .args(["--route", "/three=http://three.example/"])
        .envs([("RELAY_IDLE_TIMEOUT", "6"), ("RELAY_BODY_LIMIT", "2000"), ("RELAY_ROUTE", "/4=5")])
        .output()
        .unwrap();
    let replaced = text(&replaced);
    assert!(replaced.contains("idle-timeout = 7.0") && replaced.contains("body-limit = 2000"));
    assert!(replaced.contains("path = \"/three\"") && !replaced.contains("/two"), "{replaced}");

    let refused = program("relay")
        .args(["--config", config.path(), "--check"])
        .env("RELAY_ALLOW_HTTP_GATEWAY", "no")
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("is not https"), "{}", stderr(&refused));
}

#[test]
fn settings_that_cannot_work_are_explained() {
    let gateway = "gateway = \"https://gateway.example/\"\n";
    let file = |name: &str, text: &str| {
        TempFile::new(&format!("relay-{name}.toml"), format!("{gateway}{text}\n"))
    };
    let unknown = file("unknown", "body-limits = 2");
    let secret = file("secret", "listen = hunter2-without-quotes");
    let value = file("value", "body-limit = \"hunter2\"");
    let route = file("route", "[[route]]\npath = \"/a\"\ngateway = \"https://a/\"\nmethod = 1");
    let half = file("half", "[[route]]\npath = \"/a\"");
    let bare = file("bare", "[[route]]\ngateway = \"https://a/\"");
    let payload = file(
        "payload",
        "[[route]]\npath = \"/a\"\ngateway = \"https://a/\"\n\
         payload = [{ request = \"message/ohttp-req\", response = \"message/x\" }]",
    );
    let token = TempFile::new("relay-wrong-token", "hunter2 hunter2\n");
    let servers = file(
        "servers",
        "[[route]]\npath = \"/a\"\ngateway = \"https://gateway.example/a\"\nca = \"/nowhere\"",
    );
    let cases: [(&[&str], &str); 26] = [
        (&["--gateway", "https://a/", "--batch", "1"], "two or more"),
        (&["--gateway", "https://a/", "--batch", "20000"], "--concurrency"),
        (&["--config", servers.path()], "different certificates for the same server"),
        (&["--gateway", "https://a/", "--client-cert", "/nowhere"], "client-key go together"),
        (&["--route", "/a=https://b/", "--ca", "/nowhere/ca"], "/nowhere/ca"),
        (
            &["--gateway", "https://a/", "--proxy-protocol", "--trusted-proxy", "::1"],
            "exclude each other",
        ),
        (&["--config", bare.path()], "a path or a host"),
        (&["--config", payload.path()], "message/ohttp-req"),
        (&["--gateway", "https://a/", "--token-file", token.path()], "one bearer token"),
        (&["--gateway", "https://a/", "--client-burst", "5"], "--client-rate"),
        (&["--gateway", "https://a/", "--client-ipv4-bits", "33"], "--client-ipv4-bits"),
        (&["--gateway", "https://a/", "--trusted-proxy", "nobody"], "10.0.0.0/8"),
        (&["--config", unknown.path()], "line 2: unknown setting \"body-limits\""),
        (&["--config", secret.path()], "line 2"),
        (&["--config", value.path()], "line 2: body-limit"),
        (&["--config", route.path()], "line 5: unknown field `method`"),
        (&["--config", half.path()], "missing field `gateway`"),
        (&["--config", "/nowhere/relay.toml"], "/nowhere/relay.toml"),
        (&[], "--gateway URL"),
        (&["--gateway", "gateway.example"], "https://HOST/PATH"),
        (&["--gateway", "http://gateway.example/"], "--allow-http-gateway"),
        (&["--route", "/a"], "PATH=URL"),
        (&["--route", "/health=https://a/"], "--health-path"),
        (&["--route", "/a=https://a/,/a=https://b/"], "already a route"),
        (&["--gateway", "https://a/", "--tls-cert", "/nowhere/cert"], "--tls-key"),
        (&["--gateway", "https://a/", "--idle-timeout", "0"], "more than 0 seconds"),
    ];
    for (arguments, expected) in cases {
        let output = run("relay", &[arguments, &["--check"]].concat());
        let stderr = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
}

#[test]
fn help_tells_every_default_on_lines_that_are_not_too_long() {
    for (name, defaults) in [
        ("gateway", &["[default: x25519,x-wing]", "[default: 86400]", "127.0.0.1:8081]"][..]),
        ("relay", &["[default: 16777216]", "[default: 20000]", "127.0.0.1:8082]"]),
        ("client", &["[default: fastest]"]),
    ] {
        let help = text(&run(name, &["--help"]));
        for default in defaults {
            assert!(help.contains(default), "{default} is not in {help}");
        }
        let long = help.lines().find(|line| line.len() > 100);
        assert_eq!(long, None, "of {name}");
    }
}

/// Two paths lead to two gateways, by the file alone.
#[tokio::test(flavor = "multi_thread")]
async fn each_route_of_the_file_leads_to_its_gateway() {
    let target = Target::start().await;
    let gateways = [0, 1]
        .map(|_| Server::start("gateway", &["--generate-key", "--allow-target", &target.origin]));
    let routes = gateways.each_ref().map(|gateway| gateway.url("/gateway"));
    let config = TempFile::new(
        "relay-routes.toml",
        format!(
            "listen = \"127.0.0.1:0\"\nallow-http-gateway = true\n\
             [[route]]\npath = \"/one\"\ngateway = {:?}\n\
             [[route]]\npath = \"/two\"\ngateway = {:?}\n",
            routes[0], routes[1],
        ),
    );
    let relay = Server::start("relay", &["--config", config.path()]);
    let url = target.url("/length");
    for (path, gateway) in [("/one", &gateways[0]), ("/two", &gateways[1])] {
        let (relay, keys) = (relay.url(path), gateway.url("/ohttp-keys"));
        let output = run("client", &["--relay", &relay, "--keys", &keys, "-d", "12345", &url]);
        assert_eq!(text(&output), "5");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_is_watched_where_clients_are_not() {
    let setup = Setup::start().await;
    let gateway = setup.gateway.url("/gateway");
    let arguments = [&ADMIN[..], &["--log-format", "json"]].concat();
    let relay = relay_to_with(&gateway, &arguments);
    let get = |url: String| send(Request::get(url).body(Content::default()).unwrap());
    for path in ["/ready", "/health", "/metrics"] {
        assert_eq!(get(relay.admin_url(path)).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(get(relay.url("/health")).await.status, StatusCode::OK);
    for path in ["/ready", "/metrics"] {
        assert_eq!(get(relay.url(path)).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for line in relay.log().split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        serde_json::from_slice::<serde_json::Value>(line).unwrap();
    }
    assert!(contains(&relay.log(), b"\"route\""));

    let (sealed, _) = setup.seal(b"no binary HTTP").await;
    for (path, kind, status) in [
        ("/gateway?marker-query", "message/ohttp-req", StatusCode::OK),
        ("/gateway", "text/marker-type", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("/marker-path", "message/ohttp-req", StatusCode::NOT_FOUND),
    ] {
        let request = Request::post(relay.url(path))
            .header(header::CONTENT_TYPE, kind)
            .header(header::USER_AGENT, "marker-agent")
            .body(Content::from(sealed.clone()))
            .unwrap();
        assert_eq!(send(request).await.status, status, "{path} {kind}");
    }
    let metrics = get(relay.admin_url("/metrics")).await.body;
    let metrics = String::from_utf8(metrics.to_vec()).unwrap();
    for line in [
        "ohttp_relay_requests_total{gateway=\"/gateway\",outcome=\"relayed\"} 1",
        "ohttp_relay_requests_total{gateway=\"none\",outcome=\"no_route\"} 3",
        "ohttp_relay_in_flight 0",
        "ohttp_relay_gateway_seconds_count{gateway=\"/gateway\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert!(!metrics.to_lowercase().contains("marker") && !metrics.contains("127.0.0.1"));
}

/// SIGTERM drops no exchange: what is under way is answered, while load balancers are told to
/// send nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn at_sigterm_the_relay_answers_what_is_under_way() {
    let mut setup = Setup::start().await;
    let gateway = setup.gateway.url("/gateway");
    setup.relay = relay_to_with(&gateway, &[&ADMIN[..], &["--lame-duck", "0.5"]].concat());
    let client = setup.spawn_client_with_output("/slow");
    while setup.target.calls.begun() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    setup.relay.signal("TERM");
    setup.relay.await_log("draining");
    let get = |url: String| send(Request::get(url).body(Content::default()).unwrap());
    let ready = get(setup.relay.admin_url("/ready")).await;
    assert_eq!(
        (ready.status, &ready.body[..]),
        (StatusCode::SERVICE_UNAVAILABLE, &b"draining\n"[..])
    );
    // It still serves, and tells HTTP/1 clients that it will not for long.
    let health = get(setup.relay.url("/health")).await;
    assert_eq!(health.status, StatusCode::OK);
    assert_eq!(health.headers[header::CONNECTION], "close");
    assert_eq!(stdout(&client.wait_with_output().unwrap()), b"slow and complete");
    assert_eq!(setup.relay.wait(), Some(0));
}

/// Whatever hangs is cut off at the deadline.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_of_the_relay_has_an_end() {
    let mut setup = Setup::start().await;
    let gateway = setup.gateway.url("/gateway");
    setup.relay = relay_to_with(&gateway, &["--drain", "0.3", "--lame-duck", "0"]);
    let mut client = setup.spawn_client("/hang");
    while setup.target.calls.begun() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    setup.relay.signal("TERM");
    assert_eq!(setup.relay.wait(), Some(0));
    assert!(!client.wait().unwrap().success());
}

/// RFC 9112 §9.5: a client that says nothing is not waited for forever.
#[tokio::test(flavor = "multi_thread")]
async fn the_relay_has_the_limits_of_a_server() {
    let relay = relay_to_with("http://127.0.0.1:1/", &["--head-timeout", "0.3"]);
    let mut stream = TcpStream::connect(relay.address()).await.unwrap();
    stream.write_all(b"POST /gateway HTTP/1.1\r\nhost: a\r\n").await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
}
