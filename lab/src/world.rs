//! The parts of a running lab, which of them are down, and the scenario's course.
//!
//! Locks are taken in this order: control plane, group, parts, ledger; the ingress takes its own
//! before any of these. Start at [`World::open`].

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use ceptra_flow_formats::shipment::Range;
use serde::{Deserialize, Serialize};

use crate::LabError;
use crate::config::{DR, FIRST_EPOCH, LabConfig, PRIMARY, Scenario, member_name};
use crate::control_plane::ControlPlane;
use crate::disk::{read_json_if_any, write_json};
use crate::group::{Appended, Group, Refusal, node_name};
use crate::ingress::Ingress;
use crate::layout::Layout;
use crate::ledger::{Fact, Ledger, now_text};
use crate::node::Node;
use crate::objects;

/// How far the scenario has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Everything is well.
    #[default]
    Healthy,
    /// The fault has struck.
    Struck,
    /// Part of what was lost came back.
    Returned,
}

impl Phase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Struck => "struck",
            Self::Returned => "returned",
        }
    }
}

/// `scenario.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Course {
    pub(crate) phase: Phase,
    pub(crate) down: BTreeSet<String>,
}

/// One region's deployment.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) id: &'static str,
    pub(crate) region: &'static str,
    pub(crate) control_plane: ControlPlane,
    pub(crate) nodes: Vec<Node>,
    groups: Vec<Mutex<Group>>,
}

impl Cluster {
    fn open(layout: &Layout, config: &LabConfig, id: &'static str, region: &'static str) -> Result<Self, LabError> {
        let groups =
            (0..config.groups).map(|number| Group::open(layout, config, id, number, FIRST_EPOCH).map(Mutex::new));
        Ok(Self {
            id,
            region,
            control_plane: ControlPlane::open(layout, config, id)?,
            nodes: config
                .node_ids()
                .map(|node| Node::open(layout, id, &node, config.fsync))
                .collect::<Result<_, _>>()?,
            groups: groups.collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn group(&self, number: usize) -> MutexGuard<'_, Group> {
        self.groups[number].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn group_count(&self) -> usize {
        self.groups.len()
    }

    pub(crate) fn node_part(&self, node: usize) -> String {
        format!("{}.{}", self.id, node_name(node))
    }

    pub(crate) fn control_plane_part(&self) -> String {
        format!("{}.control-plane", self.id)
    }
}

/// What the clients count, for whoever waits for a round of theirs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) writer_rounds: u64,
    pub(crate) acknowledged: u64,
    pub(crate) failing: u64,
    pub(crate) zombie_rounds: u64,
    pub(crate) zombie_accepted: u64,
    pub(crate) zombie_rejected: u64,
    /// Somebody waits: clients go on without pausing.
    pub(crate) hurry: u32,
    /// The clients are gone: nobody need wait for them.
    pub(crate) ended: bool,
}

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) layout: Layout,
    pub(crate) config: LabConfig,
    pub(crate) clusters: [Cluster; 2],
    pub(crate) ingress: Ingress,
    pub(crate) ledger: Ledger,
    course: RwLock<Course>,
    counts: Mutex<Counts>,
    counted: Condvar,
}

impl World {
    /// Opens a lab's files and brings what a kill left half done to its end.
    pub(crate) fn open(layout: Layout, config: LabConfig) -> Result<Self, LabError> {
        let clusters =
            [Cluster::open(&layout, &config, PRIMARY, "region-a")?, Cluster::open(&layout, &config, DR, "region-b")?];
        let world = Self {
            clusters,
            ingress: Ingress::open(&layout, config.fsync)?,
            ledger: Ledger::open(&layout.world_ledger(), config.fsync)?,
            course: RwLock::new(read_json_if_any(&layout.scenario())?.unwrap_or_default()),
            counts: Mutex::new(Counts::default()),
            counted: Condvar::new(),
            layout,
            config,
        };
        let facts = Ledger::read(&world.layout.world_ledger())?;
        let last_epoch = facts.iter().filter_map(Fact::epoch_advanced).max();
        for (number, cluster) in world.clusters.iter().enumerate() {
            if world.is_up(&cluster.control_plane_part()) {
                let last_epoch = last_epoch.unwrap_or_default();
                cluster.control_plane.finish_what_was_begun(&world, number, last_epoch)?;
            }
        }
        if world.phase() != Phase::Healthy && !facts.iter().any(|fact| fact.is_phase(Phase::Struck.name())) {
            world.finish_striking()?;
        }
        world.return_if_due()?;
        Ok(world)
    }

    pub(crate) fn cluster_by_id(&self, id: &str) -> Option<usize> {
        self.clusters.iter().position(|cluster| cluster.id == id)
    }

    /// The number in `pg-N` or `p-N`, if the lab has that group.
    pub(crate) fn group_number(&self, id: &str) -> Option<usize> {
        let digits = id.strip_prefix("pg-").or_else(|| id.strip_prefix("p-"))?;
        let number = digits.parse::<u32>().ok().filter(|number| number.to_string() == digits)?;
        (number < self.config.groups).then(|| usize::try_from(number).ok()).flatten()
    }

    pub(crate) fn course(&self) -> Course {
        self.course.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.course.read().unwrap_or_else(PoisonError::into_inner).phase
    }

    pub(crate) fn is_up(&self, part: &str) -> bool {
        !self.course.read().unwrap_or_else(PoisonError::into_inner).down.contains(part)
    }

    pub(crate) fn node_is_up(&self, cluster: usize, node: usize) -> bool {
        self.is_up(&self.clusters[cluster].node_part(node))
    }

    fn set_course(&self, course: Course) -> Result<(), LabError> {
        let mut current = self.course.write().unwrap_or_else(PoisonError::into_inner);
        write_json(&self.layout.scenario(), &course, self.config.fsync)?;
        *current = course;
        Ok(())
    }

    /// A client's append at a node's data port.
    pub(crate) fn append(
        &self,
        cluster: usize,
        node: usize,
        group: usize,
        epoch: u64,
        payload: &[u8],
    ) -> Result<Result<Appended, Refusal>, LabError> {
        let mut replicas = self.clusters[cluster].group(group);
        // Held to the end: a fault strikes before this append or after it, never in its middle.
        let course = self.course.read().unwrap_or_else(PoisonError::into_inner);
        let live = |node| !course.down.contains(&self.clusters[cluster].node_part(node));
        if !live(node) {
            return Ok(Err(Refusal::NoQuorum));
        }
        let appended = match replicas.append(node, epoch, payload, &live)? {
            Ok(appended) => appended,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if self.config.rpo_ms == 0 && course.phase == Phase::Healthy {
            replicas.ship()?;
        }
        self.ledger.record(&Fact::Accepted {
            at: now_text(),
            cluster: self.clusters[cluster].id.to_owned(),
            node: node_name(node),
            group: replicas.group_id.clone(),
            epoch,
            from: appended.index,
            hashes: vec![appended.hash.clone()],
        })?;
        Ok(Ok(appended))
    }

    /// Uploads what the primary acknowledged meanwhile, where shipping is not part of acknowledging.
    pub(crate) fn ship_all(&self) -> Result<(), LabError> {
        for number in 0..self.clusters[0].group_count() {
            let mut group = self.clusters[0].group(number);
            if self.phase() == Phase::Healthy {
                group.ship()?;
            }
        }
        Ok(())
    }

    /// Lets the scenario's fault strike, if it has one and has not struck yet.
    pub(crate) fn strike(&self) -> Result<(), LabError> {
        let mut course = self.course();
        if course.phase != Phase::Healthy {
            return Ok(());
        }
        match self.config.scenario {
            Scenario::Fresh | Scenario::PvcLoss | Scenario::CpQuorumLoss | Scenario::WalCorruption => Ok(()),
            Scenario::RegionLoss => {
                let lost = &self.clusters[0];
                course.phase = Phase::Struck;
                course.down.insert(lost.control_plane_part());
                course.down.extend((0..lost.nodes.len()).map(|node| lost.node_part(node)));
                // The surviving control plane keeps a bare majority.
                course.down.insert(member_name(DR, 1));
                self.set_course(course)?;
                self.finish_striking()
            }
        }
    }

    /// What follows from the parts being down; done again when a kill came in between.
    fn finish_striking(&self) -> Result<(), LabError> {
        self.plant_bad_copies()?;
        self.ledger.record(&Fact::Phase { at: now_text(), phase: Phase::Struck.name().to_owned() })
    }

    /// Beside good shipments, newer ones that are not: one changed, one old.
    fn plant_bad_copies(&self) -> Result<(), LabError> {
        let count = self.clusters[0].group_count();
        let store = self.layout.objects();
        // Taking each lock also waits for appends that had begun before the fault.
        for number in 0..count {
            let group = self.clusters[0].group(number);
            let held = self.clusters[1].group(number).replica(0).last_index();
            let Some(shipper) = group.shipper() else {
                continue;
            };
            let baseline = shipper.baseline();
            let pending: Vec<&Range> = baseline.ranges.iter().filter(|range| range.from > held).collect();
            if number == 1 % count
                && let Some(range) = pending.first()
            {
                objects::plant_damaged(&store, baseline, range)?;
            }
            if number == 2 % count
                && let Some(range) = pending.last()
            {
                objects::plant_stale(&store, baseline, range)?;
            }
        }
        Ok(())
    }

    /// The cut heals in part once the recovery is past its middle: a majority of the old nodes is back.
    pub(crate) fn return_if_due(&self) -> Result<(), LabError> {
        let mut course = self.course();
        let moved = self.clusters[1].control_plane.epoch() > FIRST_EPOCH || self.ingress.left(PRIMARY);
        if self.config.scenario != Scenario::RegionLoss || course.phase != Phase::Struck || !moved {
            return Ok(());
        }
        // While this is held no fence is set: what comes back has heard of all there are.
        let survivor = self.clusters[1].control_plane.hold();
        let lost = &self.clusters[0];
        let back = lost.nodes.len() / 2 + 1;
        for number in 0..lost.group_count() {
            let mut group = lost.group(number);
            if let Some(fence) = survivor.fence_of(&group.group_id) {
                for node in 0..back {
                    group.fence(node, fence)?;
                }
            }
            group.lead(FIRST_EPOCH, None, &|node| node < back)?;
        }
        course.phase = Phase::Returned;
        for node in 0..back {
            course.down.remove(&lost.node_part(node));
        }
        self.ledger.record(&Fact::Phase { at: now_text(), phase: Phase::Returned.name().to_owned() })?;
        self.set_course(course)
    }

    pub(crate) fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the counts and wakes who waits for them.
    pub(crate) fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        self.counted.notify_all();
    }

    /// Waits until both clients have finished a round that began after this was asked.
    pub(crate) fn quiesce(&self, timeout: Duration) -> bool {
        let now = self.counts();
        // The round under way began before: the next one counts.
        let (writer, zombie) = (now.writer_rounds + 2, now.zombie_rounds + 2);
        self.wait_for(timeout, |counts| counts.writer_rounds >= writer && counts.zombie_rounds >= zombie)
    }

    /// Waits until the clients have got as far as is asked, without pausing.
    pub(crate) fn wait_for(&self, timeout: Duration, reached: impl Fn(&Counts) -> bool) -> bool {
        let deadline = Instant::now() + timeout;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.hurry += 1;
        let settled = loop {
            if reached(&counts) {
                break true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || counts.ended {
                break false;
            }
            counts = self.counted.wait_timeout(counts, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        counts.hurry -= 1;
        settled
    }
}
