//! The text of `-w`, with its variables.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderMap, StatusCode, Uri, header};

use crate::trace::Trace;

/// What the variables say.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) method: String,
    pub(crate) target: Uri,
    pub(crate) status: Option<StatusCode>,
    pub(crate) headers: HeaderMap,
    pub(crate) size_header: usize,
    pub(crate) size_upload: u64,
    pub(crate) size_download: u64,
    pub(crate) file: Option<PathBuf>,
    pub(crate) to_header: Duration,
    pub(crate) total: Duration,
    pub(crate) exit_code: u8,
    pub(crate) error: Option<String>,
}

/// Writes a format, to standard output or wherever it says.
///
/// # Errors
/// If that cannot be written to.
pub(crate) fn write_out(format: &str, facts: &Facts, trace: &Trace) -> std::io::Result<()> {
    let rendered = render(format, facts, trace);
    std::io::stdout().write_all(&rendered.stdout)?;
    std::io::stdout().flush()?;
    std::io::stderr().write_all(&rendered.stderr)
}

#[derive(Debug, Default)]
struct Rendered {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

fn render(format: &str, facts: &Facts, trace: &Trace) -> Rendered {
    let mut rendered = Rendered::default();
    let (mut to_stderr, mut rest) = (false, format);
    while let Some(first) = rest.chars().next() {
        let mut text = String::new();
        if let Some((name, after)) = rest.strip_prefix("%{").and_then(|rest| rest.split_once('}')) {
            rest = after;
            match name {
                "stdout" => to_stderr = false,
                "stderr" => to_stderr = true,
                "onerror" if facts.exit_code == 0 => break,
                "onerror" => {}
                _ => match value(name, facts, trace) {
                    Some(value) => text = value,
                    None => rendered.stderr.extend(
                        format!("warning: unknown --write-out variable: '{name}'\n").bytes(),
                    ),
                },
            }
        } else if let Some((field, after)) =
            rest.strip_prefix("%header{").and_then(|rest| rest.split_once('}'))
        {
            rest = after;
            text = field_value(&facts.headers, field);
        } else {
            let escapes = [("%%", "%"), ("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t")];
            let escape = escapes.iter().find(|(written, _)| rest.starts_with(written));
            let (length, meant) = match escape {
                Some((written, meant)) => (written.len(), (*meant).to_owned()),
                None => (first.len_utf8(), first.to_string()),
            };
            (rest, text) = (&rest[length..], meant);
        }
        let out = if to_stderr { &mut rendered.stderr } else { &mut rendered.stdout };
        out.extend_from_slice(text.as_bytes());
    }
    rendered
}

fn field_value(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    value.unwrap_or_default().into_owned()
}

fn value(name: &str, facts: &Facts, trace: &Trace) -> Option<String> {
    let seconds = |time: Duration| format!("{:.6}", time.as_secs_f64());
    let rate = |bytes: u64| {
        let micros = facts.total.as_micros().max(1);
        (u128::from(bytes) * 1_000_000 / micros).to_string()
    };
    let code = |status: Option<StatusCode>| {
        status.map_or("000".to_owned(), |status| status.as_str().to_owned())
    };
    let suite = trace.header();
    Some(match name {
        "http_code" | "response_code" => code(facts.status),
        "content_type" => field_value(&facts.headers, header::CONTENT_TYPE.as_str()),
        "redirect_url" => field_value(&facts.headers, header::LOCATION.as_str()),
        "method" => facts.method.clone(),
        "url" | "url_effective" => facts.target.to_string(),
        "scheme" => facts.target.scheme_str().unwrap_or_default().to_ascii_uppercase(),
        "num_headers" => facts.headers.len().to_string(),
        "num_redirects" | "num_retries" => "0".to_owned(),
        "size_header" => facts.size_header.to_string(),
        "size_upload" => facts.size_upload.to_string(),
        "size_download" => facts.size_download.to_string(),
        "speed_upload" => rate(facts.size_upload),
        "speed_download" => rate(facts.size_download),
        "time_starttransfer" => seconds(facts.to_header),
        "time_total" => seconds(facts.total),
        "filename_effective" => {
            facts.file.as_ref().map(|file| file.display().to_string()).unwrap_or_default()
        }
        "exitcode" => facts.exit_code.to_string(),
        "errormsg" => facts.error.clone().unwrap_or_default(),
        "relay_code" => code(trace.relay_status()),
        "ohttp_key_id" => suite.map(|suite| suite.key_id.to_string()).unwrap_or_default(),
        "ohttp_kem" => suite.map(|suite| suite.kem.to_string()).unwrap_or_default(),
        "ohttp_suite" => suite.map(|suite| suite.suite.to_string()).unwrap_or_default(),
        "ohttp_size_request" => trace.sealed().to_string(),
        "ohttp_size_response" => trace.received().to_string(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_escapes_are_replaced() {
        let mut facts = Facts { status: Some(StatusCode::NOT_FOUND), ..Facts::default() };
        facts.headers.insert("x-a", "b".parse().unwrap());
        let text = |format: &str, facts: &Facts| {
            let rendered = render(format, facts, &Trace::default());
            (
                String::from_utf8(rendered.stdout).unwrap(),
                String::from_utf8(rendered.stderr).unwrap(),
            )
        };
        let shown = text("%{http_code}\\t%%{x}%header{X-A} é\\n", &facts);
        assert_eq!(shown, ("404\t%{x}b é\n".to_owned(), String::new()));
        assert_eq!(text("a%{stderr}b%{stdout}c", &facts), ("ac".into(), "b".into()));
        assert_eq!(text("a%{onerror}b", &facts).0, "a");
        facts.exit_code = 22;
        assert_eq!(text("a%{onerror}%{exitcode}", &facts).0, "a22");
        let unknown = text("%{nothing}%{http_code", &facts);
        assert_eq!(unknown.0, "%{http_code");
        assert!(unknown.1.contains("'nothing'"));
    }
}
