//! A control plane for tests: real TLS with certificates made here, answers by a closure, one request a connection.

use crate::context::{RunInfo, StepContext};
use crate::log::LogSink;
use crate::redact::Redactor;
use ceptra_flow_core::ids::{Epoch, Name, Purpose};
use rcgen::{CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(super) const SPIFFE: &str = "spiffe://test.example/operator/flow";

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Value,
}

/// How a request is answered.
pub(super) enum Answer {
    Json(u16, Value),
    /// The request was read; the connection ends without a reply.
    Lost,
}

/// A running server and what it saw.
pub(super) struct Server {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    pub(super) dir: tempfile::TempDir,
    stop: CancellationToken,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Server {
    /// Serves on a free port; the identity of an operator is in `dir`.
    pub(super) async fn start(answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = make_identities(dir.path(), SPIFFE);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let (seen, stop) = (Arc::new(Mutex::new(Vec::new())), CancellationToken::new());
        let (log, stopped, answer) = (seen.clone(), stop.clone(), Arc::new(answer));
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Some(Ok((tcp, _))) = stopped.run_until_cancelled(listener.accept()).await {
                let (acceptor, log, answer) = (acceptor.clone(), log.clone(), answer.clone());
                tokio::spawn(async move {
                    let Ok(mut tls) = acceptor.accept(tcp).await else { return };
                    let Some(request) = read_request(&mut tls).await else { return };
                    log.lock().unwrap().push(request.clone());
                    if let Answer::Json(status, body) = answer(&request) {
                        let body = body.to_string();
                        let head = format!(
                            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                            body.len()
                        );
                        let _ = tls.write_all(format!("{head}{body}").as_bytes()).await;
                    }
                    let _ = tls.shutdown().await;
                });
            }
        });
        Self { url, seen, dir, stop }
    }

    /// Requests with this method, in the order of arrival.
    pub(super) fn seen(&self, method: &str) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|request| request.method == method).cloned().collect()
    }

    /// A target with this server as everything, one group and one route.
    pub(super) fn target(&self, operations: Value) -> Value {
        let file = |name: &str| self.dir.path().join(name).to_string_lossy().into_owned();
        json!({
            "target": {"name": "test", "kind": "lab"},
            "clusters": {
                "primary": {"id": "cluster-a", "control_plane": "lab://gone"},
                "dr": {"id": "cluster-b", "control_plane": "lab://dr", "cp_quorum": 3, "nodes": [{"id": "node-0", "admin": self.url}]},
            },
            "partition_groups": [
                {"group_id": "pg-0", "partitions": ["p-0"], "replicas": ["node-0"]},
                {"group_id": "pg-1", "partitions": ["p-1"], "replicas": ["node-0"]},
            ],
            "storage": {"object_store": file("objects")},
            "tls": {"identity_cert": file("operator.pem"), "identity_key": file("operator.key"), "trust_bundle": file("ca.pem"), "spiffe_id": SPIFFE},
            "ingress": [{"route": "lb:edge-1", "admin": self.url}],
            "operations": operations,
        })
    }

    pub(super) fn context(&self, operations: Value) -> StepContext {
        let endpoints = BTreeMap::from([("dr".to_owned(), self.url.clone())]);
        context(self.target(operations), endpoints, self.dir.path())
    }
}

/// A context for one attempt at a step called `step`.
pub(super) fn context(target: Value, endpoints: BTreeMap<String, String>, dir: &Path) -> StepContext {
    StepContext {
        run: Arc::new(RunInfo {
            id: "run-1".to_owned(),
            name: "test".to_owned(),
            epoch: Epoch(3),
            dir: dir.to_owned(),
        }),
        step: Name::from("step"),
        key: None,
        purpose: Purpose::Do,
        attempt: 1,
        idempotency_key: "key-1".to_owned(),
        target: Arc::new(target),
        endpoints: Arc::new(endpoints),
        log: LogSink::none(),
        cancel: CancellationToken::new(),
        timeout: Duration::from_secs(20),
        started_from: dir.to_owned(),
        secrets: Arc::new(Redactor::default()),
    }
}

async fn read_request(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).ok()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    while bytes.len() < head_end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = serde_json::from_slice(&bytes[head_end + 4..]).unwrap_or(Value::Null);
    Some(Seen { method, path, headers, body })
}

/// Writes `ca.pem`, `operator.pem` and `operator.key`; gives a server that insists on a certificate of this authority.
pub(super) fn make_identities(dir: &Path, spiffe: &str) -> rustls::ServerConfig {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let issue = |names: Vec<SanType>, usage| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = names;
        params.extended_key_usages = vec![usage];
        (params.signed_by(&key, &authority).unwrap(), key)
    };
    let uri = SanType::URI(spiffe.try_into().unwrap());
    let (operator, operator_key) = issue(vec![uri], ExtendedKeyUsagePurpose::ClientAuth);
    let (server, server_key) =
        issue(vec![SanType::IpAddress([127, 0, 0, 1].into())], ExtendedKeyUsagePurpose::ServerAuth);
    fs::write(dir.join("ca.pem"), authority.pem()).unwrap();
    fs::write(dir.join("operator.pem"), operator.pem()).unwrap();
    fs::write(dir.join("operator.key"), operator_key.serialize_pem()).unwrap();

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let clients =
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let key = PrivateKeyDer::from_pem_slice(server_key.serialize_pem().as_bytes()).unwrap();
    rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![server.der().clone()], key)
        .unwrap()
}
