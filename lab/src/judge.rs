//! The judge: whether the world came out well, told from the lab's ledgers and files alone.
//!
//! It asks no server and reads no run's journal, so it works on a lab that was killed. Ledgers are
//! read before logs: what is acknowledged by then must be in the logs. Start at [`judge`].

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::LabError;
use crate::config::{DR, PRIMARY, ROUTES, group_id};
use crate::disk::{read_json, read_json_if_any, read_lines};
use crate::evidence::Evidence;
use crate::ingress::IngressState;
use crate::layout::Layout;
use crate::ledger::{ClientFact, Fact, Ledger, ms_of};
use crate::membership::{Joint, change_is_safe};
use crate::world::Phase;

/// Share of ready partitions below which a recovery is not over.
const READY_RATIO_MIN: f64 = 0.99;
/// Ranges named in one problem.
const RANGES_SHOWN_MAX: usize = 20;

/// The verdict's one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// No rule was broken.
    Ok,
    /// See the problems.
    Bad,
}

/// What became of the world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// `ok` or `bad`.
    pub verdict: Word,
    /// Acknowledged entries that can't be read any more.
    pub lost_entries: u64,
    /// Appends that somebody accepted under an epoch older than the fence.
    pub stale_epoch_appends: u64,
    /// Where each route leads.
    pub ingress: BTreeMap<String, String>,
    /// Share of partitions that are ready in the serving cluster.
    pub ready_ratio: f64,
    /// Seconds for which appends failed; nothing if they never did, or still do.
    pub outage: Option<f64>,
    /// Every rule that was broken, in words.
    pub problems: Vec<String>,
}

/// Judges the lab in `dir`, running or not.
pub fn judge(dir: &Path) -> Result<Verdict, LabError> {
    let mut case = Case::open(dir)?;
    let ingress = case.check_ingress();
    let lost = case.check_losses()?;
    let stale = case.check_epochs();
    case.check_rewrites();
    case.check_membership();
    let ready_ratio = case.check_readiness()?;
    case.check_unfenced()?;
    let outage = case.check_outage();
    let verdict = if case.problems.is_empty() { Word::Ok } else { Word::Bad };
    Ok(Verdict {
        verdict,
        lost_entries: lost,
        stale_epoch_appends: stale,
        ingress,
        ready_ratio,
        outage,
        problems: case.problems,
    })
}

/// Everything the judge looks at, and what it found so far.
struct Case {
    evidence: Evidence,
    writer: Vec<ClientFact>,
    world: Vec<Fact>,
    ingress: IngressState,
    problems: Vec<String>,
}

impl Case {
    fn open(dir: &Path) -> Result<Self, LabError> {
        let layout = Layout::new(dir);
        // The writer's ledger first: what it says was acknowledged, all others must bear out.
        let writer = read_lines(&layout.writer_ledger())?;
        let world = Ledger::read(&layout.world_ledger())?;
        let ingress = read_json(&layout.ingress())?;
        let config = read_json(&layout.config())?;
        let course = read_json_if_any(&layout.scenario())?.unwrap_or_default();
        let evidence = Evidence { layout, config, course };
        Ok(Self { evidence, writer, world, ingress, problems: Vec::new() })
    }

    /// The cluster that serves, and its epoch: whoever advanced last.
    fn serving(&self) -> (String, u64) {
        let advanced = self.world.iter().rev().find_map(|fact| match fact {
            Fact::EpochAdvanced { cluster, epoch, .. } => Some((cluster.clone(), *epoch)),
            _ => None,
        });
        advanced.unwrap_or_else(|| (PRIMARY.to_owned(), 0))
    }

    fn check_ingress(&mut self) -> BTreeMap<String, String> {
        let (serving, epoch) = self.serving();
        for (name, route) in &self.ingress.routes {
            if route.cluster != serving {
                self.problems.push(format!(
                    "route `{name}` leads to {}, but {serving} serves since epoch {epoch}",
                    route.cluster
                ));
            } else if route.epoch != epoch {
                let problem = format!(
                    "route `{name}` was published under epoch {}, {serving} takes appends under {epoch} only",
                    route.epoch
                );
                self.problems.push(problem);
            }
        }
        self.ingress.routes.iter().map(|(name, route)| (name.clone(), route.cluster.clone())).collect()
    }

    /// Where clients read: where the routes lead; where they disagree, where they should.
    fn read_from(&self) -> String {
        let mut clusters = self.ingress.routes.values().map(|route| &route.cluster);
        match clusters.next() {
            Some(first) if clusters.all(|other| other == first) => first.clone(),
            Some(_) | None => self.serving().0,
        }
    }

    fn check_losses(&mut self) -> Result<u64, LabError> {
        let cluster = self.read_from();
        let struck_at = self.struck_at();
        let mut lost_count = 0;
        for number in 0..self.evidence.config.groups {
            let group = group_id(number);
            let log = self.evidence.leader_log(&cluster, number)?;
            let mut lost = Vec::new();
            for (index, hash, at) in self.acknowledged(&group) {
                if log.get(&index) == Some(&hash) {
                    continue;
                }
                lost_count += 1;
                if !self.is_within_rpo(at, struck_at) {
                    lost.push(index);
                }
            }
            if !lost.is_empty() {
                let (count, ranges) = (lost.len(), ranges_text(&mut lost));
                self.problems
                    .push(format!("{group}: {count} acknowledged entries can't be read from {cluster}: {ranges}"));
            }
        }
        Ok(lost_count)
    }

    fn struck_at(&self) -> Option<i64> {
        self.world.iter().find_map(|fact| match fact {
            Fact::Phase { at, phase } if phase == Phase::Struck.name() => Some(ms_of(at)),
            _ => None,
        })
    }

    /// Whether losing an entry acknowledged at `at` is within the objective.
    fn is_within_rpo(&self, at: i64, struck_at: Option<i64>) -> bool {
        let rpo_ms = i64::try_from(self.evidence.config.rpo_ms).unwrap_or(i64::MAX);
        rpo_ms > 0 && struck_at.is_some_and(|struck| at <= struck && struck.saturating_sub(at) <= rpo_ms)
    }

    /// Index, hash and time of each acknowledged entry of a group.
    fn acknowledged(&self, wanted: &str) -> Vec<(u64, String, i64)> {
        let mut entries = Vec::new();
        for fact in &self.writer {
            if let ClientFact::Acknowledged { at, group, from, hashes, .. } = fact
                && group == wanted
            {
                let at = ms_of(at);
                entries.extend((*from..).zip(hashes).map(|(index, hash)| (index, hash.clone(), at)));
            }
        }
        entries
    }

    /// Epochs rise strictly; nobody accepts under one that was left behind or fenced off.
    fn check_epochs(&mut self) -> u64 {
        let mut highest = 0;
        let mut fences: BTreeMap<&str, u64> = BTreeMap::new();
        let mut stale: BTreeMap<(&str, &str, &str, u64), u64> = BTreeMap::new();
        let mut problems = Vec::new();
        for fact in &self.world {
            match fact {
                Fact::EpochAdvanced { cluster, epoch, .. } => {
                    if *epoch <= highest {
                        problems.push(format!("{cluster} went to epoch {epoch} after epoch {highest}"));
                    }
                    highest = highest.max(*epoch);
                }
                Fact::Fenced { group, fence_epoch, .. } => {
                    let fence = fences.entry(group).or_default();
                    *fence = (*fence).max(*fence_epoch);
                }
                Fact::Unfenced { group, .. } => {
                    fences.remove(group.as_str());
                }
                Fact::Accepted { cluster, node, group, epoch, hashes, .. } => {
                    let fence = fences.get(group.as_str()).copied().unwrap_or_default();
                    if *epoch < highest.max(fence) {
                        *stale.entry((cluster, node, group, *epoch)).or_default() += hashes.len() as u64;
                    }
                }
                Fact::Membership { .. } | Fact::Restored { .. } | Fact::Switched { .. } | Fact::Phase { .. } => {}
            }
        }
        for ((cluster, node, group, epoch), count) in &stale {
            problems.push(format!(
                "{cluster}/{node} accepted {count} appends to {group} under epoch {epoch}, which was fenced off"
            ));
        }
        let total = stale.values().sum();
        self.problems.extend(problems);
        total
    }

    /// No index is given to two entries, by whomever; but the place of an entry lost within the objective is free.
    fn check_rewrites(&mut self) {
        let struck_at = self.struck_at();
        let mut first: BTreeMap<(&str, u64), (&str, i64)> = BTreeMap::new();
        let mut rewritten: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for fact in &self.world {
            let Fact::Accepted { at, group, from, hashes, .. } = fact else {
                continue;
            };
            let at = ms_of(at);
            for (index, hash) in (*from..).zip(hashes) {
                let (known, known_at) = *first.entry((group, index)).or_insert((hash, at));
                if known != hash && !self.is_within_rpo(known_at, struck_at) {
                    rewritten.entry(group).or_default().push(index);
                }
            }
        }
        let problems = rewritten.into_iter().map(|(group, mut indexes)| {
            format!(
                "{group}: {} indexes were given to two different entries: {}",
                indexes.len(),
                ranges_text(&mut indexes)
            )
        });
        let problems: Vec<_> = problems.collect();
        self.problems.extend(problems);
    }

    fn check_membership(&mut self) {
        for fact in &self.world {
            let Fact::Membership { cluster, old, new, live, .. } = fact else {
                continue;
            };
            if !change_is_safe(&Joint { old: old.clone(), new: new.clone() }, live) {
                let (old, new) = (old.join(", "), new.join(", "));
                self.problems.push(format!("{cluster} went from voters [{old}] to [{new}] without the quorum for it"));
            }
        }
    }

    /// Share of groups whose leader lives and has a majority of replicas level with what it committed.
    fn check_readiness(&mut self) -> Result<f64, LabError> {
        let (cluster, epoch) = self.serving();
        let mut unready = Vec::new();
        for number in 0..self.evidence.config.groups {
            if !self.evidence.is_ready(&cluster, epoch, number)? {
                unready.push(group_id(number));
            }
        }
        let ratio = 1.0 - unready.len() as f64 / f64::from(self.evidence.config.groups);
        if ratio < READY_RATIO_MIN {
            unready.truncate(RANGES_SHOWN_MAX);
            self.problems.push(format!(
                "only {:.1} % of {cluster}'s partitions are ready; not ready: {}",
                ratio * 100.0,
                unready.join(", ")
            ));
        }
        Ok(ratio)
    }

    /// Old replicas that are back and would take appends under an epoch that was left behind.
    fn check_unfenced(&mut self) -> Result<(), LabError> {
        let (serving, epoch) = self.serving();
        for cluster in [PRIMARY, DR].into_iter().filter(|cluster| *cluster != serving) {
            for number in 0..self.evidence.config.groups {
                let Some(leader) = self.evidence.leader(cluster, number)? else {
                    continue;
                };
                let standing = self.evidence.standing(cluster, &leader, number)?;
                if standing.epoch < epoch && standing.fence_epoch.is_none_or(|fence| fence <= standing.epoch) {
                    let group = group_id(number);
                    self.problems.push(format!(
                        "{cluster}/{leader} is not fenced and takes appends to {group} under epoch {}",
                        standing.epoch
                    ));
                }
            }
        }
        Ok(())
    }

    /// How long the writer was failing; whether it still is, and whether the serving cluster ever answered it.
    fn check_outage(&mut self) -> Option<f64> {
        let (serving, epoch) = self.serving();
        let mut failing: BTreeMap<(&str, &str), (i64, &str)> = BTreeMap::new();
        let mut answered = std::collections::BTreeSet::new();
        let mut longest: Option<i64> = None;
        for fact in &self.writer {
            match fact {
                ClientFact::Failing { at, route, group, reason } => {
                    // The outage began with the first failure; the last one says why it goes on.
                    let since =
                        failing.get(&(route.as_str(), group.as_str())).map_or_else(|| ms_of(at), |(since, _)| *since);
                    failing.insert((route, group), (since, reason));
                }
                ClientFact::Acknowledged { at, route, group, cluster, epoch: under, .. } => {
                    if let Some((since, _)) = failing.remove(&(route.as_str(), group.as_str())) {
                        let lasted = ms_of(at).saturating_sub(since);
                        longest = Some(longest.map_or(lasted, |known| known.max(lasted)));
                    }
                    if *cluster == serving && *under == epoch {
                        answered.insert((route.as_str(), group.as_str()));
                    }
                }
                ClientFact::ZombieAccepted { .. } | ClientFact::ZombieRejected { .. } => {}
            }
        }
        let moved = self.world.iter().filter(|fact| matches!(fact, Fact::EpochAdvanced { .. })).count() > 1;
        let mut problems = Vec::new();
        for route in ROUTES {
            for group in self.evidence.config.group_ids() {
                if let Some((_, reason)) = failing.get(&(route, group.as_str())) {
                    problems.push(format!("appends to {group} over `{route}` still fail: {reason}"));
                } else if moved && !answered.contains(&(route, group.as_str())) {
                    problems.push(format!("nothing was acknowledged for {group} over `{route}` under epoch {epoch}"));
                }
            }
        }
        let over = problems.is_empty();
        self.problems.extend(problems);
        longest.filter(|_| over).map(|ms| ms as f64 / 1000.0)
    }
}

/// `129-131, 140`, of indexes in any order.
fn ranges_text(indexes: &mut Vec<u64>) -> String {
    indexes.sort_unstable();
    indexes.dedup();
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for index in indexes.iter().copied() {
        match ranges.last_mut() {
            Some((_, end)) if *end + 1 == index => *end = index,
            Some(_) | None => ranges.push((index, index)),
        }
    }
    let more = ranges.len().saturating_sub(RANGES_SHOWN_MAX);
    let shown = ranges.iter().take(RANGES_SHOWN_MAX);
    let shown = shown.map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") });
    let text = shown.collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{text} and {more} more ranges") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_told_as_ranges() {
        assert_eq!(ranges_text(&mut vec![3, 1, 2, 7, 9, 10, 9]), "1-3, 7, 9-10");
        let mut scattered: Vec<_> = (0..25).map(|index| index * 2).collect();
        assert!(ranges_text(&mut scattered).ends_with("38 and 5 more ranges"));
    }
}
