//! `http`: one request, and what its answer (or the lack of one) says about the effect.
//!
//! The line that matters: before the request left, a failure left nothing; after it, silence means that
//! nobody knows. Deliberately without retries, cookies, proxies from the environment or kept connections.

mod status;
mod tls;

pub(crate) use tls::no_trust;

use self::status::{Expected, judged};
use self::tls::Tls;
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::{BoxFuture, Step};
use crate::values;
use ceptra_flow_core::Effect;
use ceptra_flow_core::catalog::{Field, ParamProblem, Shape, StepType, Table};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Request, Response, Url};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::error::Error;

/// `http`.
pub(super) struct Http;

/// How much of an answer is kept. Larger things are fetched by a program that writes them to a file.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

const METHODS: &[&str] = &["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];

#[derive(Deserialize)]
struct Params {
    method: Option<String>,
    url: String,
    #[serde(default)]
    headers: Map<String, Value>,
    json: Option<Value>,
    body: Option<Value>,
    expect: Option<Value>,
    tls: Option<Tls>,
    #[serde(default)]
    idempotency_key: bool,
}

impl Step for Http {
    fn describe(&self) -> StepType {
        StepType {
            name: "http",
            summary: "Sends one HTTP request; its status tells whether it succeeded.",
            params: params(),
            example: EXAMPLE,
            effect,
            output: |_| output(),
            probes: |_| false,
            undoes: false,
            operations: |_| Vec::new(),
            check,
            by_person: false,
            inline: false,
        }
    }

    fn run<'a>(&'a self, with: Value, cx: &'a StepContext) -> BoxFuture<'a, Result<Value, StepError>> {
        Box::pin(run(with, cx))
    }
}

const EXAMPLE: &str = r#"[steps.announce]
type = "http"
with = { method = "POST", url = "https://ops.example/incidents", json = { run = "{{ run.id }}" }, expect = [201, "409"], idempotency_key = true }
"#;

fn params() -> Table {
    let file = |name, doc| Field::optional(name, Shape::String, doc).exposed();
    let tls = Table {
        fields: vec![
            file("ca", "PEM file of the authorities to trust, instead of the system's."),
            file("cert", "PEM file of the certificate to present; with `key`."),
            file("key", "PEM file of its private key; with `cert`."),
            file(
                "server_name",
                "The name that the server's certificate must carry; with `ca`. Default: the host of `url`.",
            ),
        ],
        open: false,
    };
    let status = Shape::Either(vec![Shape::Integer, Shape::String]);
    Table {
        fields: vec![
            Field::required("url", Shape::String, "The whole address, `http://` or `https://`.").exposed(),
            Field::optional(
                "method",
                Shape::OneOf(METHODS),
                "GET, HEAD and OPTIONS only read; PUT and DELETE may be repeated; POST and PATCH may not. Default `GET`.",
            ),
            Field::optional("headers", Shape::Map(Box::new(values::scalar())), "Headers to send. Default none."),
            Field::optional(
                "json",
                Shape::Any,
                "The body, as JSON with `Content-Type: application/json`; this or `body`.",
            ),
            Field::optional(
                "body",
                Shape::Any,
                "The body: text as it is, anything else as JSON; this or `json`. Default none.",
            ),
            Field::optional(
                "expect",
                Shape::Either(vec![status.clone(), Shape::List(Box::new(status))]),
                "The statuses that mean success: `200`, `\"2xx\"`, `\"200-204\"`, or a list of those. Default `\"2xx\"`.",
            ),
            Field::optional(
                "tls",
                Shape::Table(tls),
                "Files of the connection. Default: the system's trust, no certificate.",
            ),
            Field::optional(
                "idempotency_key",
                Shape::Boolean,
                "Whether to send `Idempotency-Key`, the same for every attempt, so that the server refuses a repetition. Default false.",
            ),
        ],
        open: false,
    }
}

fn output() -> Shape {
    let fields = vec![
        Field::required("status", Shape::Integer, "The status."),
        Field::required(
            "headers",
            Shape::Map(Box::new(Shape::String)),
            "The headers by lower-case name; repeated ones joined by `, `.",
        ),
        Field::required("body", Shape::String, "The body as text."),
        Field::required("json", Shape::Any, "The body as JSON; null if it is none."),
        Field::optional(
            "cut",
            Shape::Boolean,
            "True where the body was longer than the 8 MiB that are kept; absent otherwise.",
        ),
    ];
    Shape::Table(Table { fields, open: false })
}

fn effect(with: &Value) -> Effect {
    let method = with.get("method").map_or(Some("GET"), Value::as_str);
    match method {
        Some("GET" | "HEAD" | "OPTIONS") => Effect::Read,
        Some("PUT" | "DELETE") => Effect::Idempotent,
        // A method that is not known yet is taken for the worst.
        Some(_) | None => match with.get("idempotency_key") {
            Some(Value::Bool(true)) => Effect::Keyed,
            Some(_) | None => Effect::Once,
        },
    }
}

fn check(with: &Value) -> Vec<ParamProblem> {
    let mut found = Vec::new();
    let mut problem =
        |field, message: String, help: &str| found.push(ParamProblem { field, message, help: help.to_owned() });
    if with.get("json").is_some() && with.get("body").is_some() {
        problem("body", "both `json` and `body` are given".to_owned(), "keep one of them");
    }
    if let Some(expect) = with.get("expect").filter(|expect| !values::is_template(expect))
        && let Err(wrong) = Expected::of(expect)
    {
        problem("expect", wrong, "write `200`, `\"2xx\"`, `\"200-204\"`, or a list of those");
    }
    if let Some(url) =
        with.get("url").and_then(Value::as_str).filter(|url| !url.contains("{{") && !url.starts_with("lab://"))
        && let Err(wrong) = address(url)
    {
        problem("url", wrong, "write the whole address, such as `https://host:8443/path`");
    }
    let is_read = effect(with).is_read();
    if is_read && (with.get("json").is_some() || with.get("body").is_some()) {
        problem(
            "method",
            "a request that only reads has no body".to_owned(),
            "write `method = \"POST\"`, or remove the body",
        );
    }
    if let Some(tls) = with.get("tls").and_then(Value::as_object) {
        if tls.contains_key("cert") != tls.contains_key("key") {
            problem(
                "tls",
                "`cert` and `key` go together; one of them is missing".to_owned(),
                "name both files, or none",
            );
        }
        if tls.contains_key("server_name") && !tls.contains_key("ca") {
            problem(
                "tls",
                "`server_name` needs `ca`".to_owned(),
                "name the authority whose certificates may carry that name",
            );
        }
    }
    found
}

async fn run(with: Value, cx: &StepContext) -> Result<Value, StepError> {
    let params: Params = values::params(with)?;
    let expected =
        params.expect.as_ref().map(Expected::of).transpose().map_err(StepError::parameter)?.unwrap_or_default();
    let url = address(&params.url).map_err(StepError::parameter)?;
    let is_https = url.scheme() == "https";
    let request = request(&params, url, cx)?;
    let follow = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let what = format!("{} {}", request.method(), request.url());
    let client = tls::client(is_https, params.tls.as_ref(), follow, cx)?;
    cx.log.say(&what);

    let exchange = async {
        let response = client.execute(request).await.map_err(|error| not_answered(&what, &error))?;
        received(response, cx).await.map_err(|error| broken_off(&what, &error))
    };
    let output = tokio::select! {
        biased;
        answered = exchange => answered?,
        () = cx.cancel.cancelled() => return Err(StepError::unknown("cancelled", format!("{what}: stopped before it was answered"))),
        () = tokio::time::sleep(cx.timeout) => {
            return Err(StepError::unknown("timeout", format!("{what}: no whole answer within {}", values::shown(cx.timeout))));
        }
    };
    cx.log.say(&format!("{what}: {}", output["status"]));
    // Before a failure shows only the beginning of it, or half a secret could be left.
    judged(&what, &expected, cx.secrets.value(output))
}

fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is no address: {error}"))?;
    match (url.scheme(), url.host_str()) {
        ("http" | "https", Some(_)) => Ok(url),
        ("http" | "https", None) => Err(format!("`{text}` names no host")),
        (scheme, _) => Err(format!("`{text}` begins with `{scheme}:`; only `http://` and `https://` are requests")),
    }
}

fn request(params: &Params, url: Url, cx: &StepContext) -> Result<Request, StepError> {
    let method = params.method.as_deref().unwrap_or("GET");
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| StepError::parameter(format!("`{method}` is no HTTP method")))?;
    let mut request = Request::new(method, url);
    *request.headers_mut() = headers(params, cx)?;
    let body = match (&params.json, &params.body) {
        (Some(_), Some(_)) => return Err(StepError::parameter("give either `json` or `body`")),
        (Some(json), None) => Some(json.to_string()),
        (None, Some(Value::String(text))) => Some(text.clone()),
        (None, Some(other)) => Some(other.to_string()),
        (None, None) => None,
    };
    if params.json.is_some() {
        request.headers_mut().entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    }
    *request.body_mut() = body.map(Into::into);
    Ok(request)
}

fn headers(params: &Params, cx: &StepContext) -> Result<HeaderMap, StepError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &params.headers {
        let text = values::scalar_text(value)
            .ok_or_else(|| StepError::parameter(format!("`headers.{name}` is neither text nor a number")))?;
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| StepError::parameter(format!("`{name}` is no header's name")))?;
        // The value may be a secret, so it is not shown.
        let mut value = HeaderValue::from_str(&text).map_err(|_| {
            StepError::parameter(format!(
                "`headers.{name}` holds characters that no header can carry, such as a line's end"
            ))
        })?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    let mut ours = |name: &'static str, value: &str| {
        let value = HeaderValue::from_str(value).expect("ids, epochs and keys of runs are printable ASCII");
        headers.insert(HeaderName::from_static(name), value);
    };
    ours("x-ceptra-flow-run", &cx.run.id);
    ours("x-ceptra-flow-epoch", &cx.run.epoch.0.to_string());
    if params.idempotency_key {
        ours("idempotency-key", &cx.idempotency_key);
    }
    Ok(headers)
}

/// Reads an answer to its end, or to what is kept of it.
async fn received(mut response: Response, cx: &StepContext) -> reqwest::Result<Value> {
    let status = response.status().as_u16();
    let mut headers = Map::new();
    for name in response.headers().keys() {
        let values: Vec<_> =
            response.headers().get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        headers.insert(name.to_string(), json!(values.join(", ")));
    }
    let mut body = Vec::new();
    while body.len() <= BODY_BYTES_MAX {
        match response.chunk().await? {
            Some(chunk) => body.extend_from_slice(&chunk),
            None => break,
        }
    }
    let is_cut = body.len() > BODY_BYTES_MAX;
    if is_cut {
        // What may be the first part of a secret is held back by the stream, and goes with the rest.
        body = cx.secrets.stream().push(&body);
        body.truncate(BODY_BYTES_MAX);
    }
    let json: Value = if is_cut { Value::Null } else { serde_json::from_slice(&body).unwrap_or_default() };
    let mut output =
        json!({ "status": status, "headers": headers, "body": String::from_utf8_lossy(&body), "json": json });
    if is_cut {
        output["cut"] = json!(true);
    }
    Ok(output)
}

/// No status arrived: either nothing was sent, or nobody knows.
fn not_answered(what: &str, error: &reqwest::Error) -> StepError {
    let why = causes(error);
    if error.is_builder() {
        StepError::parameter(format!("{what}: {why}"))
    } else if error.is_connect() {
        StepError::nothing("connect", format!("{what}: cannot connect: {why}"))
    } else if is_refused_identity(error) {
        StepError::nothing("connect", format!("{what}: the server does not accept our certificate: {why}"))
    } else {
        StepError::unknown("connection", format!("{what}: the connection broke before an answer: {why}"))
    }
}

fn broken_off(what: &str, error: &reqwest::Error) -> StepError {
    StepError::unknown("connection", format!("{what}: the connection broke within the answer: {}", causes(error)))
}

/// With TLS 1.3 a server's refusal of our certificate arrives after the request is sent; it never got as far as the request.
fn is_refused_identity(error: &reqwest::Error) -> bool {
    use rustls::AlertDescription as Alert;
    sources(error).any(|cause| {
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = inner
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            .or_else(|| cause.downcast_ref::<rustls::Error>());
        matches!(
            tls,
            Some(rustls::Error::AlertReceived(
                Alert::CertificateRequired
                    | Alert::NoCertificate
                    | Alert::BadCertificate
                    | Alert::UnsupportedCertificate
                    | Alert::CertificateRevoked
                    | Alert::CertificateExpired
                    | Alert::CertificateUnknown
                    | Alert::UnknownCA
                    | Alert::AccessDenied
                    | Alert::HandshakeFailure
            ))
        )
    })
}

/// An error with what caused it, each said once.
fn causes(error: &reqwest::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in sources(error) {
        let text = cause.to_string();
        if !said.iter().any(|earlier| earlier.contains(&text)) {
            said.push(text);
        }
    }
    if said.is_empty() { error.to_string() } else { said.join(": ") }
}

/// What caused it, without the outermost error: that only repeats the address.
fn sources<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| (**cause).source())
}
