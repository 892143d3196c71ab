//! Kills this process around a chosen append, so that tests can stop an engine at every write of its journal.
//!
//! Only with the feature `crash-points`. `CEPTRA_FLOW_TEST_CRASH_AT=3:before` dies right before the third append of the process,
//! `3:after` right after it is durable. SIGKILL, because nothing may be tidied up.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

static APPENDS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn before_append() {
    let count = APPENDS.fetch_add(1, Ordering::SeqCst) + 1;
    die_if(count, "before");
}

pub(crate) fn after_append() {
    die_if(APPENDS.load(Ordering::SeqCst), "after");
}

fn die_if(count: u64, moment: &str) {
    static CHOSEN: OnceLock<Option<String>> = OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| std::env::var("CEPTRA_FLOW_TEST_CRASH_AT").ok());
    if chosen.as_deref() == Some(format!("{count}:{moment}").as_str()) {
        // SAFETY: raising a signal in one's own process touches no memory.
        unsafe { libc::raise(libc::SIGKILL) };
    }
}
