//! One message, in the forms of all contenders.

use bytes::Bytes;
use oblivious_bhttp::{EncodeOptions, Request};

const METHOD: &str = "POST";
const AUTHORITY: &str = "www.example.com";
const PATH: &str = "/api/v1/reports?source=app&lang=en";

/// What an app sends, more or less.
const FIELDS: [(&str, &str); 12] = [
    ("accept", "application/json, text/plain;q=0.9, */*;q=0.8"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("accept-language", "en-GB,en;q=0.9,de;q=0.8"),
    ("authorization", "Bearer 6f1ed002ab5595859014ebf0951522d9"),
    ("cache-control", "no-cache"),
    ("content-length", "1024"),
    ("content-type", "application/json; charset=utf-8"),
    ("cookie", "session=0123456789abcdef; theme=dark"),
    ("date", "Mon, 27 Jul 2009 12:28:53 GMT"),
    ("origin", "https://www.example.com"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("x-request-id", "7b0c4a52-3f6e-4d0e-9c55-0d8f6e1b2a3c"),
];

static CONTENT: [u8; 1024] = [b'x'; 1024];

pub(crate) fn ours() -> Request {
    let mut request = Request::new(METHOD, "https", AUTHORITY, PATH);
    for (name, value) in FIELDS {
        request.head.fields.push(name, value).unwrap();
    }
    request.content = Bytes::from_static(&CONTENT);
    request
}

pub(crate) fn bhttp() -> bhttp::Message {
    let mut message =
        bhttp::Message::request(METHOD.into(), b"https".to_vec(), AUTHORITY.into(), PATH.into());
    for (name, value) in FIELDS {
        message.put_header(name, value);
    }
    message.write_content(CONTENT);
    message
}

/// The message in binary, as it comes from the network: memory that nobody else holds.
pub(crate) fn binary() -> Bytes {
    let message = ours().encode(&EncodeOptions::default()).unwrap();
    let mut theirs = Vec::new();
    bhttp().write_bhttp(bhttp::Mode::KnownLength, &mut theirs).unwrap();
    // An empty trailer section is all that may differ.
    assert!(theirs.starts_with(&message) && theirs.len() <= message.len() + 1);
    message
}

/// The message as HTTP/1.1 text.
pub(crate) fn text() -> Bytes {
    let mut text = format!("{METHOD} {PATH} HTTP/1.1\r\nhost: {AUTHORITY}\r\n").into_bytes();
    for (name, value) in FIELDS {
        text.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(&CONTENT);
    text.into()
}

/// What programs do with `httparse`; the content is not copied.
pub(crate) fn parse(text: &Bytes) -> http::Request<Bytes> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut fields);
    let head = request.parse(text).unwrap().unwrap();
    let mut builder =
        http::Request::builder().method(request.method.unwrap()).uri(request.path.unwrap());
    for field in request.headers.iter() {
        builder = builder.header(field.name, field.value);
    }
    let length = builder.headers_ref().unwrap()["content-length"].to_str().unwrap();
    let length: usize = length.parse().unwrap();
    builder.body(text.slice(head..head + length)).unwrap()
}
