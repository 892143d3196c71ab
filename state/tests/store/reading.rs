//! Reading a run that somebody else drives, that nobody drives, or that was carried elsewhere.

use crate::{go_on, run_of, store, who};
use ceptra_flow_core::ids::{Epoch, Seq};
use ceptra_flow_state::{Journal as _, Reader, StoreError, audit};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

fn count(reader: &mut Reader) -> usize {
    reader.records().inspect(|record| assert!(record.is_ok(), "{record:?}")).count()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for name in ["journal.db", "journal.db-wal"] {
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

#[test]
fn a_reader_follows_while_the_owner_writes_ends_and_another_goes_on() {
    let (_dir, store) = store();
    let mut owned = run_of(&store, 3);
    let run = owned.run().clone();
    let mut reader = store.read_run(&run).unwrap();
    assert_eq!((count(&mut reader), count(&mut reader)), (3, 0));
    go_on(&mut owned, 2);
    assert_eq!((count(&mut reader), reader.head()), (2, owned.head()));
    owned.close(None).unwrap();
    assert_eq!(count(&mut reader), 0);

    let mut still = store.read_run(&run).unwrap();
    assert_eq!(count(&mut still), 5);
    let mut owned = store.open_run(&run, &who("bob")).unwrap();
    go_on(&mut owned, 1);
    assert_eq!((count(&mut reader), count(&mut still)), (1, 1));
    owned.close(None).unwrap();
    store.open_run(&run, &who("cyd")).map(|mut owned| go_on(&mut owned, 1)).unwrap();
    assert_eq!((count(&mut reader), count(&mut still)), (1, 1));
    assert_eq!((reader.epoch().unwrap(), still.epoch().unwrap()), (Epoch(3), Epoch(3)));
}

#[test]
fn reading_a_run_that_ended_leaves_no_trace() {
    let (_dir, store) = store();
    let owned = run_of(&store, 3);
    let (run, dir) = (owned.run().clone(), owned.dir().to_path_buf());
    owned.close(None).unwrap();
    let before = names(&dir);
    assert_eq!(before, ["blobs", "journal.db", "logs", "processes"]);
    let mut reader = store.read_run(&run).unwrap();
    assert_eq!(count(&mut reader), 3);
    assert!(audit(&dir, None).unwrap().is_whole());
    assert_eq!(names(&dir), before);
    drop(reader);
    assert_eq!(names(&dir), before);
}

#[test]
fn a_copy_is_read_with_and_without_its_log_by_directory_and_by_file() {
    let (outer, store) = store();
    let mut owned = run_of(&store, 3);
    go_on(&mut owned, 300);
    let alive = outer.path().join("copied while it ran");
    copy(owned.dir(), &alive);
    assert!(alive.join("journal.db-wal").exists(), "nothing has moved the log yet");
    let dir = owned.dir().to_path_buf();
    let run = owned.run().clone();
    owned.close(None).unwrap();
    let ended = outer.path().join("copied after it ended");
    copy(&dir, &ended);
    assert!(!ended.join("journal.db-wal").exists());
    for path in [&alive, &ended, &alive.join("journal.db"), &ended.join("journal.db")] {
        let mut reader = Reader::open(path).unwrap();
        assert_eq!((count(&mut reader), reader.run()), (303, &run));
        assert!(audit(path, None).unwrap().is_whole());
    }
}

/// Runs `work` as a user who may not write anything here. Root ignores permissions, so for root it becomes nobody, on its own thread only.
fn unprivileged(work: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: these calls take and give numbers; the user id they set is this thread's.
            if unsafe { libc::geteuid() } == 0 {
                unsafe { libc::setfsuid(65534) };
            }
            work();
        });
    });
}

fn only_readable(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        fs::set_permissions(entry.unwrap().path(), fs::Permissions::from_mode(0o444)).unwrap();
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o555)).unwrap();
}

#[test]
fn a_read_only_directory_can_be_read_and_audited() {
    let (outer, store) = store();
    fs::set_permissions(outer.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let owned = run_of(&store, 303);
    let alive = outer.path().join("alive");
    copy(owned.dir(), &alive);
    let dir = owned.dir().to_path_buf();
    owned.close(None).unwrap();
    let ended = outer.path().join("ended");
    copy(&dir, &ended);
    for dir in [alive, ended] {
        only_readable(&dir);
        let before = names(&dir);
        unprivileged(|| {
            let mut reader = Reader::open(&dir).unwrap();
            assert_eq!((count(&mut reader), count(&mut reader)), (303, 0));
            assert_eq!(reader.head().seq, Seq(303));
            assert!(audit(&dir, None).unwrap().is_whole());
        });
        assert_eq!(names(&dir), before);
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn a_store_that_cannot_be_written_says_so_and_what_to_do() {
    let (outer, store) = store();
    fs::set_permissions(outer.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(store.root()).unwrap();
    only_readable(store.root());
    unprivileged(|| {
        let error = store.create_run(&ceptra_flow_state::RunId::fresh(), &who("ada")).unwrap_err();
        assert!(error.to_string().contains("you lack the permission"), "{error}");
        assert!(matches!(store.check_writable(), Err(StoreError::Unwritable { .. })));
        assert!(store.runs().unwrap().is_empty());
    });
    fs::set_permissions(store.root(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn what_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().to_path_buf(), dir.path().join("gone"), dir.path().join("gone/journal.db")] {
        let error = Reader::open(&path).unwrap_err();
        assert!(error.to_string().contains("there is no such file"), "{error}");
    }
}

#[test]
fn readers_never_disturb_the_owner_and_see_every_record_once() {
    const RECORDS: u64 = 200;
    let (_dir, store) = store();
    let mut owned = run_of(&store, 1);
    let run = owned.run().clone();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut reader = store.read_run(&run).unwrap();
                let mut seen = 0;
                while seen < RECORDS {
                    for record in reader.records() {
                        seen += 1;
                        assert_eq!(record.unwrap().seq, Seq(seen));
                    }
                    assert!(store.read_run(&run).unwrap().records().all(|record| record.is_ok()));
                }
            });
        }
        for _ in 1..RECORDS {
            go_on(&mut owned, 1);
        }
        owned.close(None).unwrap();
    });
}
