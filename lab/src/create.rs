//! Makes a lab's directory: history, shipments, certificates, checkouts, the parts' first states.
//!
//! `lab.json` is written last; a directory without it was never finished and is made again.

use std::fs;
use std::path::Path;

use ceptra_flow_formats::frame::Frame;

use crate::LabError;
use crate::config::{DR, FIRST_EPOCH, LabConfig, PRIMARY, ROUTES, group_id, partition_id};
use crate::control_plane::ControlPlane;
use crate::disk::{Lines, make_dir, write_json};
use crate::group::{Group, node_name};
use crate::ingress::Ingress;
use crate::layout::Layout;
use crate::ledger::{ClientFact, Fact, now_ms, text_of};
use crate::objects::{SnapshotGroup, SnapshotState, write_snapshot};
use crate::replica::{RaftState, Replica, Role, Standing, payload_hashes};
use crate::world::Course;
use crate::{checkouts, tls};

/// The last range of a history is left open, so that there is one.
const RANGE: u64 = 64;
const LAST_RANGE: u64 = 40;
/// Fewer entries would leave no ranges to lose.
const ENTRIES_MIN: u64 = 2 * RANGE + LAST_RANGE;
/// History was written in the minute before the lab was made.
const HISTORY_MS: i64 = 60_000;

/// Makes a lab in a directory that has none.
pub fn create(dir: &Path, config: &LabConfig) -> Result<(), LabError> {
    config.check().map_err(LabError::Config)?;
    make_dir(dir)?;
    let layout = Layout::new(dir);
    if layout.config().exists() {
        return Err(LabError::Exists { dir: dir.to_owned() });
    }
    for leftover in ["tls", "objects", "checkouts", "storage", "control-planes", "nodes", "ledgers"] {
        let path = dir.join(leftover);
        if path.exists() {
            fs::remove_dir_all(&path).map_err(|source| LabError::file(&path, source))?;
        }
    }
    for folder in ["control-planes", "ledgers", "objects/volumes", "storage/data", "storage/wal", "storage/snapshots"] {
        make_dir(&dir.join(folder))?;
    }
    tls::make(&layout.tls())?;
    checkouts::make(&layout.checkouts())?;
    write_history(&layout, config)?;
    ControlPlane::create(&layout, config, PRIMARY)?;
    ControlPlane::create(&layout, config, DR)?;
    Ingress::create(&layout)?;
    write_json(&layout.scenario(), &Course::default(), false)?;
    write_json(&layout.config(), config, config.fsync)
}

fn write_history(layout: &Layout, config: &LabConfig) -> Result<(), LabError> {
    let created = now_ms();
    let at = text_of(created);
    let mut world = vec![Fact::EpochAdvanced { at: at.clone(), cluster: PRIMARY.to_owned(), epoch: FIRST_EPOCH }];
    for route in ROUTES {
        world.push(Fact::Switched {
            at: at.clone(),
            route: route.to_owned(),
            cluster: PRIMARY.to_owned(),
            epoch: FIRST_EPOCH,
        });
    }
    let mut writer = Vec::new();
    for number in 0..config.groups {
        let log = history(config, number, created);
        let hashes: Vec<_> = payload_hashes(&log).into_iter().map(|(_, hash)| hash).collect();
        let leader = node_name((number % config.replicas) as usize);
        write_replicas(layout, config, number, &leader, &log, hashes.len() as u64)?;
        let group = group_id(number);
        world.push(Fact::Accepted {
            at: at.clone(),
            cluster: PRIMARY.to_owned(),
            node: leader,
            group: group.clone(),
            epoch: FIRST_EPOCH,
            from: 1,
            hashes: hashes.clone(),
        });
        let (route, cluster) = (ROUTES[0].to_owned(), PRIMARY.to_owned());
        writer.push(ClientFact::Acknowledged {
            at: at.clone(),
            route,
            cluster,
            group,
            epoch: FIRST_EPOCH,
            from: 1,
            hashes,
        });
    }
    Lines::open(&layout.world_ledger(), config.fsync)?.append(&world)?;
    Lines::open(&layout.writer_ledger(), config.fsync)?.append(&writer)?;

    let groups = (0..config.groups).map(|number| SnapshotGroup {
        group_id: group_id(number),
        partitions: vec![partition_id(number)],
        replicas: config.replicas,
    });
    let mut state = SnapshotState { cluster_id: PRIMARY.to_owned(), epoch: FIRST_EPOCH - 1, groups: groups.collect() };
    write_snapshot(&layout.objects(), 1, &text_of(created - HISTORY_MS), &state)?;
    state.epoch = FIRST_EPOCH;
    write_snapshot(&layout.objects(), 2, &at, &state)
}

/// The log that a group's replicas have in the beginning; the same for the same seed but for its times.
fn history(config: &LabConfig, number: u32, created: i64) -> Vec<u8> {
    let payload_len = (config.wal_bytes / 512).clamp(64, 16 << 10);
    let entries = (config.wal_bytes / (payload_len + 66)).max(ENTRIES_MIN);
    let entries = entries - (entries - LAST_RANGE) % RANGE;
    let mut log = Vec::new();
    for index in 1..=entries {
        let mut payload = format!("seed {} group {number} entry {index} ", config.seed).into_bytes();
        payload.resize(usize::try_from(payload_len).expect("at most 16 KiB"), b'.');
        let back = i64::try_from((entries - index) * u64::try_from(HISTORY_MS).expect("it is positive") / entries)
            .unwrap_or_default();
        let timestamp_ms = u64::try_from(created - back).unwrap_or_default();
        let frame = Frame { term: FIRST_EPOCH, index, timestamp_ms, metadata: b"", payload: &payload };
        frame.encode_into(&mut log).expect("payloads are short");
    }
    log
}

/// The primary's replicas have all of it, the standbys the first half of its ranges.
fn write_replicas(
    layout: &Layout,
    config: &LabConfig,
    number: u32,
    leader: &str,
    log: &[u8],
    entries: u64,
) -> Result<(), LabError> {
    let partition = partition_id(number);
    for node in config.node_ids() {
        let role = if node == leader { Role::Leader } else { Role::Follower };
        let standing = Standing { role, epoch: FIRST_EPOCH, fence_epoch: None };
        let name = Some(leader.to_owned());
        let raft = RaftState { term: FIRST_EPOCH, leader_id: name.clone(), voted_for: name, commit_index: entries };
        Replica::create(&layout.replica(PRIMARY, &node, &partition), log, &raft, &standing)?;
    }
    for node in config.node_ids() {
        let standing = Standing { role: Role::Standby, epoch: FIRST_EPOCH, fence_epoch: None };
        let raft = RaftState { term: FIRST_EPOCH, ..RaftState::default() };
        Replica::create(&layout.replica(DR, &node, &partition), &[], &raft, &standing)?;
    }
    let mut primary = Group::open(layout, config, PRIMARY, number, FIRST_EPOCH)?;
    primary.ship()?;
    let ranges = primary.shipper().map(|shipper| shipper.baseline().ranges.clone()).unwrap_or_default();
    let mut standby = Group::open(layout, config, DR, number, FIRST_EPOCH)?;
    for range in &ranges[..ranges.len() / 2] {
        let shipment = primary.replica(0).frames(range.from, range.to)?.unwrap_or_default();
        for node in 0..config.replicas as usize {
            let applied = standby.apply(node, &shipment)?;
            debug_assert_eq!(applied, Ok(range.frames), "the standby takes what the primary shipped");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_ends_in_an_open_range_and_has_about_the_size_asked_for() {
        for wal_bytes in [0, 32 << 10, 1 << 20] {
            let config = LabConfig { wal_bytes, ..LabConfig::default() };
            let log = history(&config, 0, 1_760_000_000_000);
            let entries = payload_hashes(&log).len() as u64;
            assert_eq!(entries % RANGE, LAST_RANGE);
            assert!(entries >= ENTRIES_MIN);
        }
    }
}
