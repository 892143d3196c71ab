//! The binary in a place of its own: a temporary directory with a state store and no home.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything in a test may take before it is called stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A directory with runbooks, and a state store in it.
pub(crate) struct Desk {
    dir: TempDir,
    user: String,
}

/// What a command left behind.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// The last line of stdout that is JSON, or the whole of it.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        if let Ok(value) = serde_json::from_str(&self.stdout) {
            return value;
        }
        let last = self.stdout.lines().rev().find(|line| line.starts_with(['{', '[']));
        let last = last.unwrap_or_else(|| panic!("no JSON in what was printed:\n{}\n{}", self.stdout, self.stderr));
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error} in {last}"))
    }

    /// Everything that was printed.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        assert!(self.all().contains(words), "`{words}` is not in\n{}", self.all());
        self
    }
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::new().expect("a temporary directory can be made"), user: "ada".into() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// The same desk, with somebody else at it.
    pub(crate) fn as_user<T>(&mut self, user: &str, work: impl FnOnce(&Self) -> T) -> T {
        let before = std::mem::replace(&mut self.user, user.into());
        let result = work(self);
        self.user = before;
        result
    }

    /// Writes a runbook: the head is added, `body` is the rest.
    pub(crate) fn runbook(&self, name: &str, body: &str) -> PathBuf {
        let text = format!("schema = 1\n\n[runbook]\nname = \"{name}\"\ntitle = \"A test of {name}\"\n\n{body}");
        self.write(&format!("{name}.toml"), &text)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it is inside the desk")).expect("directories can be made");
        fs::write(&path, text).expect("files can be written");
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn command<I: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ceptra-flow"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("USER", &self.user)
            .env("NO_COLOR", "1")
            .env("CEPTRA_FLOW_STATE", self.state())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn flow<I: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Said {
        said(self.command(args).output().expect("the binary can be started"))
    }

    /// Splits at spaces: for arguments without any.
    pub(crate) fn say(&self, line: &str) -> Said {
        self.flow(line.split_whitespace())
    }

    pub(crate) fn spawn(&self, line: &str) -> Child {
        let mut command = self.command(line.split_whitespace());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary can be started")
    }

    /// The newest run, as `show` has it.
    pub(crate) fn show(&self) -> Value {
        self.say("show --output json").exits(0).json()
    }

    /// A step's status in the newest run.
    #[track_caller]
    pub(crate) fn status(&self, step: &str) -> String {
        let shown = self.show();
        let rows = shown["steps"].as_array().expect("`show` lists steps").clone();
        let row = rows.iter().find(|row| row["id"] == step).unwrap_or_else(|| panic!("no step `{step}` in {shown}"));
        row["status"].as_str().expect("a status is text").into()
    }

    /// The newest run's directory.
    pub(crate) fn run_dir(&self) -> PathBuf {
        let run = self.show()["run"].as_str().expect("a run has an id").to_owned();
        self.state().join("runs").join(run)
    }

    /// How often a word stands in a file that steps append to.
    pub(crate) fn count(&self, file: &str, word: &str) -> usize {
        self.read(file).lines().filter(|line| *line == word).count()
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }
}

pub(crate) fn said(output: Output) -> Said {
    Said {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Waits for a condition; says what it waited for when it never came.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn signal(child: &Child, signal: i32) {
    let pid = i32::try_from(child.id()).expect("process ids fit");
    // SAFETY: sends a signal to a child of ours that was not waited for yet, so its id is still its own.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there")
}
