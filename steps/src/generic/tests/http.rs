//! `http` against real servers on loopback: plain, over TLS, and ones that break off.

use super::{SECRET, World, checked};
use crate::error::{Aftermath, StepError};
use crate::find;
use crate::log::Stream;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect};
use axum::routing::{any, get};
use ceptra_flow_core::Effect;
use ceptra_flow_core::input::Left;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::future::IntoFuture as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const NOTHING: Aftermath = Aftermath::Left(Left::Nothing);

/// Tells what it was asked.
async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let headers: serde_json::Map<String, Value> =
        headers.iter().map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap()))).collect();
    let told = json!({ "method": method.as_str(), "path": uri.path(), "headers": headers, "body": String::from_utf8_lossy(&body) });
    ([("x-one", "1"), ("x-two", "2")], axum::Json(told))
}

fn app() -> Router {
    let to_echo = || async { Redirect::temporary("/echo") };
    Router::new()
        .route("/echo", any(echo))
        .route("/text", get(|| async { "no json" }))
        .route("/long", get(|| async { "x".repeat(9 * 1024 * 1024) }))
        .route("/almost", any(|| async { (StatusCode::BAD_REQUEST, format!("{}{SECRET}", "x".repeat(490))) }))
        .route("/teapot", any(|| async { (StatusCode::IM_A_TEAPOT, "short and stout") }))
        .route("/broken", any(|| async { (StatusCode::INTERNAL_SERVER_ERROR, format!("token {SECRET}")) }))
        .route("/gone", any(to_echo))
        .route("/loop", get(|| async { Redirect::temporary("/loop") }))
        .route("/away", get(|| async { Redirect::temporary("http://localhost:1/") }))
}

async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app()).into_future());
    format!("http://{address}")
}

/// A server whose behaviour on a connection is the test's own.
async fn serve_raw<F: Future<Output = ()> + Send + 'static>(
    behave: impl Fn(TcpStream) -> F + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(behave(connection));
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn an_answer_in_full() {
    let (world, server) = (World::new(), serve().await);
    let output = world.run("http", json!({ "url": format!("{server}/echo") })).await.unwrap();
    assert_eq!((output["status"].clone(), output["headers"]["x-two"].clone()), (json!(200), json!("2")));
    assert_eq!(output["json"]["method"], "GET");
    assert_eq!(output["json"]["headers"]["x-ceptra-flow-run"], "run-1");
    assert_eq!(output["json"]["headers"]["x-ceptra-flow-epoch"], "3");
    assert_eq!(output["json"]["headers"].get("idempotency-key"), None);
    let text = world.run("http", json!({ "url": format!("{server}/text") })).await.unwrap();
    assert_eq!((text["body"].clone(), text["json"].clone()), (json!("no json"), Value::Null));
    let head = world.run("http", json!({ "url": format!("{server}/text"), "method": "HEAD" })).await.unwrap();
    assert_eq!(head["body"], "");
    assert!(world.log(Stream::Stderr).contains(&format!("GET {server}/echo: 200\n")));
}

#[tokio::test]
async fn bodies_and_headers_are_sent() {
    let (world, server) = (World::new(), serve().await);
    let url = format!("{server}/echo");
    let post = |with: Value| {
        let mut with = with;
        with["url"] = json!(url);
        with["method"] = json!("POST");
        let world = &world;
        async move { world.run("http", with).await.unwrap()["json"].clone() }
    };
    let told = post(json!({ "json": { "a": 1 }, "headers": { "X-Number": 7 }, "idempotency_key": true })).await;
    assert_eq!(
        (told["body"].clone(), told["headers"]["content-type"].clone()),
        (json!(r#"{"a":1}"#), json!("application/json"))
    );
    assert_eq!(
        (told["headers"]["x-number"].clone(), told["headers"]["idempotency-key"].clone()),
        (json!("7"), json!("intent-7"))
    );
    let told = post(json!({ "json": [], "headers": { "content-type": "application/problem+json" } })).await;
    assert_eq!(told["headers"]["content-type"], "application/problem+json");
    let told = post(json!({ "body": "as it is" })).await;
    assert_eq!((told["body"].clone(), told["headers"].get("content-type").cloned()), (json!("as it is"), None));
}

#[tokio::test]
async fn a_status_that_was_not_expected_is_a_failure() {
    let (world, server) = (World::new(), serve().await);
    let error = world.run("http", json!({ "url": format!("{server}/teapot"), "method": "POST" })).await.unwrap_err();
    assert_eq!(error.message, format!("POST {server}/teapot answered 418, expected 200-299: short and stout"));
    assert_eq!((error.class, error.left), ("status", NOTHING));
    assert_eq!(error.detail.unwrap()["status"], 418);
    let output = world.run("http", json!({ "url": format!("{server}/teapot"), "expect": [200, "4xx"] })).await.unwrap();
    assert_eq!(output["status"], 418);
    let error = world.run("http", json!({ "url": format!("{server}/broken") })).await.unwrap_err();
    assert_eq!(error.left, Aftermath::Left(Left::Partial));
    assert!(error.message.ends_with("token ***") && !format!("{error:?}").contains(SECRET), "{error:?}");
    let error = world.run("http", json!({ "url": format!("{server}/almost") })).await.unwrap_err();
    assert!(error.message.ends_with("xx***") && !format!("{error:?}").contains("hunter"), "{error:?}");
}

#[tokio::test]
async fn nothing_happened_where_no_connection_was_made() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = world.run("http", json!({ "url": url, "method": "POST" })).await.unwrap_err();
    assert_eq!((error.class, error.left), ("connect", NOTHING));
    assert!(error.message.contains("onnection refused"), "{error}");
}

#[tokio::test]
async fn nobody_knows_where_the_request_left_and_no_answer_came() {
    let mut world = World::new();
    let hang_up = serve_raw(|mut connection| async move {
        let _ = connection.read(&mut [0; 1024]).await;
    })
    .await;
    let half = serve_raw(|mut connection| async move {
        let _ = connection.read(&mut [0; 1024]).await;
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
    })
    .await;
    let silent = serve_raw(|mut connection| async move {
        let _ = connection.read_to_end(&mut Vec::new()).await;
    })
    .await;
    for (url, why) in [(hang_up, "broke before an answer"), (half, "broke within the answer")] {
        let error = world.run("http", json!({ "url": url, "method": "POST" })).await.unwrap_err();
        assert_eq!((error.class, error.is_unknown()), ("connection", true), "{error}");
        assert!(error.message.contains(why), "{error}");
    }
    world.cx.timeout = Duration::from_millis(200);
    let error = world.run("http", json!({ "url": silent, "method": "POST" })).await.unwrap_err();
    assert_eq!((error.class, error.is_unknown()), ("timeout", true));
}

#[tokio::test]
async fn a_stop_ends_the_request() {
    let world = World::new();
    let cancel = world.cx.cancel.clone();
    let silent = serve_raw(move |mut connection| {
        let cancel = cancel.clone();
        async move {
            let _ = connection.read(&mut [0; 1024]).await;
            cancel.cancel();
            let _ = connection.read_to_end(&mut Vec::new()).await;
        }
    })
    .await;
    let error = world.run("http", json!({ "url": silent, "method": "DELETE" })).await.unwrap_err();
    assert_eq!((error.class, error.is_unknown()), ("cancelled", true));
}

#[tokio::test]
async fn only_reads_follow_redirects_and_only_on_the_same_server() {
    let (world, server) = (World::new(), serve().await);
    let output = world.run("http", json!({ "url": format!("{server}/gone") })).await.unwrap();
    assert_eq!(output["json"]["path"], "/echo");
    let error = world.run("http", json!({ "url": format!("{server}/gone"), "method": "PUT" })).await.unwrap_err();
    assert!(error.message.contains("answered 307, expected 200-299: it points to /echo"), "{error}");
    let error = world.run("http", json!({ "url": format!("{server}/away") })).await.unwrap_err();
    assert!(error.message.contains("it points to http://localhost:1/"), "{error}");
    assert!(
        world
            .run("http", json!({ "url": format!("{server}/loop") }))
            .await
            .unwrap_err()
            .message
            .contains("answered 307")
    );
}

#[tokio::test]
async fn a_long_answer_is_cut() {
    let (world, server) = (World::new(), serve().await);
    let output = world.run("http", json!({ "url": format!("{server}/long") })).await.unwrap();
    assert_eq!((output["body"].as_str().unwrap().len(), output["cut"].clone()), (8 * 1024 * 1024, json!(true)));
}

/// An authority with a server's and a client's certificate, as PEM files in the world.
struct Authority {
    acceptor: TlsAcceptor,
}

impl Authority {
    /// Writes `ca.pem`, `client.pem`, `client.key`; the server is called `names`.
    fn new(world: &World, names: &[&str]) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let signed = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let key = KeyPair::generate().unwrap();
            let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
            (certificate.pem(), key.serialize_pem())
        };
        let (client, client_key) = signed(&["operator"]);
        world.write("ca.pem", &ca.pem());
        world.write("client.pem", &client);
        world.write("client.key", &client_key);

        let (server, server_key) = signed(names);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.pem().as_bytes()).unwrap()).unwrap();
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(server.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(server_key.as_bytes()).unwrap(),
            )
            .unwrap();
        Self { acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    /// Serves the app over mutual TLS.
    async fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = self.acceptor.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(connection) = acceptor.accept(connection).await else { return };
                    let service = hyper_util::service::TowerToHyperService::new(app());
                    let io = hyper_util::rt::TokioIo::new(connection);
                    let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
                });
            }
        });
        format!("https://{address}")
    }
}

#[tokio::test]
async fn mutual_tls() {
    let world = World::new();
    let authority = Authority::new(&world, &["127.0.0.1"]);
    let url = format!("{}/echo", authority.serve().await);
    let call = |tls: Value| world.run("http", json!({ "url": url, "method": "POST", "tls": tls }));
    let ours = json!({ "ca": "ca.pem", "cert": "client.pem", "key": "client.key" });
    assert_eq!(call(ours).await.unwrap()["status"], 200);

    let refused = call(json!({ "ca": "ca.pem" })).await.unwrap_err();
    assert_eq!((refused.class, refused.left), ("connect", NOTHING), "{refused}");
    assert!(refused.message.contains("does not accept our certificate"), "{refused}");

    let stranger = World::new();
    Authority::new(&stranger, &["127.0.0.1"]);
    let other = stranger.path("ca.pem").display().to_string();
    let untrusted = call(json!({ "ca": other, "cert": "client.pem", "key": "client.key" })).await.unwrap_err();
    assert_eq!((untrusted.class, untrusted.left), ("connect", NOTHING), "{untrusted}");
    let mixed =
        json!({ "ca": "ca.pem", "cert": "client.pem", "key": stranger.path("client.key").display().to_string() });
    assert!(call(mixed).await.unwrap_err().message.contains("do not belong together"));
}

#[tokio::test]
async fn a_server_may_be_known_by_another_name() {
    let world = World::new();
    let authority = Authority::new(&world, &["control.eu-west"]);
    let url = format!("{}/echo", authority.serve().await);
    let call = |name: Option<&str>| {
        let mut tls = json!({ "ca": "ca.pem", "cert": "client.pem", "key": "client.key" });
        if let Some(name) = name {
            tls["server_name"] = json!(name);
        }
        world.run("http", json!({ "url": url, "tls": tls }))
    };
    assert_eq!(call(Some("control.eu-west")).await.unwrap()["status"], 200);
    for name in [None, Some("control.eu-east")] {
        let error = call(name).await.unwrap_err();
        assert_eq!(error.class, "connect");
        assert!(error.message.contains("not valid for name"), "{error}");
    }
    assert!(call(Some("no name")).await.unwrap_err().message.contains("neither a host name nor an address"));
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_named() {
    let world = World::new();
    world.write("empty.pem", "nothing here");
    let tls = |tls: Value| json!({ "url": "https://127.0.0.1:1/", "tls": tls });
    let cases = [
        (json!({}), "`with.url` is missing"),
        (json!({ "url": "nonsense" }), "`nonsense` is no address"),
        (json!({ "url": "ftp://host/" }), "begins with `ftp:`"),
        (json!({ "url": "http://x/", "method": "FETCH" }), "`FETCH`, but should be one of GET"),
        (json!({ "url": "http://x/", "headers": { "a b": 1 } }), "`a b` is no header's name"),
        (json!({ "url": "http://x/", "headers": { "a": "x\ny" } }), "`headers.a` holds characters"),
        (json!({ "url": "http://x/", "json": 1, "body": "x" }), "give either `json` or `body`"),
        (json!({ "url": "http://x/", "expect": "fine" }), "`fine` is no status"),
        (tls(json!({ "ca": "missing.pem" })), "cannot read "),
        (tls(json!({ "ca": "empty.pem" })), "holds no PEM certificate"),
        (tls(json!({ "ca": "empty.pem", "cert": "a" })), "holds no PEM certificate"),
        (tls(json!({ "cert": "empty.pem", "key": "empty.pem" })), "are no certificate and key"),
        (tls(json!({ "cert": "empty.pem" })), "go together"),
        (tls(json!({ "server_name": "x" })), "needs `tls.ca`"),
    ];
    for (with, what) in cases {
        let error: StepError = world.run("http", with).await.unwrap_err();
        assert_eq!((error.class, error.left), ("parameter", NOTHING), "{error}");
        assert!(error.message.contains(what), "{error}");
    }
}

#[test]
fn check_finds_what_shapes_cannot() {
    let cases = [
        (
            json!({ "url": "http://x/", "method": "PUT", "json": 1, "body": 2 }),
            "body: both `json` and `body` are given",
        ),
        (json!({ "url": "http://x/", "expect": ["2xx", 1000] }), "expect: `1000` is no status"),
        (json!({ "url": "x" }), "url: `x` is no address: relative URL without a base"),
        (json!({ "url": "http://x/", "json": {} }), "method: a request that only reads has no body"),
        (
            json!({ "url": "http://x/", "tls": { "cert": "a" } }),
            "tls: `cert` and `key` go together; one of them is missing",
        ),
        (json!({ "url": "http://x/", "tls": { "server_name": "a" } }), "tls: `server_name` needs `ca`"),
    ];
    for (with, expected) in cases {
        assert_eq!(checked("http", &with), [expected]);
    }
    for fine in ["lab://cluster-a.node-0/readyz", "{{ target.url }}/x", "https://host/{{ item }}"] {
        assert_eq!(checked("http", &json!({ "url": fine, "expect": "{{ inputs.status }}" })), [""; 0]);
    }
}

#[test]
fn the_method_tells_the_effect() {
    let effect = find("http").unwrap().describe().effect;
    let of = |method: &str, keyed: Value| effect(&json!({ "method": method, "idempotency_key": keyed }));
    assert_eq!(effect(&json!({})), Effect::Read);
    assert_eq!(
        (of("HEAD", json!(false)), of("PUT", json!(true)), of("DELETE", json!(false))),
        (Effect::Read, Effect::Idempotent, Effect::Idempotent)
    );
    assert_eq!(
        (of("POST", json!(true)), of("POST", json!(false)), of("PATCH", json!("{{ x }}"))),
        (Effect::Keyed, Effect::Once, Effect::Once)
    );
    assert_eq!(of("{{ inputs.method }}", json!(false)), Effect::Once);
}
