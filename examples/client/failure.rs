//! Why a command fails, and the exit code that says so: curl's, where it has one.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use http::StatusCode;
use oblivious_http::client::{ClientBodyError, ClientError, KeySourceError};
use oblivious_hyper::HttpError;
use thiserror::Error;

/// What this program itself finds wrong.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error("the scheme of {0} is not supported: write https, or http")]
    Scheme(String),
    #[error("{0} is not a URL")]
    Url(String),
    #[error("cannot find the host {host}")]
    Resolve { host: String, source: io::Error },
    #[error("the target answered with status {0}")]
    Status(StatusCode),
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("the URL does not end with a file name for -O: name one with -o")]
    NoFileName,
    #[error(
        "the answer is binary, which a terminal cannot show: write it to a file with -o FILE, \
             or to the terminal all the same with -o -"
    )]
    BinaryOnTerminal,
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the response is longer than the {0} bytes of --max-filesize")]
    TooLong(u64),
    #[error("it took longer than {0} seconds: raise --max-time")]
    TimedOut(String),
    #[error("cannot decode the content of the answer")]
    ContentCoding(#[source] Box<dyn Error + Send + Sync>),
    #[error("cannot use the certificates")]
    CaFile(#[source] Box<dyn Error + Send + Sync>),
    #[error("{0}")]
    Difference(String),
    #[error("{0}")]
    Unsound(String),
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Scheme(_) | Self::Difference(_) | Self::Unsound(_) => 1,
            Self::Usage(_) => 2,
            Self::Url(_) => 3,
            Self::Resolve { .. } => 6,
            Self::Status(_) => 22,
            Self::Write { .. } | Self::NoFileName | Self::BinaryOnTerminal => 23,
            Self::Read { .. } => 26,
            Self::TimedOut(_) => 28,
            Self::ContentCoding(_) => 61,
            Self::TooLong(_) => 63,
            Self::CaFile(_) => 77,
        }
    }
}

/// The exit code for an error, by the first of its causes that has one.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    let causes = causes(error.as_ref());
    let transport = || causes.iter().copied().find_map(transport_code);
    let own = causes.iter().find_map(|cause| cause.downcast_ref::<Failure>());
    if let Some(own) = own {
        return own.exit_code();
    }
    let keys = causes.iter().copied().find_map(key_code);
    let exchange = causes.iter().copied().find_map(exchange_code);
    let broken = || {
        let is_broken = |cause: &&(dyn Error + 'static)| match cause.downcast_ref() {
            Some(error) => !matches!(error, HttpError::NoServer | HttpError::Connect(_)),
            None => cause.is::<hyper::Error>(),
        };
        causes.iter().any(is_broken).then_some(56)
    };
    keys.or(exchange).or_else(transport).or_else(broken).unwrap_or(1)
}

/// All causes, with those that [`io::Error`] holds without calling them its source.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut all = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        all.push(error);
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    all
}

fn key_code(cause: &(dyn Error + 'static)) -> Option<u8> {
    let shared = cause.downcast_ref::<Arc<KeySourceError>>().map(|error| &**error);
    match shared.or_else(|| cause.downcast_ref())? {
        KeySourceError::Disagreement { .. } | KeySourceError::Digest { .. } => Some(90),
        KeySourceError::TimedOut { .. } => Some(28),
        KeySourceError::TooLong { .. } => Some(63),
        // Its causes say why.
        KeySourceError::Unreachable { .. }
        | KeySourceError::TooFew { .. }
        | KeySourceError::Other { .. } => None,
        _ => Some(8),
    }
}

fn exchange_code(cause: &(dyn Error + 'static)) -> Option<u8> {
    if let Some(error) = cause.downcast_ref::<ClientBodyError>() {
        return match error {
            ClientBodyError::Relay(_) => Some(18),
            ClientBodyError::TimedOut => Some(28),
            _ => Some(8),
        };
    }
    match cause.downcast_ref::<ClientError>()? {
        ClientError::Keys(_) | ClientError::Relay(_) | ClientError::RequestBody(_) => None,
        ClientError::TimedOut => Some(28),
        ClientError::ResponseTooLarge { .. } | ClientError::RequestTooLarge { .. } => Some(63),
        ClientError::NoGateway
        | ClientError::Linkable { .. }
        | ClientError::ExpectContinue
        | ClientError::InvalidRequest(_) => Some(2),
        _ => Some(8),
    }
}

/// What broke on the way to a server.
fn transport_code(cause: &(dyn Error + 'static)) -> Option<u8> {
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        let about_certificate = matches!(error, rustls::Error::InvalidCertificate(_));
        return Some(if about_certificate { 60 } else { 35 });
    }
    match cause.downcast_ref() {
        Some(HttpError::NoResponse(_)) => return Some(52),
        Some(HttpError::BrokeOff(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Some(18);
        }
        _ => {}
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        let io = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
        let is_cut_off = io.is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof);
        return is_cut_off.then_some(18);
    }
    match cause.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::TimedOut => Some(28),
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::AddrNotAvailable => Some(7),
        // As far as the programs here can tell, in a handshake.
        io::ErrorKind::UnexpectedEof => Some(35),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Some(56),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn the_cause_that_has_a_code_decides_however_deep() {
        let code = |error: anyhow::Error| exit_code(&error);
        let wrapped = io::Error::other(io::Error::other(rustls::Error::HandshakeNotComplete));
        let relay = ClientError::Relay(wrapped.into());
        assert_eq!(code(anyhow::Error::from(relay).context("failed")), 35);
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(code(anyhow::Error::from(refused).context("failed")), 7);
        let status: Result<(), _> = Err(Failure::Status(StatusCode::NOT_FOUND));
        assert_eq!(code(status.context("failed").unwrap_err()), 22);
        let name = "keys".to_owned();
        let error = io::Error::from(io::ErrorKind::TimedOut).into();
        let keys = KeySourceError::Unreachable { name, error };
        assert_eq!(code(ClientError::Keys(Arc::new(keys)).into()), 28);
        let groups = KeySourceError::Disagreement { groups: Vec::new() };
        assert_eq!(code(ClientError::Keys(Arc::new(groups)).into()), 90);
        assert_eq!(code(anyhow::anyhow!("anything else")), 1);
    }
}
