//! Certificates made when a lab is made, and the rustls configurations of both sides.
//!
//! Every certificate carries a SPIFFE id; who shows none is nobody. Start at [`make`].

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::LabError;
use crate::config::OPERATOR;
use crate::disk::{make_dir, write_atomic};

/// Name of the servers' certificate and key files.
const SERVER: &str = "server";
/// Name of the operator's certificate and key files.
const OPERATOR_FILES: &str = "operator";

/// Writes a new authority and the certificates it signs to `dir`.
pub(crate) fn make(dir: &Path) -> Result<(), LabError> {
    make_dir(dir)?;
    let failed = |source| LabError::Certificate { source };
    let mut authority = params("ceptra-flow lab", "spiffe://lab.ceptra.test/authority").map_err(failed)?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(failed)?;
    let root = authority.self_signed(&key).map_err(failed)?;
    write_atomic(&dir.join("ca.pem"), root.pem().as_bytes(), false)?;

    let issuer = Issuer::new(authority, key);
    let purposes = [
        (SERVER, "spiffe://lab.ceptra.test/server", ExtendedKeyUsagePurpose::ServerAuth),
        (OPERATOR_FILES, OPERATOR, ExtendedKeyUsagePurpose::ClientAuth),
        ("visitor", "spiffe://lab.ceptra.test/visitor", ExtendedKeyUsagePurpose::ClientAuth),
    ];
    for (name, spiffe, purpose) in purposes {
        let mut leaf = params(name, spiffe).map_err(failed)?;
        leaf.use_authority_key_identifier_extension = true;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().map_err(failed)?;
        let signed = leaf.signed_by(&key, &issuer).map_err(failed)?;
        write_atomic(&dir.join(format!("{name}.pem")), signed.pem().as_bytes(), false)?;
        write_key(&dir.join(format!("{name}.key")), &key.serialize_pem())?;
    }
    Ok(())
}

fn params(name: &str, spiffe: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    params.subject_alt_names.push(SanType::URI(spiffe.try_into()?));
    params.distinguished_name.push(DnType::CommonName, name);
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let day = |date: jiff::civil::Date| {
        let number = |part: i8| u8::try_from(part).expect("months and days are small and positive");
        rcgen::date_time_ymd(date.year().into(), number(date.month()), number(date.day()))
    };
    params.not_before = day(today.saturating_sub(jiff::Span::new().days(1)));
    params.not_after = day(today.saturating_add(jiff::Span::new().days(365)));
    Ok(params)
}

fn write_key(path: &Path, pem: &str) -> Result<(), LabError> {
    write_atomic(path, pem.as_bytes(), false)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(path, private).map_err(|source| LabError::file(path, source))?;
    }
    Ok(())
}

/// What the mTLS ports answer with, and whom they let in.
pub(crate) fn server_config(dir: &Path) -> Result<ServerConfig, LabError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(dir)?), Arc::clone(&provider)).build();
    let verifier = verifier.map_err(|error| unusable(dir, &error))?;
    let (chain, key) = identity(dir, SERVER)?;
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_client_cert_verifier(verifier))
        .and_then(|builder| builder.with_single_cert(chain, key))
        .map_err(|error| unusable(dir, &error))
}

/// The client side: as the operator, or as whoever has files of that name in the lab's `tls` folder.
pub(crate) fn client_config(dir: &Path, identity_name: &str) -> Result<ClientConfig, LabError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let (chain, key) = identity(dir, identity_name)?;
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(dir, &error))?
        .with_root_certificates(roots(dir)?)
        .with_client_auth_cert(chain, key)
        .map_err(|error| unusable(dir, &error))
}

/// The SPIFFE id in a peer's certificate.
pub(crate) fn principal(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| match name {
        x509_parser::extensions::GeneralName::URI(uri) if uri.starts_with("spiffe://") => Some((*uri).to_owned()),
        _ => None,
    })
}

fn roots(dir: &Path) -> Result<RootCertStore, LabError> {
    let path = dir.join("ca.pem");
    let authority = CertificateDer::from_pem_file(&path).map_err(|error| unusable(&path, &error))?;
    let mut roots = RootCertStore::empty();
    roots.add(authority).map_err(|error| unusable(&path, &error))?;
    Ok(roots)
}

fn identity(dir: &Path, name: &str) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), LabError> {
    let (chain, key) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
    let certificate = CertificateDer::from_pem_file(&chain).map_err(|error| unusable(&chain, &error))?;
    let key = PrivateKeyDer::from_pem_file(&key).map_err(|error| unusable(&key, &error))?;
    Ok((vec![certificate], key))
}

fn unusable(path: &Path, error: &dyn std::error::Error) -> LabError {
    LabError::Tls { path: path.to_owned(), reason: error.to_string() }
}
