//! The heads of HTTP/1.1 messages, as a client writes and reads them (RFC 9112 §2 to §6).

use std::mem::MaybeUninit;

use bytes::BytesMut;
use http::header::{CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING};
use http::request::Parts;
use http::{Method, Response, StatusCode, Version};

use crate::http_error::HttpError;
use crate::http1_message::{
    ContentLength, Framing, MAX_FIELDS, Noted, fields, write_field, write_length,
};
use crate::transfer_coding::TransferCoding;

/// How the content of a request is delimited: as its header says, or by its length if that is known.
pub(crate) fn request_framing(noted: &Noted, length: Option<u64>) -> Result<Framing, HttpError> {
    let length = length.filter(|_| !noted.has_transfer_coding);
    match noted.length {
        ContentLength::Missing => Ok(length.map_or(Framing::Chunked, Framing::Length)),
        // What was parsed from a message, or written by a caller, is checked like anything else.
        ContentLength::Is(length) => Ok(Framing::Length(length)),
        ContentLength::Invalid => {
            Err(HttpError::RequestBody("the `content-length` is not a number".into()))
        }
    }
}

/// Writes the head of a request with content of this framing. `host` is what the server is called
/// unless the header says otherwise.
pub(crate) fn write(head: &Parts, host: &HeaderValue, framing: Framing, into: &mut Vec<u8>) {
    into.extend_from_slice(head.method.as_str().as_bytes());
    into.push(b' ');
    // RFC 9112 §3.2.1
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    into.extend_from_slice(if path.is_empty() { b"/" } else { path.as_bytes() });
    into.extend_from_slice(b" HTTP/1.1\r\n");
    write_field(&HOST, head.headers.get(HOST).unwrap_or(host), into);
    for (name, value) in &head.headers {
        if !matches!(*name, HOST | CONTENT_LENGTH | TRANSFER_ENCODING) {
            write_field(name, value, into);
        }
    }
    match framing {
        Framing::Length(length) if length > 0 || head.headers.contains_key(CONTENT_LENGTH) => {
            write_length(length, into);
        }
        Framing::Chunked => {
            write_field(&TRANSFER_ENCODING, &HeaderValue::from_static("chunked"), into);
        }
        Framing::Length(_) | Framing::UntilClose => {}
    }
    into.extend_from_slice(b"\r\n");
}

/// A response without its content.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(crate) response: Response<()>,
    pub(crate) framing: Framing,
    /// The connection can be used again, as far as the server is concerned.
    pub(crate) is_kept: bool,
}

/// Whether something can still become a head. Who speaks another protocol may wait for an answer.
pub(crate) fn check_beginning(buffer: &[u8]) -> Result<(), HttpError> {
    match b"HTTP/1.".iter().zip(buffer).all(|(expected, byte)| expected == byte) {
        true => Ok(()),
        false => Err(HttpError::Invalid("it does not begin with `HTTP/1.`")),
    }
}

/// Reads a whole head. It is that of a response to a request with this method.
pub(crate) fn read(head: BytesMut, method: &Method) -> Result<ResponseHead, HttpError> {
    let head = head.freeze();
    let mut unparsed = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let status = parser.parse_response_with_uninit_headers(&mut parsed, &head, &mut unparsed);
    if !status.is_ok_and(|status| status.is_complete()) {
        return Err(HttpError::Invalid("its head cannot be read"));
    }
    let mut response = Response::new(());
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    *response.status_mut() = status.ok_or(HttpError::Invalid("it has no status"))?;
    let is_1_1 = parsed.version == Some(1);
    *response.version_mut() = if is_1_1 { Version::HTTP_11 } else { Version::HTTP_10 };
    *response.headers_mut() = fields(&head, parsed.headers)?;
    let noted = Noted::of(response.headers());
    let framing = response_framing(&response, &noted, method)?;
    // RFC 9112 §6.1: with both, whoever sent it may mean something else.
    let is_sure = framing != Framing::Chunked || noted.length == ContentLength::Missing;
    if !is_sure {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    let is_kept = is_1_1 && is_sure && framing != Framing::UntilClose && !noted.says_close;
    Ok(ResponseHead { response, framing, is_kept })
}

/// RFC 9112 §6.3
fn response_framing(
    response: &Response<()>,
    noted: &Noted,
    method: &Method,
) -> Result<Framing, HttpError> {
    let status = response.status();
    if *method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    {
        return Ok(Framing::Length(0));
    }
    if noted.has_transfer_coding {
        return match TransferCoding::of(response.headers()) {
            _ if response.version() == Version::HTTP_10 => {
                Err(HttpError::Invalid("HTTP/1.0 has no transfer codings"))
            }
            TransferCoding::Chunked => Ok(Framing::Chunked),
            _ => Err(HttpError::TransferCoding),
        };
    }
    match noted.length {
        ContentLength::Missing => Ok(Framing::UntilClose),
        ContentLength::Is(length) => Ok(Framing::Length(length)),
        ContentLength::Invalid => Err(HttpError::Invalid("its `content-length` is not one number")),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn read_text(head: &str, method: Method) -> Result<ResponseHead, HttpError> {
        read(head.as_bytes().into(), &method)
    }

    fn framing(fields: &str) -> Option<Framing> {
        let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        read_text(&head, Method::POST).ok().map(|head| head.framing)
    }

    /// RFC 9112 §6.3
    #[test]
    fn the_header_says_where_the_content_ends() {
        for (fields, expected) in [
            ("content-length: 12\r\n", Some(Framing::Length(12))),
            ("content-length: 12\r\ncontent-length: 12\r\n", Some(Framing::Length(12))),
            ("content-length: 12, 12\r\n", Some(Framing::Length(12))),
            ("content-length: 12\r\ncontent-length: 13\r\n", None),
            ("content-length: 12, 13\r\n", None),
            ("content-length: +12\r\n", None),
            ("content-length: -1\r\n", None),
            ("content-length: 0x1\r\n", None),
            ("content-length: \r\n", None),
            ("content-length: 18446744073709551616\r\n", None),
            ("transfer-encoding: Chunked\r\n", Some(Framing::Chunked)),
            ("transfer-encoding: chunked\r\ncontent-length: 3\r\n", Some(Framing::Chunked)),
            ("transfer-encoding: gzip, chunked\r\n", None),
            ("transfer-encoding: identity\r\n", None),
            ("", Some(Framing::UntilClose)),
        ] {
            assert_eq!(framing(fields), expected, "{fields:?}");
        }
    }

    /// RFC 9112 §6.3
    #[test]
    fn some_responses_have_no_content_whatever_their_header_says() {
        let with_length = "content-length: 12\r\n\r\n";
        for (line, method) in [
            ("HTTP/1.1 200 OK", Method::HEAD),
            ("HTTP/1.1 204 No Content", Method::GET),
            ("HTTP/1.1 304 Not Modified", Method::GET),
            ("HTTP/1.1 103 Early Hints", Method::GET),
        ] {
            let head = read_text(&format!("{line}\r\n{with_length}"), method).unwrap();
            assert_eq!(head.framing, Framing::Length(0), "{line}");
            assert!(head.is_kept);
        }
    }

    /// RFC 9112 §6.1, §9.3
    #[test]
    fn a_connection_is_kept_unless_something_speaks_against_it() {
        for (head, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: x, Close\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", false),
        ] {
            assert_eq!(read_text(head, Method::POST).unwrap().is_kept, expected, "{head:?}");
        }
    }

    #[test]
    fn what_is_not_a_head_is_refused() {
        let many = "a: b\r\n".repeat(MAX_FIELDS + 1);
        for head in [
            "SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned(),
            "HTTP/2 200 OK\r\n\r\n".to_owned(),
            "HTTP/1.1 0 OK\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\na b: c\r\n\r\n".to_owned(),
            // RFC 9112 §5.1, §5.2
            "HTTP/1.1 200 OK\r\na : c\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\na: \0\r\n\r\n".to_owned(),
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
            format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
        ] {
            assert!(read_text(&head, Method::POST).is_err(), "{head:?}");
        }
    }

    /// RFC 9112 §3.2, §6.1
    #[test]
    fn a_request_is_written_with_its_host_and_its_framing() {
        let written = |uri: &str, fields: &[(&'static str, &str)], length| {
            let mut request = Request::post(uri);
            for &(name, value) in fields {
                request = request.header(name, value);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            let framing = request_framing(&Noted::of(&head.headers), length).ok()?;
            let mut text = Vec::new();
            write(&head, &HeaderValue::from_static("a.example"), framing, &mut text);
            Some(String::from_utf8(text).unwrap())
        };
        let line = "POST / HTTP/1.1\r\nhost: a.example\r\n";
        assert_eq!(
            written("http://a.example", &[("x", "y")], Some(3)).unwrap(),
            format!("{line}x: y\r\ncontent-length: 3\r\n\r\n")
        );
        assert_eq!(written("http://a.example", &[], Some(0)).unwrap(), format!("{line}\r\n"));
        assert_eq!(
            written("http://a.example", &[("content-length", "0")], Some(0)).unwrap(),
            format!("{line}content-length: 0\r\n\r\n")
        );
        assert_eq!(
            written("http://a.example/p?q", &[("host", "b.example")], None).unwrap(),
            "POST /p?q HTTP/1.1\r\nhost: b.example\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        assert_eq!(written("http://a.example", &[("content-length", "x")], None), None);
    }
}
