//! A message to HTTP/1.1 text (RFC 9112).
//!
//! The text says where a message ends exactly once, in a field made here: the next reader must not
//! find two answers to that.

use std::io::Write;

use anyhow::{bail, ensure};
use oblivious_http::bhttp::{Fields, Request, Response};

use crate::Message;
use crate::connection::ConnectionFields;

pub(crate) fn message(message: &Message, answers_head: bool) -> anyhow::Result<Vec<u8>> {
    match message {
        Message::Request(message) => request(message),
        Message::Response(message) => response(message, answers_head),
    }
}

fn request(request: &Request) -> anyhow::Result<Vec<u8>> {
    let head = &request.head;
    let authority = head.effective_authority().unwrap_or_default();
    let mut out = Vec::new();
    out.extend_from_slice(head.method());
    out.push(b' ');
    if head.method() == b"CONNECT" {
        ensure!(head.path().is_empty(), "CONNECT with a path only exists in HTTP/2 and later");
        ensure!(request.content.is_empty(), "CONNECT has no content in HTTP/1.1");
        out.extend_from_slice(authority);
    } else if head.scheme() == b"https" {
        out.extend_from_slice(head.path());
    } else {
        // RFC 9112 §3.2.2: nothing else in the text gives the scheme.
        ensure!(!authority.is_empty(), "it has no authority, so it has no URL");
        for part in [head.scheme(), b"://", authority] {
            out.extend_from_slice(part);
        }
        // RFC 9112 §3.2.4.
        out.extend_from_slice(if head.path() == b"*" { b"" } else { head.path() });
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    // RFC 9112 §3.2: it is sent even if there is nothing to say.
    line(&mut out, b"host", authority)?;
    header(&mut out, &head.fields, &["host", "content-length"])?;
    // RFC 9110 §8.6: missing content need not be announced where none is expected.
    let announced = head.fields.get("content-length").is_some() || !request.content.is_empty();
    body(&mut out, &request.content, announced, &request.trailers, &head.fields)?;
    Ok(out)
}

fn response(response: &Response, answers_head: bool) -> anyhow::Result<Vec<u8>> {
    let mut out = Vec::new();
    for head in &response.informational {
        ensure!(
            head.status != 101,
            "101 (Switching Protocols) cannot be converted: another protocol follows it"
        );
        status_line(&mut out, head.status)?;
        header(&mut out, &head.fields, &["content-length"])?;
        out.extend_from_slice(b"\r\n");
    }
    let head = &response.head;
    status_line(&mut out, head.status)?;
    // RFC 9112 §6.3: these end with their header.
    if answers_head || matches!(head.status, 204 | 304) {
        let nothing = response.content.is_empty() && response.trailers.is_empty();
        ensure!(nothing, "in HTTP/1.1 this response has neither content nor trailers");
        // Where it is allowed, decoding has ensured that it is a single number.
        let framing: &[_] = if head.status == 204 { &["content-length"] } else { &[] };
        header(&mut out, &head.fields, framing)?;
        out.extend_from_slice(b"\r\n");
        return Ok(out);
    }
    header(&mut out, &head.fields, &["content-length"])?;
    body(&mut out, &response.content, true, &response.trailers, &head.fields)?;
    Ok(out)
}

fn status_line(out: &mut Vec<u8>, status: u16) -> std::io::Result<()> {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|it| it.canonical_reason());
    write!(out, "HTTP/1.1 {status} {}\r\n", reason.unwrap_or_default())
}

/// The end of the header, content and trailers.
fn body(
    out: &mut Vec<u8>,
    content: &[u8],
    announced: bool,
    trailers: &Fields,
    header: &Fields,
) -> anyhow::Result<()> {
    if trailers.is_empty() {
        if announced {
            write!(out, "content-length: {}\r\n", content.len())?;
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(content);
        return Ok(());
    }
    // RFC 9110 §6.5.1: a reader that merges trailers into the header would read a different
    // message.
    for name in ["content-length", "host"] {
        ensure!(trailers.get(name).is_none(), "there is a `{name}` in the trailers");
    }
    out.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
    if !content.is_empty() {
        write!(out, "{:x}\r\n", content.len())?;
        out.extend_from_slice(content);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n");
    lines(out, trailers, &ConnectionFields::of([header, trailers]), &[])?;
    out.extend_from_slice(b"\r\n");
    Ok(())
}

fn header(out: &mut Vec<u8>, fields: &Fields, made_here: &[&str]) -> anyhow::Result<()> {
    lines(out, fields, &ConnectionFields::of([fields]), made_here)
}

/// Fields, but for those that concern a connection and those that are `made_here`.
fn lines(
    out: &mut Vec<u8>,
    fields: &Fields,
    connection: &ConnectionFields,
    made_here: &[&str],
) -> anyhow::Result<()> {
    let mut cookies = Vec::new();
    for field in fields {
        let left_out = connection.contain(field.name, field.value)
            // RFC 9110 §10.1.4: in HTTP/1.1 it is meant for the next hop.
            || field.name == b"te"
            || made_here.iter().any(|name| name.as_bytes() == field.name);
        match field.name {
            _ if left_out => {}
            [b':', ..] => bail!("HTTP/1.1 has no pseudo-fields"),
            b"cookie" => cookies.push(field.value),
            name => line(out, name, field.value)?,
        }
    }
    // RFC 9292 §3.6: they are one.
    if !cookies.is_empty() {
        cookies.retain(|cookie| !cookie.is_empty());
        line(out, b"cookie", &cookies.join(&b"; "[..]))?;
    }
    Ok(())
}

fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) -> anyhow::Result<()> {
    // Decoding has refused line ends; HTTP/1.1 allows no other control characters either.
    let control = value.iter().any(|&byte| byte < b' ' && byte != b'\t' || byte == 0x7f);
    ensure!(!control, "the value of `{}` has control characters", name.escape_ascii());
    for part in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
    Ok(())
}
