//! What every admin port asks of a `POST` before it does anything, and what it remembers after.
//!
//! Principal, the run's epoch, content type, the idempotency key: in this order. Start at
//! [`Gate::admit`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::OPERATOR;
use crate::http::{Reply, Request};

/// Keys are at most this long.
const KEY_CHARS_MAX: usize = 128;

/// Durable part of an admin port.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Gate {
    /// Highest epoch seen of each run.
    runs: BTreeMap<String, u64>,
    /// What was replied to which key.
    replies: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Keyed {
    idempotency_key: String,
}

/// A request that passed, under its key.
#[derive(Debug)]
pub(crate) struct Admitted {
    key: Option<String>,
}

impl Gate {
    /// Lets a request pass, or gives the reply it gets instead.
    pub(crate) fn admit(&mut self, request: &Request) -> Result<Admitted, Reply> {
        self.authorize(request)?;
        let Keyed { idempotency_key: key } = body(request)?;
        if key.trim().is_empty() {
            return Err(Reply::error(400, "idempotency_key must not be empty"));
        }
        if key.chars().count() > KEY_CHARS_MAX {
            return Err(Reply::error(400, format!("idempotency_key must be <= {KEY_CHARS_MAX} characters")));
        }
        match self.replies.get(&key) {
            Some(reply) => Err(Reply::ok(reply.clone())),
            None => Ok(Admitted { key: Some(key) }),
        }
    }

    /// The same for the few requests that carry no key.
    pub(crate) fn admit_without_key(&mut self, request: &Request) -> Result<Admitted, Reply> {
        self.authorize(request)?;
        Ok(Admitted { key: None })
    }

    /// The principal first: a stranger must not raise the epoch of somebody's run.
    fn authorize(&mut self, request: &Request) -> Result<(), Reply> {
        if request.principal.as_deref() != Some(OPERATOR) {
            return Err(Reply::error(403, "unauthorized"));
        }
        self.check_run(request)?;
        if request.headers.get("content-type").map(String::as_str) != Some("application/json") {
            return Err(Reply::error(415, "Content-Type must be application/json"));
        }
        Ok(())
    }

    /// Keeps the highest epoch of each run and refuses older ones.
    fn check_run(&mut self, request: &Request) -> Result<(), Reply> {
        let header = |name: &str| request.headers.get(name);
        let (Some(run), Some(epoch)) = (header("x-ceptra-flow-run"), header("x-ceptra-flow-epoch")) else {
            return Ok(());
        };
        let Ok(epoch) = epoch.parse::<u64>() else {
            return Err(Reply::error(400, "X-Ceptra-Flow-Epoch must be a number"));
        };
        let kept = self.runs.entry(run.clone()).or_insert(epoch);
        if epoch < *kept {
            return Err(Reply::error_with(409, "StaleRunEpoch", json!({ "run": run, "epoch": *kept })));
        }
        *kept = epoch;
        Ok(())
    }

    /// Remembers a success under its key.
    pub(crate) fn settle(&mut self, admitted: Admitted, reply: &Reply) {
        if let (Some(key), true) = (admitted.key, reply.is_success()) {
            self.replies.insert(key, reply.body.clone());
        }
    }
}

/// The body as what an operation takes.
pub(crate) fn body<'a, T: Deserialize<'a>>(request: &'a Request) -> Result<T, Reply> {
    serde_json::from_slice(&request.body).map_err(|error| Reply::error(400, format!("invalid JSON body: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(run_epoch: u64, body: &str) -> Request {
        let headers = [("content-type", "application/json"), ("x-ceptra-flow-run", "r")];
        let mut headers: BTreeMap<_, _> = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        headers.insert("x-ceptra-flow-epoch".to_owned(), run_epoch.to_string());
        Request {
            method: "POST".to_owned(),
            path: "/admin/x".to_owned(),
            query: BTreeMap::new(),
            headers,
            body: body.as_bytes().to_vec(),
            principal: Some(OPERATOR.to_owned()),
        }
    }

    #[test]
    fn a_key_is_answered_once_and_then_repeated() {
        let mut gate = Gate::default();
        let admitted = gate.admit(&post(1, r#"{"idempotency_key":"k"}"#)).unwrap();
        gate.settle(admitted, &Reply::ok(json!({ "done": 1 })));
        let mut gate: Gate = serde_json::from_value(serde_json::to_value(gate).unwrap()).unwrap();
        let again = gate.admit(&post(1, r#"{"idempotency_key":"k","other":true}"#)).unwrap_err();
        assert_eq!(again, Reply::ok(json!({ "done": 1 })));
    }

    #[test]
    fn a_refusal_is_not_remembered() {
        let mut gate = Gate::default();
        let admitted = gate.admit(&post(1, r#"{"idempotency_key":"k"}"#)).unwrap();
        gate.settle(admitted, &Reply::error(503, "NoQuorum"));
        assert!(gate.admit(&post(1, r#"{"idempotency_key":"k"}"#)).is_ok());
    }

    #[test]
    fn an_older_epoch_of_a_run_is_refused_before_its_key_is_looked_at() {
        let mut gate = Gate::default();
        let admitted = gate.admit(&post(2, r#"{"idempotency_key":"k"}"#)).unwrap();
        gate.settle(admitted, &Reply::ok(Value::Null));
        let refused = gate.admit(&post(1, r#"{"idempotency_key":"k"}"#)).unwrap_err();
        assert_eq!((refused.status, &refused.body["epoch"]), (409, &json!(2)));
        assert!(gate.admit(&post(3, r#"{"idempotency_key":"l"}"#)).is_ok());
    }

    #[test]
    fn replies_to_bad_requests_are_clustors() {
        let refused =
            |request: &Request| Gate::default().admit(request).unwrap_err().body["error"].as_str().unwrap().to_owned();
        let missing = refused(&post(1, r#"{"partition_id": "p-0", "reason": "x"}"#));
        assert_eq!(missing, "invalid JSON body: missing field `idempotency_key` at line 1 column 38");
        assert_eq!(refused(&post(1, "{")), "invalid JSON body: EOF while parsing an object at line 1 column 1");
        assert_eq!(refused(&post(1, r#"{"idempotency_key":" "}"#)), "idempotency_key must not be empty");
        let charset = "application/json; charset=utf-8".to_owned();
        let mut request = post(1, "{}");
        request.headers.insert("content-type".to_owned(), charset);
        assert_eq!(refused(&request), "Content-Type must be application/json");
        request = post(1, "{}");
        request.principal = Some("spiffe://elsewhere/operator".to_owned());
        assert_eq!(refused(&request), "unauthorized");
    }
}
