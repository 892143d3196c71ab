//! What every verb is given: how to talk, and where the state is.

use crate::args::Global;
use crate::console::Console;
use crate::exit::CommandError;
use ceptra_flow_core::Timestamp;
use ceptra_flow_report::{Clock, Commands};
use ceptra_flow_state::Store;
use jiff::tz::TimeZone;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// One invocation.
pub(crate) struct App {
    /// How it talks.
    pub(crate) console: Console,
    /// `--state` or `CEPTRA_FLOW_STATE`.
    state: Option<PathBuf>,
}

impl App {
    /// As the options say.
    pub(crate) fn new(global: &Global) -> Self {
        let console = Console::new(global.output, global.color, global.quiet, global.verbose);
        let state = global.state.clone().filter(|dir| !dir.as_os_str().is_empty());
        Self { console, state }
    }

    /// The state store; makes nothing.
    pub(crate) fn store(&self) -> Result<Store, CommandError> {
        let dir = match &self.state {
            Some(dir) => dir.clone(),
            None => Store::default_dir()?,
        };
        Ok(Store::open(dir)?)
    }

    /// How commands for a run are spelled here.
    pub(crate) fn commands(&self, run: &str) -> Commands {
        let state = self.state.as_ref().map(|dir| dir.display().to_string());
        Commands::new(run, state.as_deref())
    }

    /// A command without a run, with `--state` where it was given.
    pub(crate) fn command(&self, words: &str) -> String {
        match &self.state {
            Some(dir) => format!(
                "ceptra-flow {words} --state {}",
                ceptra_flow_report::text::shell_word(&dir.display().to_string())
            ),
            None => format!("ceptra-flow {words}"),
        }
    }

    /// The reader's clock: local time with its offset.
    pub(crate) fn clock(&self) -> Clock {
        Clock::asking(local_zone)
    }

    /// Finds out the time zone beside what else there is to do: that reads files, and a resumed step should not wait for it.
    pub(crate) fn find_out_zone(&self) {
        if !self.console.quiet {
            std::thread::spawn(local_zone);
        }
    }
}

/// The reader's time zone, found out once.
fn local_zone() -> TimeZone {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    ZONE.get_or_init(TimeZone::system).clone()
}

/// Now, for views.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The directory this process is in.
pub(crate) fn here() -> PathBuf {
    // Without one (it was removed), relative names mean nothing, and say so when they are used.
    std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."))
}
