//! What a run tells while it goes: plain lines for people, events for programs.
//!
//! Called between two commits, so everything here is cheap: lines go to a buffer that another thread writes.
//! Start at [`Told`].

use crate::app::App;
use crate::compile::Origin;
use crate::exit::CommandError;
use crate::files;
use crate::lines::{Lines, Writer};
use crate::rehearsal::Ready;
use ceptra_flow_core::ids::label;
use ceptra_flow_core::input::Operation;
use ceptra_flow_core::{Event, Record, RunState};
use ceptra_flow_local::{Note, Observer, Waiting};
use ceptra_flow_report::{Clock, Commands, event_json};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long lines gather before they are written to a pipe or a file. A person at a terminal sees them at once.
const LINGER: Duration = Duration::from_millis(25);

/// What a run directory keeps for later tenures: where the run came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Source {
    /// The runbook's file as it was.
    #[serde(flatten)]
    pub(crate) origin: Origin,
    /// Where relative paths of steps begin.
    pub(crate) started_from: String,
}

impl Source {
    fn path(run_dir: &Path) -> PathBuf {
        run_dir.join("source.json")
    }

    /// What is kept in a run directory.
    pub(crate) fn read(run_dir: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(Self::path(run_dir)).ok()?).ok()
    }
}

/// Where a run's lines and events go.
pub(crate) struct Told {
    lines: Lines,
    events: Option<Lines>,
    view: Option<ceptra_flow_report::Lines>,
    clock: Clock,
    commands: Commands,
    quiet: bool,
    verbose: bool,
    source: Option<(PathBuf, Source)>,
    recorded: u64,
    lab: Option<Ready>,
}

/// The threads that write them.
pub(crate) struct Writers {
    lines: Writer,
    events: Option<(Writer, String)>,
}

impl Told {
    /// Lines to stdout, or to stderr where stdout is for a program; events where they are wanted.
    pub(crate) fn start(app: &App, run: &str, events: Option<&str>) -> Result<(Self, Writers), CommandError> {
        let console = &app.console;
        let to_stderr = console.is_json() || events == Some("-");
        let terminal = if to_stderr {
            io::IsTerminal::is_terminal(&io::stderr())
        } else {
            io::IsTerminal::is_terminal(&io::stdout())
        };
        let linger = if terminal { Duration::ZERO } else { LINGER };
        let (lines, writer) =
            if to_stderr { Lines::start(io::stderr(), linger) } else { Lines::start(io::stdout(), linger) };
        let events = match events {
            None => None,
            Some("-") => Some((Lines::start(io::stdout(), Duration::ZERO), "stdout".to_owned())),
            Some(path) => {
                let file = File::options()
                    .create(true)
                    .append(true)
                    .open(path)
                    .map_err(|error| files::cannot("write", Path::new(path), &error))?;
                Some((Lines::start(file, Duration::ZERO), format!("`{path}`")))
            }
        };
        let (events, events_writer) = match events {
            Some(((lines, writer), name)) => (Some(lines), Some((writer, name))),
            None => (None, None),
        };
        let told = Self {
            lines,
            events,
            view: None,
            clock: app.clock(),
            commands: app.commands(run),
            quiet: console.quiet,
            verbose: console.verbose > 0,
            source: None,
            recorded: 0,
            lab: None,
        };
        Ok((told, Writers { lines: writer, events: events_writer }))
    }

    /// Keeps where the run came from in its directory, once there is one.
    pub(crate) fn keep_source(&mut self, run_dir: PathBuf, source: Source) {
        self.source = Some((run_dir, source));
    }

    /// Keeps the lab on its leash until there is a run that can be resumed with it.
    pub(crate) fn adopt_at_first_record(&mut self, lab: Ready) {
        self.lab = Some(lab);
    }

    /// How many records there were.
    pub(crate) fn recorded_count(&self) -> u64 {
        self.recorded
    }

    /// A line that is no record's.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            self.put(text);
        }
    }

    fn put(&self, text: &str) {
        self.lines.put(|buffer| {
            buffer.extend_from_slice(text.as_bytes());
            buffer.push(b'\n');
        });
    }

    fn waits(&self, waiting: &Waiting<'_>) {
        if waiting.paused {
            self.put(&format!("paused: `{}` in another shell goes on", self.commands.resume()));
        }
        for question in &waiting.questions {
            self.put(&format!(
                "waits for a decision about `{}`, from another shell:",
                label(question.id, question.key)
            ));
            for answer in self.commands.answers(question) {
                self.put(&format!("  {answer}"));
            }
        }
    }
}

impl Writers {
    /// Waits until everything is written. Lines that nobody reads are no loss; events that were asked for are.
    pub(crate) fn finish(self, app: &App) {
        // Whoever closed the other end of the lines does not want them.
        let _ = self.lines.finish();
        if let Some((writer, name)) = self.events
            && let Err(error) = writer.finish()
        {
            app.console.warn(&format!(
                "not all events could be written to {name}: {}; `ceptra-flow report` has them all",
                files::plain(&error)
            ));
        }
    }
}

impl Observer for Told {
    fn recorded(&mut self, record: &Record, state: &RunState) {
        self.recorded += 1;
        if let Some(mut lab) = self.lab.take() {
            lab.adopt();
        }
        if let Some(events) = &self.events {
            let text = event_json(record);
            events.put(|buffer| {
                buffer.extend_from_slice(text.as_bytes());
                buffer.push(b'\n');
            });
        }
        if let (Event::RunStarted(_), Some((dir, source))) = (&record.event, self.source.take()) {
            let text = serde_json::to_vec(&source).expect("a source's fields serialise");
            // Without it, only a changed runbook goes unnoticed at resume.
            let _ = std::fs::write(Source::path(&dir), text);
        }
        if self.quiet {
            return;
        }
        let (clock, commands) = (&self.clock, &self.commands);
        let view = self
            .view
            .get_or_insert_with(|| ceptra_flow_report::Lines::new(state.plan(), clock.clone(), commands.clone()));
        if let Some(line) = view.line(record, state) {
            self.put(&line);
        }
    }

    fn note(&mut self, note: Note<'_>) {
        match note {
            Note::Output { attempt, stream, line } => {
                if self.verbose && !self.quiet {
                    let mark = if stream == "stderr" { "!" } else { "|" };
                    self.put(&format!("  {} {mark} {line}", attempt.label()));
                }
            }
            Note::WaitsForLock { step, lock, holder } => {
                let run = holder.run.as_ref().map_or(String::new(), |run| format!(", run {run}"));
                self.say(&format!("`{step}` waits for lock `{lock}`, held by {holder}{run}"));
            }
            Note::Refused { what, why } => {
                if !matches!(what, Operation::Note { .. }) {
                    self.say(&format!("refused: {why}"));
                }
            }
            Note::Stopping { running } => {
                let running = ceptra_flow_report::text::count(running, "running step");
                self.put(&format!("stopping: nothing new starts, waiting for {running}; interrupt again to stop them"));
            }
            Note::Killing { running } => {
                self.put(&format!("stopping {} now", ceptra_flow_report::text::count(running, "running step")));
            }
            Note::Waits(waiting) => self.waits(&waiting),
        }
    }
}
