//! To the types of the `http` crate and back, without loss.

#![cfg(feature = "http")]

mod common;

use bytes::{Bytes, BytesMut};
use common::*;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use oblivious_bhttp::{
    Content, ConvertError, DecodeError, DecodeOptions, EncodableRequest, EncodableResponse,
    EncodeError, EncodeOptions, Fields, Framing, Informational, Request, Response, ResponseHead,
    decode_request, decode_response, encode_request_into, encode_response_into,
};
use proptest::prelude::*;

const FRAMINGS: [Framing; 2] = [Framing::KnownLength, Framing::IndeterminateLength];

fn message(request: &Request) -> Bytes {
    request.encode(&EncodeOptions::default()).unwrap()
}

fn to_http(request: &Request) -> Result<http::Request<Content>, ConvertError> {
    decode_request(message(request), &DecodeOptions::default())
}

fn to_http_response(response: &Response) -> Result<http::Response<Content>, ConvertError> {
    let message = response.encode(&EncodeOptions::default()).unwrap();
    decode_response(message, &http::Method::GET, &DecodeOptions::default())
}

fn encode(request: &http::Request<Content>) -> Result<Bytes, EncodeError> {
    let mut out = BytesMut::new();
    encode_request_into(request, &EncodeOptions::default(), &mut out)?;
    Ok(out.freeze())
}

fn get(uri: &str) -> http::Request<Content> {
    http::Request::get(uri).body(Content::default()).unwrap()
}

/// Names and values in the order of the map.
fn lines(map: &HeaderMap) -> Vec<(&str, &[u8])> {
    map.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

/// RFC 9292 §3.4: the URI is made of the parts, and its authority is the effective one.
#[test]
fn the_uri_has_the_effective_authority() {
    for (scheme, authority, host, path, uri) in [
        ("https", "a.example", None, "/", "https://a.example/"),
        ("https", "a.example", Some("A.EXAMPLE:443"), "/b", "https://a.example/b"),
        ("http", "", Some("a.example:8080"), "/?q=/@x", "http://a.example:8080/?q=/@x"),
        ("https", "[::1]:8443", None, "//x", "https://[::1]:8443//x"),
        ("coap+tcp", "user@a", None, "/", "coap+tcp://user@a/"),
    ] {
        let mut request = Request::new("GET", scheme, authority, path);
        request.head.fields = fields(host.map(|host| ("host", host)));
        let request = to_http(&request).unwrap();
        assert_eq!(request.uri().to_string(), uri);
        assert!(request.headers().is_empty());
    }
}

/// What the types of `http` cannot hold, or would change, is an error.
#[test]
fn what_http_cannot_hold_is_an_error() {
    let request =
        |method: &'static str,
         scheme: &'static str,
         authority: &'static str,
         path: &'static str| { Request::new(method, scheme, authority, path) };
    let pseudo = |mut request: Request, name, value| {
        request.head.fields = fields([(name, value)]);
        request
    };
    let long = format!("/{}", "a".repeat(70_000));
    let mut options = DecodeOptions::default();
    options.limits.control_data = 1 << 20;
    for (request, error) in [
        (request("CONNECT", "", "a:443", ""), ConvertError::Connect),
        (
            pseudo(request("CONNECT", "https", "a", "/"), ":protocol", "websocket"),
            ConvertError::Connect,
        ),
        (request("OPTIONS", "https", "a", "*"), ConvertError::AsteriskForm),
        (request("GET", "https", "", "/"), ConvertError::MissingAuthority),
        (pseudo(request("GET", "https", "", "/"), "host", ""), ConvertError::MissingAuthority),
        (pseudo(request("GET", "https", "a", "/"), ":b", "c"), ConvertError::PseudoField),
        (pseudo(request("GET", "https", "a", "/"), "b", "c\x01"), ConvertError::FieldValue),
        (request("GET", "https", "a]", "/"), ConvertError::Authority),
        (request("GET", "https", "a", "/`"), ConvertError::Path),
        (Request::new("GET", "https", "a", long), ConvertError::Path),
        (Request::new("GET", "https", "a", &b"/\xff"[..]), ConvertError::Path),
        (Request::new("GET", "a".repeat(100), "a", "/"), ConvertError::Scheme),
    ] {
        let message = message(&request);
        // The message as such is valid.
        assert_eq!(Request::decode_with(message.clone(), &options).as_ref(), Ok(&request));
        assert_eq!(decode_request(message, &options).unwrap_err(), error, "{request:?}");
    }
}

/// What follows a '#' would be dropped in silence.
#[test]
fn fragments_are_refused() {
    let message = Bytes::from_static(b"\0\x03GET\x05https\x01a\x04/b#c");
    let error = decode_request(message, &DecodeOptions::default()).unwrap_err();
    assert_eq!(error, ConvertError::Decode(DecodeError::Path));
}

/// `HeaderMap` holds 32,768 names and panics beyond; here it is an error.
#[test]
fn too_many_fields_are_an_error() {
    let with = |count: usize| {
        let mut request = Request::new("GET", "https", "a", "/");
        for number in 0..count {
            request.head.fields.push(format!("x-{number}"), "").unwrap();
        }
        let mut options = DecodeOptions::default();
        options.limits.fields = usize::MAX;
        options.limits.field_section = usize::MAX;
        decode_request(message(&request), &options).map(|request| request.headers().len())
    };
    assert_eq!(with(20_000), Ok(20_000));
    assert_eq!(with(32_769), Err(ConvertError::TooManyFields));
    // As trailers and in informational responses too.
    let mut many = Fields::new();
    for number in 0..32_769 {
        many.push(format!("x-{number}"), "").unwrap();
    }
    let mut options = DecodeOptions::default();
    options.limits.fields = usize::MAX;
    options.limits.field_section = usize::MAX;
    let mut trailers = Response::new(200);
    trailers.trailers = many.clone();
    let mut informational = Response::new(200);
    informational.informational.push(ResponseHead { status: 103, fields: many });
    for response in [trailers, informational] {
        let message = response.encode(&EncodeOptions::default()).unwrap();
        let decoded = decode_response(message, &http::Method::GET, &options);
        assert_eq!(decoded.unwrap_err(), ConvertError::TooManyFields);
    }
}

/// RFC 9292 §3.6, RFC 9110 §7.6.1: what concerns a connection stays behind, both ways.
#[test]
fn fields_of_connections_stay_behind() {
    let before = [
        ("x-named", "1"),
        ("connection", "close, X-Named ,,x-other"),
        ("keep-alive", "1"),
        ("proxy-connection", "1"),
        ("transfer-encoding", "gzip"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
        ("x-other", "1"),
        ("connection", "x-third"),
        ("x-third", "1"),
        ("trailer", "x-named"),
        ("kept", "1"),
    ];
    let mut request = Request::new("GET", "https", "a", "/");
    request.head.fields = fields(before);
    request.trailers = fields([("x-named", "1"), ("upgrade", "h2c"), ("last", "1")]);
    let after = [("trailer", &b"x-named"[..]), ("kept", b"1")];
    let converted = to_http(&request).unwrap();
    assert_eq!(lines(converted.headers()), after);
    let trailers = converted.body().trailers.as_ref().unwrap();
    assert_eq!(lines(trailers), [("last", &b"1"[..])]);

    let mut from = get("https://a/");
    for (name, value) in before {
        let name = HeaderName::from_static(name);
        from.headers_mut().append(name, HeaderValue::from_static(value));
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("x-named", HeaderValue::from_static("1"));
    trailers.insert("last", HeaderValue::from_static("1"));
    from.body_mut().trailers = Some(trailers);
    let encoded = Request::decode(encode(&from).unwrap()).unwrap();
    assert_eq!(encoded.head.fields, fields([("trailer", "x-named"), ("kept", "1")]));
    assert_eq!(encoded.trailers, fields([("last", "1")]));

    for (value, kept) in [("trailers", true), ("Trailers", true), ("trailers, gzip", false)] {
        request.head.fields = fields([("te", value)]);
        assert_eq!(to_http(&request).unwrap().headers().contains_key("te"), kept, "{value}");
    }
    // Trailers of which nothing is left are none.
    request.head.fields = Fields::new();
    request.trailers = fields([("upgrade", "h2c")]);
    assert!(to_http(&request).unwrap().body().trailers.is_none());
}

/// RFC 9292 §3.6, RFC 9113 §8.2.3.
#[test]
fn cookies_come_as_one() {
    for (cookies, joined) in [
        (&["a=1"][..], Some("a=1")),
        (&["a=1", "b=2", "c=3"], Some("a=1; b=2; c=3")),
        // An empty one would leave a blank at the end.
        (&["a=1", ""], Some("a=1")),
        (&["", "a=1", "", "b=2"], Some("a=1; b=2")),
        (&["", ""], Some("")),
        (&[], None),
    ] {
        let mut request = Request::new("GET", "https", "a", "/");
        request.head.fields = fields(cookies.iter().map(|cookie| ("Cookie", *cookie)));
        let request = to_http(&request).unwrap();
        assert_eq!(request.headers().get("cookie").map(|it| it.to_str().unwrap()), joined);
        assert!(request.headers().len() <= 1);
    }
    let mut request = Request::new("GET", "https", "a", "/");
    request.head.fields = fields([("cookie", "a"), ("cookie", "b"), ("connection", "cookie")]);
    assert!(to_http(&request).unwrap().headers().is_empty());
}

/// RFC 9292 §3.5.1: informational responses travel as an extension, both ways.
#[test]
fn informational_responses_are_an_extension() {
    let mut response = Response::new(200);
    let converted = to_http_response(&response).unwrap();
    assert!(converted.extensions().get::<Informational>().is_none());

    response.informational = vec![
        ResponseHead { status: 102, fields: Fields::new() },
        ResponseHead { status: 103, fields: fields([("link", "a"), ("link", "b")]) },
    ];
    let converted = to_http_response(&response).unwrap();
    let Informational(all) = converted.extensions().get().unwrap();
    assert_eq!(all.iter().map(|one| one.status().as_u16()).collect::<Vec<_>>(), [102, 103]);
    assert_eq!(lines(all[1].headers()), [("link", &b"a"[..]), ("link", b"b")]);
    for framing in FRAMINGS {
        let mut out = BytesMut::new();
        let options = EncodeOptions::default().with_framing(framing);
        encode_response_into(&converted, &options, &mut out).unwrap();
        assert_eq!(Response::decode(out.freeze(), "GET"), Ok(response.clone()));
    }
}

/// RFC 9292 §3.5: what is informational is not final, and the other way round.
#[test]
fn status_codes_have_their_place() {
    let encode = |response: &http::Response<Content>| {
        let mut out = BytesMut::from("before");
        let options = EncodeOptions::default();
        let result = encode_response_into(response, &options, &mut out);
        assert_eq!(out.len() > 6, result.is_ok(), "nothing is written with an error");
        let encodable = EncodableResponse::new(response.clone(), &options);
        assert_eq!(encodable.map(|_| ()), result);
        result
    };
    for (status, result) in
        [(103, Err(EncodeError::Status)), (600, Err(EncodeError::Status)), (599, Ok(()))]
    {
        let response = http::Response::builder().status(status).body(Content::default()).unwrap();
        assert_eq!(encode(&response), result, "{status}");
    }
    let mut response = http::Response::new(Content::default());
    response.extensions_mut().insert(Informational(vec![http::Response::new(())]));
    assert_eq!(encode(&response), Err(EncodeError::Status));
}

/// RFC 9292 §3.4: what a request needs, and must not have.
#[test]
fn requests_that_cannot_be_encoded() {
    for (uri, error) in [
        ("/path", EncodeError::AbsoluteUriRequired),
        ("a.example", EncodeError::AbsoluteUriRequired),
        ("*", EncodeError::AbsoluteUriRequired),
        ("https://user:password@a/", EncodeError::Authority),
    ] {
        assert_eq!(encode(&get(uri)), Err(error), "{uri}");
    }
    let mut request = get("https://a/");
    *request.method_mut() = http::Method::CONNECT;
    assert_eq!(encode(&request), Err(EncodeError::Connect));
    for (name, value, error) in [
        ("host", "b", EncodeError::Host),
        ("content-length", "1", EncodeError::ContentLengthMismatch),
        ("content-length", "", EncodeError::InvalidContentLength),
        ("x", " y", EncodeError::FieldValue),
        ("x", "y\t", EncodeError::FieldValue),
    ] {
        let mut request = get("https://a/");
        request.headers_mut().insert(name, HeaderValue::from_static(value));
        assert_eq!(encode(&request), Err(error), "{name}: {value}");
    }
    let mut request = get("https://a/");
    request.headers_mut().append("host", HeaderValue::from_static("a"));
    request.headers_mut().append("host", HeaderValue::from_static("a"));
    assert_eq!(encode(&request), Err(EncodeError::Host));
}

/// RFC 9113 §8.3.1: a `host` that says what the URI says is left out.
#[test]
fn host_is_said_once() {
    for host in ["a.example", "A.example", "a.example:443"] {
        let mut request = get("https://a.example");
        request.headers_mut().insert("host", HeaderValue::from_str(host).unwrap());
        let encoded = encode(&request).unwrap();
        assert_eq!(Request::decode(encoded), Ok(Request::new("GET", "https", "a.example", "/")));
    }
}

/// A URI can have a query and no path; a message needs the slash.
#[test]
fn paths_begin_with_a_slash() {
    for (uri, path) in [
        ("https://a", "/"),
        ("https://a?b=c", "/?b=c"),
        ("https://a/?b", "/?b"),
        ("https://a/caf\u{e9}", "/caf\u{e9}"),
    ] {
        let encoded = encode(&get(uri)).unwrap();
        let encodable = EncodableRequest::new(get(uri), &EncodeOptions::default()).unwrap();
        assert_eq!(encoded.len(), encodable.encoded_len());
        assert_eq!(Request::decode(encoded.clone()).unwrap().head.path(), path.as_bytes());
        let again = decode_request(encoded, &DecodeOptions::default()).unwrap();
        assert_eq!(encode(&again), encode(&get(uri)));
    }
}

/// RFC 9113 §8.1.1: only what answers HEAD, and 304, may declare content that is not there.
#[test]
fn responses_know_what_they_answer() {
    let mut response = Response::new(200);
    response.head.fields = fields([("content-length", "5")]);
    let message = response.encode(&EncodeOptions::default()).unwrap();
    let options = DecodeOptions::default();
    let decode = |method| decode_response(message.clone(), &method, &options);
    assert!(decode(http::Method::HEAD).is_ok());
    let error = decode(http::Method::GET).unwrap_err();
    assert_eq!(error, ConvertError::Decode(DecodeError::ContentLengthMismatch));
}

/// Values and content are slices of the message.
#[test]
fn values_are_not_copied() {
    let mut request = Request::new("GET", "https", "a.example", "/path");
    request.head.fields = fields([("x", "value"), ("y", "value")]);
    request.content = "content".into();
    let message = message(&request);
    let range = message.as_ptr_range();
    let request = decode_request(message.clone(), &DecodeOptions::default()).unwrap();
    for value in request.headers().values() {
        assert!(range.contains(&value.as_bytes().as_ptr()));
    }
    assert!(range.contains(&request.uri().path().as_ptr()));
    assert!(range.contains(&request.uri().authority().unwrap().as_str().as_ptr()));
    assert!(range.contains(&request.body().data.as_ptr()));
}

/// Any headers that `http` can hold, other than those that stay behind.
fn any_headers() -> impl Strategy<Value = HeaderMap> {
    let name = "[a-z0-9!#$%&'*+.^_`|~-]{1,20}";
    let value = any_value().prop_map(|mut value| {
        let control = |byte: &u8| (*byte < 32 && *byte != b'\t') || *byte == 127;
        value.retain(|byte| !control(byte));
        HeaderValue::from_bytes(value.trim_ascii()).unwrap()
    });
    let kept = |name: &String| {
        !["host", "content-length", "te", "cookie", "upgrade", "connection"].contains(&&**name)
    };
    let fields = (name.prop_filter("kept", kept), value);
    // Few names, so that they repeat.
    let some = proptest::collection::vec(fields, 0..6);
    (some, proptest::collection::vec(any::<proptest::sample::Index>(), 0..6)).prop_map(
        |(fields, again)| {
            let mut map = HeaderMap::new();
            for (name, value) in &fields {
                map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.clone());
            }
            for index in again.iter().filter(|_| !fields.is_empty()) {
                let (name, _) = index.get(&fields);
                let value = HeaderValue::from_static("again");
                map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
            }
            map
        },
    )
}

fn any_body() -> impl Strategy<Value = Content> {
    (any_content(), any_headers()).prop_map(|(data, trailers)| {
        let trailers = (!trailers.is_empty()).then_some(trailers);
        Content { data, trailers }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn requests_come_back_as_they_were(
        headers in any_headers(), content in any_body(), options in any_encode_options(), path in "/[a-z0-9/?=&%._~-]{0,40}",
        authority in "[a-z0-9.-]{1,20}(:[0-9]{1,4})?",
    ) {
        let mut request = http::Request::post(format!("https://{authority}{path}")).body(content).unwrap();
        *request.headers_mut() = headers;
        let mut out = BytesMut::from("before");
        encode_request_into(&request, &options, &mut out).unwrap();
        let message = out.split_off(6).freeze();
        prop_assert_eq!(&out[..], b"before");
        prop_assert_eq!(options.padding.padded_len(message.len()), Ok(message.len()));

        let encodable = EncodableRequest::new(request.clone(), &options).unwrap();
        prop_assert_eq!(encodable.encoded_len(), message.len());
        encodable.encode_into(&mut out);
        prop_assert_eq!(&out[6..], &message);

        let decoded = decode_request(message, &DecodeOptions::default()).unwrap();
        prop_assert_eq!(decoded.method(), request.method());
        prop_assert_eq!(decoded.uri().to_string(), request.uri().to_string());
        prop_assert_eq!(lines(decoded.headers()), lines(request.headers()));
        prop_assert_eq!(&decoded.body().data, &request.body().data);
        prop_assert_eq!(&decoded.body().trailers, &request.body().trailers);
    }

    #[test]
    fn responses_come_back_as_they_were(
        status in 200..=599_u16, headers in any_headers(), hints in any_headers(),
        content in any_body(), options in any_encode_options(),
    ) {
        let mut response = http::Response::builder().status(status).body(content).unwrap();
        *response.headers_mut() = headers;
        let mut early = http::Response::builder().status(103).body(()).unwrap();
        *early.headers_mut() = hints;
        response.extensions_mut().insert(Informational(vec![early.clone()]));
        let mut out = BytesMut::new();
        encode_response_into(&response, &options, &mut out).unwrap();
        let encodable = EncodableResponse::new(response.clone(), &options).unwrap();
        prop_assert_eq!(encodable.encoded_len(), out.len());
        let mut again = BytesMut::from("before");
        encodable.encode_into(&mut again);
        prop_assert_eq!(&again[6..], &out);

        let options = DecodeOptions::default();
        let decoded = decode_response(out.freeze(), &http::Method::GET, &options).unwrap();
        prop_assert_eq!(decoded.status(), response.status());
        prop_assert_eq!(lines(decoded.headers()), lines(response.headers()));
        prop_assert_eq!(&decoded.body().data, &response.body().data);
        prop_assert_eq!(&decoded.body().trailers, &response.body().trailers);
        let Informational(informational) = decoded.extensions().get().unwrap();
        prop_assert_eq!(informational.len(), 1);
        prop_assert_eq!(lines(informational[0].headers()), lines(early.headers()));
    }

    /// What converts has the lines of the message, each value as it was.
    #[test]
    fn conversion_changes_no_value(message in any_message()) {
        let options = DecodeOptions::default();
        let stays = |name: &[u8]| {
            let name = std::str::from_utf8(name).unwrap();
            !["connection", "te", "upgrade", "cookie", "keep-alive"].contains(&name)
        };
        let check = |fields: &Fields, map: &HeaderMap| {
            for field in fields.iter().filter(|field| stays(field.name)) {
                let name = HeaderName::from_lowercase(field.name).unwrap();
                let all = map.get_all(&name).iter().map(HeaderValue::as_bytes);
                assert!(all.eq(fields.get_all(field.name)));
            }
        };
        if let (Ok(request), Ok(converted)) =
            (Request::decode(message.clone()), decode_request(message.clone(), &options))
        {
            check(&request.head.fields, converted.headers());
        }
        if let (Ok(response), Ok(converted)) = (
            Response::decode(message.clone(), "GET"),
            decode_response(message, &http::Method::GET, &options),
        ) {
            check(&response.head.fields, converted.headers());
        }
    }
}
