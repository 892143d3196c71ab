//! Requests to a control plane, a node or an ingress, over mutual TLS with the target's identity.
//!
//! Every connection is a new one: the released servers close after each reply. Start at [`Client::of`].

use super::binding::Rendered;
use crate::context::StepContext;
use crate::error::StepError;
use crate::generic::http::no_trust;
use reqwest::Method;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for one reply. Control planes answer in milliseconds or not at all.
const REPLY_MAX: Duration = Duration::from_secs(10);
/// Largest reply that is read. Membership of thousands of groups fits well below.
const BODY_MAX: usize = 8 << 20;

/// A client with an identity.
pub(super) struct Client {
    http: reqwest::Client,
    run: String,
    epoch: String,
}

/// A reply, whatever its status.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Value,
}

/// Why there is no reply.
#[derive(Debug)]
pub(super) enum NoReply {
    /// No byte of the request left.
    NotSent(String),
    /// It may have arrived.
    Lost(String),
}

impl Reply {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What the server says is wrong.
    pub(super) fn problem(&self) -> String {
        let text = self.body.get("error").and_then(Value::as_str).map(str::to_owned);
        let text = text.unwrap_or_else(|| self.body.to_string().chars().take(200).collect());
        format!("{} {text}", self.status)
    }
}

impl NoReply {
    pub(super) fn message(&self) -> &str {
        match self {
            Self::NotSent(why) | Self::Lost(why) => why,
        }
    }
}

impl Client {
    /// A client with the identity in the target's `[tls]`; without one, plain HTTP only.
    pub(super) async fn of(cx: &StepContext) -> Result<Self, StepError> {
        let mut builder = reqwest::Client::builder().timeout(REPLY_MAX).pool_max_idle_per_host(0).no_proxy();
        if let Some(files) = TlsFiles::of(cx)? {
            let config = tokio::task::spawn_blocking(move || files.client_config())
                .await
                .map_err(|error| StepError::nothing("tls", error.to_string()))??;
            builder = builder.tls_backend_preconfigured(config);
        } else {
            builder = builder.tls_backend_preconfigured(no_trust());
        }
        let http = builder.build().map_err(|error| StepError::nothing("tls", chain(&error)))?;
        Ok(Self { http, run: cx.run.id.clone(), epoch: cx.run.epoch.0.to_string() })
    }

    /// Sends one request and reads its reply.
    pub(super) async fn send(&self, request: &Rendered, idempotency_key: Option<&str>) -> Result<Reply, NoReply> {
        let method =
            Method::from_bytes(request.method.as_bytes()).map_err(|error| NoReply::NotSent(error.to_string()))?;
        let mut builder = self.http.request(method, &request.url);
        builder = builder.header("X-Ceptra-Flow-Run", &self.run).header("X-Ceptra-Flow-Epoch", &self.epoch);
        if let Some(key) = idempotency_key {
            builder = builder.header("Idempotency-Key", key);
        }
        if let Some(json) = &request.json {
            builder = builder.json(json);
        }
        let reply = builder.send().await.map_err(|error| no_reply(&request.url, &error))?;
        let status = reply.status().as_u16();
        let body = read(reply).await.map_err(|why| NoReply::Lost(format!("{}: {why}", request.url)))?;
        Ok(Reply { status, body })
    }
}

async fn read(mut reply: reqwest::Response) -> Result<Value, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = reply.chunk().await.map_err(|error| chain(&error))? {
        if bytes.len() + chunk.len() > BODY_MAX {
            return Err(format!("the reply is longer than {BODY_MAX} bytes"));
        }
        bytes.extend_from_slice(&chunk);
    }
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let text = |_| Value::String(String::from_utf8_lossy(&bytes).into_owned());
    Ok(serde_json::from_slice(&bytes).unwrap_or_else(text))
}

fn no_reply(url: &str, error: &reqwest::Error) -> NoReply {
    let why = format!("{url}: {}", chain(error));
    if error.is_connect() || error.is_builder() { NoReply::NotSent(why) } else { NoReply::Lost(why) }
}

/// An error and its causes, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// Where the target keeps its identity.
#[derive(Clone, Debug)]
pub(super) struct TlsFiles {
    pub(super) identity_cert: PathBuf,
    pub(super) identity_key: PathBuf,
    pub(super) trust_bundle: PathBuf,
    pub(super) spiffe_id: Option<String>,
}

impl TlsFiles {
    /// The target's `[tls]`, if it has one.
    pub(super) fn of(cx: &StepContext) -> Result<Option<Self>, StepError> {
        let Some(tls) = cx.target.get("tls") else { return Ok(None) };
        let tls = cx.resolve(tls.clone())?;
        let path = |key: &str| {
            let text = tls.get(key).and_then(Value::as_str);
            text.map(|text| cx.path(text)).ok_or_else(|| StepError::nothing("target", format!("tls.{key} is missing")))
        };
        Ok(Some(Self {
            identity_cert: path("identity_cert")?,
            identity_key: path("identity_key")?,
            trust_bundle: path("trust_bundle")?,
            spiffe_id: tls.get("spiffe_id").and_then(Value::as_str).map(str::to_owned),
        }))
    }

    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        certificates(&self.identity_cert)
    }

    pub(super) fn roots(&self) -> Result<rustls::RootCertStore, String> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in certificates(&self.trust_bundle)? {
            let added = roots.add(certificate);
            added.map_err(|error| format!("{}: {error}", self.trust_bundle.display()))?;
        }
        Ok(roots)
    }

    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, String> {
        PrivateKeyDer::from_pem_file(&self.identity_key)
            .map_err(|error| format!("{}: {}", self.identity_key.display(), chain(&error)))
    }

    fn client_config(&self) -> Result<rustls::ClientConfig, StepError> {
        let tls = |why: String| StepError::nothing("tls", why);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| tls(error.to_string()))?
            .with_root_certificates(self.roots().map_err(tls)?)
            .with_client_auth_cert(self.certificates().map_err(tls)?, self.key().map_err(tls)?)
            .map_err(|error| tls(format!("{}: {error}", self.identity_cert.display())))
    }
}

fn certificates(path: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error: rustls::pki_types::pem::Error| format!("{}: {}", path.display(), chain(&error));
    let found: Vec<_> = CertificateDer::pem_file_iter(path).map_err(wrong)?.collect::<Result<_, _>>().map_err(wrong)?;
    if found.is_empty() { Err(format!("{}: holds no certificate", path.display())) } else { Ok(found) }
}
