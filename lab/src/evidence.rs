//! What the replicas' files show: who leads, how far logs reach, what is in them.
//!
//! Reads only, and asks nobody; a lab that was killed shows the same. Start at [`Evidence`].

use std::collections::BTreeMap;

use ceptra_flow_formats::frame;

use crate::LabError;
use crate::config::{LabConfig, partition_id};
use crate::disk::read_json_if_any;
use crate::layout::Layout;
use crate::replica::{RaftState, Role, Standing, hash_text};
use crate::world::Course;

/// The files of all replicas, and which parts are down.
pub(crate) struct Evidence {
    pub(crate) layout: Layout,
    pub(crate) config: LabConfig,
    pub(crate) course: Course,
}

impl Evidence {
    pub(crate) fn is_up(&self, cluster: &str, node: &str) -> bool {
        !self.course.down.contains(&format!("{cluster}.{node}"))
    }

    pub(crate) fn standing(&self, cluster: &str, node: &str, number: u32) -> Result<Standing, LabError> {
        let dir = self.layout.replica(cluster, node, &partition_id(number));
        Ok(read_json_if_any(&dir.join("replica.json"))?.unwrap_or_default())
    }

    /// The node that leads a group in a cluster, if it lives and a majority with it.
    pub(crate) fn leader(&self, cluster: &str, number: u32) -> Result<Option<String>, LabError> {
        let alive: Vec<_> = self.config.node_ids().filter(|node| self.is_up(cluster, node)).collect();
        if alive.len() * 2 <= self.config.replicas as usize {
            return Ok(None);
        }
        for node in alive {
            if self.standing(cluster, &node, number)?.role == Role::Leader {
                return Ok(Some(node));
            }
        }
        Ok(None)
    }

    /// What a client can read of a group: index and hash of each sound entry of the leader's log.
    pub(crate) fn leader_log(&self, cluster: &str, number: u32) -> Result<BTreeMap<u64, String>, LabError> {
        match self.leader(cluster, number)? {
            Some(node) => self.log(cluster, &node, number),
            None => Ok(BTreeMap::new()),
        }
    }

    pub(crate) fn log(&self, cluster: &str, node: &str, number: u32) -> Result<BTreeMap<u64, String>, LabError> {
        let path = self.layout.replica(cluster, node, &partition_id(number)).join("wal.bin");
        let bytes = std::fs::read(&path).map_err(|source| LabError::file(&path, source))?;
        let sound = frame::Frames::new(&bytes).map_while(Result::ok);
        Ok(sound.map(|found| (found.frame.index, hash_text(found.frame.payload))).collect())
    }

    /// Index of the last whole frame, found by the headers alone: what is in them is the losses' business.
    pub(crate) fn last_index(&self, cluster: &str, node: &str, number: u32) -> Result<u64, LabError> {
        let path = self.layout.replica(cluster, node, &partition_id(number)).join("wal.bin");
        let bytes = std::fs::read(&path).map_err(|source| LabError::file(&path, source))?;
        let (mut rest, mut last) = (bytes.as_slice(), 0);
        while let Some(header) = frame::Header::read(rest) {
            let after = usize::try_from(header.frame_len()).ok().and_then(|len| rest.get(len..));
            let Some(after) = after else { break };
            (rest, last) = (after, header.index);
        }
        Ok(last)
    }

    /// Whether a majority of a cluster's replicas serves a group under `epoch` and is level with what its leader committed.
    pub(crate) fn is_ready(&self, cluster: &str, epoch: u64, number: u32) -> Result<bool, LabError> {
        let Some(leader) = self.leader(cluster, number)? else {
            return Ok(false);
        };
        let dir = self.layout.replica(cluster, &leader, &partition_id(number));
        // The leader's promise first: followers may be ahead of it, never behind.
        let raft: RaftState = read_json_if_any(&dir.join("raft_state.json"))?.unwrap_or_default();
        let mut level = 0;
        for node in self.config.node_ids().filter(|node| self.is_up(cluster, node)) {
            let last = self.last_index(cluster, &node, number)?;
            let standing = self.standing(cluster, &node, number)?;
            if standing.role != Role::Standby && standing.epoch == epoch && last >= raft.commit_index {
                level += 1;
            }
        }
        Ok(level * 2 > self.config.replicas as usize)
    }
}
