//! The heads of HTTP/1.1 messages, as a client writes and reads them (RFC 9112 §2 to §5).

use std::io::Write;
use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::request::Parts;
use http::{Method, Response, StatusCode, Version};

use crate::http_error::HttpError;
use crate::transfer_coding;

/// The most bytes that a head may have, and the trailers of a response.
pub(crate) const HEAD_LIMIT: usize = 64 * 1024;

/// The most fields that either may have.
pub(crate) const MAX_FIELDS: usize = 100;

/// How the end of a content is found (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    /// It ends with the connection, which only a response can do.
    UntilClose,
}

/// How the content of a request is delimited: as its header says, or by its length if that is known.
pub(crate) fn request_framing(headers: &HeaderMap, length: Option<u64>) -> Option<Framing> {
    match headers.contains_key(CONTENT_LENGTH) {
        // What was parsed from a message, or written by a caller, is checked like anything else.
        true => content_length(headers).map(Framing::Length),
        false if headers.contains_key(TRANSFER_ENCODING) => Some(Framing::Chunked),
        false => Some(length.map_or(Framing::Chunked, Framing::Length)),
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
    field(&HOST, head.headers.get(HOST).unwrap_or(host), into);
    for (name, value) in &head.headers {
        if !matches!(*name, HOST | CONTENT_LENGTH | TRANSFER_ENCODING) {
            field(name, value, into);
        }
    }
    match framing {
        Framing::Length(length) if length > 0 || head.headers.contains_key(CONTENT_LENGTH) => {
            // Writing to memory cannot fail.
            _ = write!(into, "content-length: {length}\r\n");
        }
        Framing::Chunked => {
            field(&TRANSFER_ENCODING, &HeaderValue::from_static("chunked"), into);
        }
        Framing::Length(_) | Framing::UntilClose => {}
    }
    into.extend_from_slice(b"\r\n");
}

/// Writes a line of a header or of trailers.
pub(crate) fn field(name: &HeaderName, value: &HeaderValue, into: &mut Vec<u8>) {
    into.extend_from_slice(name.as_str().as_bytes());
    into.extend_from_slice(b": ");
    into.extend_from_slice(value.as_bytes());
    into.extend_from_slice(b"\r\n");
}

/// Finds the ends of heads in what arrives piece by piece. Nothing is looked at twice.
#[derive(Debug, Default)]
pub(crate) struct HeadEnd {
    searched: usize,
}

impl HeadEnd {
    /// The length of the head that `buffer` begins with, or nothing if some of it is missing.
    pub(crate) fn find(&mut self, buffer: &[u8]) -> Result<Option<usize>, HttpError> {
        let line_ends = memchr::memchr_iter(b'\n', &buffer[self.searched..]);
        let end = line_ends.map(|index| self.searched + index).find_map(|end| {
            // RFC 9112 §2.2: a line may end without a carriage return.
            let before = buffer[..end].strip_suffix(b"\r").unwrap_or(&buffer[..end]);
            before.ends_with(b"\n").then_some(end + 1)
        });
        self.searched = if end.is_some() { 0 } else { buffer.len() };
        if end.unwrap_or(buffer.len()) > HEAD_LIMIT {
            return Err(HttpError::Invalid("its head is too long"));
        }
        Ok(end)
    }
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
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let status = parser.parse_response_with_uninit_headers(&mut parsed, &head, &mut fields);
    if !status.is_ok_and(|status| status.is_complete()) {
        return Err(HttpError::Invalid("its head cannot be read"));
    }
    let mut response = Response::new(());
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    *response.status_mut() = status.ok_or(HttpError::Invalid("it has no status"))?;
    let is_1_1 = parsed.version == Some(1);
    *response.version_mut() = if is_1_1 { Version::HTTP_11 } else { Version::HTTP_10 };
    *response.headers_mut() = self::fields(&head, parsed.headers)?;
    let framing = response_framing(&response, method)?;
    // RFC 9112 §6.1: with both, whoever sent it may mean something else.
    let headers = response.headers_mut();
    let is_sure = framing != Framing::Chunked || headers.remove(CONTENT_LENGTH).is_none();
    let is_kept = is_1_1 && is_sure && framing != Framing::UntilClose && !says_close(headers);
    Ok(ResponseHead { response, framing, is_kept })
}

/// The fields that were parsed from `block`, whose memory they share.
pub(crate) fn fields(
    block: &Bytes,
    parsed: &[httparse::Header<'_>],
) -> Result<HeaderMap, HttpError> {
    let mut fields = HeaderMap::with_capacity(parsed.len());
    for field in parsed {
        let invalid = || HttpError::Invalid("it has a field that is not valid");
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| invalid())?;
        let value = block.slice_ref(field.value.trim_ascii());
        fields.append(name, HeaderValue::from_maybe_shared(value).map_err(|_| invalid())?);
    }
    Ok(fields)
}

/// RFC 9112 §6.3
fn response_framing(response: &Response<()>, method: &Method) -> Result<Framing, HttpError> {
    let (status, headers) = (response.status(), response.headers());
    if *method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    {
        return Ok(Framing::Length(0));
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        return match response.version() {
            Version::HTTP_10 => Err(HttpError::Invalid("HTTP/1.0 has no transfer codings")),
            _ if transfer_coding::is_coded(headers) => Err(HttpError::TransferCoding),
            _ => Ok(Framing::Chunked),
        };
    }
    if headers.contains_key(CONTENT_LENGTH) {
        let length = content_length(headers);
        let length = length.ok_or(HttpError::Invalid("its `content-length` is not one number"));
        return length.map(Framing::Length);
    }
    Ok(Framing::UntilClose)
}

/// RFC 9110 §8.6: one number, which may be repeated.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    let values = headers.get_all(CONTENT_LENGTH).iter();
    let mut lengths = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    let first = number(lengths.next()?)?;
    lengths.all(|other| number(other) == Some(first)).then_some(first)
}

fn number(text: &[u8]) -> Option<u64> {
    let digits = text.trim_ascii();
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

/// RFC 9112 §9.6: whether a message is the last over its connection.
pub(crate) fn says_close(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CONNECTION).iter();
    let mut options = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
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

    #[test]
    fn the_end_of_a_head_is_found_wherever_it_is_cut() {
        for head in ["HTTP/1.1 200 OK\r\na: b\r\n\r\n", "HTTP/1.1 200 OK\na: b\n\n", "x\r\n\n"] {
            let message = [head.as_bytes(), b"content\n\n"].concat();
            for cut in 0..=message.len() {
                let mut end = HeadEnd::default();
                let found = end.find(&message[..cut]).unwrap();
                assert_eq!(found, (cut >= head.len()).then_some(head.len()), "{head:?}, {cut}");
                if found.is_none() {
                    assert_eq!(end.find(&message).unwrap(), Some(head.len()));
                }
            }
        }
        assert!(HeadEnd::default().find(&[b'a'; HEAD_LIMIT]).unwrap().is_none());
        assert!(HeadEnd::default().find(&[b'a'; HEAD_LIMIT + 1]).is_err());
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
            let framing = request_framing(&head.headers, length)?;
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
