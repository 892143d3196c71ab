//! Clients for `http`: plain, with the system's trust, or with files that the step names.
//!
//! No connection is kept for a second request: one that died while idle would leave a request in doubt
//! that never left.

use crate::context::StepContext;
use crate::error::StepError;
use reqwest::{Client, ClientBuilder, Identity, redirect};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// More hops than any sane service needs; a loop ends here.
const REDIRECTS_MAX: usize = 10;

/// A host that does not even answer a connection attempt is down; the step's own timeout is for its work.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// The files of one connection.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Tls {
    ca: Option<String>,
    cert: Option<String>,
    key: Option<String>,
    server_name: Option<String>,
}

/// A client for one request.
pub(super) fn client(is_https: bool, tls: Option<&Tls>, follow: bool, cx: &StepContext) -> Result<Client, StepError> {
    let builder = base(follow, cx.timeout);
    let builder = match (is_https, tls) {
        (false, _) => builder.tls_backend_preconfigured(no_trust()),
        (true, Some(Tls { ca: Some(ca), cert, key, server_name })) => {
            let config = with_trust(ca, server_name.as_deref(), cx)?;
            let config = match identity_paths(cert.as_deref(), key.as_deref())? {
                Some((cert, key)) => {
                    config.with_client_auth_cert(certificates(cert, cx)?, private_key(key, cx)?).map_err(|error| {
                        StepError::parameter(format!("`tls.cert` and `tls.key` do not belong together: {error}"))
                    })?
                }
                None => config.with_no_client_auth(),
            };
            builder.tls_backend_preconfigured(config)
        }
        (true, Some(Tls { ca: None, server_name: Some(_), .. })) => {
            return Err(StepError::parameter(
                "`tls.server_name` needs `tls.ca`: the name is checked against certificates of that authority",
            ));
        }
        (true, Some(Tls { ca: None, cert, key, server_name: None })) => {
            let builder = system_trust(builder);
            match identity_paths(cert.as_deref(), key.as_deref())? {
                Some((cert, key)) => builder.identity(identity(cert, key, cx)?),
                None => builder,
            }
        }
        (true, None) => system_trust(builder),
    };
    builder
        .build()
        .map_err(|error| StepError::parameter(format!("cannot set up the connection: {}", super::causes(&error))))
}

fn base(follow: bool, timeout: Duration) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("ceptra-flow/", env!("CARGO_PKG_VERSION")))
        // What a plan does must not depend on the environment it is run in.
        .no_proxy()
        .pool_max_idle_per_host(0)
        .connect_timeout(CONNECT_MAX.min(timeout / 2))
        .redirect(if follow { redirect::Policy::custom(same_origin) } else { redirect::Policy::none() })
}

/// Headers go along with a redirect, so only the same server gets them; any other redirect is shown as it is.
fn same_origin(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let is_same = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
    if is_same && attempt.previous().len() <= REDIRECTS_MAX { attempt.follow() } else { attempt.stop() }
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())))
}

fn config_builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the ring provider supports the default protocol versions")
}

/// For plain HTTP: there is no handshake, so nobody need be trusted, and no certificate be read.
pub(crate) fn no_trust() -> ClientConfig {
    config_builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth()
}

/// The authorities that the system trusts, by the system's own rules.
fn system_trust(builder: ClientBuilder) -> ClientBuilder {
    // Fails only if somebody installed one before, which then is as good.
    let _ = CryptoProvider::install_default((*provider()).clone());
    builder.tls_backend_rustls()
}

fn with_trust(
    ca: &str,
    server_name: Option<&str>,
    cx: &StepContext,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, StepError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca, cx)? {
        let added = roots.add(certificate);
        added.map_err(|error| {
            StepError::parameter(format!("`tls.ca` {ca} holds a certificate that cannot be trusted: {error}"))
        })?;
    }
    let Some(name) = server_name else { return Ok(config_builder().with_root_certificates(roots)) };
    let name = ServerName::try_from(name.to_owned()).map_err(|_| {
        StepError::parameter(format!("`tls.server_name` is `{name}`, which is neither a host name nor an address"))
    })?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| StepError::parameter(format!("`tls.ca` {ca} cannot be used: {error}")))?;
    Ok(config_builder().dangerous().with_custom_certificate_verifier(Arc::new(ExpectName { verifier, name })))
}

fn identity_paths<'a>(cert: Option<&'a str>, key: Option<&'a str>) -> Result<Option<(&'a str, &'a str)>, StepError> {
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some((cert, key))),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => {
            Err(StepError::parameter("`tls.cert` and `tls.key` go together; one of them is missing"))
        }
    }
}

fn identity(cert: &str, key: &str, cx: &StepContext) -> Result<Identity, StepError> {
    let mut pem = read(cert, cx)?;
    pem.push(b'\n');
    pem.extend(read(key, cx)?);
    Identity::from_pem(&pem).map_err(|error| {
        StepError::parameter(format!("{cert} and {key} are no certificate and key: {}", super::causes(&error)))
    })
}

fn certificates(path: &str, cx: &StepContext) -> Result<Vec<CertificateDer<'static>>, StepError> {
    let pem = read(path, cx)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(StepError::parameter(format!("{path} holds no PEM certificate"))),
        Err(error) => Err(StepError::parameter(format!("{path} is no PEM file: {error}"))),
    }
}

fn private_key(path: &str, cx: &StepContext) -> Result<PrivateKeyDer<'static>, StepError> {
    let pem = read(path, cx)?;
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|error| StepError::parameter(format!("{path} holds no PEM private key: {error}")))
}

fn read(path: &str, cx: &StepContext) -> Result<Vec<u8>, StepError> {
    let path: PathBuf = cx.path(path);
    std::fs::read(&path).map_err(|error| StepError::parameter(format!("cannot read {}: {error}", path.display())))
}

/// Checks the server's certificate against one name, whatever the URL calls the server.
#[derive(Debug)]
struct ExpectName {
    verifier: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for ExpectName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verifier.verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
