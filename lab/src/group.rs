//! The replicas that one cluster keeps of one partition group, and what they agree on.
//!
//! Appends need a leader, an epoch that nobody fenced, and a majority of live replicas. Which
//! replicas live is the caller's to say. Start at [`Group::append`].

use ceptra_flow_formats::frame::Frame;
use serde_json::json;

use crate::LabError;
use crate::config::{LabConfig, PRIMARY, group_id, partition_id};
use crate::http::Reply;
use crate::layout::Layout;
use crate::ledger::now_ms;
use crate::objects::Shipper;
use crate::replica::{RaftState, Replica, Role, Standing, Unfit, hash_text, payload_hashes};

/// One group in one cluster.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) group_id: String,
    pub(crate) partition_id: String,
    replicas: Vec<Replica>,
    shipper: Option<Shipper>,
}

/// Where an append ended up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) index: u64,
    pub(crate) hash: String,
}

/// Why an append was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    PermanentEpoch { fence_epoch: Option<u64>, epoch: u64 },
    UnknownEpoch { epoch: u64 },
    NotLeader { leader: Option<String> },
    NoQuorum,
}

impl Refusal {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::PermanentEpoch { .. } => "PERMANENT_EPOCH",
            Self::UnknownEpoch { .. } => "UNKNOWN_EPOCH",
            Self::NotLeader { .. } => "NOT_LEADER",
            Self::NoQuorum => "NO_QUORUM",
        }
    }

    pub(crate) fn reply(&self) -> Reply {
        let (status, more) = match self {
            Self::PermanentEpoch { fence_epoch, epoch } => (409, json!({ "fence_epoch": fence_epoch, "epoch": epoch })),
            Self::UnknownEpoch { epoch } => (409, json!({ "epoch": epoch })),
            Self::NotLeader { leader } => (409, json!({ "leader": leader })),
            Self::NoQuorum => (503, json!({})),
        };
        Reply::error_with(status, self.name(), more)
    }
}

impl Group {
    /// Opens a cluster's replicas of the group with this number.
    pub(crate) fn open(
        layout: &Layout,
        config: &LabConfig,
        cluster: &str,
        number: u32,
        epoch: u64,
    ) -> Result<Self, LabError> {
        let (group_id, partition_id) = (group_id(number), partition_id(number));
        let open = |node: String| Replica::open(&layout.replica(cluster, &node, &partition_id), config.fsync);
        let replicas = config.node_ids().map(open).collect::<Result<Vec<_>, _>>()?;
        let ships = cluster == PRIMARY;
        let shipper =
            ships.then(|| Shipper::open(&layout.objects(), cluster, &group_id, &partition_id, epoch)).transpose()?;
        Ok(Self { group_id, partition_id, replicas, shipper })
    }

    pub(crate) fn replica(&self, node: usize) -> &Replica {
        &self.replicas[node]
    }

    pub(crate) fn shipper(&self) -> Option<&Shipper> {
        self.shipper.as_ref()
    }

    /// The replica that takes appends.
    pub(crate) fn leader(&self) -> Option<usize> {
        self.replicas.iter().position(|replica| replica.standing().role == Role::Leader)
    }

    /// Whether an append under `epoch` would be taken by this node.
    pub(crate) fn check_append(&self, node: usize, epoch: u64, live: &dyn Fn(usize) -> bool) -> Result<(), Refusal> {
        let standing = self.replicas[node].standing();
        let fenced = standing.fence_epoch.is_some_and(|fence| epoch < fence);
        if fenced || epoch < standing.epoch {
            return Err(Refusal::PermanentEpoch { fence_epoch: standing.fence_epoch, epoch: standing.epoch });
        }
        if standing.role != Role::Leader {
            return Err(Refusal::NotLeader { leader: self.leader().map(node_name) });
        }
        if epoch > standing.epoch {
            return Err(Refusal::UnknownEpoch { epoch: standing.epoch });
        }
        if self.takers(epoch, live).len() * 2 <= self.replicas.len() {
            return Err(Refusal::NoQuorum);
        }
        Ok(())
    }

    /// Live replicas that no fence keeps from following a leader of `epoch`.
    fn takers(&self, epoch: u64, live: &dyn Fn(usize) -> bool) -> Vec<usize> {
        let takes = |node: &usize| {
            live(*node) && self.replicas[*node].standing().fence_epoch.is_none_or(|fence| epoch >= fence)
        };
        (0..self.replicas.len()).filter(takes).collect()
    }

    /// Appends a client's payload under an epoch: on a majority's disks, or refused.
    pub(crate) fn append(
        &mut self,
        node: usize,
        epoch: u64,
        payload: &[u8],
        live: &dyn Fn(usize) -> bool,
    ) -> Result<Result<Appended, Refusal>, LabError> {
        if let Err(refusal) = self.check_append(node, epoch, live) {
            return Ok(Err(refusal));
        }
        let takers = self.takers(epoch, live);
        let at_ms = u64::try_from(now_ms()).unwrap_or_default();
        let index = self.replicas[node].last_index() + 1;
        let frame = Frame { term: epoch, index, timestamp_ms: at_ms, metadata: b"", payload };
        let bytes = frame.encode().map_err(|error| LabError::Damaged {
            path: self.replicas[node].dir().to_owned(),
            reason: error.to_string(),
        })?;
        // The leader first: whatever a kill interrupts, no follower is ahead of it.
        self.replicas[node].append(&bytes)?;
        for follower in takers.iter().copied().filter(|taker| *taker != node) {
            self.follow(follower, node)?;
        }
        for taker in takers {
            self.replicas[taker].commit(index, at_ms)?;
        }
        Ok(Ok(Appended { index, hash: hash_text(payload) }))
    }

    /// Makes one replica's log equal to the leader's.
    fn follow(&mut self, follower: usize, leader: usize) -> Result<(), LabError> {
        let shared = self.shared_end(follower, leader)?;
        if shared < self.replicas[follower].last_index() {
            self.replicas[follower].cut_after(shared)?;
        }
        let missing = self.replicas[leader].frames(shared + 1, self.replicas[leader].last_index())?;
        missing.map_or(Ok(()), |missing| self.replicas[follower].append(&missing))
    }

    /// Last index up to which two logs are the same, judged by their last common entries.
    fn shared_end(&self, follower: usize, leader: usize) -> Result<u64, LabError> {
        let (follower, leader) = (&self.replicas[follower], &self.replicas[leader]);
        let mut index = follower.last_index().min(leader.last_index());
        while index >= leader.first_index() && follower.frames(index, index)? != leader.frames(index, index)? {
            index -= 1;
        }
        Ok(index)
    }

    /// Uploads what the leader has and the store has not.
    pub(crate) fn ship(&mut self) -> Result<(), LabError> {
        let (Some(leader), Some(shipper)) = (self.leader(), self.shipper.as_mut()) else {
            return Ok(());
        };
        shipper.ship(&self.replicas[leader])
    }

    /// Tells a replica of a fence; it only rises.
    pub(crate) fn fence(&mut self, node: usize, fence_epoch: u64) -> Result<(), LabError> {
        let standing = self.replicas[node].standing().clone();
        let fence_epoch = standing.fence_epoch.map_or(fence_epoch, |known| known.max(fence_epoch));
        self.replicas[node].set_standing(Standing { fence_epoch: Some(fence_epoch), ..standing })
    }

    /// Tells a replica that its fence is lifted.
    pub(crate) fn lift_fence(&mut self, node: usize) -> Result<(), LabError> {
        let standing = self.replicas[node].standing().clone();
        self.replicas[node].set_standing(Standing { fence_epoch: None, ..standing })
    }

    /// Gives the group a leader under `epoch`: the present one if it lives, else `wanted`, else the longest log.
    pub(crate) fn lead(
        &mut self,
        epoch: u64,
        wanted: Option<usize>,
        live: &dyn Fn(usize) -> bool,
    ) -> Result<Option<usize>, LabError> {
        let alive: Vec<usize> = (0..self.replicas.len()).filter(|node| live(*node)).collect();
        if alive.len() * 2 <= self.replicas.len() {
            return Ok(None);
        }
        let serves = |node: &usize| self.replicas[*node].standing().epoch == epoch;
        let present = self.leader().filter(|node| wanted.is_none() && live(*node) && serves(node));
        let longest = alive.iter().copied().max_by_key(|node| {
            (self.replicas[*node].last_term(), self.replicas[*node].last_index(), usize::MAX - node)
        });
        let Some(leader) = wanted.filter(|node| live(*node)).or(present).or(longest) else {
            return Ok(None);
        };
        for follower in alive.iter().copied().filter(|node| *node != leader) {
            self.follow(follower, leader)?;
        }
        // The old leader steps down before the new one stands up.
        let order = alive.iter().copied().filter(|node| *node != leader).chain([leader]);
        for node in order.collect::<Vec<_>>() {
            let role = if node == leader { Role::Leader } else { Role::Follower };
            let standing = Standing { role, epoch, ..self.replicas[node].standing().clone() };
            self.replicas[node].set_standing(standing)?;
            let name = Some(node_name(leader));
            let raft = RaftState {
                term: epoch,
                leader_id: name.clone(),
                voted_for: name,
                commit_index: self.replicas[node].raft().commit_index,
            };
            self.replicas[node].set_raft(raft)?;
        }
        for node in (0..self.replicas.len()).filter(|node| !live(*node)) {
            self.step_down_unheard(node)?;
        }
        Ok(Some(leader))
    }

    /// A leader that is gone is no leader; its files are told when it comes back, its cluster knows now.
    fn step_down_unheard(&mut self, node: usize) -> Result<(), LabError> {
        let standing = self.replicas[node].standing().clone();
        if standing.role == Role::Leader {
            self.replicas[node].set_standing(Standing { role: Role::Follower, ..standing })?;
        }
        Ok(())
    }

    /// Applies a shipment to a standby replica. Shipped entries were acknowledged, so they are committed.
    pub(crate) fn apply(&mut self, node: usize, shipment: &[u8]) -> Result<Result<u64, Unfit>, LabError> {
        let applied = self.replicas[node].apply(shipment)?;
        if applied.is_ok() {
            let at_ms = u64::try_from(now_ms()).unwrap_or_default();
            let last = self.replicas[node].last_index();
            self.replicas[node].commit(last, at_ms)?;
        }
        Ok(applied)
    }

    /// One entry as a client reads it: epoch, payload, hash.
    pub(crate) fn entry(&self, node: usize, index: u64) -> Result<Option<(u64, String, String)>, LabError> {
        let Some(bytes) = self.replicas[node].frames(index, index)? else {
            return Ok(None);
        };
        let entries = payload_hashes(&bytes);
        let read = entries
            .first()
            .map(|(frame, hash)| (frame.term, String::from_utf8_lossy(frame.payload).into_owned(), hash.clone()));
        Ok(read)
    }
}

/// `node-2` of 2.
pub(crate) fn node_name(node: usize) -> String {
    format!("node-{node}")
}
