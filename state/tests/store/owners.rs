//! One process drives a run at a time.

use crate::{go_on, run_of, store, who};
use ceptra_flow_core::ids::{Epoch, Name, Seq};
use ceptra_flow_core::input::{Actor, Operation, Request};
use ceptra_flow_state::conformance::note;
use ceptra_flow_state::{AppendError, Found, Journal as _, OpenError, Reply, RunId, SqliteJournal, StoreError};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn a_second_engine_is_told_who_drives_the_run() {
    let (_dir, store) = store();
    let owned = run_of(&store, 2);
    let run = owned.run().clone();
    let refused = store.open_run(&run, &who("bob")).unwrap_err();
    let OpenError::HeldBy { holder, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!((holder.user.as_str(), holder.epoch), ("ada", Some(Epoch(1))));
    let said = format!("process {} of ada on host-1 (since ", std::process::id());
    assert!(refused.to_string().starts_with(&said), "{refused}");
    assert_eq!(store.is_held(&run).unwrap().unwrap().run.as_deref(), Some(run.as_str()));

    drop(owned);
    assert_eq!(store.is_held(&run).unwrap(), None);
    let next = store.open_run(&run, &who("bob")).unwrap();
    assert_eq!((next.epoch(), next.head().seq), (Epoch(2), Seq(2)));
}

#[test]
fn an_engine_that_was_taken_over_is_fenced() {
    let (_dir, store) = store();
    let mut owned = run_of(&store, 2);
    // Somebody came past the lock, as can happen on a network file system.
    let mut zombie_killer = SqliteJournal::open(owned.dir(), owned.run()).unwrap();
    zombie_killer.append(&[note(3, Epoch(2), "mine now")]).unwrap();
    let refused = owned.append(&[note(3, Epoch(1), "still mine")]).unwrap_err();
    assert!(matches!(refused, AppendError::Fenced { current: Epoch(2), .. }), "{refused:?}");
    assert!(refused.owned_elsewhere());
}

#[test]
fn the_records_of_a_run_are_there_for_the_next_owner() {
    let (_dir, store) = store();
    let owned = run_of(&store, 700);
    let (run, head) = (owned.run().clone(), owned.head());
    drop(owned);
    let mut next = store.open_run(&run, &who("bob")).unwrap();
    for _ in 0..2 {
        let records = next.records().collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(records.iter().map(|record| record.seq.0).collect::<Vec<_>>(), (1..=700).collect::<Vec<_>>());
    }
    assert_eq!(next.head(), head);
    go_on(&mut next, 1);
    assert_eq!(next.records().last().unwrap().unwrap().epoch, Epoch(2));
}

#[test]
fn opening_writes_nothing() {
    let (_dir, store) = store();
    let owned = run_of(&store, 5);
    let (run, file) = (owned.run().clone(), owned.dir().join("journal.db"));
    drop(owned);
    let before = (fs::read(&file).unwrap(), fs::metadata(&file).unwrap().modified().unwrap());
    let mut next = store.open_run(&run, &who("bob")).unwrap();
    assert_eq!(next.records().count(), 5);
    drop(next);
    assert_eq!((fs::read(&file).unwrap(), fs::metadata(&file).unwrap().modified().unwrap()), before);
}

#[test]
fn only_the_user_can_look_into_a_run() {
    let (_dir, store) = store();
    let owned = run_of(&store, 1);
    store.signer().unwrap();
    let mut left = vec![store.root().to_path_buf()];
    while let Some(path) = left.pop() {
        let metadata = fs::metadata(&path).unwrap();
        let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o777, wanted, "{}", path.display());
        if metadata.is_dir() {
            left.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    assert!(owned.logs_dir().is_dir() && owned.processes_dir().is_dir());
}

#[test]
fn runs_are_listed_newest_first_and_found_by_prefix() {
    let (_dir, store) = store();
    assert!(store.runs().unwrap().is_empty() && store.newest().unwrap().is_none());
    assert!(!store.root().exists(), "looking makes nothing");

    let (first, second) = (run_of(&store, 1).run().clone(), run_of(&store, 1).run().clone());
    // Made, but its process died before the first record.
    let unborn = RunId::fresh();
    drop(store.create_run(&unborn, &who("ada")).unwrap());
    let half = store.run_dir(&RunId::fresh());
    fs::create_dir(&half).unwrap();
    fs::write(half.join("journal.db"), b"").unwrap();
    fs::create_dir(store.root().join("runs/not-a-run")).unwrap();

    assert_eq!(store.runs().unwrap(), [second.clone(), first.clone()]);
    assert_eq!(store.newest().unwrap(), Some(second.clone()));
    assert_eq!(store.find(first.as_str()).unwrap(), Found::One(first.clone()));
    assert_eq!(store.find(&first.as_str().to_uppercase()).unwrap(), Found::One(first.clone()));
    assert_eq!(store.find("").unwrap(), Found::Ambiguous(vec![second, first]));
    assert_eq!(store.find("zz").unwrap(), Found::Nothing);
    assert_eq!(store.find(unborn.as_str()).unwrap(), Found::Nothing);
    let nobody = RunId::fresh();
    assert!(matches!(store.read_run(&nobody), Err(StoreError::NoSuchRun { .. })));
    assert!(matches!(store.open_run(&nobody, &who("ada")), Err(OpenError::Store(StoreError::NoSuchRun { .. }))));
}

#[test]
fn a_run_is_made_once() {
    let (_dir, store) = store();
    let owned = run_of(&store, 1);
    assert!(matches!(store.create_run(owned.run(), &who("ada")), Err(OpenError::HeldBy { .. })));
    let run = owned.run().clone();
    drop(owned);
    assert!(matches!(store.create_run(&run, &who("ada")), Err(OpenError::Store(StoreError::RunExists { .. }))));
}

#[test]
fn a_request_takes_effect_once_even_if_the_owner_dies_before_it_replies() {
    let (_dir, store) = store();
    let mut owned = run_of(&store, 1);
    let run = owned.run().clone();
    let by = Actor { name: "bob".into(), via: Name::from("command"), host: None };
    let request = Request { by, reason: None, what: Operation::Note { text: "hello".into() } };
    let (first, second) = (store.post(&run, &request).unwrap(), store.post(&run, &request).unwrap());

    let mut inbox = owned.inbox().unwrap();
    let posted = inbox.poll().unwrap();
    assert_eq!(posted.iter().map(|posted| &posted.id).collect::<Vec<_>>(), [&first, &second]);
    owned.append_answering(&[note(2, Epoch(1), "hello")], std::slice::from_ref(&first)).unwrap();
    drop((owned, inbox));

    let owned = store.open_run(&run, &who("ada")).unwrap();
    let mut inbox = owned.inbox().unwrap();
    assert_eq!(inbox.poll().unwrap().iter().map(|posted| &posted.id).collect::<Vec<_>>(), [&second]);
    assert_eq!(store.reply(&run, &first).unwrap(), Some(Reply::Accepted));
    assert_eq!(store.reply(&run, &second).unwrap(), None);
    inbox.reply(&second, &Reply::Refused("said before".into())).unwrap();
    assert_eq!(store.reply(&run, &second).unwrap(), Some(Reply::Refused("said before".into())));
}

#[test]
fn locks_across_runs_name_their_holder() {
    let (_dir, store) = store();
    let (one, other) = (RunId::fresh(), RunId::fresh());
    let dns = [Name::from("dns")];
    let held = store.lock_named(&dns, &one, &who("ada")).unwrap();
    let refused = store.lock_named(&dns, &other, &who("bob")).unwrap_err();
    assert!(refused.to_string().contains("lock `dns` is held by process"), "{refused}");
    drop(held);
    store.lock_named(&dns, &other, &who("bob")).unwrap();
}
