//! The lab's own port: what goes on, and the few switches that are not part of the world.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::sync::Notify;

use crate::LabError;
use crate::config::Fault;
use crate::gate::body;
use crate::http::{Reply, Request, Service};
use crate::world::World;

/// Longest wait for the clients.
const QUIESCE_MS_MAX: u64 = 60_000;
/// Wait for the clients when none is asked for.
const QUIESCE_MS: u64 = 5_000;

/// The port.
pub(crate) struct Switchboard {
    pub(crate) world: Arc<World>,
    pub(crate) down: Arc<Notify>,
}

#[derive(Deserialize)]
struct Quiesce {
    timeout_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Inject {
    fault: String,
}

impl Service for Switchboard {
    fn is_up(&self) -> bool {
        true
    }

    fn handle(&self, request: &Request) -> Option<Reply> {
        Some(match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/lab/status") => self.status(),
            ("POST", "/lab/quiesce") => match body(request) {
                Ok(Quiesce { timeout_ms }) => {
                    let timeout = timeout_ms.unwrap_or(QUIESCE_MS).min(QUIESCE_MS_MAX);
                    Reply::ok(json!({ "settled": self.world.quiesce(Duration::from_millis(timeout)) }))
                }
                Err(reply) => reply,
            },
            ("POST", "/lab/inject") => match body(request).map(|Inject { fault }| fault.parse::<Fault>()) {
                Ok(Ok(fault)) => Reply::error(501, LabError::NotAvailable { fault: fault.to_string() }.to_string()),
                Ok(Err(unknown)) => Reply::error(400, unknown.to_string()),
                Err(reply) => reply,
            },
            ("POST", "/lab/down") => {
                self.down.notify_one();
                Reply::ok(json!({ "accepted": true }))
            }
            _ => Reply::no_route(request),
        })
    }
}

impl Switchboard {
    fn status(&self) -> Reply {
        let (course, counts) = (self.world.course(), self.world.counts());
        Reply::ok(json!({
            "scenario": self.world.config.scenario,
            "phase": course.phase,
            "down": course.down,
            "writer": { "rounds": counts.writer_rounds, "acknowledged": counts.acknowledged, "failing": counts.failing },
            "zombie": { "rounds": counts.zombie_rounds, "accepted": counts.zombie_accepted, "rejected": counts.zombie_rejected },
        }))
    }
}
