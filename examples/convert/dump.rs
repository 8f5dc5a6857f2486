//! A binary message, for people to read.

use std::fmt::{self, Write};

use bytes::Bytes;
use oblivious_http::bhttp::{DecodeError, DecodeOptions, Decoder, Event, Fields};

/// How much of the content is shown.
const SHOWN: usize = 256;

/// The parts of a message up to its end or to a fault. Nothing in there can do anything to a
/// terminal.
pub(crate) fn message(
    message: Bytes,
    options: &DecodeOptions,
    all: bool,
) -> (String, Result<(), DecodeError>) {
    let mut out = String::new();
    // A `String` takes everything.
    let _ = framing(&mut out, &message);
    let mut decoder = Decoder::for_any(options);
    decoder.push(message);
    decoder.finish();
    let result = loop {
        match decoder.next_event() {
            Ok(Some(event)) => _ = part(&mut out, &event, all),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    (out, result)
}

/// RFC 9292 §3.3.
fn framing(out: &mut String, message: &[u8]) -> fmt::Result {
    // An integer with more bytes than it needs has its value in the last one.
    let width = message.first().map_or(1, |first| 1 << (first >> 6));
    let kind = match message.get(width - 1).map(|indicator| indicator & 0x3f) {
        Some(0) => "request of known length",
        Some(1) => "response of known length",
        Some(2) => "request of indeterminate length",
        Some(3) => "response of indeterminate length",
        _ => return Ok(()),
    };
    writeln!(out, "{kind}, {} bytes", message.len())
}

fn part(out: &mut String, event: &Event, all: bool) -> fmt::Result {
    match event {
        Event::Request(head) => {
            let parts = [
                ("method", head.method()),
                ("scheme", head.scheme()),
                ("authority", head.authority()),
                ("path", head.path()),
            ];
            for (name, part) in parts {
                writeln!(out, "{name}: {}", part.escape_ascii())?;
            }
            fields(out, "header", &head.fields)
        }
        Event::Informational(head) => {
            writeln!(out, "informational status: {}", head.status)?;
            fields(out, "informational header", &head.fields)
        }
        Event::Response(head) => {
            writeln!(out, "status: {}", head.status)?;
            fields(out, "header", &head.fields)
        }
        Event::Content(piece) => {
            writeln!(out, "content, {} bytes", piece.len())?;
            hex(out, piece, if all { usize::MAX } else { SHOWN })
        }
        Event::Trailers(trailers) => fields(out, "trailers", trailers),
        _ => writeln!(out, "end"),
    }
}

fn fields(out: &mut String, section: &str, fields: &Fields) -> fmt::Result {
    writeln!(out, "{section}, {} fields", fields.len())?;
    for field in fields {
        writeln!(out, "  {}: {}", field.name.escape_ascii(), field.value.escape_ascii())?;
    }
    Ok(())
}

/// Sixteen bytes on a line, as numbers and as text.
fn hex(out: &mut String, bytes: &[u8], most: usize) -> fmt::Result {
    for (index, line) in bytes[..bytes.len().min(most)].chunks(16).enumerate() {
        write!(out, "  {:08x} ", index * 16)?;
        for at in 0..16 {
            match line.get(at) {
                Some(byte) => write!(out, " {byte:02x}")?,
                None => out.push_str("   "),
            }
        }
        let text = line.iter().map(|&byte| match byte {
            b' '..=b'~' => char::from(byte),
            _ => '.',
        });
        writeln!(out, "  {}", text.collect::<String>())?;
    }
    if let Some(more @ 1..) = bytes.len().checked_sub(most) {
        writeln!(out, "  and {more} more bytes, which --all shows")?;
    }
    Ok(())
}
