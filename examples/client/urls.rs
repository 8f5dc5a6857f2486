//! URLs as people type them.

use http::Uri;
use http::uri::Scheme;

use crate::failure::Failure;

/// Whether a text is a URL and not the name of a file.
pub(crate) fn is_url(text: &str) -> bool {
    text.contains("://")
}

/// The URL of a target, for which https need not be written.
pub(crate) fn target(text: &str) -> Result<Uri, Failure> {
    let with_scheme = if is_url(text) { text.to_owned() } else { format!("https://{text}") };
    let uri: Uri = with_scheme.parse().map_err(|_| Failure::Url(text.to_owned()))?;
    if uri.host().is_none_or(str::is_empty) {
        return Err(Failure::Url(text.to_owned()));
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        let message = "the URL has a user name in it: leave it out, and give it with -u if need be";
        return Err(Failure::Usage(message.into()));
    }
    if ![Some(&Scheme::HTTPS), Some(&Scheme::HTTP)].contains(&uri.scheme()) {
        return Err(Failure::Scheme(text.to_owned()));
    }
    Ok(uri)
}

/// The same URL with another path and query.
pub(crate) fn with_path_and_query(uri: &Uri, path_and_query: &str) -> Result<Uri, Failure> {
    let mut parts = uri.clone().into_parts();
    let wrong = || Failure::Url(format!("{uri} with {path_and_query}"));
    parts.path_and_query = Some(path_and_query.parse().map_err(|_| wrong())?);
    Uri::from_parts(parts).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::exit_code;

    #[test]
    fn a_target_without_scheme_is_one_of_https() {
        assert_eq!(target("a.example").unwrap(), "https://a.example/");
        assert_eq!(target("a.example:8443/b?c").unwrap(), "https://a.example:8443/b?c");
        assert_eq!(target("http://a.example/#part").unwrap(), "http://a.example/");
        for (text, code) in
            [("", 3), ("https://", 3), ("a b", 3), ("u@a.example", 2), ("ftp://a.example/", 1)]
        {
            assert_eq!(exit_code(&target(text).unwrap_err().into()), code, "{text}");
        }
    }
}
