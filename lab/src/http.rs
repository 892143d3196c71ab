//! A small HTTP/1.1 server, plain or mTLS, whose handlers are ordinary functions.
//!
//! Handlers run on blocking threads and may write files. A handler that returns nothing closes the
//! connection without a word: that is what a part that is down looks like from outside. Start at
//! [`serve`].

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::tls;

/// No request to the lab is larger; shipments go by their key.
const BODY_BYTES_MAX: usize = 1 << 20;

/// A request, read whole.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// SPIFFE id of the client, on mTLS ports.
    pub(crate) principal: Option<String>,
}

/// A reply, always JSON.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// Answered from a cache that nobody vouches for.
    pub(crate) stale: bool,
}

impl Reply {
    pub(crate) fn ok(body: Value) -> Self {
        Self { status: 200, body, stale: false }
    }

    pub(crate) fn error(status: u16, error: impl Into<String>) -> Self {
        Self::error_with(status, error, json!({}))
    }

    /// An error with more fields than the two that every error has.
    pub(crate) fn error_with(status: u16, error: impl Into<String>, more: Value) -> Self {
        let mut body = json!({ "error": error.into(), "status": status });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        Self { status, body, stale: false }
    }

    pub(crate) fn no_route(request: &Request) -> Self {
        Self::error(404, format!("no route for {} {}", request.method, request.path))
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Answers requests of one port.
pub(crate) trait Service: Send + Sync + 'static {
    /// Whether the part behind the port is there at all.
    fn is_up(&self) -> bool;
    /// The reply, or nothing when the part went down meanwhile.
    fn handle(&self, request: &Request) -> Option<Reply>;
}

/// How a port talks.
#[derive(Clone)]
pub(crate) enum Transport {
    /// Plain HTTP, connections kept open.
    Plain,
    /// mTLS, one request per connection.
    Mutual(TlsAcceptor),
}

/// Serves until dropped.
pub(crate) async fn serve(listener: TcpListener, transport: Transport, service: Arc<dyn Service>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A failed accept is a client that left, or no file handle to spare: both pass.
                let Ok((stream, _)) = accepted else {
                    tokio::task::yield_now().await;
                    continue;
                };
                if !service.is_up() {
                    let _ = stream.set_zero_linger();
                    continue;
                }
                let (transport, service) = (transport.clone(), Arc::clone(&service));
                connections.spawn(async move {
                    // What a client did wrong on the wire is the client's to notice.
                    let _ = converse(stream, transport, service).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, transport: Transport, service: Arc<dyn Service>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match transport {
        Transport::Plain => answer(stream, true, None, service).await,
        Transport::Mutual(acceptor) => {
            let stream = acceptor.accept(stream).await?;
            let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let Some(principal) = certificates.first().and_then(tls::principal) else {
                return Ok(());
            };
            answer(stream, false, Some(principal), service).await
        }
    }
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    keep_alive: bool,
    principal: Option<String>,
    service: Arc<dyn Service>,
) -> io::Result<()> {
    let respond = service_fn(move |request| {
        let (principal, service) = (principal.clone(), Arc::clone(&service));
        async move {
            let Ok(request) = read(request, principal).await else {
                return Ok(render(&Reply::error(413, "the body is too long or was cut off")));
            };
            let handled = tokio::task::spawn_blocking(move || service.handle(&request)).await;
            match handled {
                Ok(Some(reply)) => Ok(render(&reply)),
                Ok(None) | Err(_) => Err(io::Error::other("the part is down")),
            }
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .keep_alive(keep_alive)
        .serve_connection(TokioIo::new(stream), respond);
    connection.await.map_err(io::Error::other)
}

async fn read(request: hyper::Request<Incoming>, principal: Option<String>) -> Result<Request, ()> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|_| ())?.to_bytes();
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Ok(Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(query).unwrap_or_default(),
        headers: head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body: body.to_vec(),
        principal,
    })
}

fn render(reply: &Reply) -> hyper::Response<Full<Bytes>> {
    let body = serde_json::to_vec(&reply.body).expect("a JSON value is always written");
    let mut response = hyper::Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = hyper::StatusCode::from_u16(reply.status).expect("the lab replies with real status codes");
    let headers = response.headers_mut();
    headers.insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    if reply.stale {
        headers.insert("x-ceptra-cache", hyper::header::HeaderValue::from_static("stale"));
    }
    response
}

fn query(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (unescape(name), unescape(value)))
        .collect()
}

/// Undoes percent-encoding; what is not an escape stands for itself.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| after.get(..2)).flatten();
        let escaped = escaped.and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_unescaped() {
        let query = query("route=dns%3Aingest.lab&x=&y=50%&z=a+b");
        assert_eq!(query["route"], "dns:ingest.lab");
        assert_eq!(query["x"], "");
        assert_eq!(query["y"], "50%");
        assert_eq!(query["z"], "a b");
    }
}
