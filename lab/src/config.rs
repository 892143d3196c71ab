//! What a lab is made of: its sizes, its scenario, and the names of every fault.
//!
//! Faults that the lab does not know how to cause yet have their names here all the same, so that
//! asking for one is answered plainly. Start at [`LabConfig`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Id of the cluster that serves at first.
pub const PRIMARY: &str = "cluster-a";
/// Id of the cluster that takes over.
pub const DR: &str = "cluster-b";
/// Epoch of a new lab's primary.
pub const FIRST_EPOCH: u64 = 7;
/// Voters a control plane needs to serve.
pub(crate) const CP_QUORUM: usize = 3;
/// Members of a control plane: voters and standbys.
pub(crate) const CP_MEMBERS: u64 = 5;
/// The ingress routes of every lab.
pub const ROUTES: [&str; 2] = ["dns:ingest.lab.ceptra.test", "lb:edge-1"];
/// Who may change things through the admin ports.
pub const OPERATOR: &str = "spiffe://lab.ceptra.test/operator/ceptra-flow";

/// A lab can be asked for at most this many groups: each holds open files.
const GROUPS_MAX: u32 = 10_000;
/// More nodes than this tell nothing new.
const REPLICAS_MAX: u32 = 9;
/// Enough for a 16 GiB log per replica.
const WAL_BYTES_MAX: u64 = 1 << 34;

/// Sizes and scenario of a lab, fixed when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LabConfig {
    /// Partition groups, `pg-0` and up.
    pub groups: u32,
    /// Nodes per region; each holds a replica of every group.
    pub replicas: u32,
    /// Bytes of history in each replica's log when the lab is made.
    pub wal_bytes: u64,
    /// Same seed, same history and faults.
    pub seed: u64,
    /// What has gone wrong by the time the lab is ready.
    pub scenario: Scenario,
    /// How far, in milliseconds, shipments may lag behind acknowledgements; also what the judge
    /// lets pass as lost. 0 ships before acknowledging.
    pub rpo_ms: u64,
    /// Whether logs and ledgers are synced to the disk. Surviving a kill needs no sync, a power cut does.
    pub fsync: bool,
    /// Pause between a client's batches of requests, in milliseconds.
    pub client_pause_ms: u64,
}

impl Default for LabConfig {
    fn default() -> Self {
        Self {
            groups: 4,
            replicas: 3,
            wal_bytes: 32 << 10,
            seed: 1,
            scenario: Scenario::Fresh,
            rpo_ms: 0,
            fsync: true,
            client_pause_ms: 100,
        }
    }
}

impl LabConfig {
    /// Says which size is out of bounds, or that the scenario can't be staged yet.
    pub fn check(&self) -> Result<(), String> {
        if self.groups == 0 || self.groups > GROUPS_MAX {
            return Err(format!("a lab has 1 to {GROUPS_MAX} groups, not {}", self.groups));
        }
        if self.replicas == 0 || self.replicas > REPLICAS_MAX {
            return Err(format!("a lab has 1 to {REPLICAS_MAX} replicas, not {}", self.replicas));
        }
        if self.wal_bytes > WAL_BYTES_MAX {
            return Err(format!("a log holds at most {WAL_BYTES_MAX} bytes, not {}", self.wal_bytes));
        }
        match self.scenario {
            Scenario::Fresh | Scenario::RegionLoss => Ok(()),
            Scenario::PvcLoss | Scenario::CpQuorumLoss | Scenario::WalCorruption => {
                Err(format!("scenario `{}` is not available yet", self.scenario))
            }
        }
    }

    /// `pg-0`, `pg-1`, …
    pub fn group_ids(&self) -> impl Iterator<Item = String> + use<> {
        (0..self.groups).map(group_id)
    }

    /// `node-0`, `node-1`, …
    pub fn node_ids(&self) -> impl Iterator<Item = String> + use<> {
        (0..self.replicas).map(|node| format!("node-{node}"))
    }
}

pub(crate) fn group_id(number: u32) -> String {
    format!("pg-{number}")
}

pub(crate) fn partition_id(number: u32) -> String {
    format!("p-{number}")
}

/// `cp-a-3` of `cluster-a`.
pub(crate) fn member_name(cluster: &str, ordinal: u64) -> String {
    let letter = cluster.rsplit('-').next().unwrap_or(cluster);
    format!("cp-{letter}-{ordinal}")
}

/// The five recoveries' starting points, and the quiet one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Nothing is wrong.
    Fresh,
    /// Volumes of some replicas are gone.
    PvcLoss,
    /// The control plane has lost its majority.
    CpQuorumLoss,
    /// Logs are damaged.
    WalCorruption,
    /// The primary region is gone.
    RegionLoss,
}

impl Scenario {
    const NAMES: [(&'static str, Self); 5] = [
        ("fresh", Self::Fresh),
        ("pvc-loss", Self::PvcLoss),
        ("cp-quorum-loss", Self::CpQuorumLoss),
        ("wal-corruption", Self::WalCorruption),
        ("region-loss", Self::RegionLoss),
    ];
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, scenario)| scenario == self);
        f.write_str(name.expect("every scenario has a name").0)
    }
}

impl FromStr for Scenario {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let known = Self::NAMES.iter().find(|(name, _)| *name == text);
        known.map(|(_, scenario)| *scenario).ok_or_else(|| UnknownFault::of(text))
    }
}

/// Something that can be made to go wrong, before or during a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// To what, or in which way: the text after a colon, as in `wal-corruption:flip_payload_mid`.
    pub detail: Option<String>,
}

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// One of the scenarios, brought about in a running lab.
    Scenario(Scenario),
    /// A node dies.
    NodeDies,
    /// A node stops for a while and goes on.
    NodePauses,
    /// A node comes back with the data it had long ago.
    NodeReturns,
    /// A voter of a control plane dies.
    VoterDies,
    /// A voter stops for a while.
    VoterPauses,
    /// A disk has no room left.
    DiskFull,
    /// No packet passes between two parts.
    NetworkCut,
    /// Packets between two parts take long.
    NetworkSlow,
    /// The object store fails now and then.
    StoreFlaky,
    /// A newer copy of a shipment is damaged.
    ShipmentDamaged,
    /// A newer copy of a shipment is an old one.
    ShipmentStale,
    /// An operation is accepted and not carried out.
    OperationDropped,
    /// An operation is carried out and its reply lost.
    ReplyLost,
    /// An operation is carried out late.
    OperationLate,
}

impl FaultKind {
    const NAMES: [(&'static str, Self); 14] = [
        ("node-dies", Self::NodeDies),
        ("node-pauses", Self::NodePauses),
        ("node-returns", Self::NodeReturns),
        ("voter-dies", Self::VoterDies),
        ("voter-pauses", Self::VoterPauses),
        ("disk-full", Self::DiskFull),
        ("network-cut", Self::NetworkCut),
        ("network-slow", Self::NetworkSlow),
        ("store-flaky", Self::StoreFlaky),
        ("shipment-damaged", Self::ShipmentDamaged),
        ("shipment-stale", Self::ShipmentStale),
        ("operation-dropped", Self::OperationDropped),
        ("reply-lost", Self::ReplyLost),
        ("operation-late", Self::OperationLate),
    ];
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            FaultKind::Scenario(scenario) => write!(f, "{scenario}")?,
            kind => {
                let name = FaultKind::NAMES.iter().find(|(_, known)| *known == kind);
                f.write_str(name.expect("every kind has a name").0)?;
            }
        }
        self.detail.as_ref().map_or(Ok(()), |detail| write!(f, ":{detail}"))
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let (name, detail) = match text.split_once(':') {
            Some((name, detail)) => (name, Some(detail.to_owned())),
            None => (text, None),
        };
        let kind = FaultKind::NAMES.iter().find(|(known, _)| *known == name);
        let kind = match kind {
            Some((_, kind)) => *kind,
            None => FaultKind::Scenario(name.parse()?),
        };
        Ok(Self { kind, detail })
    }
}

/// A word that names no fault and no scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no fault `{given}`; the lab knows {known}")]
pub struct UnknownFault {
    given: String,
    known: String,
}

impl UnknownFault {
    fn of(given: &str) -> Self {
        let scenarios = Scenario::NAMES.iter().map(|(name, _)| *name);
        let known: Vec<_> = scenarios.chain(FaultKind::NAMES.iter().map(|(name, _)| *name)).collect();
        Self { given: given.to_owned(), known: known.join(", ") }
    }
}

/// When an injected fault strikes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// At once.
    Now,
    /// When a run has finished the step of this name.
    AfterStep(String),
    /// So many milliseconds after the lab was ready.
    At(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_read_as_it_is_written() {
        let names = Scenario::NAMES.map(|(name, _)| name).into_iter();
        for name in names.chain(FaultKind::NAMES.map(|(name, _)| name)) {
            assert_eq!(name.parse::<Fault>().unwrap().to_string(), name);
        }
        let detailed = "wal-corruption:flip_payload_mid".parse::<Fault>().unwrap();
        assert_eq!(detailed.to_string(), "wal-corruption:flip_payload_mid");
        let error = "flood".parse::<Fault>().unwrap_err().to_string();
        assert!(error.starts_with("there is no fault `flood`; the lab knows fresh, pvc-loss"), "{error}");
    }

    #[test]
    fn sizes_are_bounded() {
        assert_eq!(LabConfig::default().check(), Ok(()));
        assert!(LabConfig { groups: 0, ..LabConfig::default() }.check().is_err());
        assert!(LabConfig { scenario: Scenario::PvcLoss, ..LabConfig::default() }.check().is_err());
    }
}
