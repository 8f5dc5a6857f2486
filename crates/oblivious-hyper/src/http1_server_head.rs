//! The heads of HTTP/1.1 messages, as a server reads and writes them (RFC 9112 §2 to §6).

use std::mem::MaybeUninit;

use bytes::BytesMut;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, EXPECT, HeaderValue, TRANSFER_ENCODING,
};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version, request, response};

use crate::date::date;
use crate::http1_message::{
    ContentLength, Framing, Invalid, MAX_FIELDS, Noted, fields, members, write_field, write_length,
};
use crate::transfer_coding::TransferCoding;

/// The most bytes of a method that are looked at before its end is there.
const METHOD_LIMIT: usize = 32;

/// A request without its content.
#[derive(Debug)]
pub(crate) struct RequestHead {
    pub(crate) parts: request::Parts,
    pub(crate) framing: Framing,
    /// The client waits for a 100 before it sends the content (RFC 9110 §10.1.1).
    pub(crate) expects_continue: bool,
    /// What matters for its response.
    pub(crate) asked: Asked,
}

/// What the head of a response depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    is_head: bool,
    is_connect: bool,
    is_1_1: bool,
    takes_trailers: bool,
    /// The client may send another request over the connection.
    is_kept: bool,
}

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    status: StatusCode,
    why: &'static str,
}

impl Refused {
    const fn new(status: StatusCode, why: &'static str) -> Self {
        Self { status, why }
    }

    pub(crate) const fn too_large(why: &'static str) -> Self {
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, why)
    }

    /// The response that says so, and is the last over its connection.
    pub(crate) fn response(self) -> Vec<u8> {
        let text = format!("The request cannot be served: {}.\n", self.why);
        let (mut head, ()) = Response::new(()).into_parts();
        head.status = self.status;
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        // `usize` has at most 64 bits on every platform that Rust supports.
        let said = Some(Framing::Length(text.len() as u64));
        let answering = Answering {
            framing: said,
            said,
            has_trailers: false,
            is_last: true,
            has_date: false,
            says_close: false,
        };
        let mut response = Vec::new();
        write(&head, &answering, &mut response);
        response.extend_from_slice(text.as_bytes());
        response
    }
}

impl From<Invalid> for Refused {
    fn from(Invalid(why): Invalid) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why)
    }
}

/// Whether something can still become a head. Who speaks another protocol may wait for an answer.
pub(crate) fn check_beginning(buffer: &[u8]) -> Result<(), Invalid> {
    // That of an empty line, which may come first (RFC 9112 §2.2).
    if buffer == b"\r" {
        return Ok(());
    }
    let mut method = buffer.iter().take(METHOD_LIMIT).take_while(|&&byte| byte != b' ');
    // RFC 9110 §5.6.2
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    match method.all(is_token) {
        true => Ok(()),
        false => Err(Invalid("it does not begin with a method")),
    }
}

/// Reads a whole head.
pub(crate) fn read(head: BytesMut) -> Result<RequestHead, Refused> {
    let head = head.freeze();
    let mut unparsed = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(&head, &mut unparsed) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Refused::too_large("it has too many fields"));
        }
        Err(httparse::Error::Version) if names_version(&head) => {
            let why = "its version is none of HTTP/1.1, HTTP/1.0 and HTTP/2";
            return Err(Refused::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, why));
        }
        _ => return Err(Invalid("its head cannot be read").into()),
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    let method = parsed.method.and_then(|method| Method::from_bytes(method.as_bytes()).ok());
    parts.method = method.ok_or(Invalid("it has no valid method"))?;
    let target = head.slice_ref(parsed.path.unwrap_or_default().as_bytes());
    let target = Uri::from_maybe_shared(target);
    parts.uri = target.map_err(|_| Invalid("its target is not valid"))?;
    let is_1_1 = parsed.version == Some(1);
    parts.version = if is_1_1 { Version::HTTP_11 } else { Version::HTTP_10 };
    parts.headers = fields(&head, parsed.headers)?;
    let noted = Noted::of(&parts.headers);
    let framing = request_framing(&parts, &noted)?;
    // RFC 9112 §3.2
    if is_1_1 && noted.hosts != 1 {
        return Err(Invalid("it does not have one `host`").into());
    }
    let expects_continue = is_1_1 && noted.has_expectation && expects(&parts.headers)?;
    let is_connect = parts.method == Method::CONNECT;
    let asked = Asked {
        is_head: parts.method == Method::HEAD,
        is_connect,
        is_1_1,
        takes_trailers: noted.takes_trailers,
        is_kept: is_1_1 && !is_connect && !noted.says_close,
    };
    Ok(RequestHead { parts, framing, expects_continue, asked })
}

/// RFC 9112 §3: whether the third word of the request line is a version of HTTP, though another.
fn names_version(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    line.split(|&byte| byte == b' ').nth(2).is_some_and(|word| word.starts_with(b"HTTP/"))
}

/// RFC 9112 §6.3
fn request_framing(parts: &request::Parts, noted: &Noted) -> Result<Framing, Refused> {
    if !noted.has_transfer_coding {
        return match noted.length {
            ContentLength::Missing => Ok(Framing::Length(0)),
            ContentLength::Is(length) => Ok(Framing::Length(length)),
            ContentLength::Invalid => Err(Invalid("its `content-length` is not one number").into()),
        };
    }
    // RFC 9112 §6.1: whoever lets these pass may read other requests than the next one does.
    if parts.version == Version::HTTP_10 {
        return Err(Invalid("HTTP/1.0 has no transfer codings").into());
    }
    if noted.length != ContentLength::Missing {
        return Err(Invalid("it has both `content-length` and `transfer-encoding`").into());
    }
    match TransferCoding::of(&parts.headers) {
        TransferCoding::Chunked => Ok(Framing::Chunked),
        TransferCoding::Unframed => {
            Err(Invalid("its last transfer coding is not `chunked`").into())
        }
        TransferCoding::Unsupported => {
            let why = "it has a transfer coding other than `chunked`";
            Err(Refused::new(StatusCode::NOT_IMPLEMENTED, why))
        }
    }
}

/// RFC 9110 §10.1.1
fn expects(headers: &HeaderMap) -> Result<bool, Refused> {
    match members(headers, EXPECT).all(|it| it.eq_ignore_ascii_case(b"100-continue")) {
        true => Ok(true),
        false => {
            let why = "it expects something other than `100-continue`";
            Err(Refused::new(StatusCode::EXPECTATION_FAILED, why))
        }
    }
}

/// How a response is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answering {
    /// That of its content, if there is any.
    pub(crate) framing: Option<Framing>,
    /// What the header says, which for some responses is the length of another's content.
    said: Option<Framing>,
    pub(crate) has_trailers: bool,
    /// The connection is closed after it.
    pub(crate) is_last: bool,
    has_date: bool,
    says_close: bool,
}

impl Asked {
    /// How a response to it is sent, if its content has this length. It is the last one if
    /// something speaks against another already, which is what `is_last` says.
    pub(crate) fn answering(
        self,
        head: &response::Parts,
        length: Option<u64>,
        is_last: bool,
    ) -> Answering {
        let (status, noted) = (head.status, Noted::of(&head.headers));
        let said = match noted.length {
            ContentLength::Is(length) => Some(length),
            ContentLength::Missing | ContentLength::Invalid => None,
        };
        let mut answering = Answering {
            framing: None,
            said: None,
            has_trailers: false,
            is_last: is_last || !self.is_kept || noted.says_close,
            has_date: noted.has_date,
            says_close: noted.says_close,
        };
        if status == StatusCode::NO_CONTENT || (self.is_connect && status.is_success()) {
            return answering;
        }
        if self.is_head || status == StatusCode::NOT_MODIFIED {
            // A service leaves the content away where there is none: an empty one says nothing.
            let said = said.or(length.filter(|&length| length > 0));
            answering.said = said.map(Framing::Length);
            return answering;
        }
        let framing = match said.or(length) {
            Some(length) => Framing::Length(length),
            None if self.is_1_1 => Framing::Chunked,
            None => Framing::UntilClose,
        };
        (answering.framing, answering.said) = (Some(framing), Some(framing));
        let takes_trailers = self.takes_trailers && noted.announces_trailers;
        answering.has_trailers = takes_trailers && framing == Framing::Chunked;
        answering
    }
}

/// Writes the head of a response.
pub(crate) fn write(head: &response::Parts, answering: &Answering, into: &mut Vec<u8>) {
    into.extend_from_slice(b"HTTP/1.1 ");
    into.extend_from_slice(head.status.as_str().as_bytes());
    into.push(b' ');
    into.extend_from_slice(head.status.canonical_reason().unwrap_or_default().as_bytes());
    into.extend_from_slice(b"\r\n");
    for (name, value) in &head.headers {
        if !matches!(*name, CONTENT_LENGTH | TRANSFER_ENCODING) {
            write_field(name, value, into);
        }
    }
    match answering.said {
        Some(Framing::Length(length)) => write_length(length, into),
        Some(Framing::Chunked) => {
            write_field(&TRANSFER_ENCODING, &HeaderValue::from_static("chunked"), into);
        }
        Some(Framing::UntilClose) | None => {}
    }
    if answering.is_last && !answering.says_close {
        write_field(&CONNECTION, &HeaderValue::from_static("close"), into);
    }
    // RFC 9110 §6.6.1
    if !answering.has_date {
        write_field(&DATE, &date(), into);
    }
    into.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(head: &str) -> Result<RequestHead, Refused> {
        read(head.as_bytes().into())
    }

    fn status_for(head: &str) -> Option<u16> {
        read_text(head).err().map(|refused| refused.status.as_u16())
    }

    /// RFC 9112 §6.1, §6.3
    #[test]
    fn the_header_says_where_the_content_ends() {
        for (fields, expected) in [
            ("", Ok(Framing::Length(0))),
            ("content-length: 12\r\n", Ok(Framing::Length(12))),
            ("content-length: 12, 12\r\n", Ok(Framing::Length(12))),
            ("content-length: 12\r\ncontent-length: 13\r\n", Err(400)),
            ("content-length: 12, 13\r\n", Err(400)),
            ("content-length: +12\r\n", Err(400)),
            ("content-length: \r\n", Err(400)),
            ("content-length: 18446744073709551616\r\n", Err(400)),
            ("transfer-encoding: Chunked\r\n", Ok(Framing::Chunked)),
            ("transfer-encoding: chunked\r\ncontent-length: 3\r\n", Err(400)),
            ("transfer-encoding: gzip, chunked\r\n", Err(501)),
            ("transfer-encoding: gzip\r\n", Err(400)),
            ("transfer-encoding: chunked, chunked\r\n", Err(501)),
            ("transfer-encoding: \x0bchunked\r\n", Err(400)),
        ] {
            let head = read_text(&format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n"));
            let framing = head.map(|head| head.framing).map_err(|no| no.status.as_u16());
            assert_eq!(framing, expected, "{fields:?}");
        }
        let old = "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(status_for(old), Some(400));
    }

    /// RFC 9112 §2.3, §3, §5; RFC 9110 §10.1.1, §15.5.18, §15.6.6
    #[test]
    fn what_is_not_a_head_is_refused() {
        let many = "a: b\r\n".repeat(MAX_FIELDS);
        for (head, status) in [
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", None),
            ("GET / HTTP/1.1\nhost: a\n\n", None),
            ("GET http://a/b?c HTTP/1.1\r\nhost: a\r\n\r\n", None),
            ("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", None),
            ("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n", None),
            ("GET / HTTP/1.0\r\n\r\n", None),
            ("GET / HTTP/1.1\r\nhost: a\r\nexpect: 100-Continue\r\n\r\n", None),
            ("GET / HTTP/1.1\r\nhost: a\r\nexpect: the worst\r\n\r\n", Some(417)),
            ("GET / HTTP/1.1\r\n\r\n", Some(400)),
            ("GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", Some(400)),
            ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", Some(400)),
            ("GET / HTTP/1.1\r\nhost: a\r\n b\r\n\r\n", Some(400)),
            ("GET / HTTP/1.1\r\nhost: a\rb\r\n\r\n", Some(400)),
            ("GET / HTTP/1.1\r\nhost: a\0\r\n\r\n", Some(400)),
            ("GET / HTTP/1.1\r\nhost: a\r\na b: c\r\n\r\n", Some(400)),
            ("GET  / HTTP/1.1\r\nhost: a\r\n\r\n", Some(400)),
            ("GET / HTTP/2.0\r\nhost: a\r\n\r\n", Some(505)),
            ("GET /\r\nhost: a\r\n\r\n", Some(400)),
            ("GET a b HTTP/1.1\r\nhost: a\r\n\r\n", Some(400)),
            ("G\x7fT / HTTP/1.1\r\nhost: a\r\n\r\n", Some(400)),
            (&format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n"), Some(431)),
        ] {
            assert_eq!(status_for(head), status, "{head:?}");
        }
    }

    #[test]
    fn what_cannot_become_a_head_is_refused_at_once() {
        for beginning in ["", "\r", "G", "GET ", "M-SEARCH * ", &"A".repeat(2 * METHOD_LIMIT)] {
            assert!(check_beginning(beginning.as_bytes()).is_ok(), "{beginning:?}");
        }
        for beginning in ["\x16\x03\x01", "\r\n\r", "GE\0T", "<html> "] {
            assert!(check_beginning(beginning.as_bytes()).is_err(), "{beginning:?}");
        }
    }

    fn written(head: &str, response: Response<()>, length: Option<u64>) -> (String, Answering) {
        let (parts, ()) = response.into_parts();
        let answering = read_text(head).unwrap().asked.answering(&parts, length, false);
        let mut text = Vec::new();
        write(&parts, &answering, &mut text);
        let text = String::from_utf8(text).unwrap();
        // The date is always the last.
        let (before, date) = text.split_once("date: ").unwrap();
        assert!(date.ends_with(" GMT\r\n\r\n"), "{date:?}");
        (before.to_owned(), answering)
    }

    /// RFC 9110 §8.6, §9.3.2; RFC 9112 §6
    #[test]
    fn a_response_is_framed_as_its_request_allows() {
        const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        const HEAD: &str = "HEAD / HTTP/1.1\r\nhost: a\r\n\r\n";
        const OLD: &str = "GET / HTTP/1.0\r\n\r\n";
        const CONNECT: &str = "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n";
        let response = |status| Response::builder().status(status);
        let (ok, ok_3) = (|| response(200), || response(200).header("content-length", "3"));
        let (length_3, chunked) = ("content-length: 3\r\n", "transfer-encoding: chunked\r\n");
        let close = "connection: close\r\n";
        for (head, response, length, fields, framing, is_last) in [
            (GET, ok(), Some(3), length_3, Some(Framing::Length(3)), false),
            (GET, ok(), Some(0), "content-length: 0\r\n", Some(Framing::Length(0)), false),
            (GET, ok_3(), None, length_3, Some(Framing::Length(3)), false),
            (GET, ok(), None, chunked, Some(Framing::Chunked), false),
            (
                GET,
                ok().header("content-length", "x"),
                Some(3),
                length_3,
                Some(Framing::Length(3)),
                false,
            ),
            (
                GET,
                ok().header("transfer-encoding", "x"),
                None,
                chunked,
                Some(Framing::Chunked),
                false,
            ),
            (
                GET,
                ok().header("connection", "close"),
                Some(3),
                length_3,
                Some(Framing::Length(3)),
                true,
            ),
            (GET, response(204), Some(0), "", None, false),
            (GET, response(304), Some(0), "", None, false),
            (HEAD, ok_3(), Some(0), length_3, None, false),
            (HEAD, ok(), Some(3), length_3, None, false),
            (HEAD, ok(), Some(0), "", None, false),
            (OLD, ok(), None, "", Some(Framing::UntilClose), true),
            (OLD, ok(), Some(3), length_3, Some(Framing::Length(3)), true),
            (CONNECT, ok_3(), Some(3), "", None, true),
            (CONNECT, response(405), Some(3), length_3, Some(Framing::Length(3)), true),
        ] {
            let response = response.body(()).unwrap();
            let case = format!("{head:?} {response:?} {length:?}");
            let (text, answering) = written(head, response, length);
            assert_eq!((answering.framing, answering.is_last), (framing, is_last), "{case}");
            let (_, said) = text.split_once("\r\n").unwrap();
            assert_eq!(said.contains(close), is_last, "{case}");
            assert_eq!(said.replace(close, ""), fields, "{case}");
        }
    }

    /// RFC 9110 §6.5.1, §6.6.1; RFC 9112 §4
    #[test]
    fn a_response_begins_with_its_status() {
        let head = "GET / HTTP/1.1\r\nhost: a\r\nte: x, Trailers\r\n\r\n";
        let response = Response::builder().status(429).header("trailer", "y").body(()).unwrap();
        let (text, answering) = written(head, response, None);
        let expected =
            "HTTP/1.1 429 Too Many Requests\r\ntrailer: y\r\ntransfer-encoding: chunked\r\n";
        assert_eq!(text, expected);
        assert!(answering.has_trailers);
        let response = Response::builder().status(799).header("date", "then").body(()).unwrap();
        let (head, ()) = response.into_parts();
        let asked = read_text("GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap().asked;
        let mut text = Vec::new();
        write(&head, &asked.answering(&head, Some(0), false), &mut text);
        assert_eq!(text, b"HTTP/1.1 799 \r\ndate: then\r\ncontent-length: 0\r\n\r\n");
    }
}
