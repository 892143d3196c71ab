//! A small HTTP/1.1 client for whoever talks to the lab by hand: its own clients, tests, drills.
//!
//! It follows nothing, retries nothing and trusts only what it is told to. Start at [`Client::send`].

use std::io;
use std::path::Path;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::LabError;
use crate::tls;

/// Talks to one address, over one connection as long as the server keeps it.
pub struct Client {
    authority: String,
    tls: Option<TlsConnector>,
    connection: Option<(SendRequest<Full<Bytes>>, JoinHandle<()>)>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl Client {
    /// For a plain `http://` URL.
    pub fn plain(url: &str) -> Self {
        Self { authority: authority(url), tls: None, connection: None }
    }

    /// For an `https://` URL, with the identity of that name (`operator`, `visitor`) from a lab's `tls` folder.
    pub fn mutual(url: &str, tls_dir: &Path, identity: &str) -> Result<Self, LabError> {
        let config = tls::client_config(tls_dir, identity)?;
        Ok(Self { authority: authority(url), tls: Some(TlsConnector::from(Arc::new(config))), connection: None })
    }

    /// Sends one request and reads the reply: its status and its JSON, null if it is none.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> io::Result<(u16, Value)> {
        let mut request = hyper::Request::builder().method(method).uri(path).header("host", &self.authority);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.body(Full::new(body)).map_err(io::Error::other)?;

        let kept = match self.connection.take() {
            Some((mut sender, driver)) => sender.ready().await.is_ok().then_some((sender, driver)),
            None => None,
        };
        let (mut sender, driver) = match kept {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let response = sender.send_request(request).await.map_err(io::Error::other)?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        if self.tls.is_none() {
            self.connection = Some((sender, driver));
        }
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    async fn connect(&self) -> io::Result<(SendRequest<Full<Bytes>>, JoinHandle<()>)> {
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => handshake(stream).await,
            Some(connector) => {
                let name = ServerName::try_from("localhost").expect("it is a DNS name");
                handshake(connector.connect(name, stream).await?).await
            }
        }
    }
}

async fn handshake(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> io::Result<(SendRequest<Full<Bytes>>, JoinHandle<()>)> {
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // Ends by itself when the sender is dropped or the server closes.
    let driver = tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok((sender, driver))
}

fn authority(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest).to_owned()
}
