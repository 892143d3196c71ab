//! The rehearsal lab of a run: started in a process of its own, found again at resume, judged and stopped at the end.
//!
//! The lab outlives the engine on purpose; until it is ready it does not, so that a Ctrl-C leaves nothing behind.
//! Start at [`is_needed`] and [`start`].

use crate::console::Console;
use crate::exit::{CommandError, Exit};
use crate::files;
use ceptra_flow_core::Plan;
use ceptra_flow_core::plan::TargetKind;
use ceptra_flow_lab as lab;
use ceptra_flow_lab::{Fault, FaultKind, LabConfig, LabError, Scenario, Verdict, Word};
use ceptra_flow_state::{RunId, Store};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// A lab is ready within a second or two; a machine that is busy with other things gets this long.
const READY_WAIT: Duration = Duration::from_secs(90);
/// The clients see the world as it is now within this time.
const SETTLE_WAIT: Duration = Duration::from_secs(20);
const LOG: &str = "lab.log";

/// Whether a plan cannot be carried out without a rehearsal lab.
pub(crate) fn is_needed(plan: &Plan) -> bool {
    let symbolic = plan.target.kind == TargetKind::Lab && plan.target.value.as_str().contains("lab://");
    symbolic
        && plan.steps.iter().filter(|step| step.left_out().is_none()).any(|step| {
            let names_target = |text: &str| text.contains("lab://") || text.contains("target.");
            step.kind.starts_with("ceptra.")
                || names_target(step.with.as_str())
                || step.more.as_ref().is_some_and(|more| names_target(&serde_json::to_string(more).unwrap_or_default()))
        })
}

/// What the lab of a plan is made with.
pub(crate) fn config(plan: &Plan, fault: Option<&str>, seed: Option<u64>) -> Result<LabConfig, CommandError> {
    let scenario = match fault {
        Some(fault) => scenario(fault)?,
        None if plan.runbook.name == "catastrophic" => Scenario::RegionLoss,
        None => Scenario::Fresh,
    };
    let usual = LabConfig::default();
    // The lab ships every entry before it acknowledges it, whatever the runbook's `rpo` would allow: what is lost in a rehearsal
    // was then lost by the recovery, not by the disaster, and the judge need not be lenient.
    let config = LabConfig { scenario, seed: seed.unwrap_or(usual.seed), ..usual };
    config.check().map_err(LabError::Config)?;
    Ok(config)
}

/// A fault with which a lab can begin.
pub(crate) fn scenario(fault: &str) -> Result<Scenario, CommandError> {
    let fault: Fault =
        fault.parse().map_err(|error: lab::UnknownFault| CommandError::usage(error.to_string(), "name one of them"))?;
    match (fault.kind, &fault.detail) {
        (FaultKind::Scenario(scenario), None) => Ok(scenario),
        _ => Err(LabError::NotAvailable { fault: fault.to_string() }.into()),
    }
}

/// Where the lab of a run is.
pub(crate) fn dir_of(store: &Store, run: &RunId) -> PathBuf {
    store.labs_dir().join(run.as_str())
}

/// Every lab, newest first.
pub(crate) fn labs(store: &Store) -> Vec<PathBuf> {
    let entries = fs::read_dir(store.labs_dir()).into_iter().flatten().flatten();
    let mut labs: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|dir| dir.join("lab.json").is_file()).collect();
    // Their names are ids that rise with time.
    labs.sort_unstable_by(|one, other| other.cmp(one));
    labs
}

/// Makes a lab.
pub(crate) fn create(dir: &Path, config: &LabConfig) -> Result<(), CommandError> {
    Ok(lab::create(dir, config)?)
}

/// A lab that is ready.
pub(crate) struct Ready {
    /// Where its parts are.
    pub(crate) endpoints: BTreeMap<String, String>,
    /// Ends the lab when dropped before it is adopted; none where the lab was running already.
    leash: Option<ChildStdin>,
}

impl Ready {
    /// Lets the lab outlive this process: something that can be resumed uses it now.
    pub(crate) fn adopt(&mut self) {
        if let Some(mut leash) = self.leash.take() {
            // Should the lab have ended just now, the first step that needs it says so.
            let _ = leash.write_all(b"go on\n");
        }
    }
}

/// The lab, once it is ready. Starts it if it is not running.
pub(crate) fn start(dir: &Path) -> Result<Ready, CommandError> {
    let deadline = Instant::now() + READY_WAIT;
    let mut child = if lab::is_running(dir) { None } else { Some(spawn(dir)?) };
    loop {
        // The file of a lab that was killed is still there until the new process removes it.
        if lab::is_running(dir)
            && let Ok(endpoints) = lab::endpoints(dir)
        {
            return Ok(Ready { endpoints, leash: child.and_then(|child| child.stdin) });
        }
        if let Some(started) = &mut child
            && let Ok(Some(status)) = started.try_wait()
        {
            return Err(broken(dir, &format!("its process ended with {status}")));
        }
        if Instant::now() > deadline {
            if let Some(started) = &mut child {
                // It may have ended by itself in the meantime.
                let _ = started.kill();
            }
            return Err(broken(dir, &format!("it was not ready after {} seconds", READY_WAIT.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The serving process: in a session of its own, so that neither Ctrl-C nor the end of a terminal reaches it.
fn spawn(dir: &Path) -> Result<Child, CommandError> {
    let failed = |what: &str, error: &std::io::Error| broken(dir, &format!("{what}: {}", files::plain(error)));
    let log = File::options()
        .create(true)
        .append(true)
        .open(dir.join(LOG))
        .map_err(|error| failed("its log cannot be written", &error))?;
    let log_too = log.try_clone().map_err(|error| failed("its log cannot be written", &error))?;
    let program = std::env::current_exe().map_err(|error| failed("this program's own file cannot be found", &error))?;
    let mut command = Command::new(program);
    command
        .args(["lab", "serve", "--adopted-by-stdin", "--dir"])
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(log)
        .stderr(log_too);
    // SAFETY: setsid is async-signal-safe, and nothing else is done between fork and exec.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            Ok(())
        });
    }
    command.spawn().map_err(|error| failed("its process cannot be started", &error))
}

fn broken(dir: &Path, why: &str) -> CommandError {
    let said = fs::read_to_string(dir.join(LOG)).unwrap_or_default();
    let last = said.trim_end().lines().last().map_or(String::new(), |line| format!(": {line}"));
    CommandError::Plain {
        exit: Exit::Failed,
        message: format!("the rehearsal lab in `{}` does not come up: {why}{last}", dir.display()),
        help: format!(
            "`{}` holds all that it said; `ceptra-flow doctor` tests loopback, disk and clock",
            dir.join(LOG).display()
        ),
    }
}

/// The judge's verdict on the world as it is now, waiting for the lab's clients to have seen it.
pub(crate) fn judge(dir: &Path) -> Result<Verdict, CommandError> {
    if lab::is_running(dir) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| broken(dir, &files::plain(&error)))?;
        // A lab that died is judged by its files all the same.
        let _ = runtime.block_on(lab::settle(dir, SETTLE_WAIT));
    }
    Ok(lab::judge(dir)?)
}

/// The verdict for people, a few lines.
pub(crate) fn verdict_text(verdict: &Verdict) -> String {
    let word = match verdict.verdict {
        Word::Ok => "ok",
        Word::Bad => "BAD",
    };
    let outage = verdict.outage.map_or("not over".to_owned(), |seconds| format!("{seconds:.1}s"));
    let ready = format!("{:.0}%", verdict.ready_ratio * 100.0);
    let routes: Vec<String> = verdict.ingress.iter().map(|(route, cluster)| format!("{route} → {cluster}")).collect();
    let mut text = format!(
        "judge      {word}: lost entries {}, appends under an old epoch {}, ready {ready}, outage {outage}\n           {}\n",
        verdict.lost_entries,
        verdict.stale_epoch_appends,
        routes.join(", "),
    );
    for problem in &verdict.problems {
        text.push_str(&format!("           - {problem}\n"));
    }
    text
}

/// Ends the lab's process; its files stay.
pub(crate) fn stop(console: &Console, dir: &Path) {
    if let Err(error) = lab::stop(dir) {
        console.warn(&format!("the rehearsal lab could not be stopped: {error}; `ceptra-flow lab down` tries again"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scenarios_can_begin_a_lab() {
        assert_eq!(scenario("region-loss").unwrap(), Scenario::RegionLoss);
        for wrong in ["flood", "node-dies", "region-loss:x"] {
            assert_eq!(crate::exit::exit_of(&scenario(wrong).unwrap_err()).code(), 2, "{wrong}");
        }
    }

    #[test]
    fn the_newest_lab_is_the_one_with_the_latest_id() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert!(labs(&store).is_empty());
        let runs = [RunId::fresh(), RunId::fresh(), RunId::fresh()];
        for run in &runs[..2] {
            fs::create_dir_all(dir_of(&store, run)).unwrap();
            fs::write(dir_of(&store, run).join("lab.json"), "{}").unwrap();
        }
        // One that was never finished is none.
        fs::create_dir_all(dir_of(&store, &runs[2])).unwrap();
        assert_eq!(labs(&store), [dir_of(&store, &runs[1]), dir_of(&store, &runs[0])]);
    }
}
