//! Driving a run from here to its end, and what is said then: used by `run`, `resume`, `cancel` and `undo`.
//!
//! Start at [`Driver`].

use crate::app::{App, here, now};
use crate::args::StepArg;
use crate::asker::TerminalAsker;
use crate::exit::{self, CommandError, Exit};
use crate::loaded::Loaded;
use crate::observer::{Source, Told, Writers};
use crate::rehearsal::Ready;
use crate::who::Person;
use crate::{inputs, rehearsal, reports};
use ceptra_flow_core::event::Outcome;
use ceptra_flow_core::input::{Operation, Request};
use ceptra_flow_core::plan::{SecretInput, TargetKind};
use ceptra_flow_core::scheduler::Standing;
use ceptra_flow_core::state::Status;
use ceptra_flow_core::{Event, Name, Plan, RunState};
use ceptra_flow_lab::{Verdict, Word};
use ceptra_flow_local::{Ended, Grant, Settings};
use ceptra_flow_report::{Ending, Liveness, RunOutcome};
use ceptra_flow_state::{OpenError, Reader, RunId, Store};
use clap::Args;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Options of every verb that drives a run.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct DriveArgs {
    /// Answer confirmations and grant approvals as yourself; the journal says so
    #[arg(long)]
    pub(crate) yes: bool,
    /// Grant the approval of this step as yourself
    #[arg(long, value_name = "STEP")]
    pub(crate) approve: Vec<StepArg>,
    /// Wait for decisions of others instead of parking
    #[arg(long)]
    pub(crate) wait: bool,
    /// Write every event as one JSON line to a file, or to stdout (-)
    #[arg(long, value_name = "FILE|-")]
    pub(crate) events: Option<String>,
    /// Who you are (default: CEPTRA_FLOW_USER, USER, LOGNAME)
    #[arg(long = "as", value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) who: Option<String>,
}

/// One run, about to be driven by this process.
pub(crate) struct Driver<'a> {
    app: &'a App,
    store: Store,
    run: RunId,
    args: &'a DriveArgs,
    person: Person,
    secrets: BTreeMap<String, String>,
    /// The lab as it was found or started; adopted with the run's first record.
    ready: Option<Ready>,
    started_from: PathBuf,
    lab: Option<PathBuf>,
    /// Open until the run is taken: whoever opens a killed run's journal first recovers its log, and the next need not.
    reader: Option<Reader>,
}

/// What a later tenure needs of the plan before the journal is folded; the steps are skipped.
#[derive(Deserialize)]
struct PlanHead {
    #[serde(default)]
    secrets: Vec<SecretInput>,
}

impl<'a> Driver<'a> {
    /// A run that does not exist yet. `secrets` were read, and `lab` was started, by the caller.
    pub(crate) fn of_new(
        app: &'a App,
        store: Store,
        run: RunId,
        args: &'a DriveArgs,
        secrets: BTreeMap<String, String>,
        lab: Option<(PathBuf, Ready)>,
    ) -> Self {
        let (lab, ready) = lab.unzip();
        Self {
            app,
            store,
            run,
            person: Person::of(args.who.as_deref()),
            args,
            secrets,
            ready,
            started_from: here(),
            lab,
            reader: None,
        }
    }

    /// A run that exists: its secrets are read again, its lab is found or started again. `None` when it came to its end
    /// and is not asked for anything: then neither is wanted.
    pub(crate) fn of_existing(
        app: &'a App,
        store: Store,
        run: RunId,
        reader: Option<Reader>,
        args: &'a DriveArgs,
        asked: &[Request],
    ) -> Result<Option<Self>, CommandError> {
        let (needed, reader) = secrets_of(&store, &run, reader)?;
        let dir = rehearsal::dir_of(&store, &run);
        let lab = Some(dir).filter(|dir| dir.join("lab.json").is_file());
        if asked.is_empty()
            && (lab.is_some() || !needed.is_empty())
            && Loaded::of(&store, &run)?.state.outcome().is_some()
        {
            return Ok(None);
        }
        if let Some(holder) = store.is_held(&run)? {
            return Err(OpenError::HeldBy { run, holder: Box::new(holder) }.into());
        }
        let secrets = inputs::secrets(&needed)?;
        let source = Source::read(&store.run_dir(&run));
        let started_from = source.map_or_else(here, |source| PathBuf::from(source.started_from));
        let ready = lab.as_deref().map(rehearsal::start).transpose()?;
        Ok(Some(Self {
            app,
            store,
            run,
            person: Person::of(args.who.as_deref()),
            args,
            secrets,
            ready,
            started_from,
            lab,
            reader: Some(reader),
        }))
    }

    /// Starts the run and drives it.
    pub(crate) fn start(self, plan: Plan, origin: crate::compile::Origin) -> Result<Exit, CommandError> {
        let (mut told, writers) = Told::start(self.app, self.run.as_str(), self.args.events.as_deref())?;
        let path = origin.runbook.clone();
        told.keep_source(
            self.store.run_dir(&self.run),
            Source { origin, started_from: self.started_from.display().to_string() },
        );
        let (aftermath, settings) = self.split(&mut told, false);
        let ended = ceptra_flow_local::run(&aftermath.store, &aftermath.run, plan, Some(&path), settings);
        drop(told);
        aftermath.conclude(writers, ended)
    }

    /// Takes the run over and goes on with it; `asked` goes in first.
    pub(crate) fn resume(self, asked: Vec<Request>, go_on: bool) -> Result<Exit, CommandError> {
        let (mut told, writers) = Told::start(self.app, self.run.as_str(), self.args.events.as_deref())?;
        let (mut aftermath, settings) = self.split(&mut told, go_on);
        aftermath.ends_on_request =
            asked.iter().any(|asked| matches!(asked.what, Operation::Cancel | Operation::Undo { .. }));
        let ended = ceptra_flow_local::resume(&aftermath.store, &aftermath.run, asked, settings);
        let nothing_new = told.recorded_count() == 0;
        drop(told);
        match ended {
            Ok(ended) if nothing_new => {
                writers.finish(aftermath.app);
                say_over(aftermath.app, &aftermath.store, &aftermath.run, &ended.state)
            }
            ended => aftermath.conclude(writers, ended),
        }
    }

    /// What the driver is told, and what is needed after it.
    fn split<'t>(mut self, told: &'t mut Told, go_on: bool) -> (Aftermath<'a>, Settings<'t>) {
        let console = self.app.console;
        let asks = console.can_ask() && !self.args.yes && self.args.events.as_deref() != Some("-");
        let asker = asks.then(|| Box::new(TerminalAsker { console }) as Box<dyn ceptra_flow_local::Asker>);
        let steps = self.args.approve.iter().map(|step| Name::from(step.id.as_str())).collect();
        let endpoints = self.ready.as_mut().map(|ready| std::mem::take(&mut ready.endpoints)).unwrap_or_default();
        if let Some(ready) = self.ready.take() {
            told.adopt_at_first_record(ready);
        }
        let settings = Settings {
            by: self.person.actor("command"),
            engine: self.person.engine(),
            secrets: self.secrets,
            endpoints,
            started_from: self.started_from,
            grant: Grant { all: self.args.yes, steps },
            wait: self.args.wait,
            go_on,
            asker,
            observer: told,
            until_taken: self.reader.map(|reader| Box::new(reader) as Box<dyn std::any::Any>),
        };
        (Aftermath { app: self.app, store: self.store, run: self.run, lab: self.lab, ends_on_request: false }, settings)
    }
}

/// The secret inputs of a run's plan, read off its first record.
fn secrets_of(store: &Store, run: &RunId, reader: Option<Reader>) -> Result<(Vec<SecretInput>, Reader), CommandError> {
    let mut reader = reader.map_or_else(|| store.read_run(run), Ok)?;
    let first = reader.records().next().transpose()?;
    let secrets = match first.map(|first| first.event) {
        Some(Event::RunStarted(started)) => {
            let head: Result<PlanHead, _> = started.plan.parse();
            // A plan that cannot be read is refused by the fold, with the reason.
            head.map(|head| head.secrets).unwrap_or_default()
        }
        Some(_) | None => Vec::new(),
    };
    Ok((secrets, reader))
}

/// What is done once a drive has come to its end.
struct Aftermath<'a> {
    app: &'a App,
    store: Store,
    run: RunId,
    lab: Option<PathBuf>,
    /// Whether this command is `cancel` or `undo`.
    ends_on_request: bool,
}

impl Aftermath<'_> {
    fn conclude(
        self,
        writers: Writers,
        ended: Result<Ended, ceptra_flow_local::DriveError>,
    ) -> Result<Exit, CommandError> {
        writers.finish(self.app);
        match ended {
            Ok(ended) => self.tell(ended),
            Err(error) => Err(self.failed(error.into())),
        }
    }

    /// The run could not be driven to a rest: a lab without a run is of no use to anybody.
    fn failed(&self, error: CommandError) -> CommandError {
        let begun = self.store.read_run(&self.run).is_ok();
        match &self.lab {
            Some(dir) if !begun => rehearsal::stop(&self.app.console, dir),
            Some(_) | None => {}
        }
        error
    }

    fn tell(&self, ended: Ended) -> Result<Exit, CommandError> {
        let verdict = match (ended.standing, &self.lab) {
            (Standing::Ended(_), Some(dir)) => Some(self.judge(dir)),
            _ => None,
        };
        let Ended { standing, state } = ended;
        let runbook = state.plan().runbook.name.clone();
        let path = (state.plan().steps.len() <= reports::STEPS_MAX)
            .then(|| reports::path(&self.store, &self.run).display().to_string());
        let ending = self.ending(&state, path.as_deref());
        let as_asked = self.ends_on_request && came_true(&state);
        // The report folds the journal once more: two folds of a long run need not be in memory at once.
        drop(state);
        let report = path.filter(|_| self.write_report());
        self.say_ending(&ending, standing, verdict.as_ref());
        let exit = if as_asked { Exit::Done } else { exit_of(standing, verdict.as_ref()) };
        if self.app.console.is_json() {
            self.app.console.json(&json!({
                "run": self.run.as_str(),
                "runbook": runbook,
                "outcome": outcome_of(standing).as_str(),
                "exit": exit.code(),
                "report": report,
            }));
        }
        Ok(exit)
    }

    fn write_report(&self) -> bool {
        let written = reports::write_beside(self.app, &self.store, &self.run);
        if let Err(error) = &written {
            let again = self.app.commands(self.run.as_str()).report();
            self.app.console.warn(&format!(
                "the report could not be written: {}; `{again}` makes it again",
                exit::describe(error).0
            ));
        }
        written.is_ok()
    }

    fn ending(&self, state: &RunState, report: Option<&str>) -> String {
        let commands = self.app.commands(self.run.as_str());
        let blobs = self.store.read_run(&self.run).map(|reader| reader.blobs());
        let read = |blob: &_| reports::blob_reader(blobs.as_ref().ok()?.clone())(blob);
        let ending = Ending { state, liveness: Liveness::Idle, now: now(), commands: &commands, report, blobs: &read };
        let mut text = String::new();
        ending.write(&mut text).expect("a String takes everything");
        text
    }

    /// What the lab's own records say of the run. A judge that cannot tell says nothing good.
    fn judge(&self, dir: &Path) -> Result<Verdict, CommandError> {
        let verdict = rehearsal::judge(dir);
        rehearsal::stop(&self.app.console, dir);
        verdict
    }

    fn say_ending(&self, ending: &str, standing: Standing, verdict: Option<&Result<Verdict, CommandError>>) {
        if !ending.trim_end().is_empty() {
            self.app.console.say(ending.trim_end());
        }
        match verdict {
            None => {}
            Some(Ok(verdict)) => {
                self.app.console.say(rehearsal::verdict_text(verdict).trim_end());
                if verdict.verdict == Word::Bad && standing == Standing::Ended(Outcome::Done) {
                    self.app.console.warn(
                        "THE RUN SAYS DONE, THE JUDGE SAYS BAD: this runbook reports a recovery that did not happen. \
                         The world is as the judge says; mend the runbook (what it does not fence, verify or wait for) before anybody relies on it",
                    );
                }
            }
            Some(Err(error)) => {
                self.app.console.warn(&format!("the rehearsal could not be judged: {}", exit::describe(error).0))
            }
        }
    }
}

/// Says of a run that it came to its end before, and what can still be done.
pub(crate) fn say_over(app: &App, store: &Store, run: &RunId, state: &RunState) -> Result<Exit, CommandError> {
    let outcome = ceptra_flow_report::outcome(state, Liveness::Idle);
    let exit = if outcome == RunOutcome::Done { Exit::Done } else { Exit::Failed };
    let commands = app.commands(run.as_str());
    let when = state.ended_at().map_or(String::new(), |at| format!(" since {}", app.clock().date_time(at)));
    app.console
        .say(&format!("run {run} of {} is {outcome}{when}: there is nothing to go on with", state.plan().runbook.name));
    for reason in state.reasons() {
        app.console.say(&format!("  {reason}"));
    }
    if exit == Exit::Failed {
        let failed = state.plan().places().find(|(at, _)| state.status(*at) == Status::Failed);
        if let Some((_, step)) = failed {
            app.console
                .say(&format!("  `{}` tries that step again and goes on from there", commands.retry(&step.id, None)));
        }
        app.console.say(&format!("  `{}` shows every step, `{}` what happened", commands.show(), commands.report()));
    }
    if app.console.is_json() {
        let report = store.run_dir(run).join("report.json");
        app.console.json(&json!({
            "run": run.as_str(),
            "runbook": state.plan().runbook.name,
            "outcome": outcome.as_str(),
            "exit": exit.code(),
            "report": report.is_file().then(|| report.display().to_string()),
        }));
    }
    Ok(exit)
}

/// The exit code of a drive. A rehearsal that the judge does not vouch for is no success.
fn exit_of(standing: Standing, verdict: Option<&Result<Verdict, CommandError>>) -> Exit {
    match standing {
        Standing::Ended(Outcome::Done) => match verdict {
            None => Exit::Done,
            Some(Ok(verdict)) if verdict.verdict == Word::Ok => Exit::Done,
            Some(_) => Exit::Failed,
        },
        Standing::Ended(Outcome::Failed | Outcome::Cancelled) => Exit::Failed,
        Standing::Parked => Exit::Parked,
        Standing::Interrupted | Standing::Working => Exit::Interrupted,
    }
}

fn outcome_of(standing: Standing) -> RunOutcome {
    match standing {
        Standing::Ended(Outcome::Done) => RunOutcome::Done,
        Standing::Ended(Outcome::Failed) => RunOutcome::Failed,
        Standing::Ended(Outcome::Cancelled) => RunOutcome::Cancelled,
        Standing::Parked => RunOutcome::Parked,
        Standing::Interrupted | Standing::Working => RunOutcome::Interrupted,
    }
}

/// Whether a run was given up or undone as asked, and nothing went wrong on the way: the command did its work then, though
/// the run itself is not `done`.
fn came_true(state: &RunState) -> bool {
    let went_wrong =
        |at| state.status(at) == Status::Stuck || (state.plan().is_finally(at) && state.status(at) == Status::Failed);
    state.outcome() == Some(Outcome::Cancelled) && !state.plan().places().any(|(at, _)| went_wrong(at))
}

/// What must be typed before a run of this plan starts; nothing for a rehearsal.
pub(crate) fn confirmation(plan: &Plan) -> Option<&str> {
    let guarded = plan.guard.as_ref().and_then(|guard| guard.confirm.as_deref());
    match plan.target.kind {
        TargetKind::Production => Some(guarded.unwrap_or(&plan.target.name)),
        TargetKind::Staging => guarded,
        TargetKind::Lab => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(word: Word) -> Result<Verdict, CommandError> {
        Ok(Verdict {
            verdict: word,
            lost_entries: 0,
            stale_epoch_appends: 0,
            ingress: BTreeMap::new(),
            ready_ratio: 1.0,
            outage: None,
            problems: Vec::new(),
        })
    }

    #[test]
    fn a_run_that_the_judge_calls_bad_is_no_success() {
        let done = Standing::Ended(Outcome::Done);
        assert_eq!(exit_of(done, None), Exit::Done);
        assert_eq!(exit_of(done, Some(&verdict(Word::Ok))), Exit::Done);
        assert_eq!(exit_of(done, Some(&verdict(Word::Bad))), Exit::Failed);
        assert_eq!(exit_of(done, Some(&Err(CommandError::failed("x", "y")))), Exit::Failed);
    }

    #[test]
    fn every_standing_has_its_code() {
        assert_eq!(exit_of(Standing::Ended(Outcome::Failed), None).code(), 1);
        assert_eq!(exit_of(Standing::Ended(Outcome::Cancelled), Some(&verdict(Word::Ok))).code(), 1);
        assert_eq!(exit_of(Standing::Parked, None).code(), 3);
        assert_eq!(exit_of(Standing::Interrupted, None).code(), 130);
    }
}
