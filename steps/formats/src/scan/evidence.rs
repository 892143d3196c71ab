//! What was promised about a log, from the files beside it.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde_json::Value;

use super::chain::Trust;
use super::{Finding, LogFile, LogFiles};
use crate::durability::{self, Record};

/// Promises and the log's start.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// The log starts behind this index.
    pub(super) base_index: u64,
    /// Highest index that was promised.
    pub(super) promised: Option<u64>,
    /// Whether a file beside the log shows that there is one.
    pub(super) speaks_for_a_log: bool,
    records: Vec<Record>,
    /// Index and term of each record, by index; of several for an index the last one counts.
    terms: Vec<(u64, u64)>,
    durability_file: String,
}

/// Reads the files beside the log. Whatever is wrong with them is a finding and changes no verdict.
pub(super) fn gather(files: &LogFiles<'_>, findings: &mut Vec<Finding>) -> Evidence {
    let mut evidence = Evidence::default();
    if let Some(file) = &files.metadata {
        match number(file, "snapshot_base_index") {
            Ok(base) => {
                evidence.base_index = base;
                evidence.speaks_for_a_log = true;
            }
            Err(why) => findings.push(finding("bad_metadata", file, None, why)),
        }
    }
    if let Some(file) = &files.raft_state {
        match number(file, "commit_index") {
            Ok(commit) => {
                evidence.promised = Some(commit);
                evidence.speaks_for_a_log = true;
            }
            Err(why) => findings.push(finding("bad_state_file", file, None, why)),
        }
    }
    if let Some(file) = &files.durability {
        let log = durability::read(file.bytes);
        if let Some(bad) = &log.bad {
            findings.push(finding("bad_durability_record", file, Some(bad.offset as u64), bad.to_string()));
        }
        evidence.promised = evidence.promised.max(log.promised());
        evidence.speaks_for_a_log |= !log.records.is_empty();
        let by_index: BTreeMap<u64, u64> = log.records.iter().map(|record| (record.index, record.term)).collect();
        evidence.terms = by_index.into_iter().collect();
        evidence.records = log.records;
        evidence.durability_file = file.name.into();
    }
    for name in &files.strays {
        let message = "is no part of a log".to_string();
        findings.push(Finding { kind: "bad_segment_name", file: (*name).into(), offset: None, index: None, message });
    }
    evidence
}

impl Evidence {
    /// Term under which an entry was promised.
    pub(super) fn term_of(&self, index: u64) -> Option<u64> {
        let at = self.terms.partition_point(|(known, _)| *known < index);
        self.terms.get(at).filter(|(known, _)| *known == index).map(|(_, term)| *term)
    }

    /// A record whose term is not the entry's: one of the two was changed, and neither says which.
    pub(super) fn compare_terms(&self, trust: &Trust, findings: &mut Vec<Finding>) {
        let differs = |record: &&Record| trust.term_of(record.index).is_some_and(|term| term != record.term);
        if let Some(record) = self.records.iter().find(differs) {
            findings.push(Finding {
                kind: "durability_term",
                file: self.durability_file.clone(),
                offset: None,
                index: Some(record.index),
                message: format!("promises entry {} in term {}, the log has another term", record.index, record.term),
            });
        }
    }
}

fn number(file: &LogFile<'_>, key: &str) -> Result<u64, String> {
    let value: Value = serde_json::from_slice(file.bytes).map_err(|error| error.to_string())?;
    value.get(key).and_then(Value::as_u64).ok_or_else(|| format!("`{key}` is missing or no whole number"))
}

fn finding(kind: &'static str, file: &LogFile<'_>, offset: Option<u64>, message: String) -> Finding {
    Finding { kind, file: file.name.into(), offset, index: None, message }
}
