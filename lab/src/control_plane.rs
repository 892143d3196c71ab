//! A region's control plane: members, epoch, groups with their fences, and what was restored.
//!
//! Its state is one file, replaced whole; what it pushes to replicas it pushes again after a
//! restart. The rules of each operation are in docs/reference/lab-api.md. Requests come in through
//! [`crate::control_plane_port`]; start at [`ControlPlane::open`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::LabError;
use crate::config::{CP_MEMBERS, CP_QUORUM, FIRST_EPOCH, LabConfig, PRIMARY, group_id, member_name, partition_id};
use crate::disk::{read_json, write_json};
use crate::gate::Gate;
use crate::group::node_name;
use crate::layout::Layout;
use crate::ledger::{Fact, now_text};
use crate::membership::{Joint, Member, MemberRole, has_majority};
use crate::objects::SnapshotRef;
use crate::world::World;

/// How long reads are answered from the cache when there is no quorum.
const CACHE_GRACE: Duration = Duration::from_secs(60);

/// Whether it serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    Active,
    Standby,
}

/// Where it knows its epoch from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EpochSource {
    Own,
    Cache,
    Snapshot,
}

/// What it knows of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupRecord {
    pub(crate) partitions: Vec<String>,
    pub(crate) frozen: bool,
    pub(crate) fence_epoch: Option<u64>,
    pub(crate) leader: Option<String>,
}

/// The state file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CpState {
    pub(crate) mode: Mode,
    pub(crate) epoch: u64,
    pub(crate) epoch_source: EpochSource,
    pub(crate) members: Vec<Member>,
    pub(crate) joint: Option<Joint>,
    pub(crate) snapshot: Option<SnapshotRef>,
    pub(crate) groups: BTreeMap<String, GroupRecord>,
    #[serde(default)]
    pub(crate) gate: Gate,
}

impl CpState {
    pub(crate) fn members_with(&self, role: MemberRole) -> Vec<String> {
        self.members.iter().filter(|member| member.role == role).map(|member| member.name.clone()).collect()
    }

    pub(crate) fn voters(&self) -> Vec<String> {
        self.members_with(MemberRole::Voter)
    }

    pub(crate) fn live(&self, world: &World) -> Vec<String> {
        self.members.iter().map(|member| member.name.clone()).filter(|name| world.is_up(name)).collect()
    }

    pub(crate) fn has_quorum(&self, world: &World) -> bool {
        has_majority(&self.voters(), &self.live(world))
    }

    pub(crate) fn live_voters(&self, world: &World) -> usize {
        self.voters().iter().filter(|voter| world.is_up(voter)).count()
    }

    /// The fence under which a group is, if any.
    pub(crate) fn fence_of(&self, group: &str) -> Option<u64> {
        self.groups.get(group).and_then(|record| record.fence_epoch)
    }

    fn set_voters(&mut self, voters: &[String]) {
        for member in &mut self.members {
            member.role = match (voters.contains(&member.name), member.role) {
                (true, _) => MemberRole::Voter,
                (false, MemberRole::Voter) => MemberRole::Evicted,
                (false, MemberRole::Standby | MemberRole::Evicted) => member.role,
            };
        }
    }
}

/// The control plane of one cluster.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    path: PathBuf,
    sync: bool,
    state: Mutex<CpState>,
    quorum_lost_at: Mutex<Option<Instant>>,
}

impl ControlPlane {
    /// Writes the state that a new lab's control plane has.
    pub(crate) fn create(layout: &Layout, config: &LabConfig, cluster: &str) -> Result<(), LabError> {
        let serves = cluster == PRIMARY;
        let role = |ordinal: u64| {
            if ordinal < CP_QUORUM as u64 { MemberRole::Voter } else { MemberRole::Standby }
        };
        let member = |ordinal| Member { name: member_name(cluster, ordinal), ordinal, role: role(ordinal) };
        let record = |number: u32| GroupRecord {
            partitions: vec![partition_id(number)],
            frozen: false,
            fence_epoch: None,
            leader: serves.then(|| node_name((number % config.replicas) as usize)),
        };
        let state = CpState {
            mode: if serves { Mode::Active } else { Mode::Standby },
            epoch: FIRST_EPOCH,
            epoch_source: if serves { EpochSource::Own } else { EpochSource::Cache },
            members: (0..CP_MEMBERS).map(member).collect(),
            joint: None,
            snapshot: None,
            groups: (0..config.groups).map(|number| (group_id(number), record(number))).collect(),
            gate: Gate::default(),
        };
        write_json(&layout.control_plane(cluster), &state, false)
    }

    pub(crate) fn open(layout: &Layout, config: &LabConfig, cluster: &str) -> Result<Self, LabError> {
        let path = layout.control_plane(cluster);
        let state = Mutex::new(read_json(&path)?);
        Ok(Self { path, sync: config.fsync, state, quorum_lost_at: Mutex::new(None) })
    }

    /// The state, kept from changing for as long as this is held.
    pub(crate) fn hold(&self) -> MutexGuard<'_, CpState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.hold().epoch
    }

    pub(crate) fn save(&self, state: &CpState) -> Result<(), LabError> {
        write_json(&self.path, state, self.sync)
    }

    /// Whether reads may be answered, and if so whether from the cache.
    pub(crate) fn read_is_stale(&self, world: &World) -> Option<bool> {
        let has_quorum = self.hold().has_quorum(world);
        let mut lost_at = self.quorum_lost_at.lock().unwrap_or_else(PoisonError::into_inner);
        if has_quorum {
            *lost_at = None;
            return Some(false);
        }
        let since = lost_at.get_or_insert_with(Instant::now);
        (since.elapsed() <= CACHE_GRACE).then_some(true)
    }

    /// After a restart: ends a change of members, records an epoch that was taken, tells the replicas again.
    pub(crate) fn finish_what_was_begun(
        &self,
        world: &World,
        cluster: usize,
        last_recorded_epoch: u64,
    ) -> Result<(), LabError> {
        let mut state = self.hold();
        if let Some(joint) = state.joint.take() {
            state.set_voters(&joint.new);
            self.save(&state)?;
        }
        if state.mode == Mode::Active && state.epoch > last_recorded_epoch {
            record_epoch(world, cluster, state.epoch)?;
        }
        push_fences(world, &state)?;
        if state.mode == Mode::Active && state.epoch_source == EpochSource::Own {
            self.push_epoch(world, cluster, &mut state)?;
        }
        Ok(())
    }

    /// Goes over to a new set of voters by joint change.
    pub(crate) fn change_voters(
        &self,
        world: &World,
        cluster: usize,
        state: &mut CpState,
        joint: Joint,
    ) -> Result<(), LabError> {
        state.joint = Some(joint.clone());
        self.save(state)?;
        world.ledger.record(&Fact::Membership {
            at: now_text(),
            cluster: world.clusters[cluster].id.to_owned(),
            old: joint.old,
            new: joint.new.clone(),
            live: state.live(world),
        })?;
        state.set_voters(&joint.new);
        state.joint = None;
        Ok(())
    }

    /// Serves under a higher epoch from here on.
    pub(crate) fn take_epoch(
        &self,
        world: &World,
        cluster: usize,
        state: &mut CpState,
        epoch: u64,
    ) -> Result<(), LabError> {
        state.epoch = epoch;
        state.mode = Mode::Active;
        state.epoch_source = EpochSource::Own;
        for record in state.groups.values_mut() {
            record.frozen = record.fence_epoch.is_some_and(|fence| fence > epoch);
        }
        self.save(state)?;
        record_epoch(world, cluster, epoch)?;
        self.push_epoch(world, cluster, state)
    }

    /// Gives each group of the cluster a leader under the present epoch.
    fn push_epoch(&self, world: &World, cluster: usize, state: &mut CpState) -> Result<(), LabError> {
        let live = |node| world.node_is_up(cluster, node);
        for number in 0..world.clusters[cluster].group_count() {
            let mut group = world.clusters[cluster].group(number);
            let leader = group.lead(state.epoch, None, &live)?.map(node_name);
            if let Some(record) = state.groups.get_mut(&group.group_id) {
                record.leader = leader;
            }
        }
        self.save(state)
    }
}

fn record_epoch(world: &World, cluster: usize, epoch: u64) -> Result<(), LabError> {
    let cluster = world.clusters[cluster].id.to_owned();
    world.ledger.record(&Fact::EpochAdvanced { at: now_text(), cluster, epoch })
}

/// Tells every replica that can be reached, of both regions, of every fence.
fn push_fences(world: &World, state: &CpState) -> Result<(), LabError> {
    for (group, record) in &state.groups {
        if let (Some(fence), Some(number)) = (record.fence_epoch, world.group_number(group)) {
            push_fence(world, number, Some(fence))?;
        }
    }
    Ok(())
}

/// Tells every replica of one group that can be reached of its fence, or that it has none.
pub(crate) fn push_fence(world: &World, number: usize, fence: Option<u64>) -> Result<(), LabError> {
    for (at, cluster) in world.clusters.iter().enumerate() {
        let mut group = cluster.group(number);
        for node in (0..cluster.nodes.len()).filter(|node| world.node_is_up(at, *node)) {
            match fence {
                Some(fence) => group.fence(node, fence)?,
                None => group.lift_fence(node)?,
            }
        }
    }
    Ok(())
}
