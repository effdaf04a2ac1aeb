//! The certificates of the account's domains. They are checked, stored and described; no site is served with them.
//!
//! Let's Encrypt is not contacted. Its certificates are issued by an authority that is created for the purpose and that
//! nobody trusts. They are real certificates, though, so they are described like any other.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use rcgen::{CertificateParams, CertifiedIssuer, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::x509::X509Name;

use super::account::Account;
use super::persisted::Persisted;
use crate::clock;

/// How long Let's Encrypt's certificates last.
const LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);

/// The certificates by domain, in PEM. Private keys are not stored, since nothing needs them.
#[derive(Debug)]
pub struct Certificates(Persisted<BTreeMap<String, String>>);

/// What the API returns about a certificate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CertificateSummary {
    /// When it expires.
    pub not_after: OffsetDateTime,
    /// The issuer's common name.
    pub issuer: String,
    /// The subject's common name.
    pub subject: String,
    /// All domains that it covers.
    pub names: Vec<String>,
}

/// The field for which a certificate is refused, and the reason.
pub(crate) type CertificateRefusal = (&'static str, &'static str);

impl Certificates {
    /// Loads the certificates that an earlier emulator stored.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn open(account: &Account) -> io::Result<Self> {
        Ok(Self(Persisted::open(account, "certificates.json")?))
    }

    /// Describes a domain's certificate, if it has one.
    pub(crate) fn get(&self, domain: &str) -> Option<CertificateSummary> {
        // Only certificates that can be described were stored.
        describe(self.0.lock().get(&domain.to_lowercase())?)
    }

    /// Stores a user's certificate, if the key belongs to it.
    pub(crate) fn set(&self, domain: &str, certificate: &str, key: &str) -> io::Result<Result<(), CertificateRefusal>> {
        if let Err(refusal) = check(certificate, key) {
            return Ok(Err(refusal));
        }
        self.0.change(|all| all.insert(domain.to_lowercase(), certificate.to_owned())).map(|_| Ok(()))
    }

    /// Issues a certificate for a domain.
    pub(crate) fn issue(&self, domain: &str) -> io::Result<()> {
        let domain = domain.to_lowercase();
        let certificate = issue(&domain).map_err(io::Error::other)?;
        self.0.change(|all| all.insert(domain, certificate))?;
        Ok(())
    }

    /// Deletes a domain's certificate; false if there was none.
    pub(crate) fn delete(&self, domain: &str) -> io::Result<bool> {
        self.0.change(|all| all.remove(&domain.to_lowercase()).is_some())
    }
}

fn check(certificate: &str, key: &str) -> Result<(), CertificateRefusal> {
    const NO_CERTIFICATE: CertificateRefusal = ("cert", "This is not a certificate in PEM format.");
    const NO_KEY: CertificateRefusal = ("private_key", "This is not a private key in PEM format.");
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
    let chain = chain.map_err(|_| NO_CERTIFICATE)?;
    describe(certificate).ok_or(NO_CERTIFICATE)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| NO_KEY)?;
    match CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider()) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(("private_key", "This private key does not belong to the certificate."))
        }
        Err(_) => Err(NO_KEY),
    }
}

fn describe(certificate: &str) -> Option<CertificateSummary> {
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
    let (_, parsed) = parse_x509_certificate(&der).ok()?;
    let names = parsed.subject_alternative_name().ok().flatten().map(|extension| &extension.value.general_names);
    let names = names.into_iter().flatten().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    Some(CertificateSummary {
        not_after: parsed.validity().not_after.to_datetime(),
        issuer: common_name(parsed.issuer()),
        subject: common_name(parsed.subject()),
        names: names.collect(),
    })
}

fn common_name(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().next().and_then(|common| common.as_str().ok());
    common.map_or_else(|| name.to_string(), str::to_owned)
}

fn issue(domain: &str) -> Result<String, rcgen::Error> {
    let named = |names: Vec<String>, common_name: &str| {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_before = clock::wall().into();
        params.not_after = (clock::wall() + LIFETIME).into();
        Ok::<_, rcgen::Error>(params)
    };
    let authority = named(Vec::new(), "Let's Encrypt, as emulated")?;
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let certificate = named(vec![domain.to_owned()], domain)?.signed_by(&KeyPair::generate()?, &authority)?;
    Ok(certificate.pem())
}
