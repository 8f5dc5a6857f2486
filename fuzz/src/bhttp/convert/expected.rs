//! What conversion has to make of a message, said a second time and in another way.

use std::collections::{BTreeMap, BTreeSet};

use http::HeaderMap;
use oblivious_bhttp::{Fields, Request, Response};

use super::super::case::Message;
use super::message::{Parts, Start};

/// Field names with their values, in the order of the values.
type Map = BTreeMap<Vec<u8>, Vec<Vec<u8>>>;

pub(super) fn check(message: &Message, parts: &Parts) {
    match message {
        Message::Request(request) => check_request(request, parts),
        Message::Response(response) => check_response(response, parts),
    }
}

/// RFC 9292 §3.4.
fn check_request(request: &Request, parts: &Parts) {
    let Start::Request(method, uri) = &parts.start else { panic!("not a request") };
    let head = &request.head;
    assert_eq!(method.as_str().as_bytes(), head.method());
    assert_eq!(uri.scheme_str().unwrap().as_bytes(), head.scheme());
    let authority = uri.authority().unwrap().as_str().as_bytes();
    assert_eq!(Some(authority), head.effective_authority());
    let path = uri.path_and_query().unwrap().as_str();
    assert_eq!(path.as_bytes(), head.path());
    check_body(&head.fields, true, &request.content, &request.trailers, parts);
    assert!(parts.informational.is_empty());
}

/// RFC 9292 §3.5.
fn check_response(response: &Response, parts: &Parts) {
    let Start::Response(status) = &parts.start else { panic!("not a response") };
    assert_eq!(status.as_u16(), response.head.status);
    assert_eq!(parts.informational.len(), response.informational.len());
    for ((status, headers), head) in parts.informational.iter().zip(&response.informational) {
        assert_eq!(status.as_u16(), head.status);
        assert_eq!(given(headers), kept(&head.fields, false, &named(&head.fields)));
    }
    check_body(&response.head.fields, false, &response.content, &response.trailers, parts);
}

fn check_body(header: &Fields, request: bool, content: &[u8], trailers: &Fields, parts: &Parts) {
    let mut named = named(header);
    assert_eq!(given(&parts.headers), kept(header, request, &named));
    assert_eq!(parts.content, content);
    named.extend(self::named(trailers));
    assert_eq!(given(&parts.trailers), kept(trailers, false, &named));
}

fn given(map: &HeaderMap) -> Map {
    let mut given = Map::new();
    for (name, value) in map {
        given.entry(name.as_str().into()).or_default().push(value.as_bytes().into());
    }
    given
}

/// All fields but those that concern a connection (RFC 9110 §7.6.1), and `host` of a request.
fn kept(fields: &Fields, request: bool, named: &BTreeSet<Vec<u8>>) -> Map {
    let mut kept = Map::new();
    for field in fields {
        let dropped = match field.name {
            b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding"
            | b"upgrade" => true,
            b"te" => !field.value.eq_ignore_ascii_case(b"trailers"),
            b"host" => request,
            _ => false,
        };
        if !dropped && !named.contains(field.name) {
            kept.entry(field.name.into()).or_default().push(field.value.into());
        }
    }
    if let Some(cookies) = kept.get_mut(&b"cookie"[..])
        && cookies.len() > 1
    {
        // RFC 9113 §8.2.3; there is nothing to be said of a cookie that is empty.
        cookies.retain(|cookie| !cookie.is_empty());
        *cookies = vec![cookies.join(&b"; "[..])];
    }
    kept
}

/// What the `connection` fields name.
fn named(fields: &Fields) -> BTreeSet<Vec<u8>> {
    let values = fields.get_all("connection").flat_map(|value| value.split(|&byte| byte == b','));
    values.map(|token| token.trim_ascii().to_ascii_lowercase()).collect()
}
