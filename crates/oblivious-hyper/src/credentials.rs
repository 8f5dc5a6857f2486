//! Recognizes the relays that may use a gateway.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use oblivious_service::{Content, plain_text};
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::server::ClientCertificate;

/// The shortest bearer token, in bytes: 128 bits in hexadecimal digits.
const MIN_TOKEN_LEN: usize = 32;

/// A bearer token, wiped from memory when it is dropped.
type Token = Zeroizing<Box<[u8]>>;

/// What a relay must show, by default nothing. `Debug` output never shows tokens.
#[derive(Clone, Default)]
pub struct Credentials {
    certificate: bool,
    tokens: Option<Arc<[Token]>>,
}

impl Credentials {
    /// With `certificate`, a relay must show a client certificate of a trusted authority; with
    /// `tokens`, a bearer token from this file. With both, it must show both.
    ///
    /// The file has one token per line, each of 32 or more characters without blanks. Several
    /// tokens allow changing from one to another.
    ///
    /// # Errors
    /// If the file cannot be read, has no token, or has an unsuitable one. No error shows a token.
    pub fn read(certificate: bool, tokens: Option<&Path>) -> Result<Self, CredentialsError> {
        let tokens = tokens.map(read_tokens).transpose()?;
        Ok(Self { certificate, tokens })
    }

    /// The answer to a POST from a relay that does not show what it must: a 401 in clear that does
    /// not say what is wrong. Everything else passes, so that keys can still be fetched; the token
    /// is removed and not passed on.
    pub fn refusal<B>(&self, request: &mut Request<B>) -> Option<Response<Content>> {
        let admitted =
            request.method() != Method::POST || self.admit(request.headers(), request.extensions());
        request.headers_mut().remove(header::AUTHORIZATION);
        if admitted {
            return None;
        }
        let mut refusal = plain_text(StatusCode::UNAUTHORIZED, "Authentication is required.\n");
        let challenge = HeaderValue::from_static("Bearer");
        refusal.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        Some(refusal)
    }

    fn admit(&self, headers: &HeaderMap, extensions: &Extensions) -> bool {
        let certified = !self.certificate || extensions.get::<ClientCertificate>().is_some();
        let known = self.tokens.as_ref().is_none_or(|tokens| {
            bearer(headers).is_some_and(|shown| {
                // All are compared, so that the time does not reveal which one nearly matches. It
                // may reveal the length.
                let equal = tokens.iter().map(|token| token.ct_eq(shown));
                equal.fold(Choice::from(0), |any, one| any | one).into()
            })
        });
        certified && known
    }
}

/// The one bearer token of a request (RFC 6750 §2.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?.as_bytes();
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

fn read_tokens(path: &Path) -> Result<Arc<[Token]>, CredentialsError> {
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|error| CredentialsError::Unreadable { path: path.into(), error })?;
    let tokens: Arc<[Token]> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| Token::new(line.as_bytes().into()))
        .collect();
    if tokens.is_empty() {
        return Err(CredentialsError::NoToken { path: path.into() });
    }
    let fit = |token: &[u8]| token.len() >= MIN_TOKEN_LEN && token.iter().all(u8::is_ascii_graphic);
    if !tokens.iter().all(|token| fit(token)) {
        return Err(CredentialsError::UnfitToken { path: path.into() });
    }
    Ok(tokens)
}

/// A file does not contain bearer tokens that relays could show. The error never shows one.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("cannot read the bearer tokens in {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The file has no token.
    #[error("{} contains no bearer token: write one per line", path.display())]
    NoToken {
        /// The file.
        path: PathBuf,
    },
    /// A token is too short to be secret, or cannot be sent in a header field.
    #[error(
        "a bearer token in {} is shorter than {MIN_TOKEN_LEN} characters or has others than \
         visible ASCII",
        path.display()
    )]
    UnfitToken {
        /// The file.
        path: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "0123456789abcdef0123456789abcdef";
    const NEW: &str = "fedcba9876543210fedcba9876543210";

    fn credentials(certificate: bool) -> Credentials {
        let tokens = [OLD, NEW].map(|token| Token::new(token.as_bytes().into())).into();
        Credentials { certificate, tokens: Some(tokens) }
    }

    fn headers(values: &[&str]) -> HeaderMap {
        let pair = |value: &&str| (header::AUTHORIZATION, value.parse().unwrap());
        values.iter().map(pair).collect()
    }

    /// RFC 6750 §2.1, RFC 9110 §11.1
    #[test]
    fn each_token_admits_and_nothing_else_does() {
        let credentials = credentials(false);
        let admit = |values: &[&str]| credentials.admit(&headers(values), &Extensions::new());
        assert!(admit(&[&format!("Bearer {OLD}")]));
        assert!(admit(&[&format!("bearer {NEW}")]));
        assert!(!admit(&[]));
        assert!(!admit(&["Bearer "]));
        assert!(!admit(&[OLD]));
        assert!(!admit(&[&format!("Basic {OLD}")]));
        assert!(!admit(&[&format!("Bearer {OLD}0")]));
        assert!(!admit(&[&format!("Bearer {}", &OLD[1..])]));
        assert!(!admit(&[&format!("Bearer {OLD}"), &format!("Bearer {OLD}")]));
    }

    #[test]
    fn a_token_does_not_stand_in_for_a_certificate() {
        let headers = headers(&[&format!("Bearer {OLD}")]);
        let mut extensions = Extensions::new();
        assert!(!credentials(true).admit(&headers, &extensions));
        extensions.insert(ClientCertificate);
        assert!(credentials(true).admit(&headers, &extensions));
        assert!(!credentials(true).admit(&HeaderMap::new(), &extensions));
    }
}
