//! The verdict over a whole log: what holds, what is lost, what must come from elsewhere.
//!
//! Works on files that were read already and never stops at the first fault. Frames are read one by
//! one (`pieces`); headers are covered by no checksum, so which frames are in their place is
//! decided by continuity over the whole log (`chain`); what was promised comes from
//! `durability.log` or `commit_index`. Start at [`scan`].

mod chain;
mod evidence;
mod pieces;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use chain::Trust;
use pieces::{Piece, Run};

/// A file of the log, read.
#[derive(Debug, Clone, Copy)]
pub struct LogFile<'a> {
    /// Its name, for findings and, for segments, their order.
    pub name: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Everything there is about one partition's log.
#[derive(Debug, Clone, Default)]
pub struct LogFiles<'a> {
    /// `wal.bin`, or the segments in any order.
    pub segments: Vec<LogFile<'a>>,
    /// `durability.log`.
    pub durability: Option<LogFile<'a>>,
    /// `raft_state.json`, which holds `commit_index`.
    pub raft_state: Option<LogFile<'a>>,
    /// `metadata.json`, which holds `snapshot_base_index`.
    pub metadata: Option<LogFile<'a>>,
    /// Names in the log's folder that belong to none of these.
    pub strays: Vec<&'a str>,
}

/// What a log is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every frame verifies, and the log reaches what was promised.
    Healthy,
    /// Only the end is damaged, and nothing that was promised lies there.
    TornTail,
    /// Entries are lost or in doubt.
    Damaged,
    /// Not this format.
    Unreadable,
}

/// An entry's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Position {
    /// Raft term.
    pub term: u64,
    /// Index in the log.
    pub index: u64,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable name of the kind.
    pub kind: &'static str,
    /// File it is about.
    pub file: String,
    /// Where in the file.
    pub offset: Option<u64>,
    /// Entry it is about: the one that should be there.
    pub index: Option<u64>,
    /// For people.
    pub message: String,
}

/// The scan's outcome, fields in the order in which they are printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What the log is worth.
    pub verdict: Verdict,
    /// End of the good prefix.
    pub last_good: Option<Position>,
    /// Frames whose CRC and SHA-256 hold, wherever they are.
    pub frames: u64,
    /// Highest index that durable evidence promises.
    pub promised: Option<u64>,
    /// Everything that is not as it should be.
    pub findings: Vec<Finding>,
    /// Index ranges that must come from elsewhere.
    pub backfill: Vec<[u64; 2]>,
}

/// Judges a log.
pub fn scan(files: &LogFiles<'_>) -> Report {
    let mut findings = Vec::new();
    let segments = pieces::in_order(&files.segments, &mut findings);
    let evidence = evidence::gather(files, &mut findings);
    let log = pieces::read(&segments);
    let first = evidence.base_index.saturating_add(1);
    let trust = chain::trust(&log, first, &|index| evidence.term_of(index));
    let prefix = good_prefix(&log.pieces, &trust, first);
    report_faults(&log, &segments, &trust, &mut findings);
    evidence.compare_terms(&trust, &mut findings);

    let last_good = prefix.last().map(|run| Position { term: run.term, index: run.last });
    let reached = last_good.map_or(evidence.base_index, |position| position.index);
    let kept_promise = evidence.promised.is_none_or(|promised| promised <= reached);
    let all_runs_in_place = prefix.len() == log.runs().count();
    let verdict = if is_unreadable(&log, &evidence, &segments) {
        Verdict::Unreadable
    } else if !all_runs_in_place || !kept_promise {
        Verdict::Damaged
    } else if log.has_faults() {
        Verdict::TornTail
    } else {
        Verdict::Healthy
    };
    let backfill = match verdict {
        Verdict::Damaged => missing(&trust, first, evidence.promised),
        Verdict::Healthy | Verdict::TornTail | Verdict::Unreadable => Vec::new(),
    };
    report_missing(&backfill, evidence.promised, reached, &mut findings);
    Report { verdict, last_good, frames: log.frames, promised: evidence.promised, findings, backfill }
}

/// The runs at the start of the log that follow one another without fault or jump.
fn good_prefix(pieces: &[Piece], trust: &Trust, first: u64) -> Vec<Run> {
    let mut prefix: Vec<Run> = Vec::new();
    for piece in pieces {
        let Piece::Run(run) = piece else { break };
        let follows = match prefix.last() {
            Some(last) => last.last.checked_add(1) == Some(run.first),
            None => run.first <= first,
        };
        if !follows || !trust.in_chain(run) {
            break;
        }
        prefix.push(*run);
    }
    prefix
}

/// Nothing verifies, nothing beside it speaks for a log, and the bytes don't even begin like an entry.
fn is_unreadable(log: &pieces::Log, evidence: &evidence::Evidence, segments: &[LogFile<'_>]) -> bool {
    if log.frames > 0 || evidence.speaks_for_a_log {
        return false;
    }
    let begins_like_a_frame = |file: &LogFile<'_>| {
        file.bytes.len() < crate::frame::HEADER_LEN
            || crate::frame::Header::read(file.bytes)
                .is_some_and(|header| header.index == evidence.base_index.saturating_add(1))
    };
    !segments.iter().any(begins_like_a_frame)
}

/// Indexes from `first` up to what was promised or seen that no trusted frame holds.
fn missing(trust: &Trust, first: u64, promised: Option<u64>) -> Vec<[u64; 2]> {
    let top = promised.unwrap_or(0).max(trust.top());
    let mut ranges = Vec::new();
    let mut next = Some(first);
    for held in trust.held() {
        match next {
            Some(from) if held.first > from => ranges.push([from, held.first - 1]),
            Some(_) | None => {}
        }
        next = next.and_then(|from| Some(from.max(held.last.checked_add(1)?)));
    }
    if let Some(from) = next.filter(|from| *from <= top) {
        ranges.push([from, top]);
    }
    ranges
}

fn report_faults(log: &pieces::Log, segments: &[LogFile<'_>], trust: &Trust, findings: &mut Vec<Finding>) {
    let mut expected: Option<u64> = None;
    for piece in &log.pieces {
        match piece {
            Piece::Fault(fault) => findings.push(Finding {
                kind: fault.fault.kind(),
                file: segments[fault.file].name.into(),
                offset: Some(fault.offset as u64),
                index: expected.take(),
                message: format!("{}; {} bytes are no frame", fault.fault, fault.len),
            }),
            Piece::Run(run) if trust.in_chain(run) => expected = run.last.checked_add(1),
            Piece::Run(run) => {
                let (kind, what) = trust.why_not(run);
                findings.push(Finding {
                    kind,
                    file: segments[run.file].name.into(),
                    offset: Some(run.offset as u64),
                    index: expected,
                    message: format!("entries {} to {} of term {} {what}", run.first, run.last, run.term),
                });
            }
        }
    }
}

fn report_missing(backfill: &[[u64; 2]], promised: Option<u64>, reached: u64, findings: &mut Vec<Finding>) {
    for [from, to] in backfill {
        findings.push(Finding {
            kind: "missing_entries",
            file: String::new(),
            offset: None,
            index: Some(*from),
            message: format!("entries {from} to {to} must come from elsewhere"),
        });
    }
    if let Some(promised) = promised.filter(|promised| *promised > reached) {
        findings.push(Finding {
            kind: "promise_broken",
            file: String::new(),
            offset: None,
            index: Some(promised),
            message: format!("durable up to {promised}, readable in order up to {reached}"),
        });
    }
}
