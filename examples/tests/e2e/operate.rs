//! What operators do with the gateway: configure it, check that, watch it, and let relays in.

use http::{Request, StatusCode, header};
use oblivious_http::keys::{KemId, KeyConfig};
use oblivious_http::service::Content;

use crate::programs::{ADMIN, Server, contains, program, run};
use crate::setup::{Setup, TempFile, send, stderr, text};

const ALLOW: [&str; 3] = ["--allow-target", "https://example.com", "--generate-key"];

/// What is checked can be used as a configuration file, and has no secret in it. The window for
/// dates is none (RFC 9458 §6.5.1).
#[test]
fn a_check_prints_the_settings_without_secrets() {
    let token = "a-token-that-nobody-else-may-ever-see";
    let tokens = TempFile::new("check-tokens", token);
    let redis = TempFile::new("check-redis", "redis://:password-of-redis@127.0.0.1:1/0\n");
    let seed = TempFile::new("check-seed", "5e".repeat(32));
    let config = TempFile::new(
        "check.toml",
        format!(
            "seed-file = {:?}\ntoken-file = {:?}\nredis-url-file = {:?}\nrequest-limit = 1000\n\
             target-timeout = 2.5\nkem = [\"x25519\"]\necho = true\n[[rule]]\ntarget = \"https://*.example.com/api\"\n\
             methods = [\"GET\"]\n",
            seed.path(),
            tokens.path(),
            redis.path()
        ),
    );
    let printed = text(&run("gateway", &["--config", config.path(), "--check"]));
    for secret in [token, "password-of-redis", &"5e".repeat(32)] {
        assert!(!printed.contains(secret), "{printed}");
    }
    assert!(printed.contains("request-limit = 1000"), "{printed}");
    assert!(printed.contains("response-limit = 16777216"), "a default: {printed}");
    assert!(printed.contains("date-window = 300.0"), "{printed}");

    // Flags replace the environment, which replaces the file.
    let replaced = program("gateway")
        .args(["--config", config.path(), "--check", "--target-timeout", "7"])
        .envs([
            ("GATEWAY_TARGET_TIMEOUT", "6"),
            ("GATEWAY_REQUEST_LIMIT", "2000"),
            ("GATEWAY_ECHO", "no"),
        ])
        .output()
        .unwrap();
    let replaced = text(&replaced);
    assert!(replaced.contains("target-timeout = 7.0") && replaced.contains("request-limit = 2000"));
    assert!(printed.contains("echo = true") && replaced.contains("echo = false"), "{replaced}");

    let again = TempFile::new("checked.toml", &printed);
    assert_eq!(text(&run("gateway", &["--config", again.path(), "--check"])), printed);
}

#[test]
fn settings_that_cannot_work_are_explained() {
    let unknown = TempFile::new("unknown.toml", "request-limit = 1\nrequest-limits = 2\n");
    let secret = TempFile::new("secret.toml", "listen = hunter2-without-quotes\n");
    let open = TempFile::new("no-tokens", "short\n");
    let cases: [(&[&str], &str); 17] = [
        (&["--config", unknown.path()], "line 2"),
        (&["--config", secret.path()], "line 1"),
        (&["--config", "/nowhere/gateway.toml"], "/nowhere/gateway.toml"),
        (&["--state-file", "/nowhere/state"], "/nowhere/state"),
        (&["--seed-file", "/nowhere/seed"], "one source of keys"),
        (&["--require-client-certificate"], "--client-ca"),
        (&["--tls-cert", "/nowhere/cert"], "--tls-key"),
        (&["--token-file", open.path()], "32"),
        (&["--replay-rate", "100"], "--require-date"),
        (&["--replay-rate", "100000", "--require-date"], "--replay-capacity"),
        (&["--pad-responses", "lots"], "multiple:N"),
        (&["--redis-url", "redis://:hunter2@localhost/"], "--redis-url-file"),
        (&["--redis-url", "unix:///run/redis.sock?pass=hunter2"], "--redis-url-file"),
        (&["--gateway-path", "gateway"], "--gateway-path must begin with /"),
        (&["--health-path", "/{anything}"], "--health-path must"),
        (&["--keys-path", "/gateway"], "--keys-path is already the path of something else"),
        (
            &["--legacy-keys-path", "/.well-known/ohttp-gateway"],
            "--legacy-keys-path is already the path",
        ),
    ];
    for (arguments, expected) in cases {
        // A state file excludes a generated key.
        let own = if arguments[0] == "--state-file" { &ALLOW[..2] } else { &ALLOW[..] };
        let output = run("gateway", &[own, arguments, &["--check"]].concat());
        let stderr = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
}

/// The key, the endpoints and the identifiers of the Go gateway, whose clients notice nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_environment_of_the_go_gateway_is_understood() {
    let zeros = "0".repeat(64);
    let mut command = program("gateway");
    command.env("SEED_SECRET_KEY", &zeros).env("PORT", "1").arg("--check");
    let refused = command.output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--allow-any-target"), "{}", stderr(&refused));
    assert!(!stderr(&refused).contains(&zeros));

    // What they say replaces the file; what they do not say leaves it.
    let file = TempFile::new("go.toml", "listen = \"127.0.0.1:8443\"\nkeys-path = \"/keys\"\n");
    let mut command = program("gateway");
    command.args(["--config", file.path(), "--check"]).envs([
        ("SEED_SECRET_KEY", &*zeros),
        ("ALLOWED_TARGET_ORIGINS", "example.com, ,"),
        ("GATEWAY_ENDPOINT", "/here"),
    ]);
    let checked = text(&command.output().unwrap());
    for line in [
        "listen = \"127.0.0.1:8443\"",
        "keys-path = \"/keys\"",
        "gateway-path = \"/here\"",
        "legacy-keys-path = \"/ohttp-configs\"",
        "allow-target = [\"https://example.com\"]",
    ] {
        assert!(checked.contains(line), "{line} is not in {checked}");
    }

    let environment = [
        ("SEED_SECRET_KEY", &*zeros),
        ("ALLOWED_TARGET_ORIGINS", "example.com,example.net"),
        ("TARGET_REWRITES", r#"{"example.com": {"Scheme": "http", "Host": "localhost:8080"}}"#),
        ("CONFIG_ENDPOINT", "/keys-elsewhere"),
        ("LOG_FORMAT", "json"),
    ];
    let gateway = Server::start_with("gateway", &[], &environment);
    let get = |path: &str| send(Request::get(gateway.url(path)).body(Content::default()).unwrap());
    let bare = get("/ohttp-configs").await;
    let expected = "80\
        0020b935ae8410fdea07147f8c577036a83fcf2b835fadb157c071eb8c7408d0d37c000400010001";
    assert_eq!(hex::encode(&bare.body), expected);
    let config = KeyConfig::decode_bare(&bare.body).unwrap();
    assert_eq!((config.key_id(), config.kem()), (128, KemId::X25519_HKDF_SHA256));
    assert_eq!(get("/keys-elsewhere").await.status, StatusCode::OK);
    assert_eq!(get("/ohttp-keys").await.status, StatusCode::NOT_FOUND);
    for line in gateway.log().split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        serde_json::from_slice::<serde_json::Value>(line).unwrap();
    }
    assert!(!contains(&gateway.log(), zeros.as_bytes()));
}

/// Relays have to show what they are, and clients that fetch keys do not.
#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_token_is_for_requests_and_not_for_keys() {
    let (old, new) = ("old-token-0123456789-0123456789-0", "new-token-0123456789-0123456789-0");
    let file = TempFile::new("tokens", format!("{old}\n{new}\n"));
    let setup = Setup::start_with(&["--token-file", file.path()]).await;
    let (sealed, _) = setup.seal(b"x").await;
    let post = |token: Option<&str>| {
        let mut request = Request::post(setup.gateway.url("/gateway"))
            .header(header::CONTENT_TYPE, "message/ohttp-req");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        send(request.body(Content::from(sealed.clone())).unwrap())
    };
    for (token, status) in [
        (None, StatusCode::UNAUTHORIZED),
        (Some("wrong-token-0123456789-0123456789"), StatusCode::UNAUTHORIZED),
        (Some(""), StatusCode::UNAUTHORIZED),
        (Some(old), StatusCode::OK),
        (Some(new), StatusCode::OK),
    ] {
        assert_eq!(post(token).await.status, status, "{token:?}");
    }
    assert!(!contains(&setup.gateway.log(), b"token-0123456789"));
}

/// RFC 9458 §6.2.3
#[tokio::test(flavor = "multi_thread")]
async fn answers_can_be_padded_to_buckets() {
    let setup = Setup::start_with(&["--pad-responses", "buckets:1024:4096"]).await;
    for path in ["/204", "/500", "/cookies"] {
        assert!(setup.client(&[], path).status.success());
    }
    let (sealed, _) = setup.seal(b"no binary HTTP").await;
    let received = send(setup.outer(sealed)).await;
    assert_eq!(received.body.len(), 1024 + 16 + 16);
}

/// Faults found elsewhere: labels from what clients send, and health that is told of broken keys.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_no_label_that_a_client_chooses() {
    let setup = Setup::start_with(&ADMIN).await;
    let fetch = |path: &str| {
        send(Request::get(setup.gateway.admin_url(path)).body(Content::default()).unwrap())
    };
    assert!(setup.client(&["-X", "MARKER-METHOD"], "/echo?marker-path").status.success());
    assert!(setup.client(&[], "/500").status.success());
    assert!(setup.client_to(&[], "http://marker-host.example/").status.success());
    let garbage = Request::post(setup.gateway.url("/gateway?marker-outer"))
        .header(header::CONTENT_TYPE, "message/ohttp-req")
        .body(Content::from(vec![0; 100]))
        .unwrap();
    send(garbage).await;

    let metrics = String::from_utf8(fetch("/metrics").await.body.to_vec()).unwrap();
    for line in [
        "ohttp_gateway_requests_total{outcome=\"answered\"} 2",
        "ohttp_gateway_requests_total{outcome=\"forbidden\"} 1",
        "ohttp_gateway_requests_total{outcome=\"not_decapsulated\"} 1",
        "ohttp_gateway_target_responses_total{class=\"5xx\"} 1",
        "ohttp_gateway_decapsulation_failures_total{kind=\"unknown_key\"} 1",
        // The second key is the one for X-Wing, which the client prefers.
        "ohttp_gateway_key_requests_total{key_id=\"2\"} 3",
        "ohttp_gateway_in_flight 0",
        "ohttp_gateway_replay_entries 3",
        "ohttp_gateway_stage_seconds_count{stage=\"total\"} 4",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert!(!metrics.to_lowercase().contains("marker"), "{metrics}");
    for path in ["/ready", "/health"] {
        assert_eq!(fetch(path).await.status, StatusCode::OK, "{path}");
    }
    let public = Request::get(setup.gateway.url("/metrics")).body(Content::default()).unwrap();
    assert_eq!(send(public).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_can_be_switched_on() {
    let message = b"whatever was encapsulated";
    for (arguments, status) in [(&[][..], 404), (&["--echo"][..], 200)] {
        let setup = Setup::start_with(arguments).await;
        let (sealed, pending) = setup.seal(message).await;
        let request = Request::post(setup.gateway.url("/gateway-echo"))
            .header(header::CONTENT_TYPE, "message/ohttp-req")
            .body(Content::from(sealed))
            .unwrap();
        let received = send(request).await;
        assert_eq!(received.status, status);
        if status == 200 {
            assert_eq!(pending.open(received.body.into()).unwrap(), message[..]);
        }
    }
}
