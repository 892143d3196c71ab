//! The generic types, each against real processes, files and sockets.

mod exec;
mod files;
mod http;
mod processes;
mod small;

use crate::context::{RunInfo, StepContext};
use crate::error::StepError;
use crate::log::{self, LogSink, Stream};
use crate::redact::Redactor;
use crate::{Carried, Work, carry_out, find};
use ceptra_flow_core::ids::Purpose;
use ceptra_flow_core::{Epoch, Name};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A value that must show up nowhere.
const SECRET: &str = "hunter2-and-more";

/// A run's directory, a directory to work in, and the context of one attempt.
struct World {
    dir: TempDir,
    cx: StepContext,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let secrets = Arc::new(Redactor::new([SECRET.to_owned()]));
        let run_dir = dir.path().join("run");
        let cx = StepContext {
            log: LogSink::for_attempt(&run_dir, "work", Some("pg-0"), 2, &secrets),
            run: Arc::new(RunInfo { id: "run-1".to_owned(), name: "drill".to_owned(), epoch: Epoch(3), dir: run_dir }),
            step: Name::from("work"),
            key: Some(Name::from("pg-0")),
            purpose: Purpose::Do,
            attempt: 2,
            idempotency_key: "intent-7".to_owned(),
            target: Arc::new(Value::Null),
            endpoints: Arc::new(BTreeMap::new()),
            cancel: CancellationToken::new(),
            timeout: Duration::from_secs(60),
            started_from: dir.path().to_owned(),
            secrets,
        };
        Self { dir, cx }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    async fn run(&self, kind: &str, with: Value) -> Result<Value, StepError> {
        match self.carry_out(kind, Work::Do, with).await? {
            Carried::Done(output) => Ok(output),
            Carried::NotDone(seen) => panic!("a run cannot be not done: {seen}"),
        }
    }

    async fn carry_out(&self, kind: &str, work: Work, with: Value) -> Result<Carried, StepError> {
        carry_out(find(kind).unwrap(), work, with, &self.cx).await
    }

    fn log(&self, stream: Stream) -> String {
        std::fs::read_to_string(log::path(&self.cx.run.dir, "work", Some("pg-0"), 2, stream)).unwrap_or_default()
    }
}

/// What `check` says about parameters, one line per problem.
fn checked(kind: &str, with: &Value) -> Vec<String> {
    let check = find(kind).unwrap().describe().check;
    check(with).into_iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect()
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
