//! A child's process group: signalled as one, and not left behind.

use crate::log::LogSink;
use crate::values::shown;
use std::time::Duration;
use tokio::process::Child;

/// A process that does not die of KILL sits in the kernel (a dead NFS server); waiting longer helps nobody.
const KILLED: Duration = Duration::from_secs(5);

/// How often to look whether everything in a group has ended: soon at first, then seldom, for a look reads `/proc`.
const POLL_MIN: Duration = Duration::from_millis(10);
const POLL_MAX: Duration = Duration::from_millis(250);

/// The process group of a child, killed when dropped before it is settled.
pub(super) struct Group {
    /// The group's id; the child leads it.
    id: Option<i32>,
    is_settled: bool,
}

impl Group {
    /// The group that the child leads.
    pub(super) fn of(child: &Child) -> Self {
        Self { id: child.id().and_then(|id| i32::try_from(id).ok()), is_settled: false }
    }

    /// It ended; nothing is to be killed any more.
    pub(super) fn settle(&mut self) {
        self.is_settled = true;
    }

    /// TERM, then KILL after the grace, then reaps the child.
    pub(super) async fn stop(&self, child: &mut Child, grace: Duration, log: &LogSink) {
        self.signal(libc::SIGTERM);
        // A stopped process sees TERM only when it goes on.
        self.signal(libc::SIGCONT);
        let leaves = async {
            let _ = child.wait().await;
            let mut pause = POLL_MIN;
            while self.is_alive() {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(POLL_MAX);
            }
        };
        if tokio::time::timeout(grace, leaves).await.is_ok() {
            return;
        }
        log.say(&format!("ceptra-flow: still running {} after TERM; sending KILL to the process group", shown(grace)));
        self.signal(libc::SIGKILL);
        if tokio::time::timeout(KILLED, child.wait()).await.is_err() {
            log.say("ceptra-flow: the process does not die of KILL; it is left to the kernel");
        }
    }

    /// Whether anything in the group still runs. A process that ended but whose new parent does not care (a
    /// container without an init) is no member any more, though its number is.
    fn is_alive(&self) -> bool {
        self.signal(0) && self.id.is_some_and(|id| runs_in(id).unwrap_or(true))
    }

    fn signal(&self, signal: i32) -> bool {
        // SAFETY: kill(2) touches no memory of ours. The id stays this group's as long as it has a member.
        self.id.is_some_and(|id| unsafe { libc::kill(-id, signal) } == 0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_settled {
            self.signal(libc::SIGKILL);
        }
    }
}

/// Whether a process of this group runs; `None` where the system does not tell.
fn runs_in(group: i32) -> Option<bool> {
    for entry in std::fs::read_dir("/proc").ok()? {
        let name = entry.ok()?.file_name();
        let is_process = name.to_str().is_some_and(|name| name.bytes().all(|digit| digit.is_ascii_digit()));
        if !is_process {
            continue;
        }
        // Gone meanwhile is as good as ended.
        let Ok(stat) = std::fs::read_to_string(std::path::Path::new("/proc").join(name).join("stat")) else { continue };
        // `pid (name) state parent group …`, and a name may hold anything.
        let mut fields = stat.rsplit(')').next()?.split_whitespace();
        let state = fields.next()?;
        let member_of: i32 = fields.nth(1)?.parse().ok()?;
        if member_of == group && !matches!(state, "Z" | "X") {
            return Some(true);
        }
    }
    Some(false)
}
