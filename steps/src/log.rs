//! What a step prints, kept beside the journal: `logs/<step>[<key>].<attempt>.{stdout,stderr}.log`.
//!
//! Files appear with the first byte, are readable by their owner only, and never hold a secret. A log
//! that cannot be written does not fail the step: its effect is what counts, and a full disk stops
//! the run at the journal. [`LogSink::trouble`] tells.

use crate::redact::{RedactedStream, Redactor};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Which of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// What a program prints as its result.
    Stdout,
    /// What a program prints for people, and what a step has to say about its work.
    Stderr,
}

/// Longer keys are cut and told apart by a digest: file systems end a name at 255 bytes.
const KEY_CHARS_MAX: usize = 80;

/// The file of one attempt's stream under the run's directory; what `logs` opens.
#[must_use]
pub fn path(run_dir: &Path, step: &str, key: Option<&str>, attempt: u32, stream: Stream) -> PathBuf {
    let instance = key.map(|key| format!("[{}]", sanitised(key))).unwrap_or_default();
    let stream = match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    };
    run_dir.join("logs").join(format!("{}{instance}.{attempt}.{stream}.log", sanitised(step)))
}

/// A key as part of a file name. Keys that had to be changed carry a digest, so that no two share a file.
fn sanitised(key: &str) -> String {
    let is_plain = |at: char| at.is_ascii_alphanumeric() || matches!(at, '-' | '_' | '.');
    if key.len() <= KEY_CHARS_MAX && !key.is_empty() && !key.starts_with('.') && key.chars().all(is_plain) {
        return key.to_owned();
    }
    let plain: String = key.chars().take(KEY_CHARS_MAX).map(|at| if is_plain(at) { at } else { '_' }).collect();
    let digest = Sha256::digest(key.as_bytes());
    format!("{}~{:02x}{:02x}{:02x}{:02x}", plain.trim_start_matches('.'), digest[0], digest[1], digest[2], digest[3])
}

/// Where the output of one attempt goes. Clones write to the same files.
#[derive(Clone)]
pub struct LogSink {
    shared: Arc<Shared>,
}

struct Shared {
    stdout: Mutex<Lane>,
    stderr: Mutex<Lane>,
}

/// One stream: what is held back by redaction, and the file once there is something to write.
struct Lane {
    path: Option<PathBuf>,
    redacted: RedactedStream,
    file: Option<File>,
    trouble: Option<String>,
}

impl LogSink {
    /// The log of one attempt. Nothing is created before there is something to write.
    #[must_use]
    pub fn for_attempt(run_dir: &Path, step: &str, key: Option<&str>, attempt: u32, secrets: &Arc<Redactor>) -> Self {
        let lane = |stream| Mutex::new(Lane::new(Some(path(run_dir, step, key, attempt, stream)), secrets));
        Self { shared: Arc::new(Shared { stdout: lane(Stream::Stdout), stderr: lane(Stream::Stderr) }) }
    }

    /// A log that keeps nothing.
    #[must_use]
    pub fn none() -> Self {
        let lane = || Mutex::new(Lane::new(None, &Arc::default()));
        Self { shared: Arc::new(Shared { stdout: lane(), stderr: lane() }) }
    }

    /// Appends what arrived on a stream.
    pub fn write(&self, stream: Stream, bytes: &[u8]) {
        let mut lane = self.lane(stream);
        let shown = lane.redacted.push(bytes);
        lane.append(&shown);
    }

    /// A line about the step's work, on stderr.
    pub fn say(&self, line: &str) {
        self.write(Stream::Stderr, format!("{line}\n").as_bytes());
    }

    /// Writes what redaction held back. Called at the end of an attempt.
    pub fn finish(&self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let mut lane = self.lane(stream);
            let rest = lane.redacted.finish();
            lane.append(&rest);
        }
    }

    /// The first error of writing, if any: the log is incomplete from there on.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        [Stream::Stdout, Stream::Stderr].into_iter().find_map(|stream| self.lane(stream).trouble.clone())
    }

    fn lane(&self, stream: Stream) -> MutexGuard<'_, Lane> {
        let lane = match stream {
            Stream::Stdout => &self.shared.stdout,
            Stream::Stderr => &self.shared.stderr,
        };
        // A lane is whole after every statement, so a panic elsewhere leaves it usable.
        lane.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    fn new(path: Option<PathBuf>, secrets: &Arc<Redactor>) -> Self {
        Self { path, redacted: secrets.stream(), file: None, trouble: None }
    }

    fn append(&mut self, bytes: &[u8]) {
        if bytes.is_empty() || self.trouble.is_some() {
            return;
        }
        let Some(path) = &self.path else { return };
        if let Err(error) = write(&mut self.file, path, bytes) {
            self.trouble = Some(format!("cannot write {}: {error}", path.display()));
        }
    }
}

fn write(file: &mut Option<File>, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = match file {
        Some(file) => file,
        None => file.insert(open(path)?),
    };
    file.write_all(bytes)
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn secrets() -> Arc<Redactor> {
        Arc::new(Redactor::new(["hunter2".to_owned()]))
    }

    #[test]
    fn a_log_appears_with_its_first_byte_and_only_for_its_owner() {
        let run = tempfile::tempdir().unwrap();
        let log = LogSink::for_attempt(run.path(), "freeze", Some("pg-0"), 2, &secrets());
        assert!(!run.path().join("logs").exists());
        log.write(Stream::Stdout, b"frozen\n");
        log.finish();
        let file = run.path().join("logs/freeze[pg-0].2.stdout.log");
        assert_eq!(fs::read_to_string(&file).unwrap(), "frozen\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!run.path().join("logs/freeze[pg-0].2.stderr.log").exists());
        assert_eq!(log.trouble(), None);
    }

    #[test]
    fn a_secret_in_two_writes_reaches_no_file() {
        let run = tempfile::tempdir().unwrap();
        let log = LogSink::for_attempt(run.path(), "call", None, 1, &secrets());
        log.write(Stream::Stderr, b"token hun");
        log.clone().write(Stream::Stderr, b"ter2 accepted, hun");
        log.finish();
        let text = fs::read_to_string(run.path().join("logs/call.1.stderr.log")).unwrap();
        assert_eq!(text, "token *** accepted, hun");
    }

    #[test]
    fn hostile_keys_stay_in_the_directory_and_never_share_a_file() {
        let name = |key: &str| path(Path::new("/run"), "s", Some(key), 1, Stream::Stdout).display().to_string();
        assert_eq!(name("pg-0.a"), "/run/logs/s[pg-0.a].1.stdout.log");
        assert_eq!(
            name("../../etc/passwd"),
            "/run/logs/s[_.._etc_passwd~ea9efb44].1.stdout.log".replace("ea9efb44", &digest("../../etc/passwd"))
        );
        assert_ne!(name("a/b"), name("a:b"));
        assert!(name(&"k".repeat(5000)).len() < 150);
        assert_ne!(name(&"k".repeat(5000)), name(&"k".repeat(5001)));
        assert_eq!(name(""), format!("/run/logs/s[~{}].1.stdout.log", digest("")));
    }

    fn digest(key: &str) -> String {
        Sha256::digest(key.as_bytes())[..4].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_log_that_cannot_be_written_says_so_and_fails_nothing() {
        let run = tempfile::tempdir().unwrap();
        fs::write(run.path().join("logs"), "a file where a directory belongs").unwrap();
        let log = LogSink::for_attempt(run.path(), "s", None, 1, &secrets());
        log.say("lost");
        log.say("lost too");
        assert!(log.trouble().unwrap().contains("cannot write"));
        LogSink::none().say("into nothing");
    }
}
