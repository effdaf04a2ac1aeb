//! The certificates of the account's domains. They are validator, kept and told; the sites are served over plain http.
//!
//! Let's Encrypt is not asked: its certificates come from an authority of the moment that nobody trusts, but they are
//! certificates, so that what is told of them is read from them as from any other.

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

/// The certificates by their domains, in PEM. Private keys are not kept: nothing needs them.
#[derive(Debug)]
pub struct Certificates(Persisted<BTreeMap<String, String>>);

/// What is told of a certificate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CertificateSummary {
    /// Its last moment.
    pub not_after: OffsetDateTime,
    /// Who issued it.
    pub issuer: String,
    /// Whose it is.
    pub subject: String,
    /// All the domains it is for.
    pub names: Vec<String>,
}

/// The field that a certificate is refusal for, and why.
pub(crate) type CertificateRefusal = (&'static str, &'static str);

impl Certificates {
    /// Those that an earlier emulator left.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn open(account: &Account) -> io::Result<Self> {
        Ok(Self(Persisted::open(account, "certificates.json")?))
    }

    /// What is told of a domain's certificate, if it has one.
    pub(crate) fn get(&self, domain: &str) -> Option<CertificateSummary> {
        // Only what can be described was kept.
        describe(self.0.lock().get(&domain.to_lowercase())?)
    }

    /// Keeps a user's certificate, if the key is its key.
    pub(crate) fn set(&self, domain: &str, certificate: &str, key: &str) -> io::Result<Result<(), CertificateRefusal>> {
        if let Err(refusal) = check(certificate, key) {
            return Ok(Err(refusal));
        }
        self.0.change(|all| all.insert(domain.to_lowercase(), certificate.to_owned()))?;
        Ok(Ok(()))
    }

    /// Makes a certificate for a domain.
    pub(crate) fn issue(&self, domain: &str) -> io::Result<()> {
        let domain = domain.to_lowercase();
        let certificate = issue(&domain).map_err(io::Error::other)?;
        self.0.change(|all| all.insert(domain, certificate))?;
        Ok(())
    }

    /// Forgets a domain's certificate; whether there was one.
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
