//! The pseudonym by which a relay knows its own requests again (RFC 9110 §7.6.3).

use std::hash::{BuildHasher, RandomState};

use http::header::VIA;
use http::{HeaderMap, HeaderValue};
use thiserror::Error;

/// A name that cannot stand in a `Via` field.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{name:?} is no pseudonym: write a word of letters, digits, '-', '.' and '_', as in relay-7"
)]
#[non_exhaustive]
pub struct PseudonymError {
    /// The name as given.
    pub name: String,
}

/// The pseudonym of a relay.
#[derive(Clone, Debug)]
pub(crate) struct Pseudonym {
    name: String,
    value: HeaderValue,
}

impl Pseudonym {
    /// One that no other relay has. That others could guess it does no harm: it is no secret.
    pub(crate) fn random() -> Self {
        let number = RandomState::new().hash_one(());
        Self::from_token(format!("relay-{number:016x}"))
    }

    /// This name, if it is one.
    pub(crate) fn new(name: &str) -> Result<Self, PseudonymError> {
        let name = name.to_owned();
        if name.is_empty() || !name.bytes().all(is_token_char) {
            return Err(PseudonymError { name });
        }
        Ok(Self::from_token(name))
    }

    fn from_token(name: String) -> Self {
        // Not the version that the client speaks, as the field is meant to have: that would tell
        // the gateway something of the client (RFC 9458 §6.2).
        let value = HeaderValue::try_from(format!("1.1 {name}"));
        Self { name, value: value.unwrap_or_else(|_| HeaderValue::from_static("1.1 relay")) }
    }

    /// The `Via` field of every request to a gateway.
    pub(crate) fn value(&self) -> HeaderValue {
        self.value.clone()
    }

    /// Whether a request has been here before.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut members = headers.get_all(VIA).iter().flat_map(|line| members(line.as_bytes()));
        members.any(|member| {
            received_by(member).is_some_and(|by| by.eq_ignore_ascii_case(self.name.as_bytes()))
        })
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

    fn is_in(lines: &[&'static str]) -> bool {
        let fields = lines.iter().map(|line| (VIA, HeaderValue::from_static(line)));
        Pseudonym::new("me").unwrap().is_in(&fields.collect())
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
            assert!(is_in(lines), "{lines:?}");
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
            assert!(!is_in(lines), "{lines:?}");
        }
        let opaque = HeaderValue::from_bytes(b"1.1 \xff").unwrap();
        assert!(!Pseudonym::random().is_in(&HeaderMap::from_iter([(VIA, opaque)])));
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
        let [one, other] = [Pseudonym::random(), Pseudonym::random()];
        assert_ne!(one.value(), other.value());
        for pseudonym in [one, other] {
            assert!(pseudonym.is_in(&HeaderMap::from_iter([(VIA, pseudonym.value())])));
            assert!(Pseudonym::new(&pseudonym.name).is_ok());
        }
    }
}
