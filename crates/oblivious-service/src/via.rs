//! The pseudonym by which a relay or gateway recognizes its own requests (RFC 9110 §7.6.3).

use std::hash::{BuildHasher, RandomState};

use http::header::VIA;
use http::{HeaderMap, HeaderValue};
use thiserror::Error;

/// A name that cannot stand in a `Via` field.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{name:?} is not a pseudonym: write a word of letters, digits, '-', '.' and '_', as in relay-7"
)]
#[non_exhaustive]
pub struct PseudonymError {
    /// The name as given.
    pub name: String,
}

/// The name of an intermediary in the `Via` fields of the requests that it sends, by which it
/// recognizes them when they come back.
///
/// It is the same for all requests, so it says who forwarded them, but nothing about their senders.
///
/// ```
/// use http::{HeaderMap, header::VIA};
/// use oblivious_service::Pseudonym;
///
/// let own = Pseudonym::new("relay-7")?;
/// let mut headers = HeaderMap::new();
/// assert_eq!(own.count_in(&headers), 0);
/// headers.insert(VIA, own.value());
/// assert_eq!(own.count_in(&headers), 1);
/// # Ok::<(), oblivious_service::PseudonymError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pseudonym {
    name: String,
    value: HeaderValue,
}

impl Pseudonym {
    /// `role`, such as `relay`, followed by a number that nobody else is likely to have. It does no
    /// harm if others guess it: it is not a secret.
    ///
    /// # Panics
    /// If `role` is not a word that [`new`](Self::new) accepts.
    pub fn random(role: &'static str) -> Self {
        let number = RandomState::new().hash_one(());
        Self::new(&format!("{role}-{number:016x}")).expect("a role is a token")
    }

    /// This name.
    ///
    /// # Errors
    /// If it is empty or has a character that a token does not have (RFC 9110 §5.6.2).
    pub fn new(name: &str) -> Result<Self, PseudonymError> {
        let name = name.to_owned();
        if name.is_empty() || !name.bytes().all(is_token_char) {
            return Err(PseudonymError { name });
        }
        // Not the client's HTTP version, which the field is meant to have: that would reveal
        // something about the client (RFC 9458 §6.2).
        match HeaderValue::try_from(format!("1.1 {name}")) {
            Ok(value) => Ok(Self { name, value }),
            Err(_) => Err(PseudonymError { name }),
        }
    }

    /// Just the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of a `Via` field.
    pub fn value(&self) -> HeaderValue {
        self.value.clone()
    }

    /// How many times a request with these fields has been here before.
    pub fn count_in(&self, headers: &HeaderMap) -> usize {
        let is_own = |member: &&[u8]| {
            received_by(member).is_some_and(|by| by.eq_ignore_ascii_case(self.name.as_bytes()))
        };
        let members = headers.get_all(VIA).iter().flat_map(|line| members(line.as_bytes()));
        members.filter(is_own).count()
    }
}

/// The members of a list, in which commas inside of comments are none.
fn members(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut depth, mut escaped) = (0_usize, false);
    line.split(move |&byte| {
        if std::mem::take(&mut escaped) {
            return false;
        }
        match byte {
            b'\\' => escaped = depth > 0,
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        byte == b',' && depth == 0
    })
}

/// Who received a message: `[ protocol-name "/" ] protocol-version RWS received-by [ RWS comment ]`,
/// where a port may follow the name.
fn received_by(member: &[u8]) -> Option<&[u8]> {
    let mut words =
        member.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    let _protocol = words.next()?;
    words.next()?.split(|byte| matches!(byte, b':' | b'(')).next()
}

/// RFC 9110 §5.6.2
fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count_in(lines: &[&'static str]) -> usize {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(VIA, HeaderValue::from_static(line));
        }
        Pseudonym::new("me").unwrap().count_in(&headers)
    }

    #[test]
    fn each_time_counts() {
        assert_eq!(count_in(&["1.1 me, 1.1 a (me), 2 me", "1.1 b, HTTP/1.1 ME"]), 3);
    }

    /// RFC 9110 §7.6.3: a list, over any number of lines, with protocol names, ports and comments.
    #[test]
    fn it_is_found_wherever_it_stands() {
        for lines in [
            &["1.1 me"][..],
            &["HTTP/1.1 me"],
            &["2 ME"],
            &["\t1.1 \t me\t"],
            &["1.1 me:8080"],
            &["1.1 me (a relay, of mine)"],
            &["1.1 me(a relay)"],
            &["1.0 fred, 1.1 me"],
            &["1.1 me,1.1 fred"],
            &["1.0 fred (a, (nested \\) comment), 1.1), 1.1 me, 2 p"],
            &["1.0 fred", "", "1.1 p", ",, 1.1 me"],
        ] {
            assert_eq!(count_in(lines), 1, "{lines:?}");
        }
    }

    #[test]
    fn nothing_else_is_taken_for_it() {
        for lines in [
            &[][..],
            &[""],
            &["me"],
            &["me 1.1"],
            &["1.1 mee"],
            &["1.1 not-me"],
            &["1.1 fred (me)"],
            &["1.1 fred me"],
            &["1.1 fred (a, 1.1 me)"],
            &["1.1 fred (a \\), 1.1 me, b)"],
            &["1.1 fred", "me/1.1 p"],
        ] {
            assert_eq!(count_in(lines), 0, "{lines:?}");
        }
        let opaque = HeaderValue::from_bytes(b"1.1 \xff").unwrap();
        let headers = HeaderMap::from_iter([(VIA, opaque)]);
        assert_eq!(Pseudonym::random("relay").count_in(&headers), 0);
    }

    #[test]
    fn a_pseudonym_is_a_token() {
        assert_eq!(Pseudonym::new("relay-7.example").unwrap().value(), "1.1 relay-7.example");
        for name in ["", "a b", "a,b", "a:1", "a(b)", "\u{e9}", "a\r\n"] {
            let error = Pseudonym::new(name).unwrap_err();
            assert_eq!(error.name, name);
        }
    }

    #[test]
    fn each_relay_has_one_of_its_own() {
        let [one, other] = [Pseudonym::random("relay"), Pseudonym::random("relay")];
        assert_ne!(one.value(), other.value());
        for pseudonym in [one, other] {
            let headers = HeaderMap::from_iter([(VIA, pseudonym.value())]);
            assert_eq!(pseudonym.count_in(&headers), 1);
            assert!(Pseudonym::new(&pseudonym.name).is_ok());
        }
    }
}
