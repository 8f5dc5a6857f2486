//! A bearer token to send, in a file that another program renews.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::{Duration, Instant};

use http::HeaderValue;
use oblivious_service::{Authorization, Live};
use thiserror::Error;
use zeroize::Zeroizing;

/// How often the file is checked by default.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);

/// A bearer token in a file, such as an OAuth 2.0 access token that an agent on the machine renews
/// (RFC 6750 §2.1). The file contains only the token.
///
/// It is read again during requests, at most every few seconds, so that no task has to watch it. If
/// the file cannot be read then, or contains no token, the last one stays in use, and the server
/// decides what follows. Clones share the token. `Debug` output never shows it.
#[derive(Clone)]
pub struct TokenFile {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    interval: Duration,
    value: Live<HeaderValue>,
    /// When it was read last; whoever holds the lock reads it.
    read: Mutex<Instant>,
}

/// A file does not contain a bearer token that could be sent. The error never shows its content.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenFileError {
    /// The file cannot be read.
    #[error("cannot read the bearer token in {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The file has no token, or more than one.
    #[error("{} does not contain exactly one bearer token of visible ASCII", path.display())]
    NoToken {
        /// The file.
        path: PathBuf,
    },
}

impl TokenFile {
    /// Reads the token, and checks for a new one every ten seconds while it is in use.
    ///
    /// # Errors
    /// If the file cannot be read, or does not contain exactly one token.
    pub fn open(path: &Path) -> Result<Self, TokenFileError> {
        Self::open_with_interval(path, DEFAULT_INTERVAL)
    }

    /// Like [`open`](Self::open), with another interval.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_with_interval(path: &Path, interval: Duration) -> Result<Self, TokenFileError> {
        let value = Live::new(read(path)?);
        let read = Mutex::new(Instant::now());
        Ok(Self { inner: Arc::new(Inner { path: path.into(), interval, value, read }) })
    }

    /// Reads the file now.
    ///
    /// # Errors
    /// Those of [`open`](Self::open). Then the last token stays in use.
    pub fn reload(&self) -> Result<(), TokenFileError> {
        self.inner.value.replace(read(&self.inner.path)?);
        Ok(())
    }

    fn value(&self) -> HeaderValue {
        let inner = &*self.inner;
        // Other callers meanwhile use the present token.
        let mut read = match inner.read.try_lock() {
            Ok(read) => read,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return HeaderValue::clone(&inner.value.current()),
        };
        if read.elapsed() >= inner.interval {
            *read = Instant::now();
            if let Err(error) = self.reload() {
                tracing::warn!(%error, "the last bearer token stays in use");
            }
        }
        HeaderValue::clone(&inner.value.current())
    }
}

impl From<TokenFile> for Authorization {
    /// Sends the token that is in the file at the time.
    fn from(file: TokenFile) -> Self {
        Self::from_source(move || Some(file.value()))
    }
}

impl fmt::Debug for TokenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenFile").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<HeaderValue, TokenFileError> {
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|error| TokenFileError::Unreadable { path: path.into(), error })?;
    Authorization::bearer_value(text.trim())
        .map_err(|_| TokenFileError::NoToken { path: path.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of its own for a test, gone with it.
    struct File(PathBuf);

    impl File {
        fn new(name: &str, text: &str) -> Self {
            let name = format!("oblivious-http-{}-{name}", std::process::id());
            let file = Self(std::env::temp_dir().join(name));
            std::fs::write(&file.0, text).unwrap();
            file
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn a_renewed_token_is_shown() {
        let file = File::new("renewed", "first-token\n");
        let token = TokenFile::open_with_interval(&file.0, Duration::ZERO).unwrap();
        let shown = Authorization::from(token.clone());
        assert_eq!(shown.value().unwrap(), "Bearer first-token");
        std::fs::write(&file.0, "second-token").unwrap();
        assert_eq!(shown.value().unwrap(), "Bearer second-token");
        for unfit in ["", "two words", "two\nlines"] {
            std::fs::write(&file.0, unfit).unwrap();
            assert_eq!(shown.value().unwrap(), "Bearer second-token");
            let error = token.reload().unwrap_err();
            assert!(matches!(error, TokenFileError::NoToken { .. }));
        }
        std::fs::remove_file(&file.0).unwrap();
        assert_eq!(shown.value().unwrap(), "Bearer second-token");
        assert!(matches!(TokenFile::open(&file.0), Err(TokenFileError::Unreadable { .. })));
    }

    #[test]
    fn between_two_readings_the_file_is_left_alone() {
        let file = File::new("interval", "first-token");
        let token = TokenFile::open(&file.0).unwrap();
        let shown = Authorization::from(token.clone());
        std::fs::write(&file.0, "second-token").unwrap();
        assert_eq!(shown.value().unwrap(), "Bearer first-token");
        token.reload().unwrap();
        assert_eq!(shown.value().unwrap(), "Bearer second-token");
    }

    #[test]
    fn no_token_is_shown_to_people() {
        let file = File::new("shown", "secret words");
        let error = TokenFile::open(&file.0).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
        std::fs::write(&file.0, "secret").unwrap();
        let token = TokenFile::open(&file.0).unwrap();
        let shown = Authorization::from(token.clone());
        assert!(!format!("{token:?} {shown:?} {:?}", shown.value()).contains("secret"));
    }
}
