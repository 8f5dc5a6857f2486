//! Header fields, as `-H` has them.

use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Content;
use crate::failure::Failure;

/// The fields of a request: those of `-H`, and what other flags add where `-H` does not say
/// otherwise.
#[derive(Debug)]
pub(crate) struct Fields {
    given: Vec<(HeaderName, Option<HeaderValue>)>,
    defaults: HeaderMap,
}

impl Fields {
    /// Those that the arguments of `-H` name.
    pub(super) fn new(arguments: &[String]) -> Result<Self, Failure> {
        let mut given = Vec::new();
        for argument in arguments {
            match argument.strip_prefix('@') {
                Some(file) => {
                    let text = String::from_utf8_lossy(&super::content::read(file)?).into_owned();
                    for line in text.lines().filter(|line| !line.trim().is_empty()) {
                        given.push(parse(line)?);
                    }
                }
                None => given.push(parse(argument)?),
            }
        }
        Ok(Self { given, defaults: HeaderMap::new() })
    }

    /// Adds a field, unless `-H` has one of this name.
    pub(super) fn add_default(&mut self, name: HeaderName, value: HeaderValue) {
        if !self.given.iter().any(|(given, _)| *given == name) {
            self.defaults.insert(name, value);
        }
    }

    /// Adds how long the content is, if that is known. A target need not take it in chunks then.
    pub(super) fn with_length(&mut self, content: Content) -> Content {
        if let Some(length) = content.length() {
            self.add_default(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        content
    }

    /// All of them.
    pub(super) fn finish(self) -> HeaderMap {
        let mut headers = self.defaults;
        for (name, value) in self.given {
            if let Some(value) = value {
                headers.append(name, value);
            }
        }
        headers
    }
}

/// Reads `name: value`, `name;` for a field without a value, or `name:` for none.
fn parse(text: &str) -> Result<(HeaderName, Option<HeaderValue>), Failure> {
    if let Some(name) = text.trim_end().strip_suffix(';')
        && !text.contains(':')
    {
        let name = name.parse().map_err(|_| wrong(text, "no field has such a name"))?;
        return Ok((name, Some(HeaderValue::from_static(""))));
    }
    let (name, value) = text.split_once(':').ok_or_else(|| wrong(text, "write 'name: value'"))?;
    let name = name.trim().parse().map_err(|_| wrong(text, "no field has such a name"))?;
    let value = value.trim();
    if value.is_empty() {
        return Ok((name, None));
    }
    let value = value.parse().map_err(|_| wrong(text, "some characters are not allowed"))?;
    Ok((name, Some(value)))
}

/// Reads `name: value`, for flags that take nothing else.
pub(crate) fn parse_field(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    match parse(text) {
        Ok((name, Some(value))) => Ok((name, value)),
        Ok((_, None)) => Err("write it as 'name: value'".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// The value stays out of the message: it may be a secret.
fn wrong(text: &str, why: &str) -> Failure {
    let name = text.split(':').next().unwrap_or_default();
    Failure::Usage(format!("the header field {name:?} cannot be sent: {why}"))
}

/// The file name that `-O` takes from a URL's path.
pub(crate) fn remote_name(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    (!name.is_empty() && Path::new(name).file_name().is_some_and(|file| file == name))
        .then_some(name)
}

/// The file name that `-J` takes from a response (RFC 6266 §4.3), without any folder.
pub(crate) fn disposed_name(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_DISPOSITION)?.to_str().ok()?;
    let mut parameters = value.split(';').skip(1).filter_map(|part| part.split_once('='));
    let (_, name) = parameters.find(|(key, _)| key.trim().eq_ignore_ascii_case("filename"))?;
    let name = name.trim().trim_matches('"');
    // Some servers send the path that the file has there.
    remote_name(name.rsplit('\\').next()?).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_a_response_stays_in_the_folder() {
        let name = |value: &str| {
            let value = HeaderValue::from_str(value).unwrap();
            disposed_name(&HeaderMap::from_iter([(header::CONTENT_DISPOSITION, value)]))
        };
        for (value, expected) in [
            ("attachment; filename=a.txt", Some("a.txt")),
            ("attachment; size=1; FileName = \"a b.txt\"", Some("a b.txt")),
            ("attachment; filename=\"../../etc/passwd\"", Some("passwd")),
            ("attachment; filename=\"C:\\x\\y.txt\"", Some("y.txt")),
            ("attachment; filename=\"..\"", None),
            ("attachment; filename=\"\"", None),
            ("attachment; filename*=UTF-8''a.txt", None),
            ("inline", None),
        ] {
            assert_eq!(name(value).as_deref(), expected, "{value}");
        }
    }

    fn finished(arguments: &[&str]) -> HeaderMap {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        let mut fields = Fields::new(&arguments).unwrap();
        fields.add_default(header::CONTENT_TYPE, HeaderValue::from_static("text/default"));
        fields.finish()
    }

    #[test]
    fn given_fields_replace_defaults_and_each_other_do_not() {
        assert_eq!(finished(&[])["content-type"], "text/default");
        let headers = finished(&["Content-Type: text/mine", "a: 1", "a: 2", "empty;"]);
        assert_eq!(headers["content-type"], "text/mine");
        assert_eq!(headers.get_all("a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(headers["empty"], "");
        assert!(!finished(&["content-type:"]).contains_key("content-type"));
    }

    #[test]
    fn what_is_wrong_with_a_field_does_not_show_its_value() {
        let error = parse("Authorization: secret\n").map(|_| ()).err();
        assert!(error.is_none(), "white space at the end is no fault");
        let error = parse("Authorization: sec\u{1}ret").unwrap_err().to_string();
        assert!(error.contains("Authorization") && !error.contains("ret"), "{error}");
        assert!(parse("no field").is_err() && parse("a b: c").is_err());
    }

    #[test]
    fn a_name_from_a_url_stays_in_the_folder() {
        assert_eq!(remote_name("/a/b.txt"), Some("b.txt"));
        for path in ["/", "/a/", "/..", "/."] {
            assert_eq!(remote_name(path), None, "{path}");
        }
    }
}
