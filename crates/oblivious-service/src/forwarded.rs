//! The field `Forwarded` (RFC 7239), read strictly.

use std::borrow::Cow;

/// The `for` of each element of a line, in order; `None` for an element that has none.
///
/// Nothing at all if any part of the line is not as RFC 7239 §4 has it: a parameter that appears
/// twice in an element, a quoted string without end, a backslash outside of one. The client may
/// have written a part of the line, and chosen the `host` in another; what is odd may be an
/// attempt to pass for someone else.
///
/// Values that must be quoted because of a colon or brackets need not be: many proxies leave the
/// quotes out. Blanks may surround elements and parameters.
pub(crate) fn forwarded_for(line: &str) -> Option<Vec<Option<Cow<'_, str>>>> {
    let mut elements = Vec::new();
    let mut rest = line;
    loop {
        let (node, after) = element(rest)?;
        elements.push(node);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return after.is_empty().then_some(elements),
        }
    }
}

/// The `for` of the element at the start of `rest`, and what follows the element.
fn element(mut rest: &str) -> Option<(Option<Cow<'_, str>>, &str)> {
    let mut names: Vec<&str> = Vec::new();
    let mut node = None;
    loop {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim_start_matches(is_blank);
        let is_repeated = names.iter().any(|other| other.eq_ignore_ascii_case(name));
        if name.is_empty() || !name.bytes().all(is_token) || is_repeated {
            return None;
        }
        names.push(name);
        let (value, after) = value(after)?;
        if name.eq_ignore_ascii_case("for") {
            node = Some(value);
        }
        let after = after.trim_start_matches(is_blank);
        match after.strip_prefix(';') {
            Some(next) => rest = next,
            None => return Some((node, after)),
        }
    }
}

/// The value at the start of `rest`, without its quotes, and what follows it.
fn value(rest: &str) -> Option<(Cow<'_, str>, &str)> {
    if let Some(quoted) = rest.strip_prefix('"') {
        return quoted_string(quoted);
    }
    let end = rest.find(|other: char| !other.is_ascii() || !is_unquoted(other as u8));
    let (value, after) = rest.split_at(end.unwrap_or(rest.len()));
    (!value.is_empty()).then_some((value.into(), after))
}

/// RFC 9110 §5.6.4, from behind the first quote.
fn quoted_string(rest: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut value = String::new();
    let mut characters = rest.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value.into(), &rest[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

/// RFC 9110 §5.6.2
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a value may have it without quotes: what a token has, and what addresses have.
fn is_unquoted(byte: u8) -> bool {
    is_token(byte) || b":[]/".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `-` for an element without `for`.
    fn read(line: &str) -> Option<Vec<String>> {
        let elements = forwarded_for(line)?;
        let text = |node: Option<Cow<'_, str>>| node.unwrap_or("-".into()).into_owned();
        Some(elements.into_iter().map(text).collect())
    }

    /// RFC 7239 §4
    #[test]
    fn elements_are_separated_by_commas_outside_of_quotes() {
        for (line, expected) in [
            ("for=\"_gazonk\"", &["_gazonk"][..]),
            ("For=\"[2001:db8:cafe::17]:4711\"", &["[2001:db8:cafe::17]:4711"]),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", &["192.0.2.60"]),
            ("for=192.0.2.43, for=198.51.100.17", &["192.0.2.43", "198.51.100.17"]),
            ("for=192.0.2.43,proto=http\t,\tFOR=1.1.1.1 ; by=x", &["192.0.2.43", "-", "1.1.1.1"]),
            ("host=\"a;for=1.1.1.1, for=1.1.1.1\";for=192.0.2.7", &["192.0.2.7"]),
            ("host=\"\\\",for=1.1.1.1\";for=\"\\192.0.2.7\"", &["192.0.2.7"]),
            ("for=192.0.2.7:4711;host=a:443", &["192.0.2.7:4711"]),
            ("secret=\"\";for=a", &["a"]),
        ] {
            let expected = expected.iter().map(|&node| node.to_owned()).collect();
            assert_eq!(read(line), Some(expected), "{line}");
        }
    }

    /// RFC 7239 §4: each parameter at most once in an element, and what is no token in quotes.
    #[test]
    fn what_is_odd_is_not_believed() {
        for line in [
            "",
            " ",
            "for",
            "for=",
            "=a",
            "for =a",
            "for= a",
            "for=a,",
            ",for=a",
            "for=a;",
            "for=a;;by=b",
            "for=a;for=b",
            "for=a;host=x;FOR=b",
            "for=a;host=x;host=y",
            "for=a b",
            "for=a\"b\"",
            "for=\"a\"b",
            "for=\"a",
            "for=\"a\\",
            "for=\"a\\\"",
            "for=a;host=\\\"x",
            "for=a;host=a=b",
            "for=\u{e9}",
            "f\u{e9}r=a",
            "f(r=a",
            "junk, for=a",
        ] {
            assert_eq!(read(line), None, "{line:?}");
        }
    }
}
