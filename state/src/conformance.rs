//! What every kind of journal must do: each function is a test that both sides pass.
//!
//! A new kind of journal calls [`check_all`] from its tests. The functions panic where a promise is broken.

use crate::chain::{Columns, Hash};
use crate::error::AppendError;
use crate::journal::{Head, Journal, Journals, RequestId};
use crate::run_id::RunId;
use ceptra_flow_core::event::{Event, NoteAdded, Record, RunInterrupted};
use ceptra_flow_core::ids::{Epoch, Name, Seq, Timestamp};
use ceptra_flow_core::input::Actor;

/// Every test, each against journals of its own.
///
/// # Panics
/// When a promise is broken.
pub fn check_all<J: Journals>(mut journals: impl FnMut() -> J) {
    what_is_appended_is_read(&journals());
    a_new_journal_is_empty(&journals());
    an_owner_goes_on_where_the_former_one_ended(&journals());
    a_former_owner_cannot_append(&journals());
    of_two_takers_one_writes(&journals());
    a_taker_that_missed_a_record_cannot_append(&journals());
    opening_alone_changes_nothing(&journals());
    numbers_have_no_gaps(&journals());
    records_of_another_epoch_are_refused(&journals());
    all_of_an_append_or_none(&journals());
    after_a_failure_nothing_is_taken(&journals());
    hashes_are_the_documented_ones(&journals());
    runs_are_apart(&journals());
}

/// A record for tests.
#[must_use]
pub fn note(seq: u64, epoch: Epoch, text: &str) -> Record {
    let by = Actor { name: "ada".into(), via: Name::from("command"), host: None };
    Record {
        seq: Seq(seq),
        at: Timestamp(1_700_000_000_000 + seq),
        epoch,
        event: Event::NoteAdded(NoteAdded { text: text.into(), by }),
    }
}

fn take<J: Journals>(journals: &J, run: &RunId) -> J::Journal {
    journals.take_over(run).expect("the journal can be taken")
}

fn texts<J: Journals>(journals: &J, run: &RunId) -> Vec<String> {
    let records = journals.read(run).expect("the journal can be read");
    records
        .into_iter()
        .map(|record| match record.event {
            Event::NoteAdded(note) => note.text,
            other => other.kind().into(),
        })
        .collect()
}

fn append(journal: &mut impl Journal, texts: &[&str]) -> Result<Seq, AppendError> {
    let (head, epoch) = (journal.head().seq.0, journal.epoch());
    let records: Vec<Record> = (head + 1..).zip(texts).map(|(seq, text)| note(seq, epoch, text)).collect();
    journal.append(&records)
}

/// Records come back as they were, in order.
pub fn what_is_appended_is_read<J: Journals>(journals: &J) {
    let run = RunId::fresh();
    let mut journal = take(journals, &run);
    let records: Vec<Record> = (1..=3).map(|seq| note(seq, Epoch(1), "\u{1F6A8} \"quoted\"\n\0")).collect();
    assert_eq!(journal.append(&records[..1]).expect("it follows"), Seq(1));
    assert_eq!(journal.append(&records[1..]).expect("they follow"), Seq(3));
    let ended = Record {
        seq: Seq(4),
        event: Event::RunInterrupted(RunInterrupted { signal: Name::from("SIGTERM") }),
        ..records[0].clone()
    };
    journal.append(std::slice::from_ref(&ended)).expect("it follows");
    let read = journals.read(&run).expect("it can be read");
    assert_eq!(read[..3], records);
    assert_eq!(read[3..], [ended]);
    assert_eq!(journal.head().seq, Seq(4));
}

/// Nothing is in it, and its first owner holds epoch 1.
pub fn a_new_journal_is_empty<J: Journals>(journals: &J) {
    let run = RunId::fresh();
    let mut journal = take(journals, &run);
    assert_eq!((journal.head(), journal.epoch(), journal.run()), (Head::default(), Epoch(1), &run));
    assert_eq!(journal.append(&[]).expect("nothing always follows"), Seq(0));
    assert!(texts(journals, &run).is_empty());
}

/// The next owner finds the head and holds the next epoch.
pub fn an_owner_goes_on_where_the_former_one_ended<J: Journals>(journals: &J) {
    let run = RunId::fresh();
    let mut former = take(journals, &run);
    append(&mut former, &["a", "b"]).expect("it is the owner");
    let head = former.head();
    drop(former);
    let mut journal = take(journals, &run);
    assert_eq!((journal.head(), journal.epoch()), (head, Epoch(2)));
    append(&mut journal, &["c"]).expect("it is the owner");
    assert_eq!(texts(journals, &run), ["a", "b", "c"]);
}

/// From the next owner's first append on, the former one is fenced.
pub fn a_former_owner_cannot_append<J: Journals>(journals: &J) {
    let run = RunId::fresh();
    let mut former = take(journals, &run);
    append(&mut former, &["a"]).expect("it is the owner");
    let mut current = take(journals, &run);
    append(&mut current, &["b"]).expect("it is the owner");
    let refused = append(&mut former, &["z"]).expect_err("it is the owner no longer");
    assert!(matches!(refused, AppendError::Fenced { held: Epoch(1), current: Epoch(2), .. }), "{refused:?}");
    assert!(refused.owned_elsewhere());
    append(&mut current, &["c"]).expect("it is still the owner");
    assert_eq!(texts(journals, &run), ["a", "b", "c"]);
}

/// Of two that open a run at the same time, the first to append is its owner.
pub fn of_two_takers_one_writes<J: Journals>(journals: &J) {
    let run = RunId::fresh();
    let (mut one, mut other) = (take(journals, &run), take(journals, &run));
    append(&mut one, &["a"]).expect("it was first");
    let refused = append(&mut other, &["b"]).expect_err("it was second");
    assert!(matches!(refused, AppendError::Fenced { .. }), "{refused:?}");
    assert_eq!(texts(journals, &run), ["a"]);
}

/// An owner that decided before the former one's last record must read that record first.
pub fn a_taker_that_missed_a_record_cannot_append<J: Journals>(journals: &J) {
    let run = RunId::fresh();
    let mut former = take(journals, &run);
    append(&mut former, &["a"]).expect("it is the owner");
    let mut taker = take(journals, &run);
    append(&mut former, &["b"]).expect("nobody else has appended");
    let refused = append(&mut taker, &["c"]).expect_err("it decided on too little");
    assert!(matches!(refused, AppendError::Gap { .. }), "{refused:?}");
    assert_eq!(texts(journals, &run), ["a", "b"]);
}

/// The epoch rises with the first append, not with opening.
pub fn opening_alone_changes_nothing<J: Journals>(journals: &J) {
    let run = RunId::fresh();
    append(&mut take(journals, &run), &["a"]).expect("it is the owner");
    assert_eq!(take(journals, &run).epoch(), Epoch(2));
    assert_eq!(take(journals, &run).epoch(), Epoch(2));
}

/// A number that does not go on from the head is refused.
pub fn numbers_have_no_gaps<J: Journals>(journals: &J) {
    for wrong in [0, 1, 3, 99] {
        let run = RunId::fresh();
        let mut journal = take(journals, &run);
        append(&mut journal, &["a"]).expect("it follows");
        let refused = journal.append(&[note(wrong, Epoch(1), "z")]).expect_err("it does not follow");
        assert!(matches!(refused, AppendError::Gap { found, .. } if found == Seq(wrong)), "{refused:?}");
        assert_eq!(texts(journals, &run), ["a"]);
    }
}

/// A record says in which epoch it was written.
pub fn records_of_another_epoch_are_refused<J: Journals>(journals: &J) {
    for wrong in [0, 2] {
        let run = RunId::fresh();
        let refused = take(journals, &run).append(&[note(1, Epoch(wrong), "z")]).expect_err("the epoch is 1");
        assert!(matches!(refused, AppendError::WrongEpoch { .. }), "{refused:?}");
        assert!(texts(journals, &run).is_empty());
    }
}

/// An append with one bad record leaves none, and no request accepted.
pub fn all_of_an_append_or_none<J: Journals>(journals: &J) {
    let run = RunId::fresh();
    let mut journal = take(journals, &run);
    let records = [note(1, Epoch(1), "a"), note(2, Epoch(1), "b"), note(4, Epoch(1), "d")];
    journal.append_answering(&records, &[RequestId("r".into())]).expect_err("3 is missing");
    assert!(texts(journals, &run).is_empty());
    assert_eq!(take(journals, &run).epoch(), Epoch(1), "the epoch did not rise either");
}

/// Nobody knows what is there after a failure, so the same owner adds nothing.
pub fn after_a_failure_nothing_is_taken<J: Journals>(journals: &J) {
    let run = RunId::fresh();
    let mut journal = take(journals, &run);
    append(&mut journal, &["a"]).expect("it follows");
    journal.append(&[note(7, Epoch(1), "z")]).expect_err("it does not follow");
    let refused = append(&mut journal, &["b"]).expect_err("the journal is poisoned");
    assert!(matches!(refused, AppendError::Poisoned { .. }), "{refused:?}");
    append(&mut take(journals, &run), &["b"]).expect("another owner may go on");
    assert_eq!(texts(journals, &run), ["a", "b"]);
}

/// Whoever keeps the journal, the same records have the same hashes.
pub fn hashes_are_the_documented_ones<J: Journals>(journals: &J) {
    let run = RunId::fresh();
    let mut journal = take(journals, &run);
    append(&mut journal, &["a", "b"]).expect("they follow");
    let mut hash = Hash::default();
    for record in journals.read(&run).expect("it can be read") {
        let payload = record.event.payload();
        hash = Columns::of(&record, &run, record.event.subject().as_deref(), &payload).hash(&hash);
    }
    assert_eq!(journal.head().hash, hash);
    assert_eq!(take(journals, &run).head().hash, hash);
}

/// One run's records are not another's.
pub fn runs_are_apart<J: Journals>(journals: &J) {
    let (one, other) = (RunId::fresh(), RunId::fresh());
    append(&mut take(journals, &one), &["a"]).expect("it follows");
    append(&mut take(journals, &other), &["b"]).expect("it follows");
    assert_eq!((texts(journals, &one), texts(journals, &other)), (vec!["a".into()], vec!["b".into()]));
}
