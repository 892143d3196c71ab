//! Who votes, who learns, who holds which partition; and who takes over when a pod stops.
//!
//! The rules are `bootstrapper`'s; unlike it, this refuses a specification that can't work. Start at
//! [`Spec::parse`], then [`plan`] or [`pre_stop`].

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::json::{Node, Problem, Problems, Reader, join};

/// What is to be bootstrapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Number of control-plane voters.
    pub cp_quorum: usize,
    /// Partitions to hand out.
    pub partitions: Vec<String>,
    /// Pods that there are.
    pub pods: Vec<Pod>,
}

/// One pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its place in the StatefulSet.
    pub ordinal: u64,
    /// Whether it may vote.
    pub ready: bool,
}

/// The election's outcome, fields in the order in which they are printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The first ready pods, by ordinal.
    pub voters: Vec<String>,
    /// All others, by ordinal.
    pub learners: Vec<String>,
    /// Partitions per pod that has any, by pod name.
    pub assignments: Assignments,
}

/// Partitions per pod.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assignments(pub Vec<(String, Vec<String>)>);

impl Serialize for Assignments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (pod, partitions) in &self.0 {
            map.serialize_entry(pod, partitions)?;
        }
        map.end()
    }
}

/// How to drain a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreStop {
    /// Who leads next; nobody if the pod does not lead.
    pub transfer_to: Option<String>,
    /// Epoch that fences what the pod still does.
    pub fence_epoch: u64,
}

/// Why there is no plan to drain a pod.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPreStop {
    /// The pod is not in the specification.
    #[error("pod `{0}` is not among the specification's pods")]
    UnknownPod(String),
    /// The leader is not in the specification.
    #[error("leader `{0}` is not among the specification's pods")]
    UnknownLeader(String),
    /// The pod leads and nobody else is ready.
    #[error("pod `{0}` leads, and no other pod is ready to take over")]
    NobodyReady(String),
    /// Epochs are used up.
    #[error("epoch {0} has no successor")]
    LastEpoch(u64),
}

impl Spec {
    /// Reads a specification; every problem names its field. Also gives fields that nobody reads.
    pub fn parse(bytes: &[u8]) -> Result<(Self, Vec<Problem>), Problems> {
        let mut reader = Reader::default();
        let spec = match Node::parse(bytes) {
            Ok(node) => read(&mut reader, &node),
            Err(error) => {
                reader.refuse("(document)", format!("is not JSON: {error}"));
                None
            }
        };
        if let Some(spec) = &spec {
            spec.check_into(&mut reader);
        }
        reader.finish(spec)
    }

    /// The same rules for a specification that was put together by code.
    pub fn check(&self) -> Result<(), Problems> {
        let mut reader = Reader::default();
        self.check_into(&mut reader);
        if reader.problems.is_empty() { Ok(()) } else { Err(Problems(reader.problems)) }
    }

    fn check_into(&self, reader: &mut Reader) {
        let ready = self.pods.iter().filter(|pod| pod.ready).count();
        match self.cp_quorum {
            0 => reader.refuse("cp_quorum", "must be at least 1"),
            even if even % 2 == 0 => reader
                .refuse("cp_quorum", format!("must be odd, not {even}: an even number tolerates no more failures")),
            many if many > ready => reader.refuse("cp_quorum", format!("is {many}, but only {ready} pods are ready")),
            _ => {}
        }
        for (at, pod) in self.pods.iter().enumerate() {
            if self.pods[..at].iter().any(|earlier| earlier.name == pod.name) {
                reader.refuse(format!("pods[{at}].name"), format!("`{}` is there twice", pod.name));
            }
            if self.pods[..at].iter().any(|earlier| earlier.ordinal == pod.ordinal) {
                reader.refuse(format!("pods[{at}].ordinal"), format!("{} is there twice", pod.ordinal));
            }
        }
        for (at, partition) in self.partitions.iter().enumerate() {
            if self.partitions[..at].contains(partition) {
                reader.refuse(format!("partitions[{at}]"), format!("`{partition}` is there twice"));
            }
        }
    }

    fn by_ordinal(&self) -> Vec<&Pod> {
        let mut pods: Vec<&Pod> = self.pods.iter().collect();
        pods.sort_by_key(|pod| pod.ordinal);
        pods
    }
}

/// Elects voters and hands out partitions, whatever the specification says; see [`Spec::check`].
pub fn plan(spec: &Spec) -> Plan {
    let pods = spec.by_ordinal();
    let (mut voters, mut learners) = (Vec::new(), Vec::new());
    for pod in &pods {
        if pod.ready && voters.len() < spec.cp_quorum {
            voters.push(pod.name.clone());
        } else {
            learners.push(pod.name.clone());
        }
    }
    let ready: Vec<&Pod> = pods.into_iter().filter(|pod| pod.ready).collect();
    let mut held: alloc::collections::BTreeMap<String, Vec<String>> = alloc::collections::BTreeMap::new();
    for (at, partition) in spec.partitions.iter().enumerate() {
        let Some(pod) = at.checked_rem(ready.len()).map(|turn| ready[turn]) else {
            break;
        };
        held.entry(pod.name.clone()).or_default().push(partition.clone());
    }
    Plan { voters, learners, assignments: Assignments(held.into_iter().collect()) }
}

/// How to drain `pod` while `leader` leads under `epoch`.
pub fn pre_stop(spec: &Spec, pod: &str, leader: &str, epoch: u64) -> Result<PreStop, NoPreStop> {
    let known = |name: &str| spec.pods.iter().any(|other| other.name == name);
    if !known(pod) {
        return Err(NoPreStop::UnknownPod(pod.into()));
    }
    if !known(leader) {
        return Err(NoPreStop::UnknownLeader(leader.into()));
    }
    if epoch == u64::MAX {
        return Err(NoPreStop::LastEpoch(epoch));
    }
    match pre_stop_as_released(spec, pod, leader, epoch) {
        PreStop { transfer_to: None, .. } if pod == leader => Err(NoPreStop::NobodyReady(pod.into())),
        plan => Ok(plan),
    }
}

/// The same as the released `bootstrapper` computes it, whatever it is given.
pub fn pre_stop_as_released(spec: &Spec, pod: &str, leader: &str, epoch: u64) -> PreStop {
    let successor = || spec.by_ordinal().into_iter().find(|other| other.ready && other.name != pod);
    let transfer_to = if pod == leader { successor().map(|next| next.name.clone()) } else { None };
    PreStop { transfer_to, fence_epoch: epoch.saturating_add(1) }
}

fn read(reader: &mut Reader, node: &Node) -> Option<Spec> {
    let fields = reader.object("", node, &["cp_quorum", "partitions", "pods"])?;
    let cp_quorum = reader.number("", fields, "cp_quorum");
    let partitions = reader.list("", fields, "partitions").map(|items| {
        let named = items.iter().enumerate();
        named.filter_map(|(at, item)| reader.as_text(&format!("partitions[{at}]"), item)).collect()
    });
    let pods = reader.list("", fields, "pods").map(|items| {
        let placed = items.iter().enumerate();
        placed.filter_map(|(at, item)| read_pod(reader, &join("", &format!("pods[{at}]")), item)).collect()
    });
    Some(Spec { cp_quorum: usize::try_from(cp_quorum?).unwrap_or(usize::MAX), partitions: partitions?, pods: pods? })
}

fn read_pod(reader: &mut Reader, path: &str, node: &Node) -> Option<Pod> {
    let fields = reader.object(path, node, &["name", "ordinal", "ready"])?;
    let name = reader.text(path, fields, "name");
    let ordinal = reader.number(path, fields, "ordinal");
    let ready = reader.boolean(path, fields, "ready");
    Some(Pod { name: name?, ordinal: ordinal?, ready: ready? })
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    fn pods(states: &[(&str, u64, bool)]) -> Vec<Pod> {
        states
            .iter()
            .map(|(name, ordinal, ready)| Pod { name: (*name).into(), ordinal: *ordinal, ready: *ready })
            .collect()
    }

    fn spec(cp_quorum: usize, pods: Vec<Pod>) -> Spec {
        Spec { cp_quorum, partitions: (0..5).map(|at| format!("p-{at}")).collect(), pods }
    }

    #[test]
    fn the_first_ready_pods_vote_and_partitions_go_round() {
        let pods = pods(&[("d", 3, true), ("a", 0, false), ("b", 1, true), ("c", 2, false), ("e", 4, true)]);
        let plan = plan(&spec(1, pods));
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(
            text,
            r#"{"voters":["b"],"learners":["a","c","d","e"],"assignments":{"b":["p-0","p-3"],"d":["p-1","p-4"],"e":["p-2"]}}"#
        );
    }

    #[test]
    fn a_specification_that_cannot_work_is_refused_by_field() {
        let check =
            |text: &str, wanted: &str| assert_eq!(Spec::parse(text.as_bytes()).unwrap_err().to_string(), wanted);
        check(r#"{"cp_quorum":0,"partitions":[],"pods":[]}"#, "`cp_quorum` must be at least 1");
        check(
            r#"{"cp_quorum":3,"partitions":[],"pods":[{"name":"a","ordinal":0,"ready":true}]}"#,
            "`cp_quorum` is 3, but only 1 pods are ready",
        );
        check(
            r#"{"cp_quorum":1.0,"partitions":["",""],"pods":[{"name":"a","ready":1}]}"#,
            "`cp_quorum` must be a whole number from 0 to 18446744073709551615, not 1.0; `partitions[0]` must not be empty; \
             `partitions[1]` must not be empty; `pods[0].ordinal` is missing; `pods[0].ready` must be true or false, not a number",
        );
        check(
            r#"{"cp_quorum":1,"partitions":["p","p"],"pods":[{"name":"a","ordinal":0,"ready":true},{"name":"a","ordinal":0,"ready":true}]}"#,
            "`pods[1].name` `a` is there twice; `pods[1].ordinal` 0 is there twice; `partitions[1]` `p` is there twice",
        );
        assert!(
            spec(2, pods(&[("a", 0, true), ("b", 1, true)])).check().unwrap_err().to_string().contains("must be odd")
        );
        assert!(Spec::parse(b"nope").unwrap_err().to_string().starts_with("`(document)` is not JSON"));
    }

    #[test]
    fn a_leader_that_stops_hands_over_to_the_next_ready_pod() {
        let spec = spec(1, pods(&[("c", 2, true), ("a", 0, false), ("b", 1, true)]));
        assert_eq!(pre_stop(&spec, "b", "b", 7), Ok(PreStop { transfer_to: Some("c".into()), fence_epoch: 8 }));
        assert_eq!(pre_stop(&spec, "a", "b", 7), Ok(PreStop { transfer_to: None, fence_epoch: 8 }));
        assert_eq!(pre_stop(&spec, "ghost", "b", 7), Err(NoPreStop::UnknownPod("ghost".into())));
        assert_eq!(pre_stop(&spec, "b", "b", u64::MAX), Err(NoPreStop::LastEpoch(u64::MAX)));
    }
}
