//! Verifying a journal for someone who trusts none of us: every event, the chain, the plan, the signature, the file.
//!
//! Reads what is stored, not what the program would make of it, and goes on after the first thing that is wrong, so that the
//! report names all of them. It assumes nothing that someone with a database tool could have removed. Start at [`audit`].

mod suspect;

use crate::chain::{Columns, Hash};
use crate::error::StoreError;
use crate::journal::Head;
use crate::reader::Reader;
use crate::signing::{self, Signature};
use crate::sqlite::RawRow;
use crate::sqlite::schema;
use ceptra_flow_core::event::Event;
use ceptra_flow_core::ids::Seq;
use rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;
use std::collections::HashMap;
use std::path::Path;
use suspect::{SUSPECTS_MAX, Suspect};

/// What an audit found.
#[derive(Clone, Debug, Serialize)]
pub struct AuditReport {
    /// The run, as its first event names it.
    pub run: String,
    /// How many events there are.
    pub events: u64,
    /// The last event's number.
    pub head_seq: Seq,
    /// The last event's hash.
    pub head_hash: Hash,
    /// Whose signature of a head held: the public key, hex. Whether it is the right one is for the reader to know.
    pub signed_by: Option<String>,
    /// The last event that the signature covers; later ones are only chained to it.
    pub signed_seq: Option<Seq>,
    /// Everything that is wrong, in the order of events; those about the file come last. At most [`BREAKS_MAX`].
    pub breaks: Vec<Break>,
    /// How many more are wrong than are listed.
    pub breaks_unlisted: u64,
}

/// Most breaks that are listed: enough to see what was done, few enough to read.
pub const BREAKS_MAX: usize = 100;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Break {
    /// The event; `None` when it is about the file.
    pub seq: Option<Seq>,
    /// In one word.
    pub kind: BreakKind,
    /// For people.
    pub what: String,
}

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakKind {
    /// An event's content is not what its hash covers.
    Changed,
    /// Events are missing.
    Dropped,
    /// An event is at another event's place.
    Moved,
    /// An event is there twice.
    Duplicated,
    /// An event was replaced as a whole, its hash included: the next one follows another.
    Replaced,
    /// Events at the end are missing.
    Truncated,
    /// An event is of an earlier epoch than the one before it.
    EpochFell,
    /// An event is of another run.
    OtherRun,
    /// An event cannot be decoded.
    Undecodable,
    /// The plan is not the one that the run was pinned to.
    PlanDigest,
    /// The signature does not hold.
    Signature,
    /// The database's tables or triggers are not as they were made.
    Schema,
    /// The database itself is damaged.
    Damaged,
}

impl AuditReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.breaks.is_empty()
    }
}

/// Checks a run directory or a journal file, against a signed head where one is given or lies beside it.
///
/// # Errors
/// Only when there is nothing to check: no journal, an unknown version, no permission.
pub fn audit(path: &Path, signed: Option<&Signature>) -> Result<AuditReport, StoreError> {
    let reader = Reader::open(path)?;
    let mut audit = Audit::default();
    if let Err(error) = audit.walk(reader.connection()) {
        audit.found(
            None,
            BreakKind::Damaged,
            format!("the database cannot be read past event {}: {error}", audit.head.seq.0),
        );
    }
    audit.explain();
    audit.check_notes(reader.connection());
    audit.check_signatures(reader.dir(), signed);
    audit.check_file(reader.connection());
    Ok(audit.report(reader.run().as_str()))
}

#[derive(Default)]
struct Audit {
    events: u64,
    head: Head,
    epoch: u64,
    run: Option<String>,
    /// Every event's hash as stored, by its place minus one; `None` where an event is missing.
    hashes: Vec<Option<Hash>>,
    /// Events whose content is not what their hash covers, kept to find out where they come from.
    suspects: Vec<Suspect>,
    /// The last of those, kept or not: what follows it need not follow from it.
    last_suspect: Option<u64>,
    breaks: Vec<Break>,
    unlisted: u64,
    signed_by: Option<String>,
    signed_seq: Option<Seq>,
}

impl Audit {
    fn found(&mut self, seq: Option<u64>, kind: BreakKind, what: impl Into<String>) {
        if self.breaks.len() < BREAKS_MAX {
            self.breaks.push(Break { seq: seq.map(Seq), kind, what: what.into() });
        } else {
            self.unlisted += 1;
        }
    }

    /// Every event, in the order of their numbers.
    fn walk(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare(
            "SELECT seq, run, step, kind, payload, at, epoch, prev_hash, hash FROM events NOT INDEXED ORDER BY seq",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            match RawRow::of(row) {
                Ok(raw) => self.event(&raw),
                Err(what) => {
                    let number: i64 = row.get(0)?;
                    let what = format!("event {number} was changed: {what}");
                    match u64::try_from(number) {
                        Ok(seq) => {
                            self.place(seq);
                            self.found(Some(seq), BreakKind::Changed, what);
                            self.step_over(seq, None);
                        }
                        // No event has such a number; it stands for none.
                        Err(_) => self.found(None, BreakKind::Changed, what),
                    }
                }
            }
        }
        Ok(())
    }

    /// One event, against the one before it.
    fn event(&mut self, raw: &RawRow<'_>) {
        let Columns { seq, epoch, run, .. } = raw.columns;
        self.place(seq);
        let follows = self.hashes.last().is_none_or(|before| before.is_none_or(|before| before == raw.prev_hash));
        let first_follows = seq != 1 || raw.prev_hash == Hash::default();
        let is_itself = raw.columns.hash(&raw.prev_hash) == raw.hash;
        if !is_itself {
            self.last_suspect = Some(seq);
            if self.suspects.len() < SUSPECTS_MAX {
                self.suspects.push(Suspect::of(raw));
            } else {
                self.found(Some(seq), BreakKind::Changed, changed(seq));
            }
        } else if !follows && self.last_suspect != Some(self.head.seq.0) {
            let before = self.head.seq.0;
            self.found(
                Some(before),
                BreakKind::Replaced,
                format!("event {before} was replaced as a whole: event {seq} was written after another one"),
            );
        } else if !first_follows {
            self.found(
                Some(seq),
                BreakKind::Dropped,
                "events before event 1 are missing: it was written after another one",
            );
        }
        let named = self.run.get_or_insert_with(|| run.into()).clone();
        if named != run {
            self.found(Some(seq), BreakKind::OtherRun, format!("event {seq} is of run `{run}`, not of `{named}`"));
        }
        if epoch < self.epoch {
            self.found(
                Some(seq),
                BreakKind::EpochFell,
                format!("event {seq} is of epoch {epoch}, but epoch {} had begun", self.epoch),
            );
        }
        self.epoch = self.epoch.max(epoch);
        if is_itself {
            self.meaning(raw);
        }
        self.step_over(seq, Some(raw.hash));
    }

    /// Whether events are missing before the one numbered `seq`.
    fn place(&mut self, seq: u64) {
        let expected = self.head.seq.0 + 1;
        if seq > expected {
            let what = if seq - 1 == expected {
                format!("event {expected} is missing")
            } else {
                format!("events {expected} to {} are missing", seq - 1)
            };
            self.found(Some(expected), BreakKind::Dropped, what);
            // What follows the gap is checked from there on. A forged number does not make this long.
            let missing = usize::try_from(seq - expected).unwrap_or(usize::MAX).min(HASHES_SKIPPED_MAX);
            self.hashes.extend(std::iter::repeat_n(None, missing));
        }
    }

    fn step_over(&mut self, seq: u64, hash: Option<Hash>) {
        self.events += 1;
        self.hashes.push(hash);
        self.head = Head { seq: Seq(seq), hash: hash.unwrap_or_default() };
    }

    /// What an event that is what was written says.
    fn meaning(&mut self, raw: &RawRow<'_>) {
        let seq = raw.columns.seq;
        match Event::decode(raw.columns.kind, raw.columns.payload) {
            Err(error) => self.found(Some(seq), BreakKind::Undecodable, format!("event {seq} cannot be read: {error}")),
            Ok(Event::RunStarted(started)) => {
                if Hash::of(started.plan.as_str().as_bytes()).hex() != started.digest {
                    self.found(
                        Some(seq),
                        BreakKind::PlanDigest,
                        format!("the plan in event {seq} is not the one with digest {}", started.digest),
                    );
                }
                if started.run.as_str() != raw.columns.run {
                    self.found(
                        Some(seq),
                        BreakKind::OtherRun,
                        format!("event {seq} starts run `{}`, not `{}`", started.run, raw.columns.run),
                    );
                }
            }
            Ok(_) => {}
        }
    }

    /// Says of each suspect what was done to it: its place or its content changed.
    fn explain(&mut self) {
        let suspects = std::mem::take(&mut self.suspects);
        let mut first_with: HashMap<Hash, u64> = HashMap::new();
        for (place, hash) in self.hashes.iter().enumerate() {
            if let Some(hash) = hash {
                first_with.entry(*hash).or_insert(place as u64 + 1);
            }
        }
        for suspect in &suspects {
            let (kind, what) = suspect.verdict(&suspects, &first_with);
            self.found(Some(suspect.seq), kind, what);
        }
        self.breaks.sort_by_key(|found| found.seq.map_or(u64::MAX, |seq| seq.0));
    }

    /// The hash of an event as stored, if it is there.
    fn hash_at(&self, seq: u64) -> Option<Hash> {
        match seq {
            0 => Some(Hash::default()),
            seq => self.hashes.get(usize::try_from(seq - 1).ok()?).copied().flatten(),
        }
    }

    /// The head that the journal itself notes at the end of each tenure.
    fn check_notes(&mut self, connection: &Connection) {
        let noted = connection
            .query_row("SELECT epoch, noted_seq, noted_hash FROM epoch", [], |row| {
                Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64, Hash(row.get(2)?)))
            })
            .optional();
        match noted {
            Ok(Some((epoch, seq, hash))) => {
                self.check_against("the journal", seq, hash);
                if epoch < self.epoch {
                    self.found(
                        None,
                        BreakKind::EpochFell,
                        format!("the journal says epoch {epoch}, but its events reach epoch {}", self.epoch),
                    );
                }
            }
            Ok(None) => self.found(None, BreakKind::Schema, "the table `epoch` is empty"),
            Err(error) => self.found(None, BreakKind::Schema, format!("the table `epoch` cannot be read: {error}")),
        }
    }

    /// Whether the events reach `seq` and have `hash` there, as somebody noted.
    fn check_against(&mut self, who: &str, seq: u64, hash: Hash) {
        if seq > self.head.seq.0 {
            let first = self.head.seq.0 + 1;
            let what = if first == seq {
                format!("event {first} is missing")
            } else {
                format!("events {first} to {seq} are missing")
            };
            self.found(Some(first), BreakKind::Truncated, format!("{what} at the end: {who} knows of event {seq}"));
        } else if self.hash_at(seq).is_some_and(|found| found != hash) {
            self.found(Some(seq), BreakKind::Replaced, format!("event {seq} is not the one that {who} knows of"));
        }
    }

    fn check_signatures(&mut self, dir: &Path, given: Option<&Signature>) {
        match signing::beside(dir) {
            Ok(Some(signature)) => self.check_signature("the signed head beside the journal", &signature),
            Ok(None) => {}
            Err(error) => self.found(None, BreakKind::Signature, error.to_string()),
        }
        if let Some(signature) = given {
            self.check_signature("the signed head that was given", signature);
        }
    }

    fn check_signature(&mut self, who: &str, signature: &Signature) {
        if let Err(error) = signature.verify() {
            return self.found(None, BreakKind::Signature, format!("{who}: {error}"));
        }
        if self.run.as_ref().is_some_and(|run| *run != signature.run) {
            return self.found(None, BreakKind::Signature, format!("{who} is of run `{}`", signature.run));
        }
        match Hash::from_hex(&signature.head_hash) {
            Some(hash) => self.check_against(who, signature.head_seq, hash),
            None => self.found(None, BreakKind::Signature, format!("{who} names no hash")),
        }
        self.signed_by = Some(signature.public_key.clone());
        self.signed_seq = Some(Seq(signature.head_seq));
    }

    /// Tables and triggers, and SQLite's own check of its pages.
    fn check_file(&mut self, connection: &Connection) {
        let texts = |sql: &str| -> rusqlite::Result<Vec<String>> {
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map([], |row| row.get(0))?;
            rows.collect()
        };
        match texts("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL") {
            Err(error) => self.found(None, BreakKind::Schema, format!("the database's schema cannot be read: {error}")),
            Ok(stored) => {
                for wanted in schema::SCHEMA.iter().filter(|wanted| !stored.iter().any(|sql| sql == *wanted)) {
                    self.found(
                        None,
                        BreakKind::Schema,
                        format!("the {} is missing or altered", schema::name_of(wanted)),
                    );
                }
                for sql in stored.iter().filter(|sql| !schema::SCHEMA.contains(&sql.as_str())) {
                    self.found(
                        None,
                        BreakKind::Schema,
                        format!("the {} is not one of a journal", schema::name_of(sql)),
                    );
                }
            }
        }
        match texts("PRAGMA integrity_check") {
            Err(error) => self.found(None, BreakKind::Damaged, format!("the database cannot be checked: {error}")),
            Ok(answers) => {
                for answer in answers.iter().filter(|answer| *answer != "ok") {
                    self.found(None, BreakKind::Damaged, format!("SQLite says: {answer}"));
                }
            }
        }
    }

    fn report(self, run: &str) -> AuditReport {
        AuditReport {
            run: self.run.unwrap_or_else(|| run.into()),
            events: self.events,
            head_seq: self.head.seq,
            head_hash: self.head.hash,
            signed_by: self.signed_by,
            signed_seq: self.signed_seq,
            breaks: self.breaks,
            breaks_unlisted: self.unlisted,
        }
    }
}

/// Places kept for missing events, so that a forged number takes no memory.
const HASHES_SKIPPED_MAX: usize = 1 << 20;

/// What is said of an event whose content is not what its hash covers, when no more is known.
fn changed(seq: u64) -> String {
    format!("event {seq} was changed: its content is not what its hash covers")
}
