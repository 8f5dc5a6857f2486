//! Which requests get out, to whom, and with what.

mod common;

use std::net::IpAddr;

use common::{ask, ask_bytes, gateway_with, layer};
use http::{Method, Request, Response, StatusCode, Uri};
use oblivious_bhttp::Content;
use oblivious_gateway::{Origin, PolicyError, Rewrite, TargetAddresses, TargetPolicy, TargetRule};

fn rule(text: &str) -> TargetRule {
    text.parse().unwrap()
}

fn admits(policy: &TargetPolicy, method: Method, uri: &str) -> bool {
    policy.admit(&method, &uri.parse().unwrap()).is_ok()
}

fn permits(policy: &TargetPolicy, uri: &str, address: &str) -> bool {
    policy.permits_address(&uri.parse().unwrap(), address.parse::<IpAddr>().unwrap())
}

/// RFC 9458 §6.3
#[test]
fn methods_and_paths_narrow_a_rule() {
    let rule = rule("https://example.com/api").method(Method::GET);
    let policy = TargetPolicy::from(rule.path_prefix("/status/".parse().unwrap()));
    assert!(admits(&policy, Method::GET, "https://example.com/api?x=/.."));
    assert!(admits(&policy, Method::GET, "https://example.com/status/1"));
    assert!(!admits(&policy, Method::POST, "https://example.com/api"));
    for outside in ["/", "/apix", "/status", "/api/../x", "/api/%2e%2e/x", "/api/..%2fx"] {
        let uri = format!("https://example.com{outside}");
        assert!(!admits(&policy, Method::GET, &uri), "{uri}");
    }
    assert!(!admits(&policy, Method::GET, "http://example.com/api"));
}

#[test]
fn subdomains_are_below_their_host() {
    let policy = TargetPolicy::from(rule("https://*.example.com"));
    for inside in ["https://a.example.com/", "https://a.B.Example.com:443/x"] {
        assert!(admits(&policy, Method::GET, inside), "{inside}");
    }
    for outside in [
        "https://example.com/",
        "https://evilexample.com/",
        "https://.example.com/",
        "https://a.example.com.evil.test/",
        "https://a.example.com:444/",
        "http://a.example.com/",
    ] {
        assert!(!admits(&policy, Method::GET, outside), "{outside}");
    }
    for text in
        ["https://*.127.0.0.1", "https://*", "https://*.*.a", "https://a/?q", "https://a/#f"]
    {
        assert!(text.parse::<TargetRule>().is_err(), "{text}");
    }
}

/// RFC 9110 §9.3.6, §9.3.8
#[test]
fn connect_and_trace_are_refused_even_where_a_rule_names_them() {
    let rule = rule("https://example.com").method(Method::CONNECT).method(Method::TRACE);
    let policy = TargetPolicy::from(rule);
    for method in [Method::CONNECT, Method::TRACE] {
        let refused = policy.admit(&method, &Uri::from_static("https://example.com/"));
        assert_eq!(refused.unwrap_err(), PolicyError::Method);
    }
}

#[test]
fn only_public_addresses_are_permitted_by_default() {
    let policy: TargetPolicy = [
        rule("https://example.com"),
        rule("http://localhost:81").internal(true),
        rule("http://127.0.0.1:82"),
    ]
    .into_iter()
    .collect();
    assert!(permits(&policy, "https://example.com/", "1.1.1.1"));
    for inside in ["127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "fd00:ec2::254"] {
        assert!(!permits(&policy, "https://example.com/", inside), "{inside}");
        assert!(permits(&policy, "http://localhost:81", inside), "{inside}");
    }
    assert!(permits(&policy, "http://127.0.0.1:82/", "127.0.0.1"));
    assert!(!permits(&policy, "http://127.0.0.1:82/", "127.0.0.2"));
    assert!(!permits(&policy, "http://127.0.0.1:82/", "1.1.1.1"));
    assert!(!permits(&policy, "http://127.0.0.1:83/", "127.0.0.1"));
    assert!(!permits(&policy, "https://other.example/", "1.1.1.1"));
}

/// RFC 9458 §6.3: a rule with many hosts does not open what the operator keeps inside.
#[test]
fn the_destination_of_a_rewrite_is_no_target_by_the_way() {
    let with_rewrite = |policy: TargetPolicy| {
        let to: Origin = "https://backend.example.com".parse().unwrap();
        policy.rewrite(Rewrite::new("api.example.com", to).unwrap())
    };
    for rules in [rule("https://*.example.com"), TargetRule::any_https()] {
        let policy = with_rewrite(rules.into());
        assert!(admits(&policy, Method::GET, "https://api.example.com/a"));
        assert!(admits(&policy, Method::GET, "https://other.example.com/"));
        assert!(!admits(&policy, Method::GET, "https://backend.example.com/admin"));
    }
    let named = with_rewrite(TargetRule::any_https().into())
        .allow(rule("https://backend.example.com/open"));
    assert!(admits(&named, Method::GET, "https://backend.example.com/open"));
    assert!(!admits(&named, Method::GET, "https://backend.example.com/admin"));
    let internal = with_rewrite(rule("https://*.example.com").internal(true).into());
    assert!(admits(&internal, Method::GET, "https://backend.example.com/admin"));
}

#[test]
fn a_rewrite_comes_after_the_decision() {
    let to: Origin = "http://localhost:8080".parse().unwrap();
    let rewrite = Rewrite::new("example.com", to).unwrap();
    let policy = TargetPolicy::from(rule("https://example.com/api")).rewrite(rewrite);
    let admitted =
        policy.admit(&Method::GET, &Uri::from_static("https://example.com/api?q")).unwrap();
    assert_eq!(admitted.uri, "http://localhost:8080/api?q");
    assert_eq!(admitted.host.unwrap(), "example.com");
    assert!(policy.is_destination(&admitted.uri));
    assert!(!policy.is_destination(&Uri::from_static("https://example.com/api")));
    assert_eq!(admitted.addresses, TargetAddresses::Internal);
    assert!(permits(&policy, "http://localhost:8080/", "127.0.0.1"));
    assert!(!permits(&policy, "https://example.com/", "127.0.0.1"));
    // The destination itself is no target that a client may name.
    assert!(!admits(&policy, Method::GET, "http://localhost:8080/api"));
    assert!(!admits(&policy, Method::GET, "https://example.com/"));
    for from in ["", "a:", "a:0", "a:99999", "a/b", "u@a", "https://a"] {
        let to: Origin = "http://localhost".parse().unwrap();
        assert!(Rewrite::new(from, to).is_err(), "{from}");
    }
}

fn message(method: &str, scheme: &str, authority: &str, path: &str, host: Option<&str>) -> Vec<u8> {
    let mut message = vec![0];
    let put = |message: &mut Vec<u8>, text: &str| {
        message.push(u8::try_from(text.len()).ok().filter(|&length| length < 64).unwrap());
        message.extend(text.as_bytes());
    };
    for text in [method, scheme, authority, path] {
        put(&mut message, text);
    }
    let mut fields = Vec::new();
    if let Some(host) = host {
        put(&mut fields, "host");
        put(&mut fields, host);
    }
    message.push(u8::try_from(fields.len()).unwrap());
    message.extend(fields);
    message
}

/// RFC 9292 §3.4, RFC 9458 §6.3
#[tokio::test]
async fn no_trick_with_the_control_data_gets_out() {
    let forbidden = gateway_with(layer(), |request| panic!("asked {}", request.uri()));
    for (method, scheme, authority, path, host) in [
        ("GET", "https", "example.com", "/", Some("evil.test")),
        ("GET", "https", "", "/", Some("evil.test")),
        ("GET", "https", "", "/", None),
        ("GET", "https", "", "/", Some("example.com@evil.test")),
        ("GET", "https", "evil.test", "/", Some("example.com")),
        ("GET", "https", "example.com@evil.test", "/", None),
        ("GET", "https", "example.com:443@evil.test", "/", None),
        ("GET", "https", "user@example.com", "/", None),
        ("GET", "https", "example.com:", "/", None),
        ("GET", "https", "example.com:80", "/", None),
        ("GET", "https", "example.com:65979", "/", None),
        ("GET", "https", "example.com:+443", "/", None),
        ("GET", "https", "example.com:443:443", "/", None),
        ("GET", "https", "example.com#.evil.test", "/", None),
        ("GET", "https", "example.com/.evil.test", "/", None),
        ("GET", "https", "evil.test\\.example.com", "/", None),
        ("GET", "https", "example.com", "@evil.test/", None),
        ("GET", "https", "example.com", ".evil.test/", None),
        ("GET", "https", "example.com", ":80@evil.test/", None),
        ("GET", "https", "example.com", "https://evil.test/", None),
        ("GET", "https", "example.com", "/#fragment", None),
        ("GET", "https", "example.com", "*", None),
        ("GET", "https", "example.com", "", None),
        ("GET", "http", "example.com", "/", None),
        ("GET", "http", "example.com:443", "/", None),
        ("GET", "ftp", "example.com", "/", None),
        ("GET", "", "example.com", "/", None),
        ("CONNECT", "https", "example.com", "/", None),
        ("CONNECT", "", "example.com:443", "", None),
        ("TRACE", "https", "example.com", "/", None),
    ] {
        let message = message(method, scheme, authority, path, host);
        let status = ask_bytes(forbidden.clone(), &message, &Method::GET).await.status();
        let case = format!("{method} {scheme} {authority} {path} {host:?}");
        assert!(matches!(status.as_u16(), 400 | 403), "{case}: {status}");
    }
}

/// RFC 9292 §3.4: the `host` field counts where the control data have no authority.
#[tokio::test]
async fn what_was_decided_on_is_what_the_target_gets() {
    let gateway = gateway_with(layer(), |request| {
        assert_eq!(request.uri(), "https://example.com//evil.test/");
        assert!(request.headers().is_empty());
        assert_eq!(request.extensions().get(), Some(&TargetAddresses::Public));
        Ok(Response::new(Content::default()))
    });
    for (authority, host) in [("example.com", None), ("", Some("example.com"))] {
        let message = message("GET", "https", authority, "//evil.test/", host);
        let response = ask_bytes(gateway.clone(), &message, &Method::GET).await;
        assert_eq!(response.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn the_target_of_a_rewrite_is_told_the_host_that_the_client_named() {
    let to: Origin = "http://localhost:8080".parse().unwrap();
    let rule = rule("https://example.com");
    let policy = TargetPolicy::from(rule).rewrite(Rewrite::new("example.com", to).unwrap());
    let gateway = gateway_with(layer().targets(policy), |request| {
        assert_eq!(request.uri(), "http://localhost:8080/x?y");
        assert_eq!(request.headers()["host"], "example.com");
        assert_eq!(request.headers().len(), 1);
        assert_eq!(request.extensions().get(), Some(&TargetAddresses::Internal));
        Ok(Response::new(Content::default()))
    });
    let request = Request::get("https://example.com/x?y").body(Content::default()).unwrap();
    assert_eq!(ask(gateway, request).await.status(), StatusCode::OK);
}
