//! The writer, which appends through the ingress all the time, and the zombie, which keeps talking
//! to nodes under the epoch it once knew.
//!
//! Each keeps a ledger of its own; an entry counts as acknowledged when it stands there. Start at
//! [`write_for_ever`] and [`haunt_for_ever`].

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::LabError;
use crate::client::Client;
use crate::config::{FIRST_EPOCH, ROUTES, group_id};
use crate::disk::{Lines, read_lines};
use crate::group::node_name;
use crate::ledger::{ClientFact, now_ms, now_text};
use crate::replica::hash_text;
use crate::world::{Phase, World};

/// Requests between two pauses.
const BATCH: usize = 8;
/// A reply that takes longer has failed; everything is on one machine.
const REPLY_WAIT: Duration = Duration::from_secs(5);

/// Why the writer's last append to a group over a route failed, where it did.
type Failing = BTreeMap<(&'static str, u32), String>;

/// Appends to every group over every route, round after round.
pub(crate) async fn write_for_ever(world: Arc<World>, ingress: String) -> Result<(), LabError> {
    let path = world.layout.writer_ledger();
    let mut failing = failing_so_far(&read_lines(&path)?);
    let mut ledger = Lines::open(&path, world.config.fsync)?;
    let mut client = Client::plain(&ingress);
    let (started, mut count) = (now_ms(), 0u64);
    loop {
        let pairs: Vec<_> = (0..world.config.groups).flat_map(|group| ROUTES.map(|route| (route, group))).collect();
        for batch in pairs.chunks(BATCH) {
            let mut facts = Vec::new();
            for (route, group) in batch {
                count += 1;
                let payload = format!("{route} {started} {count}");
                facts.extend(write_one(&mut client, route, *group, &payload, &mut failing).await);
            }
            ledger.append(&facts)?;
            let acknowledged = facts.iter().filter(|fact| matches!(fact, ClientFact::Acknowledged { .. })).count();
            world.count(|counts| {
                counts.acknowledged += acknowledged as u64;
                counts.failing = failing.len() as u64;
            });
            pause(&world).await;
        }
        world.count(|counts| counts.writer_rounds += 1);
    }
}

/// One append, and what is to be remembered of it: acknowledgements, and where failing begins.
async fn write_one(
    client: &mut Client,
    route: &'static str,
    group: u32,
    payload: &str,
    failing: &mut Failing,
) -> Option<ClientFact> {
    let id = group_id(group);
    let body = json!({ "route": route, "group_id": id, "payload": payload });
    let reply = request(client, "/append", &body).await;
    let at = now_text();
    match reply {
        Ok((200, reply)) => {
            failing.remove(&(route, group));
            Some(ClientFact::Acknowledged {
                at,
                route: route.to_owned(),
                cluster: reply["cluster_id"].as_str().unwrap_or_default().to_owned(),
                group: id,
                epoch: reply["epoch"].as_u64().unwrap_or_default(),
                from: reply["index"].as_u64().unwrap_or_default(),
                hashes: vec![hash_text(payload.as_bytes())],
            })
        }
        Ok((status, reply)) => {
            let reason = reply["error"].as_str().map_or_else(|| status.to_string(), str::to_owned);
            failed(failing, at, route, group, reason)
        }
        Err(error) => failed(failing, at, route, group, error.to_string()),
    }
}

/// A failure is news when the append before it did not fail, or for another reason.
fn failed(failing: &mut Failing, at: String, route: &'static str, group: u32, reason: String) -> Option<ClientFact> {
    let before = failing.insert((route, group), reason.clone());
    (before.as_ref() != Some(&reason)).then(|| ClientFact::Failing {
        at,
        route: route.to_owned(),
        group: group_id(group),
        reason,
    })
}

fn failing_so_far(facts: &[ClientFact]) -> Failing {
    let pair = |route: &String, group: &String| {
        let route = ROUTES.into_iter().find(|known| known == route)?;
        Some((route, group.strip_prefix("pg-")?.parse::<u32>().ok()?))
    };
    let mut failing = Failing::new();
    for fact in facts {
        match fact {
            ClientFact::Acknowledged { route, group, .. } => {
                pair(route, group).and_then(|pair| failing.remove(&pair));
            }
            ClientFact::Failing { route, group, reason, .. } => {
                failing.extend(pair(route, group).map(|pair| (pair, reason.clone())));
            }
            ClientFact::ZombieAccepted { .. } | ClientFact::ZombieRejected { .. } => {}
        }
    }
    failing
}

/// Appends straight to every node under the first epoch, once something was lost.
pub(crate) async fn haunt_for_ever(world: Arc<World>, nodes: Vec<(usize, usize, String)>) -> Result<(), LabError> {
    let path = world.layout.zombie_ledger();
    let mut known = rejections_so_far(&read_lines(&path)?);
    let mut ledger = Lines::open(&path, world.config.fsync)?;
    let mut clients: Vec<Client> = nodes.iter().map(|(_, _, url)| Client::plain(url)).collect();
    let (started, mut count) = (now_ms(), 0u64);
    loop {
        for group in 0..world.config.groups {
            for ((cluster, node, _), client) in nodes.iter().zip(&mut clients) {
                if world.phase() == Phase::Healthy {
                    continue;
                }
                count += 1;
                let payload = format!("zombie {started} {count}");
                let place = Place {
                    cluster: world.clusters[*cluster].id.to_owned(),
                    node: node_name(*node),
                    group: group_id(group),
                };
                let outcome = haunt_one(client, &place, &payload).await;
                world.count(|counts| match outcome {
                    ClientFact::ZombieAccepted { .. } => counts.zombie_accepted += 1,
                    _ => counts.zombie_rejected += 1,
                });
                let news = match &outcome {
                    ClientFact::ZombieRejected { cluster, node, reason, .. } => {
                        known.insert((cluster.clone(), node.clone(), reason.clone()))
                    }
                    _ => true,
                };
                if news {
                    ledger.append(&[outcome])?;
                }
            }
            pause(&world).await;
        }
        world.count(|counts| counts.zombie_rounds += 1);
    }
}

struct Place {
    cluster: String,
    node: String,
    group: String,
}

async fn haunt_one(client: &mut Client, place: &Place, payload: &str) -> ClientFact {
    let body = json!({ "group_id": place.group, "epoch": FIRST_EPOCH, "payload": payload });
    let (at, cluster, node) = (now_text(), place.cluster.clone(), place.node.clone());
    match request(client, "/append", &body).await {
        Ok((200, reply)) => ClientFact::ZombieAccepted {
            at,
            cluster,
            node,
            group: place.group.clone(),
            epoch: FIRST_EPOCH,
            index: reply["index"].as_u64().unwrap_or_default(),
            hash: hash_text(payload.as_bytes()),
        },
        Ok((status, reply)) => {
            let reason = reply["error"].as_str().map_or_else(|| status.to_string(), str::to_owned);
            ClientFact::ZombieRejected { at, cluster, node, reason }
        }
        Err(_) => ClientFact::ZombieRejected { at, cluster, node, reason: "no answer".to_owned() },
    }
}

fn rejections_so_far(facts: &[ClientFact]) -> BTreeSet<(String, String, String)> {
    let rejected = facts.iter().filter_map(|fact| match fact {
        ClientFact::ZombieRejected { cluster, node, reason, .. } => {
            Some((cluster.clone(), node.clone(), reason.clone()))
        }
        _ => None,
    });
    rejected.collect()
}

async fn request(client: &mut Client, path: &str, body: &Value) -> io::Result<(u16, Value)> {
    let reply = tokio::time::timeout(REPLY_WAIT, client.send("POST", path, &[], Some(body))).await;
    reply.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Leaves the machine to others between batches, unless somebody waits.
async fn pause(world: &World) {
    if world.counts().hurry > 0 {
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(Duration::from_millis(world.config.client_pause_ms)).await;
    }
}
