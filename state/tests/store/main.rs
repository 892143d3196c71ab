//! The store from outside: owners, readers, tampering, trouble with the disk.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the message")]

mod owners;
mod reading;
mod tampering;
mod trouble;

use ceptra_flow_core::event::{Event, Record, RunStarted};
use ceptra_flow_core::ids::{Epoch, Name, Seq, Timestamp};
use ceptra_flow_core::input::Actor;
use ceptra_flow_core::json::Json;
use ceptra_flow_state::conformance::note;
use ceptra_flow_state::{Hash, Journal as _, Owned, RunId, Store, Who};

fn who(user: &str) -> Who {
    Who { user: user.into(), host: "host-1".into(), pid: std::process::id() }
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("state")).unwrap();
    (dir, store)
}

/// The first record of a run, with some plan.
fn started(run: &RunId) -> Record {
    let plan = Json::from_text(r#"{"steps":[]}"#.into()).unwrap();
    let event = Event::RunStarted(RunStarted {
        run: run.name().clone(),
        digest: Hash::of(plan.as_str().as_bytes()).hex(),
        by: Actor { name: "ada".into(), via: Name::from("command"), host: None },
        path: None,
        plan,
    });
    Record { seq: Seq(1), at: Timestamp(1_700_000_000_000), epoch: Epoch(1), event }
}

/// A run with `count` records, still owned.
fn run_of(store: &Store, count: u64) -> Owned {
    let run = RunId::fresh();
    let mut owned = store.create_run(&run, &who("ada")).unwrap();
    owned.append(&[started(&run)]).unwrap();
    go_on(&mut owned, count - 1);
    owned
}

/// Appends `count` notes, in one commit.
fn go_on(owned: &mut Owned, count: u64) {
    let (first, epoch) = (owned.head().seq.0 + 1, owned.epoch());
    let notes: Vec<Record> = (first..first + count).map(|seq| note(seq, epoch, &format!("note {seq}"))).collect();
    owned.append(&notes).unwrap();
}
