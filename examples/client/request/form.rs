//! Forms as multipart/form-data (RFC 7578), from the arguments of `-F`.

use std::path::Path;

use http::HeaderValue;

use super::content::{self, Content};
use crate::failure::Failure;

/// The content of a form, and its type.
pub(super) fn content(fields: &[String]) -> anyhow::Result<(HeaderValue, Content)> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)
        .map_err(|error| anyhow::anyhow!("no randomness is available: {error}"))?;
    let boundary = format!("------------------------{}", hex::encode(random));
    let mut parts = Vec::new();
    for field in fields {
        let Field { name, source, content_type, file_name } = Field::parse(field)?;
        let (content, file_name, content_type) = match source {
            Source::Text(text) => {
                (Content::Memory(text.into_bytes().into()), file_name, content_type)
            }
            Source::TextFile(file) => {
                (Content::Memory(content::read(&file)?.into()), file_name, content_type)
            }
            Source::File(file) => {
                let base = Path::new(&file).file_name().map(|name| name.to_string_lossy().into());
                let guessed = content_type.unwrap_or_else(|| type_of(&file).to_owned());
                (Content::file(&file)?, file_name.or(base), Some(guessed))
            }
        };
        let mut head =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", escaped(&name));
        if let Some(file_name) = file_name {
            head.push_str(&format!("; filename=\"{}\"", escaped(&file_name)));
        }
        if let Some(content_type) = content_type {
            head.push_str(&format!("\r\nContent-Type: {content_type}"));
        }
        head.push_str("\r\n\r\n");
        parts.extend([memory(head), content, memory("\r\n".into())]);
    }
    parts.push(memory(format!("--{boundary}--\r\n")));
    let content_type = format!("multipart/form-data; boundary={boundary}");
    Ok((HeaderValue::try_from(content_type)?, Content::chain(parts)))
}

fn memory(text: String) -> Content {
    Content::Memory(text.into_bytes().into())
}

/// As browsers write it, and curl.
fn escaped(text: &str) -> String {
    text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[derive(Debug, PartialEq)]
struct Field {
    name: String,
    source: Source,
    content_type: Option<String>,
    file_name: Option<String>,
}

#[derive(Debug, PartialEq)]
enum Source {
    Text(String),
    TextFile(String),
    File(String),
}

impl Field {
    /// Reads `name=content`, with `;type=` and `;filename=` behind.
    fn parse(text: &str) -> Result<Self, Failure> {
        // The content stays out of messages: it may be a secret.
        let name = text.split('=').next().unwrap_or_default();
        let wrong = |why: &str| Failure::Usage(format!("the field {name:?} cannot be sent: {why}"));
        let (_, rest) = text.split_once('=').ok_or_else(|| wrong("write NAME=CONTENT"))?;
        let mut words = split(rest).into_iter();
        let content = words.next().unwrap_or_default();
        let source = match (content.strip_prefix('@'), content.strip_prefix('<')) {
            (Some(file), _) => Source::File(unquoted(file)),
            (_, Some(file)) => Source::TextFile(unquoted(file)),
            _ => Source::Text(unquoted(content)),
        };
        let (mut content_type, mut file_name) = (None, None::<String>);
        for word in words {
            match word.trim_start().split_once('=') {
                Some(("type", value)) => content_type = Some(unquoted(value)),
                Some(("filename", value)) => file_name = Some(unquoted(value)),
                // Parameters of the type itself.
                _ if content_type.is_some() => {
                    content_type = content_type.map(|start: String| format!("{start};{word}"));
                }
                _ => return Err(wrong("only ;type= and ;filename= may follow the content")),
            }
        }
        let has_control = |text: &String| text.contains(char::is_control);
        if content_type.as_ref().is_some_and(has_control) {
            return Err(wrong("the type has characters that are not allowed"));
        }
        Ok(Self { name: name.to_owned(), source, content_type, file_name })
    }
}

/// Splits at semicolons outside of quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut words, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => {
                words.push(&text[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    words.push(&text[start..]);
    words
}

fn unquoted(text: &str) -> String {
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => text.to_owned(),
    }
}

/// The types that curl knows by the ends of names.
fn type_of(file: &str) -> &'static str {
    let end = file.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match &*end {
        "gif" => "image/gif",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain",
        "htm" | "html" => "text/html",
        "pdf" => "application/pdf",
        "xml" => "application/xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_with_what_stands_behind_it() {
        let field = Field::parse("a=@\"x;y.txt\";type=text/plain; charset=utf-8;filename=\"z\"");
        let field = field.unwrap();
        assert_eq!(field.source, Source::File("x;y.txt".into()));
        assert_eq!(field.content_type.as_deref(), Some("text/plain; charset=utf-8"));
        assert_eq!(field.file_name.as_deref(), Some("z"));
        assert_eq!(Field::parse("a=b=c").unwrap().source, Source::Text("b=c".into()));
        assert_eq!(Field::parse("a=<f").unwrap().source, Source::TextFile("f".into()));
        assert!(Field::parse("a").is_err() && Field::parse("a=b;headers=c").is_err());
        assert!(Field::parse("a=b;type=c\r\nx: y").is_err());
    }
}
