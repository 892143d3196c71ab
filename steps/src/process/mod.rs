//! One child process from start to end: its group, its output, and how it is stopped.
//!
//! Bounded everywhere: the output that is kept, the grace after TERM, the wait after KILL, and the wait for
//! pipes that a background grandchild holds open. Deliberately without a shell and without any opinion on
//! what an exit code means; that is the `exec` type's.

mod capture;
mod group;
mod spawn;

pub use capture::{Captured, KEPT_BYTES_MAX};

use self::group::Group;
use crate::context::StepContext;
use crate::log::{LogSink, Stream};
use crate::values::shown;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};
use tokio_util::task::AbortOnDropHandle;

/// After the process has ended, its pipes may be held open by what it left in the background; a daemon
/// would hold them forever. What a program wrote before it ended is read long before this.
const DRAIN: Duration = Duration::from_secs(2);

/// What to run.
#[derive(Clone, Debug)]
pub struct Job {
    /// The program and its arguments; the first is looked for in `PATH` if it has no `/`.
    pub argv: Vec<String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// Added to the engine's own environment.
    pub env: Vec<(String, String)>,
    /// What it reads; nothing without.
    pub stdin: Option<Vec<u8>>,
    /// How long it may take to end after TERM, before KILL.
    pub grace: Duration,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal that was not ours.
    Signalled(i32),
    /// Stopped by us because its time was up.
    TimedOut,
    /// Stopped by us because we were asked to.
    Cancelled,
    /// The kernel could not tell.
    Lost,
}

/// What is left of it.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub ending: Ending,
    /// The end of what it printed.
    pub stdout: Captured,
    /// The end of what it printed for people.
    pub stderr: Captured,
}

/// Runs it to its end. Its output goes to the log while it runs.
///
/// Dropping the future kills the group.
///
/// # Errors
/// When it could not be started; nothing has happened then.
pub async fn run(job: Job, cx: &StepContext) -> io::Result<Finished> {
    let mut child = spawn::spawn(command(&job)).await?;
    let mut group = Group::of(&child);
    let stdout = Pump::start(child.stdout.take(), Stream::Stdout, &cx.log);
    let stderr = Pump::start(child.stderr.take(), Stream::Stderr, &cx.log);
    let feed =
        child.stdin.take().zip(job.stdin).map(|(pipe, input)| AbortOnDropHandle::new(tokio::spawn(feed(pipe, input))));

    let ending = tokio::select! {
        biased;
        status = child.wait() => Ok(status.map_or(Ending::Lost, ended)),
        () = cx.cancel.cancelled() => Err(Ending::Cancelled),
        () = tokio::time::sleep(cx.timeout) => Err(Ending::TimedOut),
    };
    let ending = match ending {
        Ok(ending) => ending,
        Err(stopped) => {
            cx.log.say(&format!("ceptra-flow: {}; sending TERM to the process group", said(stopped, cx)));
            group.stop(&mut child, job.grace, &cx.log).await;
            stopped
        }
    };
    group.settle();
    drop(feed);
    let (stdout, stderr) = drained(stdout, stderr, &cx.log).await;
    Ok(Finished { ending, stdout, stderr })
}

fn command(job: &Job) -> Command {
    let (program, arguments) = job.argv.split_first().expect("exec refuses an empty command");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(&job.cwd)
        .envs(job.env.iter().map(|(name, value)| (name, value)))
        .stdin(if job.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn said(ending: Ending, cx: &StepContext) -> String {
    match ending {
        Ending::TimedOut => format!("not done after {}", shown(cx.timeout)),
        Ending::Cancelled => "asked to stop".to_owned(),
        Ending::Exited(_) | Ending::Signalled(_) | Ending::Lost => "ended".to_owned(),
    }
}

fn ended(status: ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Exited(code),
        (None, signal) => Ending::Signalled(signal.unwrap_or(0)),
    }
}

/// A program need not read what it is given: a closed pipe is no error.
async fn feed(mut pipe: ChildStdin, input: Vec<u8>) {
    let _ = pipe.write_all(&input).await;
    let _ = pipe.shutdown().await;
}

/// Reads one stream to its end, into the log and into what is kept.
struct Pump {
    kept: Arc<Mutex<Captured>>,
    task: AbortOnDropHandle<()>,
}

impl Pump {
    fn start<R: AsyncRead + Unpin + Send + 'static>(pipe: Option<R>, stream: Stream, log: &LogSink) -> Self {
        let kept = Arc::new(Mutex::new(Captured::default()));
        let task = tokio::spawn(pump(pipe, stream, log.clone(), Arc::clone(&kept)));
        Self { kept, task: AbortOnDropHandle::new(task) }
    }

    fn captured(self) -> Captured {
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn pump<R: AsyncRead + Unpin>(pipe: Option<R>, stream: Stream, log: LogSink, kept: Arc<Mutex<Captured>>) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 16 * 1024];
    // An error of reading a pipe is its end: there is nothing more to be had.
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        log.write(stream, &buffer[..count]);
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..count]);
    }
}

async fn drained(mut stdout: Pump, mut stderr: Pump, log: &LogSink) -> (Captured, Captured) {
    let both = async { tokio::join!(&mut stdout.task, &mut stderr.task) };
    if tokio::time::timeout(DRAIN, both).await.is_err() {
        stdout.task.abort();
        stderr.task.abort();
        log.say(
            "ceptra-flow: a background process still holds the output open; what it prints from here on is not kept",
        );
    }
    (stdout.captured(), stderr.captured())
}
