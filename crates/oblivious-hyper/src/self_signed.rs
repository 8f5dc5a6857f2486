//! Certificates made on the spot.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::tls::{TlsError, server_config_with};

/// The TLS of a server with a certificate made on the spot for `names`, which are DNS names or IP
/// addresses; and, as PEM, the certificate of the authority that signed it, also made on the spot.
/// For tests and demonstrations.
///
/// # Errors
/// If one of the names cannot be in a certificate.
pub fn self_signed(names: &[&str]) -> Result<(ServerConfig, String), TlsError> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.distinguished_name.push(DnType::CommonName, "Authority of an example");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

    let key = KeyPair::generate()?;
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = server_config_with(vec![certificate.der().clone()], key.into(), None)
        .map_err(TlsError::Rustls)?;
    Ok((config, authority.as_ref().pem()))
}
