//! The hook that tests use to stop an engine at every write of its journal. Empty without the feature `crash-points`.
#![cfg(feature = "crash-points")]

use ceptra_flow_core::ids::Epoch;
use ceptra_flow_state::conformance::note;
use ceptra_flow_state::{Journal as _, Reader, RunId, SqliteJournal};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

#[test]
fn the_process_dies_right_before_or_right_after_the_chosen_append() {
    for (chosen, durable) in [("1:before", 0), ("1:after", 1), ("3:before", 2), ("3:after", 3), ("9:before", 4)] {
        let dir = tempfile::tempdir().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "in_a_child_that_dies"])
            .env("CEPTRA_FLOW_TEST_CRASH_DIR", dir.path())
            .env("CEPTRA_FLOW_TEST_CRASH_AT", chosen)
            .output()
            .unwrap();
        assert_eq!(child.status.signal(), (durable < 4).then_some(libc::SIGKILL), "{chosen}");
        assert_eq!(Reader::open(dir.path()).unwrap().records().count(), durable, "{chosen}");
    }
}

#[test]
fn in_a_child_that_dies() {
    let Some(dir) = std::env::var_os("CEPTRA_FLOW_TEST_CRASH_DIR") else {
        return;
    };
    let mut journal = SqliteJournal::create(Path::new(&dir), &RunId::fresh()).unwrap();
    for seq in 1..=4 {
        journal.append(&[note(seq, Epoch(1), "x")]).unwrap();
    }
}
