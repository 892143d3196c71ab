//! `logs`: what steps printed, attempt by attempt; with `-f` as it comes.

use crate::app::App;
use crate::args::StepArg;
use crate::commands::approve::parse_step;
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::loaded::{self, Loaded, Purpose};
use ceptra_flow_core::ids::label;
use ceptra_flow_report::Liveness;
use ceptra_flow_steps::Stream;
use ceptra_flow_steps::log;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Between two looks for more.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// Read at once; logs may be larger than memory.
const CHUNK_BYTES: usize = 1 << 20;

/// Print what the steps of a run printed
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run (left out: the newest), then the step (left out: all)
    #[arg(value_name = "RUN] [STEP", num_args = 0..=2)]
    words: Vec<String>,
    /// Go on printing until the run rests
    #[arg(long, short)]
    follow: bool,
    /// Only this attempt
    #[arg(long, value_name = "N")]
    attempt: Option<u32>,
}

/// One file of a step's output.
struct Source {
    path: PathBuf,
    step: String,
    attempt: u32,
    stream: &'static str,
}

pub(crate) fn run(app: &App, args: &Args) -> Result<Exit, CommandError> {
    let (run, step) = meant(&args.words)?;
    let store = app.store()?;
    let run = loaded::find(app, &store, run, Purpose::Look)?;
    let mut loaded = Loaded::of(&store, &run)?;
    if let Some(step) = &step
        && loaded.state.find(&step.id).is_none()
    {
        return Err(CommandError::usage(
            format!("run {run} has no step `{}`", step.id),
            format!("`{}` lists its steps", app.commands(run.as_str()).show()),
        ));
    }
    let dir = store.run_dir(&run);
    let mut printer =
        Printer { app, read: BTreeMap::new(), last: None, alone: step.is_some() && args.attempt.is_some() };
    loop {
        // Looked at before the files: what a run wrote before it came to rest is printed.
        let driven = loaded::liveness(&store, &run)? == Liveness::Driven;
        catch_up(&mut loaded)?;
        for source in sources(&loaded, &dir, step.as_ref(), args.attempt) {
            printer.print_new(&source)?;
        }
        if !args.follow || !driven {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    if printer.read.is_empty() {
        app.console.say("nothing was printed");
    }
    Ok(Exit::Done)
}

/// Which run and step two words, one or none mean. Ids of runs begin with a digit, those of steps with a letter.
fn meant(words: &[String]) -> Result<(Option<&str>, Option<StepArg>), CommandError> {
    match words {
        [] => Ok((None, None)),
        [word] if word.starts_with(|first: char| first.is_ascii_digit()) => Ok((Some(word), None)),
        [step] => Ok((None, Some(parse_step(step)?))),
        [run, step, ..] => Ok((Some(run), Some(parse_step(step)?))),
    }
}

/// Folds what was recorded since the last look.
fn catch_up(loaded: &mut Loaded) -> Result<(), CommandError> {
    for record in loaded.reader.records() {
        loaded.state.apply(&record?)?;
    }
    Ok(())
}

/// Every file that may be there, in the plan's order.
fn sources(loaded: &Loaded, dir: &Path, only: Option<&StepArg>, attempt: Option<u32>) -> Vec<Source> {
    let mut sources = Vec::new();
    for (at, step) in loaded.state.plan().places() {
        if only.is_some_and(|only| only.id != step.id.as_str()) {
            continue;
        }
        for instance in loaded.state.instances(at) {
            let key = instance.key.as_ref();
            if only.is_some_and(|only| only.key.is_some() && only.key.as_deref() != key.map(|key| key.as_str())) {
                continue;
            }
            for number in (1..=instance.attempts).filter(|number| attempt.is_none_or(|only| only == *number)) {
                for (stream, name) in [(Stream::Stdout, "stdout"), (Stream::Stderr, "stderr")] {
                    let path = log::path(dir, &step.id, key.map(|key| key.as_str()), number, stream);
                    sources.push(Source { path, step: label(&step.id, key), attempt: number, stream: name });
                }
            }
        }
    }
    sources
}

/// Prints files from where it stopped the last time.
struct Printer<'a> {
    app: &'a App,
    read: BTreeMap<PathBuf, u64>,
    last: Option<PathBuf>,
    /// Whether it is about one attempt: then nothing but its output is printed.
    alone: bool,
}

impl Printer<'_> {
    fn print_new(&mut self, source: &Source) -> Result<(), CommandError> {
        let Ok(mut file) = File::open(&source.path) else { return Ok(()) };
        let from = self.read.get(&source.path).copied().unwrap_or(0);
        let failed = |error: std::io::Error| files::cannot("read", &source.path, &error);
        file.seek(SeekFrom::Start(from)).map_err(failed)?;
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut at = from;
        loop {
            let read = file.read(&mut chunk).map_err(failed)?;
            if read == 0 {
                break;
            }
            at += read as u64;
            self.print(source, &String::from_utf8_lossy(&chunk[..read]));
        }
        self.read.insert(source.path.clone(), at);
        Ok(())
    }

    fn print(&mut self, source: &Source, text: &str) {
        let console = &self.app.console;
        if console.is_json() {
            for line in text.lines() {
                console.json(
                    &json!({ "step": source.step, "attempt": source.attempt, "stream": source.stream, "line": line }),
                );
            }
            return;
        }
        if !self.alone && self.last.as_ref() != Some(&source.path) {
            console.result(&format!("── {} · attempt {} · {}\n", source.step, source.attempt, source.stream));
            self.last = Some(source.path.clone());
        }
        console.result(text);
        if !text.ends_with('\n') {
            console.result("\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_is_a_run_or_a_step() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(meant(&[]).unwrap(), (None, None));
        assert_eq!(meant(&words(&["0192"])).unwrap(), (Some("0192"), None));
        let freeze = StepArg { id: "freeze".into(), key: Some("pg-0".into()) };
        assert_eq!(meant(&words(&["freeze[pg-0]"])).unwrap(), (None, Some(freeze.clone())));
        assert_eq!(meant(&words(&["0192", "freeze[pg-0]"])).unwrap(), (Some("0192"), Some(freeze)));
    }
}
