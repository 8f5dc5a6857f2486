//! Configurations of rustls, with its ring provider, from PEM files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use thiserror::Error;

/// The TLS of a server, with the certificate chain and the private key in these PEM files.
///
/// With `client_ca`, a PEM file of authorities, clients are asked for a certificate from one of
/// them. They may show none; one that no such authority signed ends the handshake.
///
/// # Errors
/// If a file cannot be read or contains something else, or certificate and key do not match.
pub fn server_config(
    certificate: &Path,
    key: &Path,
    client_ca: Option<&Path>,
) -> Result<ServerConfig, TlsError> {
    let clients = client_ca.map(client_authorities).transpose()?;
    let chain = certificates_in(certificate)?;
    server_config_with(chain, private_key_in(key)?, clients).map_err(|error| TlsError::Mismatch {
        certificate: certificate.into(),
        key: key.into(),
        error,
    })
}

/// The TLS of a client that trusts the public authorities, and those in `extra`, a text of PEM
/// certificates.
///
/// # Errors
/// If the text contains no certificates, or one that cannot be an authority's.
pub fn client_config(extra: Option<&str>) -> Result<ClientConfig, TlsError> {
    let extra = match extra {
        Some(pem) => certificates(pem.as_bytes(), Path::new("the text"))?,
        None => Vec::new(),
    };
    client_config_trusting(public_roots(), extra, None)
}

/// Like [`client_config`], with the additional certificates in a file.
///
/// # Errors
/// Those of [`client_config`], or if the file cannot be read.
pub fn client_config_with_file(extra: Option<&Path>) -> Result<ClientConfig, TlsError> {
    client_config_with(extra.map_or(Roots::Public, Roots::PublicAnd), None)
}

/// Whose certificates a client accepts.
#[derive(Clone, Copy, Debug)]
pub enum Roots<'a> {
    /// Those of the public authorities.
    Public,
    /// Those of the public authorities, and of the authorities in this PEM file.
    PublicAnd(&'a Path),
    /// Only those of the authorities in this PEM file, which pins them.
    Only(&'a Path),
}

/// What a client shows to a server that asks for a certificate.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// A PEM file with the certificate chain.
    pub certificate: &'a Path,
    /// A PEM file with the private key.
    pub key: &'a Path,
}

/// The TLS of a client that trusts these authorities, and shows this certificate.
///
/// # Errors
/// If a file cannot be read or contains something else, a certificate cannot be an authority's, or
/// certificate and key do not match.
pub fn client_config_with(
    roots: Roots<'_>,
    identity: Option<Identity<'_>>,
) -> Result<ClientConfig, TlsError> {
    let (roots, extra) = match roots {
        Roots::Public => (public_roots(), Vec::new()),
        Roots::PublicAnd(path) => (public_roots(), certificates_in(path)?),
        Roots::Only(path) => (RootCertStore::empty(), certificates_in(path)?),
    };
    client_config_trusting(roots, extra, identity)
}

fn public_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

fn client_config_trusting(
    mut roots: RootCertStore,
    extra: Vec<CertificateDer<'_>>,
    identity: Option<Identity<'_>>,
) -> Result<ClientConfig, TlsError> {
    for certificate in extra {
        roots.add(certificate).map_err(TlsError::Authority)?;
    }
    // No ALPN here: the HTTP client adds the versions that it speaks.
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Rustls)?
        .with_root_certificates(roots);
    let Some(Identity { certificate, key }) = identity else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates_in(certificate)?;
    builder.with_client_auth_cert(chain, private_key_in(key)?).map_err(|error| TlsError::Mismatch {
        certificate: certificate.into(),
        key: key.into(),
        error,
    })
}

fn client_authorities(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates_in(path)? {
        roots.add(certificate).map_err(TlsError::Authority)?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .allow_unauthenticated()
        .build()
        .map_err(TlsError::Clients)
}

pub(crate) fn server_config_with(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, rustls::Error> {
    let clients = clients.unwrap_or_else(WebPkiClientVerifier::no_client_auth);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates_in(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    certificates(&read(path)?, path)
}

fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    match CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>() {
        Ok(certificates) if certificates.is_empty() => {
            Err(TlsError::NoCertificate { path: path.into(), error: pem::Error::NoItemsFound })
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(TlsError::NoCertificate { path: path.into(), error }),
    }
}

fn private_key_in(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?)
        .map_err(|error| TlsError::NoPrivateKey { path: path.into(), error })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError::Unreadable { path: path.into(), error })
}

/// Named explicitly, so that no default of the whole process has to be installed.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// TLS cannot be set up with these files. No error shows the content of a private key.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A file contains no certificates.
    #[error("{} is not a PEM file with certificates", path.display())]
    NoCertificate {
        /// Which.
        path: PathBuf,
        /// What is there instead.
        #[source]
        error: pem::Error,
    },
    /// A file contains no private key.
    #[error("{} is not a PEM file with a private key", path.display())]
    NoPrivateKey {
        /// Which.
        path: PathBuf,
        /// What is there instead.
        #[source]
        error: pem::Error,
    },
    /// The private key is not that of the certificate.
    #[error(
        "the certificate in {} and the private key in {} do not match",
        certificate.display(),
        key.display()
    )]
    Mismatch {
        /// The file of the certificate chain.
        certificate: PathBuf,
        /// The file of the private key.
        key: PathBuf,
        /// What rustls says.
        #[source]
        error: rustls::Error,
    },
    /// A certificate cannot be that of an authority.
    #[error("a certificate in the file of authorities cannot be an authority's")]
    Authority(#[source] rustls::Error),
    /// The authorities of clients cannot be used.
    #[error("the authorities of client certificates cannot be used")]
    Clients(#[source] VerifierBuilderError),
    /// rustls cannot be configured.
    #[error("rustls cannot be configured")]
    Rustls(#[source] rustls::Error),
    /// No certificate could be made.
    #[cfg(feature = "self-signed")]
    #[error("no certificate could be made")]
    SelfSigned(#[from] rcgen::Error),
}
