//! TLS for servers and clients: rustls with the ring provider.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// The TLS of a server with the certificate chain and the private key in these PEM files.
pub fn server_config(cert_pem: &Path, key_pem: &Path) -> anyhow::Result<Arc<ServerConfig>> {
    server_config_for(cert_pem, key_pem, None)
}

/// As [`server_config`], and asks clients for a certificate of one of the authorities in the PEM
/// file `client_ca`. They may show none; one that no such authority signed ends the handshake.
pub fn server_config_for(
    cert_pem: &Path,
    key_pem: &Path,
    client_ca: Option<&Path>,
) -> anyhow::Result<Arc<ServerConfig>> {
    let authorities = client_ca.map(client_authorities).transpose()?;
    let chain = certificates(
        &std::fs::read(cert_pem)
            .with_context(|| format!("cannot read the certificate {}", cert_pem.display()))?,
    )
    .with_context(|| format!("{} is no PEM file with certificates", cert_pem.display()))?;
    let key = PrivateKeyDer::from_pem_file(key_pem)
        .with_context(|| format!("cannot read the private key {}", key_pem.display()))?;
    server_config_with(chain, key, authorities).with_context(|| {
        format!("{} and {} do not go together", cert_pem.display(), key_pem.display())
    })
}

/// The TLS of a server with a certificate made here and now for `names`, which are DNS names or
/// IP addresses; and, as PEM, the certificate of the authority that vouches for it, likewise made
/// here and now.
pub fn self_signed(names: &[&str]) -> anyhow::Result<(Arc<ServerConfig>, String)> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.distinguished_name.push(DnType::CommonName, "Authority of an example");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

    let key = KeyPair::generate()?;
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = server_config_with(vec![certificate.der().clone()], key.into(), None)?;
    Ok((config, authority.as_ref().pem()))
}

/// The TLS of a client that trusts the public authorities, and those in `extra_ca`, a text of PEM
/// certificates.
pub fn client_config(extra_ca: Option<&str>) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = extra_ca {
        for certificate in certificates(pem.as_bytes())? {
            roots.add(certificate).context("a certificate is not fit for an authority")?;
        }
    }
    // No ALPN here: the HTTP client adds the versions that it speaks.
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// As [`client_config`], with the certificates in a file.
pub fn client_config_with_file(extra_ca: Option<&Path>) -> anyhow::Result<ClientConfig> {
    let Some(path) = extra_ca else { return client_config(None) };
    let pem = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the authorities in {}", path.display()))?;
    client_config(Some(&pem)).with_context(|| format!("{} is of no use", path.display()))
}

fn client_authorities(path: &Path) -> anyhow::Result<Arc<dyn ClientCertVerifier>> {
    let shown = path.display();
    let pem = std::fs::read(path)
        .with_context(|| format!("cannot read the authorities of clients in {shown}"))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&pem).with_context(|| format!("{shown} is of no use"))? {
        roots.add(certificate).with_context(|| format!("{shown} holds no authority"))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .allow_unauthenticated()
        .build()
        .with_context(|| format!("{shown} is of no use"))
}

fn server_config_with(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let clients = clients.unwrap_or_else(WebPkiClientVerifier::no_client_auth);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>()?;
    anyhow::ensure!(!certificates.is_empty(), "no certificate found");
    Ok(certificates)
}

/// Named explicitly, so that no default of the whole process has to be installed.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
