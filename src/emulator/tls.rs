//! HTTPS for clients that insist on it, with a certificate authority created for this run.
//!
//! Only the authority's certificate is written to disk. Both private keys stay in memory, so nobody can abuse a user's
//! trust in the test authority once the emulator has stopped.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

const CA_FILE: &str = "ca.pem";
const DAY: Duration = Duration::from_secs(86_400);

/// Creates an authority and a server certificate, and writes the authority's certificate to `folder`.
pub(crate) fn acceptor(folder: &Path) -> io::Result<TlsAcceptor> {
    let authority = CertifiedIssuer::self_signed(authority()?, KeyPair::generate().map_err(io::Error::other)?)
        .map_err(io::Error::other)?;
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = server()?.signed_by(&key, &authority).map_err(io::Error::other)?;
    fs::create_dir_all(folder)?;
    fs::write(folder.join(CA_FILE), authority.pem())?;

    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    // The process may have another default provider, or none.
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .map_err(io::Error::other)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn authority() -> io::Result<CertificateParams> {
    let mut params = parameters(Vec::new(), "PythonAnywhere emulator: test authority of one run")?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn server() -> io::Result<CertificateParams> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    let mut params = parameters(names, "localhost")?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Python 3.13 and later refuse a certificate without it.
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn parameters(names: Vec<String>, common_name: &str) -> io::Result<CertificateParams> {
    let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    // Clients compare this with the real time, whatever the emulator's clock shows; macOS refuses more than 825 days.
    let now = SystemTime::now();
    params.not_before = (now - DAY).into();
    params.not_after = (now + 365 * DAY).into();
    Ok(params)
}
