//! HTTP/1.1 text to a message (RFC 9112).

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use httparse::{EMPTY_HEADER, Header, Status};
use oblivious_http::bhttp::{Fields, Request, RequestHead, Response, ResponseHead};

use crate::Message;
use crate::connection::ConnectionFields;

/// More fields than any sensible message has.
const MAX_FIELDS: usize = 1024;

pub(crate) fn message(text: &[u8], scheme: &str, answers: &str) -> anyhow::Result<Message> {
    if text.trim_ascii_start().starts_with(b"HTTP/") {
        response(text, answers).map(Message::Response)
    } else {
        request(text, scheme).map(Message::Request)
    }
}

fn request(text: &[u8], scheme: &str) -> anyhow::Result<Request> {
    let mut lines = [EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut lines);
    let Status::Complete(length) = parsed.parse(text)? else { bail!(CUT_OFF) };
    let header = fields(parsed.headers)?;
    let method = parsed.method.unwrap_or_default();
    let mut head = target(method, parsed.path.unwrap_or_default(), scheme);
    let body = body(&text[length..], &header, Otherwise::NoContent)?;
    head.fields = ConnectionFields::of([&header]).strip(&header)?;
    let trailers = ConnectionFields::of([&header, &body.trailers]).strip(&body.trailers)?;
    Ok(Request { head, content: body.content, trailers })
}

/// The control data that a request line means (RFC 9112 §3.2). In origin form the authority stays
/// in the `host` field (RFC 9292 §3.4).
fn target(method: &str, target: &str, scheme: &str) -> RequestHead {
    let head = |scheme: &str, authority: &str, path: &str| {
        RequestHead::new(method, scheme, authority, path)
    };
    if method == "CONNECT" {
        return head("", target, "");
    }
    let Some((own_scheme, rest)) = target.split_once("://").filter(|_| !target.starts_with('/'))
    else {
        return head(scheme, "", target);
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let path = match path {
        // RFC 9112 §3.2.4: this is how OPTIONS for a server as a whole goes to a proxy.
        "" if method == "OPTIONS" => "*",
        path if path.starts_with('/') => path,
        query => &format!("/{query}"),
    };
    head(&own_scheme.to_ascii_lowercase(), authority, path)
}

fn response(mut text: &[u8], answers: &str) -> anyhow::Result<Response> {
    let mut response = Response::default();
    loop {
        let mut lines = [EMPTY_HEADER; MAX_FIELDS];
        let mut parsed = httparse::Response::new(&mut lines);
        let Status::Complete(length) = parsed.parse(text)? else { bail!(CUT_OFF) };
        let header = fields(parsed.headers)?;
        let kept = ConnectionFields::of([&header]).strip(&header)?;
        let head = ResponseHead { status: parsed.code.unwrap_or_default(), fields: kept };
        text = &text[length..];
        match head.status {
            101 => {
                bail!("101 (Switching Protocols) cannot be converted: another protocol follows it")
            }
            100..=199 => response.informational.push(head),
            status => {
                // RFC 9112 §6.3.
                let never = answers == "HEAD" || matches!(status, 204 | 304);
                let body = if never {
                    ensure!(
                        text.is_empty(),
                        "a response with status {status} to {answers} has no content"
                    );
                    Body::default()
                } else {
                    body(text, &header, Otherwise::ToTheEnd)?
                };
                let connection = ConnectionFields::of([&header, &body.trailers]);
                response.trailers = connection.strip(&body.trailers)?;
                response.content = body.content;
                response.head = head;
                return Ok(response);
            }
        }
    }
}

const CUT_OFF: &str = "it ends in the middle of a header; an empty line must follow the fields";

fn fields(lines: &[Header<'_>]) -> anyhow::Result<Fields> {
    let mut fields = Fields::new();
    for line in lines {
        fields.push(line.name, line.value).with_context(|| format!("the field {:?}", line.name))?;
    }
    Ok(fields)
}

#[derive(Default)]
struct Body {
    content: Bytes,
    trailers: Fields,
}

/// What there is when no field says how long the content is.
enum Otherwise {
    NoContent,
    ToTheEnd,
}

/// RFC 9112 §6.3, without its tolerance: what two readers could read in two ways is refused.
fn body(text: &[u8], header: &Fields, otherwise: Otherwise) -> anyhow::Result<Body> {
    let codings: Vec<_> = header.get_all("transfer-encoding").collect();
    let lengths: Vec<_> = header.get_all("content-length").collect();
    let (content, behind) = match (&codings[..], &lengths[..]) {
        ([], []) => match otherwise {
            Otherwise::NoContent => text.split_at(0),
            Otherwise::ToTheEnd => text.split_at(text.len()),
        },
        ([], [length]) => {
            let length = str::from_utf8(length).ok().and_then(decimal);
            let length = length.context("the `content-length` is not a number")?;
            text.split_at_checked(length).context("the content is shorter than `content-length`")?
        }
        ([coding], []) if coding.eq_ignore_ascii_case(b"chunked") => return chunked(text),
        ([_, ..], []) => bail!("the only supported `transfer-encoding` is `chunked`"),
        ([], _) => bail!("there is more than one `content-length`"),
        _ => bail!("there is a `content-length` beside a `transfer-encoding`"),
    };
    ensure!(behind.is_empty(), "there are {} bytes after the message", behind.len());
    Ok(Body { content: Bytes::copy_from_slice(content), trailers: Fields::new() })
}

/// Digits and nothing else, which is less than `parse` takes.
fn decimal(text: &str) -> Option<usize> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// RFC 9112 §7.1.
fn chunked(mut text: &[u8]) -> anyhow::Result<Body> {
    const SHORT: &str = "it ends in the middle of the chunks";
    let mut content = Vec::new();
    loop {
        let parsed = httparse::parse_chunk_size(text);
        let Status::Complete((length, size)) = parsed
            .map_err(|_| anyhow::anyhow!("the length of a chunk is not a hexadecimal number"))?
        else {
            bail!(SHORT)
        };
        text = &text[length..];
        if size == 0 {
            break;
        }
        let chunk = usize::try_from(size).ok().and_then(|size| text.split_at_checked(size));
        let (chunk, rest) = chunk.context(SHORT)?;
        content.extend_from_slice(chunk);
        let end = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n"));
        text = end.context("a chunk is longer than its length says")?;
    }
    let mut lines = [EMPTY_HEADER; MAX_FIELDS];
    let Status::Complete((length, lines)) = httparse::parse_headers(text, &mut lines)? else {
        bail!(SHORT)
    };
    let behind = text.len() - length;
    ensure!(behind == 0, "there are {behind} bytes after the message");
    Ok(Body { content: content.into(), trailers: fields(lines)? })
}
