//! How a relay authenticates itself to a gateway.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use thiserror::Error;

/// A token that cannot be sent. The error does not contain it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this is not a bearer token: it must be one word of visible ASCII characters")]
#[non_exhaustive]
pub struct AuthorizationError;

/// The value of the `Authorization` field of requests to a server (RFC 9110 §11.6.2), obtained anew
/// each time, so that it can change while it is in use.
///
/// It never appears in `Debug` output, and HTTP/2 is told to keep it out of its tables.
///
/// ```
/// use oblivious_service::Authorization;
///
/// let fixed = Authorization::bearer("0123456789abcdef0123456789abcdef")?;
/// assert_eq!(fixed.value().unwrap(), "Bearer 0123456789abcdef0123456789abcdef");
/// assert!(!format!("{fixed:?}").contains("0123"));
/// # Ok::<(), oblivious_service::AuthorizationError>(())
/// ```
#[derive(Clone)]
pub struct Authorization {
    source: Arc<dyn Fn() -> Option<HeaderValue> + Send + Sync>,
}

impl Authorization {
    /// Always the same bearer token (RFC 6750 §2.1).
    ///
    /// # Errors
    /// If it is empty, or has characters other than visible ASCII.
    pub fn bearer(token: &str) -> Result<Self, AuthorizationError> {
        let value = Self::bearer_value(token)?;
        Ok(Self::from_source(move || Some(value.clone())))
    }

    /// Whatever `source` returns. It is called once for each request and must not block. `None`
    /// means that there is no credential at present; then no request is sent.
    pub fn from_source(source: impl Fn() -> Option<HeaderValue> + Send + Sync + 'static) -> Self {
        Self { source: Arc::new(source) }
    }

    /// The value to send now.
    pub fn value(&self) -> Option<HeaderValue> {
        let mut value = (self.source)()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The value that carries a bearer token (RFC 6750 §2.1), for use in sources.
    ///
    /// # Errors
    /// If the token is empty, or has characters other than visible ASCII.
    pub fn bearer_value(token: &str) -> Result<HeaderValue, AuthorizationError> {
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AuthorizationError);
        }
        let mut value =
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| AuthorizationError)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word() {
        for token in ["", "two words", "line\n", "\u{e9}"] {
            assert!(Authorization::bearer(token).is_err(), "{token:?}");
        }
    }

    #[test]
    fn the_value_is_sensitive_whatever_the_source_says() {
        let source = Authorization::from_source(|| Some(HeaderValue::from_static("Basic AAAA")));
        let value = source.value().unwrap();
        assert!(value.is_sensitive());
        assert_eq!(format!("{value:?}"), "Sensitive");
        assert_eq!(Authorization::from_source(|| None).value(), None);
    }
}
