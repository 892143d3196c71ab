//! Operations: asked, carried out and confirmed through the target's bindings.
//!
//! A reply that says *accepted* is never taken for the effect: after the call the world is asked until
//! it shows the effect or time is up. Start at [`Operations::of`].

use super::binding::{Binding, Meaning, Params};
use super::client::{Client, NoReply, Reply};
use crate::context::StepContext;
use crate::error::StepError;
use crate::step::Probed;
use serde_json::{Value, json};
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// First pause between two looks; doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Longest key that Clustor's admin ports take.
const KEY_MAX: usize = 128;

/// The target's operations, for one attempt.
pub(super) struct Operations<'a> {
    cx: &'a StepContext,
    client: Client,
    deadline: Instant,
}

impl<'a> Operations<'a> {
    pub(super) async fn of(cx: &'a StepContext) -> Result<Self, StepError> {
        let client = Client::of(cx).await?;
        // What is found out just before the end must still be told.
        let margin = (cx.timeout / 10).min(Duration::from_secs(1));
        let deadline = Instant::now() + cx.timeout.saturating_sub(margin);
        Ok(Self { cx, client, deadline })
    }

    /// Asks something; the answer must be a success.
    pub(super) async fn query(&self, name: &str, params: Params) -> Result<Value, StepError> {
        let binding = self.binding(name)?;
        let params = self.with_key(params, None);
        let request = binding.http.render(&params)?;
        let reply = self.unless_stopped(self.client.send(&request, None)).await?;
        match reply {
            Ok(reply) if reply.is_success() => Ok(reply.body),
            Ok(reply) => {
                Err(StepError::nothing("status", format!("{name}: {}", reply.problem())).with_detail(reply.body))
            }
            Err(lost) => Err(StepError::nothing("connect", format!("{name}: {}", lost.message()))),
        }
    }

    /// Whether the effect of an operation is there.
    pub(super) async fn probe(&self, name: &str, params: Params) -> Result<Probed, StepError> {
        let binding = self.binding(name)?;
        let params = self.with_key(params, None);
        self.look(&binding, &params).await
    }

    /// Has the effect and waits until the world shows it; gives what the world showed.
    ///
    /// `part` tells calls of one attempt apart, so that each has a key of its own.
    pub(super) async fn perform(&self, name: &str, params: Params, part: Option<&str>) -> Result<Value, StepError> {
        let binding = self.binding(name)?;
        binding.probe()?;
        let params = self.with_key(params, part);
        let request = binding.http.render(&params)?;
        let key = params.get("idempotency_key").and_then(Value::as_str).map(str::to_owned);
        self.cx.log.say(&format!("{name}: {} {}", request.method, request.url));
        let replied = self.unless_stopped(self.client.send(&request, key.as_deref())).await;
        match &replied {
            Ok(Ok(reply)) => self.cx.log.say(&format!("{name}: {} {}", reply.status, reply.body)),
            Ok(Err(lost)) => self.cx.log.say(&format!("{name}: {}", lost.message())),
            Err(stopped) => self.cx.log.say(&format!("{name}: {}", stopped.message)),
        }
        match replied.map_err(|stopped| StepError::unknown(stopped.class, format!("{name}: {}", stopped.message)))? {
            Ok(reply) if reply.is_success() => {
                self.confirm(&binding, &params, &format!("was accepted: {}", reply.body)).await
            }
            Ok(reply) => self.refused(&binding, &params, &reply).await,
            Err(NoReply::NotSent(why)) => Err(StepError::nothing("connect", format!("{name}: {why}"))),
            Err(NoReply::Lost(why)) => self.confirm(&binding, &params, &format!("got no reply: {why}")).await,
        }
    }

    /// A refusal may be about an effect that is there already.
    async fn refused(&self, binding: &Binding, params: &Params, reply: &Reply) -> Result<Value, StepError> {
        let name = &binding.name;
        let message = format!("{name}: {}", reply.problem());
        match self.look(binding, params).await? {
            Probed::Done(seen) => Ok(seen),
            _ if reply.status < 500 => Err(StepError::nothing("refused", message).with_detail(reply.body.clone())),
            Probed::NotDone(_) if reply.status == 503 => {
                Err(StepError::nothing("unavailable", message).with_detail(reply.body.clone()))
            }
            Probed::NotDone(_) | Probed::Unknown(_) => {
                Err(StepError::unknown("status", message).with_detail(reply.body.clone()))
            }
        }
    }

    /// Looks until the effect is there or time is up.
    async fn confirm(&self, binding: &Binding, params: &Params, so_far: &str) -> Result<Value, StepError> {
        let mut pause = PAUSE_MIN;
        loop {
            let seen = match self.look(binding, params).await? {
                Probed::Done(seen) => {
                    self.cx.log.say(&format!("{}: confirmed by {seen}", binding.name));
                    return Ok(seen);
                }
                Probed::NotDone(seen) => format!("the probe still answers {seen}"),
                Probed::Unknown(why) => why,
            };
            if Instant::now() + pause >= self.deadline {
                let message = format!("{} {so_far}, but is not confirmed: {seen}", binding.name);
                return Err(StepError::unknown("unconfirmed", message));
            }
            let waited = self.unless_stopped(tokio::time::sleep(pause)).await;
            waited.map_err(|stopped| {
                StepError::unknown(stopped.class, format!("{} {so_far}, {}", binding.name, stopped.message))
            })?;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn look(&self, binding: &Binding, params: &Params) -> Result<Probed, StepError> {
        let probe = binding.probe()?;
        let request = probe.render(params)?;
        let reply = match self.unless_stopped(self.client.send(&request, None)).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(lost)) => return Ok(Probed::Unknown(lost.message().to_owned())),
            Err(stopped) => return Ok(Probed::Unknown(stopped.message)),
        };
        if !reply.is_success() {
            return Ok(Probed::Unknown(format!("{}: {}", request.url, reply.problem())));
        }
        Ok(match probe.meaning(params, &reply.body)? {
            Meaning::Done => Probed::Done(reply.body),
            Meaning::NotDone => Probed::NotDone(reply.body),
            Meaning::Neither => {
                Probed::Unknown(format!("{} answers {}, which is neither done nor not done", request.url, reply.body))
            }
        })
    }

    fn binding(&self, name: &str) -> Result<Binding, StepError> {
        let mut known = serde_json::Map::new();
        if let Some(written) = self.cx.target.get("operations").and_then(|operations| operations.get(name)) {
            known.insert(name.to_owned(), self.cx.resolve(written.clone())?);
        }
        Binding::of(&json!({"target": self.cx.target.get("target"), "operations": known}), name)
    }

    fn with_key(&self, mut params: Params, part: Option<&str>) -> Params {
        let key = match part {
            Some(part) => format!("{}:{part}", self.cx.idempotency_key),
            None => self.cx.idempotency_key.clone(),
        };
        let key =
            if key.len() > KEY_MAX { ceptra_flow_formats::hash::Sha256Digest::of(key.as_bytes()).bare() } else { key };
        params.insert("idempotency_key".to_owned(), json!(key));
        params
    }

    /// Time that is left for waiting.
    pub(super) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    pub(super) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, StepError> {
        tokio::select! {
            biased;
            () = self.cx.cancel.cancelled() => Err(StepError::nothing("cancelled", "it was stopped")),
            () = tokio::time::sleep_until(self.deadline) => Err(StepError::nothing("timeout", "time is up")),
            done = work => Ok(done),
        }
    }
}
