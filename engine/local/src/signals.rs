//! Signals: the first Ctrl-C or TERM lets running steps finish, the second stops them; a hang-up changes nothing.

use ceptra_flow_core::Name;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that concern a drive.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// A dropped session: taken, so that it does not end the process, and otherwise ignored.
    hangup: Signal,
}

impl Signals {
    /// # Errors
    /// When the system refuses a handler.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next signal that asks the process to stop.
    pub(crate) async fn next(&mut self) -> Name {
        loop {
            tokio::select! {
                Some(()) = self.interrupt.recv() => return Name::from("SIGINT"),
                Some(()) = self.terminate.recv() => return Name::from("SIGTERM"),
                Some(()) = self.hangup.recv() => {}
            }
        }
    }
}
