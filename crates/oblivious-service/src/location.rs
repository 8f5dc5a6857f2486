//! Where a redirect leads.

use http::Uri;

/// Where the value of a `Location` field leads, in an answer to a request for `base` (RFC 9110
/// §10.2.2): an absolute URI, or a reference that is resolved as RFC 3986 §5.2 has it. A fragment
/// is left out, since none is sent to servers.
///
/// `None` if no HTTP request could go there. Whether one may is for the caller to say: the scheme
/// and the host can be any.
///
/// ```
/// use http::Uri;
/// use oblivious_service::resolve_location;
///
/// let base = Uri::from_static("https://gateway.example/a/keys?old");
/// let leads = |location| resolve_location(&base, location).map(|uri| uri.to_string());
/// assert_eq!(leads("../b/keys").as_deref(), Some("https://gateway.example/b/keys"));
/// assert_eq!(leads("//other.example/keys#1").as_deref(), Some("https://other.example/keys"));
/// assert_eq!(leads("mailto:operator@gateway.example"), None);
/// ```
pub fn resolve_location(base: &Uri, location: &str) -> Option<Uri> {
    let (scheme, authority) = (base.scheme_str()?, base.authority()?.as_str());
    let reference = location.split('#').next()?;
    if let Some((scheme, rest)) = split_scheme(reference) {
        return absolute(scheme, rest.strip_prefix("//")?);
    }
    if let Some(rest) = reference.strip_prefix("//") {
        return absolute(scheme, rest);
    }
    let (path, query) = split_query(reference);
    let own_path = base.path();
    let (path, query) = if path.is_empty() {
        (own_path.to_owned(), query.or(base.query()))
    } else if path.starts_with('/') {
        (without_dots(path), query)
    } else {
        // What comes after the last slash is replaced (RFC 3986 §5.2.3).
        let folder = own_path.rfind('/').map_or("/", |slash| &own_path[..=slash]);
        (without_dots(&format!("{folder}{path}")), query)
    };
    build(scheme, authority, &path, query)
}

/// A URI of which all but the scheme is in `rest`, from behind the two slashes.
fn absolute(scheme: &str, rest: &str) -> Option<Uri> {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (path, query) = split_query(rest);
    build(scheme, authority, &without_dots(path), query)
}

fn build(scheme: &str, authority: &str, path: &str, query: Option<&str>) -> Option<Uri> {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{scheme}://{authority}{path}{query}").parse().ok()
}

/// The scheme at the start, if there is one (RFC 3986 §3.1), and what follows its colon.
fn split_scheme(reference: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = reference.split_once(':')?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(is_part);
    is_scheme.then_some((scheme, rest))
}

fn split_query(reference: &str) -> (&str, Option<&str>) {
    match reference.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (reference, None),
    }
}

/// The path without its segments `.` and `..` (RFC 3986 §5.2.4). None leads above the root.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." => {}
            ".." => _ = kept.pop(),
            other => {
                kept.push(other);
                continue;
            }
        }
        // At the end they stand for a folder.
        if segments.peek().is_none() {
            kept.push("");
        }
    }
    kept.iter().map(|segment| format!("/{segment}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(base: &str, location: &str) -> Option<String> {
        resolve_location(&base.parse().unwrap(), location).map(|uri| uri.to_string())
    }

    /// RFC 3986 §5.4, all references that lead to an HTTP resource.
    #[test]
    fn references_are_resolved_as_the_rfc_has_it() {
        for (reference, expected) in [
            // §5.4.1
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("g#s", "http://a/b/c/g"),
            ("g?y#s", "http://a/b/c/g?y"),
            (";x", "http://a/b/c/;x"),
            ("g;x", "http://a/b/c/g;x"),
            ("g;x?y#s", "http://a/b/c/g;x?y"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../", "http://a/"),
            ("../../g", "http://a/g"),
            // §5.4.2
            ("../../../g", "http://a/g"),
            ("../../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            (".g", "http://a/b/c/.g"),
            ("g..", "http://a/b/c/g.."),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/./x", "http://a/b/c/g?y/./x"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
        ] {
            let resolved = resolved("http://a/b/c/d;p?q", reference);
            assert_eq!(resolved.as_deref(), Some(expected), "{reference:?}");
        }
        for nowhere in ["g:h", "http:g", "https:", "https://", "//", "/a b", "g\u{0}"] {
            assert_eq!(resolved("http://a/b/c/d;p?q", nowhere), None, "{nowhere:?}");
        }
    }

    #[test]
    fn absolute_locations_are_taken_as_they_are() {
        for (location, expected) in [
            ("https://h.example/a?b=c", "https://h.example/a?b=c"),
            ("https://h.example/a/../b#c", "https://h.example/b"),
            ("HTTPS://h.example", "https://h.example/"),
            ("http://user:secret@h.example:80/", "http://user:secret@h.example:80/"),
            ("https://h.example?a=/b", "https://h.example/?a=/b"),
            ("//h.example:1/a", "https://h.example:1/a"),
            ("/a:b", "https://g.example:8443/a:b"),
            ("a?b=https://h.example/", "https://g.example:8443/x/a?b=https://h.example/"),
        ] {
            let resolved = resolved("https://g.example:8443/x/y?z", location);
            assert_eq!(resolved.as_deref(), Some(expected), "{location:?}");
        }
        assert_eq!(resolved("https://g.example", "a").as_deref(), Some("https://g.example/a"));
    }
}
