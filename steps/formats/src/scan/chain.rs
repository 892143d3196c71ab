//! Which runs are in their place.
//!
//! A header is covered by no checksum. A run is trusted when it belongs to the chain of rising
//! indexes and never falling terms that explains most of the log; a single frame that claims to be
//! far from its neighbours, with too few damaged bytes between to hold what it skips, has a flipped
//! header and is trusted no more than a frame that does not verify.

use alloc::vec::Vec;

use super::pieces::{Log, Piece, Run};
use crate::frame::OVERHEAD;

/// Runs up to which the best chain is searched; beyond it a log is a ruin and a greedy chain will do.
const SEARCHED_MAX: usize = 2048;

/// What of a log can be believed.
#[derive(Debug, Default)]
pub(super) struct Trust {
    chain: Vec<Run>,
    /// Chain and displaced runs, by index, without overlap.
    held: Vec<Run>,
    /// Highest index that the log must have had.
    top: u64,
}

impl Trust {
    pub(super) fn in_chain(&self, run: &Run) -> bool {
        self.chain.binary_search_by_key(&run.start, |known| known.start).is_ok()
    }

    pub(super) fn held(&self) -> &[Run] {
        &self.held
    }

    pub(super) fn top(&self) -> u64 {
        self.top
    }

    /// Term of a trusted entry.
    pub(super) fn term_of(&self, index: u64) -> Option<u64> {
        let at = self.held.partition_point(|run| run.last < index);
        self.held.get(at).filter(|run| run.first <= index).map(|run| run.term)
    }

    /// Kind and wording for a run outside the chain.
    pub(super) fn why_not(&self, run: &Run) -> (&'static str, &'static str) {
        let begins_held = self.held.iter().find(|held| held.first <= run.last && run.first <= held.last);
        match begins_held {
            Some(held) if held.start == run.start => ("displaced_entries", "lie where others should be"),
            Some(_) => ("duplicate_entries", "are there a second time"),
            None => ("broken_continuity", "do not follow from what is before and behind them"),
        }
    }
}

/// Decides which runs of a log that begins at `first` are in their place.
///
/// `promised_term` tells the term that durable evidence gives an entry. It decides nothing but between two
/// neighbours of which one must have a flipped term.
pub(super) fn trust(log: &Log, first: u64, promised_term: &dyn Fn(u64) -> Option<u64>) -> Trust {
    let runs: Vec<Run> = log.runs().copied().collect();
    let chain = if runs.len() <= SEARCHED_MAX {
        best_chain(log, &runs, first, promised_term)
    } else {
        greedy_chain(log, &runs, first)
    };
    let mut trust = Trust { held: chain.clone(), chain, top: 0 };
    for run in &runs {
        if run.count() > 1 && fits(&trust.held, run) {
            let at = trust.held.partition_point(|held| held.last < run.first);
            trust.held.insert(at, *run);
        }
    }
    trust.top = highest(log, &trust);
    trust
}

/// The chain with most entries; among equals the one with fewer jumps.
fn best_chain(log: &Log, runs: &[Run], first: u64, promised_term: &dyn Fn(u64) -> Option<u64>) -> Vec<Run> {
    // Score and predecessor of the best chain that ends at each run.
    let mut best: Vec<Option<(u64, Option<usize>)>> = Vec::with_capacity(runs.len());
    for (at, run) in runs.iter().enumerate() {
        let agrees = promised_term(run.first) == Some(run.term);
        let alone = may_begin(log, run, first).then(|| (score(run, agrees, run.first <= first), None));
        let linked = (0..at).filter_map(|before| {
            let (so_far, _) = best[before]?;
            let previous = &runs[before];
            may_follow(log, previous, run).then(|| {
                let adds = score(run, agrees, previous.last.checked_add(1) == Some(run.first));
                (so_far.saturating_add(adds), Some(before))
            })
        });
        best.push(linked.chain(alone).max_by_key(|(score, _)| *score));
    }
    let ends = best.iter().enumerate().filter_map(|(at, found)| Some((at, found.as_ref()?.0)));
    let mut next = ends.max_by_key(|(_, score)| *score).map(|(at, _)| at);
    let mut chain = Vec::new();
    while let Some(at) = next {
        chain.push(runs[at]);
        next = best[at].and_then(|(_, before)| before);
    }
    chain.reverse();
    chain
}

fn greedy_chain(log: &Log, runs: &[Run], first: u64) -> Vec<Run> {
    let mut chain: Vec<Run> = Vec::new();
    for run in runs {
        let goes = match chain.last() {
            Some(last) => {
                may_follow(log, last, run) && run.first - last.last <= room(run.start, last.end).saturating_add(1)
            }
            None => may_begin(log, run, first) && run.first <= first,
        };
        if goes {
            chain.push(*run);
        }
    }
    chain
}

/// Four points an entry, two for the term that was promised, one for following without a jump.
fn score(run: &Run, agrees: bool, contiguous: bool) -> u64 {
    run.count().saturating_mul(4).saturating_add(2 * u64::from(agrees) + u64::from(contiguous))
}

fn may_begin(log: &Log, run: &Run, first: u64) -> bool {
    let first_file_is_first = log.skipped.get(run.file) == Some(&0);
    run.first <= first || run.count() > 1 || (first_file_is_first && run.first - first <= room(run.start, 0))
}

fn may_follow(log: &Log, before: &Run, run: &Run) -> bool {
    if run.first <= before.last || run.term < before.term {
        return false;
    }
    let skipped = run.first - before.last - 1;
    let segments_skipped = log.skipped.get(run.file) != log.skipped.get(before.file);
    skipped <= room(run.start, before.end) || (run.count() > 1 && (before.count() > 1 || segments_skipped))
}

/// Entries for which the bytes between two places have room.
fn room(start: u64, end: u64) -> u64 {
    start.saturating_sub(end) / OVERHEAD as u64
}

/// Whether a run outside the chain belongs there by index and term: a segment out of order.
fn fits(held: &[Run], run: &Run) -> bool {
    let at = held.partition_point(|known| known.last < run.first);
    let free = held.get(at).is_none_or(|next| run.last < next.first && run.term <= next.term);
    free && (at == 0 || held[at - 1].term <= run.term)
}

/// Highest index the log had: that of the chain, and as many more as frames behind it lost their place.
fn highest(log: &Log, trust: &Trust) -> u64 {
    let Some(end) = trust.held.last().copied() else {
        return log.frames;
    };
    let chain_end = trust.chain.last().map_or(0, |run| run.end);
    let mut displaced: u64 = 0;
    for piece in &log.pieces {
        if let Piece::Run(run) = piece
            && run.start >= chain_end
        {
            let repeats = run.count() > 1 && run.last <= end.last || run.first == end.last;
            displaced += if repeats { 0 } else { run.count() };
        }
    }
    end.last.saturating_add(displaced)
}
