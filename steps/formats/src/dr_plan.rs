//! The disaster-recovery plan: reading it, the rules it must satisfy, and the report of a cutover.
//!
//! Strict: every problem of a file is named with its field, in one go. The rules come in the order of
//! `dr_cutover`, whose report's bytes are matched exactly. Start at [`DrPlan::parse`], then
//! [`DrPlan::validate`] and [`DrPlan::report`].

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::json::{Node, Problem, Problems, Reader};

/// A plan; fields in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrPlan {
    /// Cluster that was lost.
    pub primary_cluster: String,
    /// Cluster that takes over.
    pub dr_cluster: String,
    /// Groups that are fenced.
    pub partition_groups: Vec<PartitionGroup>,
    /// What was brought over.
    pub wal_shipments: Vec<WalShipment>,
    /// How clients get there.
    pub ingress_routes: Vec<String>,
    /// Epoch of the lost cluster.
    pub source_epoch: u64,
    /// Epoch after the cutover.
    pub target_epoch: u64,
}

/// A group and whether it was frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionGroup {
    /// The group.
    pub group_id: String,
    /// Whether `FreezePartitionGroup` took effect.
    pub freeze_issued: bool,
}

/// A group's log as it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalShipment {
    /// The group.
    pub group_id: String,
    /// Whether checksums matched the baseline.
    pub verified: bool,
    /// Last entry that was applied.
    pub last_applied_offset: u64,
}

/// What a cutover did; fields in the order of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutoverReport {
    /// Cluster that was lost.
    pub primary_cluster: String,
    /// Cluster that took over.
    pub dr_cluster: String,
    /// Groups that are fenced, in the plan's order.
    pub fenced_groups: Vec<String>,
    /// Groups whose shipments were verified, in the plan's order.
    pub verified_shipments: Vec<String>,
    /// Routes that were declared.
    pub ingress_rerouted: Vec<String>,
    /// Epoch that everybody agrees on now.
    pub reconciled_epoch: u64,
}

/// Why a plan must not be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A group could still be written to.
    #[error("partition group {0} must be frozen via FreezePartitionGroup")]
    NotFrozen(String),
    /// A group's entries are not known to be there.
    #[error("missing verified WAL shipment for {0}")]
    MissingShipment(String),
    /// Clients would have nowhere to go.
    #[error("no ingress routes provided for disaster recovery plan")]
    NoRoutes,
    /// The target is older than the source.
    #[error("target epoch {target} cannot be behind source {source_epoch}")]
    EpochBehind {
        /// Epoch after.
        target: u64,
        /// Epoch before.
        source_epoch: u64,
    },
    /// The target is the source: nothing would be fenced.
    #[error("target epoch {target} must advance past source {source_epoch}")]
    EpochKept {
        /// Epoch after.
        target: u64,
        /// Epoch before.
        source_epoch: u64,
    },
    /// Beyond `dr_cutover`'s own rules: names the fields.
    #[error("{0}")]
    Fields(Problems),
}

impl DrPlan {
    /// Reads a plan; every problem names its field. Also gives fields that nobody reads.
    pub fn parse(bytes: &[u8]) -> Result<(Self, Vec<Problem>), Problems> {
        let mut reader = Reader::default();
        let plan = match Node::parse(bytes) {
            Ok(node) => read(&mut reader, &node),
            Err(error) => {
                reader.refuse("(document)", format!("is not JSON: {error}"));
                None
            }
        };
        reader.finish(plan)
    }

    /// Reads a plan as the released `dr_cutover` does: whatever its types accept, lists for objects included.
    pub fn parse_as_released(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The rules of the released `dr_cutover`, which lets equal epochs pass.
    pub fn validate_as_released(&self) -> Result<(), Refusal> {
        match self.refused_by_dr_cutover() {
            None | Some(Refusal::EpochKept { .. }) => Ok(()),
            Some(refusal) => Err(refusal),
        }
    }

    /// The plan's file: 2-space JSON and a newline.
    pub fn render(&self) -> String {
        pretty(self)
    }

    /// Every rule, `dr_cutover`'s four first and in its order.
    pub fn validate(&self) -> Result<(), Refusal> {
        if let Some(refusal) = self.refused_by_dr_cutover() {
            return Err(refusal);
        }
        let problems = self.odd_fields();
        if problems.is_empty() { Ok(()) } else { Err(Refusal::Fields(Problems(problems))) }
    }

    /// The first of the four rules that is broken.
    fn refused_by_dr_cutover(&self) -> Option<Refusal> {
        if let Some(group) = self.partition_groups.iter().find(|group| !group.freeze_issued) {
            return Some(Refusal::NotFrozen(group.group_id.clone()));
        }
        let shipped =
            |group: &str| self.wal_shipments.iter().any(|shipment| shipment.group_id == group && shipment.verified);
        if let Some(group) = self.partition_groups.iter().find(|group| !shipped(&group.group_id)) {
            return Some(Refusal::MissingShipment(group.group_id.clone()));
        }
        if self.ingress_routes.is_empty() {
            return Some(Refusal::NoRoutes);
        }
        let (target, source_epoch) = (self.target_epoch, self.source_epoch);
        match target.cmp(&source_epoch) {
            Ordering::Less => Some(Refusal::EpochBehind { target, source_epoch }),
            Ordering::Equal => Some(Refusal::EpochKept { target, source_epoch }),
            Ordering::Greater => None,
        }
    }

    /// The line that `validate` prints, without newline.
    pub fn summary(&self) -> String {
        format!("plan {} -> {} reconciles to epoch {}", self.primary_cluster, self.dr_cluster, self.target_epoch)
    }

    /// What `run` prints for this plan.
    pub fn report(&self) -> CutoverReport {
        let verified = self.wal_shipments.iter().filter(|shipment| shipment.verified);
        CutoverReport {
            primary_cluster: self.primary_cluster.clone(),
            dr_cluster: self.dr_cluster.clone(),
            fenced_groups: self.partition_groups.iter().map(|group| group.group_id.clone()).collect(),
            verified_shipments: verified.map(|shipment| shipment.group_id.clone()).collect(),
            ingress_rerouted: self.ingress_routes.clone(),
            reconciled_epoch: self.target_epoch,
        }
    }

    /// What `dr_cutover` let pass and nobody can have meant.
    fn odd_fields(&self) -> Vec<Problem> {
        let mut reader = Reader::default();
        for (field, text) in [("primary_cluster", &self.primary_cluster), ("dr_cluster", &self.dr_cluster)] {
            if text.trim().is_empty() {
                reader.refuse(field, "must not be empty");
            }
        }
        if self.primary_cluster == self.dr_cluster {
            reader.refuse("dr_cluster", format!("is `{}`, the primary cluster itself", self.dr_cluster));
        }
        if self.partition_groups.is_empty() {
            reader.refuse("partition_groups", "names no group: nothing would be recovered");
        }
        let groups: Vec<&str> = self.partition_groups.iter().map(|group| group.group_id.as_str()).collect();
        let shipments: Vec<&str> = self.wal_shipments.iter().map(|shipment| shipment.group_id.as_str()).collect();
        let routes: Vec<&str> = self.ingress_routes.iter().map(String::as_str).collect();
        refuse_blank_and_twice(&mut reader, "partition_groups", ".group_id", &groups);
        refuse_blank_and_twice(&mut reader, "wal_shipments", ".group_id", &shipments);
        refuse_blank_and_twice(&mut reader, "ingress_routes", "", &routes);
        for (at, shipment) in shipments.iter().enumerate() {
            if !groups.contains(shipment) {
                reader.refuse(
                    format!("wal_shipments[{at}].group_id"),
                    format!("`{shipment}` is not among partition_groups"),
                );
            }
        }
        reader.problems
    }
}

impl CutoverReport {
    /// Exactly the bytes that `dr_cutover run` prints: 2-space JSON and a newline.
    pub fn render(&self) -> String {
        pretty(self)
    }
}

fn refuse_blank_and_twice(reader: &mut Reader, list: &str, suffix: &str, items: &[&str]) {
    for (at, item) in items.iter().enumerate() {
        if item.trim().is_empty() {
            reader.refuse(format!("{list}[{at}]{suffix}"), "must not be empty");
        } else if items[..at].contains(item) {
            reader.refuse(format!("{list}[{at}]{suffix}"), format!("`{item}` is there twice"));
        }
    }
}

fn pretty(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("plain data is always JSON");
    text.push('\n');
    text
}

fn read(reader: &mut Reader, node: &Node) -> Option<DrPlan> {
    const FIELDS: [&str; 7] = [
        "primary_cluster",
        "dr_cluster",
        "partition_groups",
        "wal_shipments",
        "ingress_routes",
        "source_epoch",
        "target_epoch",
    ];
    let fields = reader.object("", node, &FIELDS)?;
    let primary_cluster = reader.text("", fields, "primary_cluster");
    let dr_cluster = reader.text("", fields, "dr_cluster");
    let groups = reader.list("", fields, "partition_groups").map(|items| {
        let placed = items.iter().enumerate();
        placed.filter_map(|(at, item)| read_group(reader, &format!("partition_groups[{at}]"), item)).collect()
    });
    let shipments = reader.list("", fields, "wal_shipments").map(|items| {
        let placed = items.iter().enumerate();
        placed.filter_map(|(at, item)| read_shipment(reader, &format!("wal_shipments[{at}]"), item)).collect()
    });
    let routes = reader.list("", fields, "ingress_routes").map(|items| {
        let placed = items.iter().enumerate();
        placed.filter_map(|(at, item)| reader.as_text(&format!("ingress_routes[{at}]"), item)).collect()
    });
    let source_epoch = reader.number("", fields, "source_epoch");
    let target_epoch = reader.number("", fields, "target_epoch");
    Some(DrPlan {
        primary_cluster: primary_cluster?,
        dr_cluster: dr_cluster?,
        partition_groups: groups?,
        wal_shipments: shipments?,
        ingress_routes: routes?,
        source_epoch: source_epoch?,
        target_epoch: target_epoch?,
    })
}

fn read_group(reader: &mut Reader, path: &str, node: &Node) -> Option<PartitionGroup> {
    let fields = reader.object(path, node, &["group_id", "freeze_issued"])?;
    let group_id = reader.text(path, fields, "group_id");
    let freeze_issued = reader.boolean(path, fields, "freeze_issued");
    Some(PartitionGroup { group_id: group_id?, freeze_issued: freeze_issued? })
}

fn read_shipment(reader: &mut Reader, path: &str, node: &Node) -> Option<WalShipment> {
    let fields = reader.object(path, node, &["group_id", "verified", "last_applied_offset"])?;
    let group_id = reader.text(path, fields, "group_id");
    let verified = reader.boolean(path, fields, "verified");
    let last_applied_offset = reader.number(path, fields, "last_applied_offset");
    Some(WalShipment { group_id: group_id?, verified: verified?, last_applied_offset: last_applied_offset? })
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    fn plan() -> DrPlan {
        let group = |id: &str| PartitionGroup { group_id: id.into(), freeze_issued: true };
        let shipment = |id: &str, at| WalShipment { group_id: id.into(), verified: true, last_applied_offset: at };
        DrPlan {
            primary_cluster: "cluster-a".into(),
            dr_cluster: "cluster-b".into(),
            partition_groups: alloc::vec![group("pg-1"), group("pg-2")],
            wal_shipments: alloc::vec![shipment("pg-2", 200), shipment("pg-1", u64::MAX)],
            ingress_routes: alloc::vec!["dns:ingest.example.com".into()],
            source_epoch: u64::MAX - 1,
            target_epoch: u64::MAX,
        }
    }

    #[test]
    fn the_report_has_the_recorded_bytes() {
        let plan = plan();
        assert_eq!(plan.validate(), Ok(()));
        assert_eq!(plan.summary(), "plan cluster-a -> cluster-b reconciles to epoch 18446744073709551615");
        assert_eq!(
            plan.report().render(),
            "{\n  \"primary_cluster\": \"cluster-a\",\n  \"dr_cluster\": \"cluster-b\",\n  \"fenced_groups\": [\n    \"pg-1\",\n    \"pg-2\"\n  ],\n  \
             \"verified_shipments\": [\n    \"pg-2\",\n    \"pg-1\"\n  ],\n  \"ingress_rerouted\": [\n    \"dns:ingest.example.com\"\n  ],\n  \
             \"reconciled_epoch\": 18446744073709551615\n}\n"
        );
        assert_eq!(DrPlan::parse(plan.render().as_bytes()).unwrap(), (plan, Vec::new()));
    }

    #[test]
    fn refusals_come_in_the_order_of_dr_cutover() {
        let check = |change: fn(&mut DrPlan), wanted: &str| {
            let mut plan = plan();
            change(&mut plan);
            assert_eq!(plan.validate().unwrap_err().to_string(), wanted);
        };
        check(
            |plan| {
                plan.partition_groups[1].freeze_issued = false;
                plan.ingress_routes.clear();
            },
            "partition group pg-2 must be frozen via FreezePartitionGroup",
        );
        check(|plan| plan.wal_shipments[0].verified = false, "missing verified WAL shipment for pg-2");
        check(|plan| plan.ingress_routes.clear(), "no ingress routes provided for disaster recovery plan");
        check(|plan| plan.target_epoch = 3, "target epoch 3 cannot be behind source 18446744073709551614");
        check(
            |plan| plan.target_epoch = u64::MAX - 1,
            "target epoch 18446744073709551614 must advance past source 18446744073709551614",
        );
    }

    #[test]
    fn strict_mode_refuses_what_nobody_can_mean_and_names_the_field() {
        let check = |change: fn(&mut DrPlan), wanted: &str| {
            let mut plan = plan();
            change(&mut plan);
            assert_eq!(plan.validate().unwrap_err().to_string(), wanted);
        };
        check(|plan| plan.dr_cluster = "cluster-a".into(), "`dr_cluster` is `cluster-a`, the primary cluster itself");
        check(
            |plan| {
                plan.partition_groups.clear();
                plan.wal_shipments.clear();
            },
            "`partition_groups` names no group: nothing would be recovered",
        );
        check(
            |plan| plan.partition_groups[1].group_id = "pg-1".into(),
            "`partition_groups[1].group_id` `pg-1` is there twice; `wal_shipments[0].group_id` `pg-2` is not among partition_groups",
        );
        check(|plan| plan.ingress_routes.push(" ".into()), "`ingress_routes[1]` must not be empty");
    }

    #[test]
    fn a_bad_file_names_every_field_that_is_wrong() {
        let text = r#"{"primary_cluster":7,"dr_cluster":"","partition_groups":[{"group_id":"a"}],"wal_shipments":{},
            "ingress_routes":[1],"source_epoch":1.5,"target_epoch":8,"target_epoch":9,"operator":"alice"}"#;
        assert_eq!(
            DrPlan::parse(text.as_bytes()).unwrap_err().to_string(),
            "`target_epoch` is written twice; `primary_cluster` must be a string, not a number; `dr_cluster` must not be empty; \
             `partition_groups[0].freeze_issued` is missing; `wal_shipments` must be a list, not an object; `ingress_routes[0]` must be a string, \
             not a number; `source_epoch` must be a whole number from 0 to 18446744073709551615, not 1.5"
        );
        let unknown = plan().render().replace("{\n  \"primary", "{\n  \"operator\": null,\n  \"primary");
        let (_, warnings) = DrPlan::parse(unknown.as_bytes()).unwrap();
        assert_eq!(warnings[0].to_string(), "`operator` is not a known field");
        for text in ["", "nope", "[]", "\"x\"", "{} {}"] {
            assert!(DrPlan::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
