//! The lab killed in the middle of a recovery goes on where it was.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ceptra_flow_lab::Word;

use crate::driver::{Operator, PATIENCE, Recovery, region_loss, wait_until_ready};

/// Names the lab that the test binary, run again as a child, is to serve.
const SERVE: &str = "CEPTRA_FLOW_LAB_TEST_SERVE";

/// Not a test of its own: the process that [`a_killed_lab_goes_on_where_it_was`] kills.
#[test]
fn serve_for_the_parent() {
    let Some(dir) = std::env::var_os(SERVE) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(ceptra_flow_lab::serve(&PathBuf::from(dir))).unwrap();
}

struct Served(Child);

impl Served {
    async fn start(dir: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "kill::serve_for_the_parent", "--nocapture"]).env(SERVE, dir);
        let child = Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        wait_until_ready(dir).await;
        child
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_lab_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let config = region_loss();
    ceptra_flow_lab::create(dir, &config).unwrap();
    let recovery = Recovery::of(&config);
    let mut served = Served::start(dir).await;
    let ports = std::fs::read(dir.join("ports.json")).unwrap();
    for stage in 0..6 {
        let operator = Operator::new(dir);
        match stage {
            0 => recovery.freeze(&operator).await,
            1 => recovery.rebuild_control_plane(&operator).await,
            2 => recovery.apply(&operator, "pg-0").await,
            3 => {
                // Everything again: what was applied before the kill is passed over.
                for group in &recovery.groups {
                    recovery.apply(&operator, group).await;
                }
            }
            4 => recovery.cut_over(&operator).await,
            _ => recovery.switch(&operator).await,
        }
        served.kill();
        assert!(!ceptra_flow_lab::is_running(dir));
        served = Served::start(dir).await;
        assert_eq!(std::fs::read(dir.join("ports.json")).unwrap(), ports, "the ports are taken again");
    }
    assert!(ceptra_flow_lab::settle(dir, PATIENCE).await.unwrap());
    ceptra_flow_lab::stop(dir).unwrap();
    let verdict = ceptra_flow_lab::judge(dir).unwrap();
    assert_eq!((verdict.verdict, &verdict.problems[..]), (Word::Ok, &[][..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lab_killed_while_it_writes_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let config = ceptra_flow_lab::LabConfig { client_pause_ms: 0, ..crate::driver::quick() };
    ceptra_flow_lab::create(dir, &config).unwrap();
    for _ in 0..3 {
        let mut served = Served::start(dir).await;
        assert!(ceptra_flow_lab::settle(dir, PATIENCE).await.unwrap());
        served.kill();
        let verdict = ceptra_flow_lab::judge(dir).unwrap();
        assert_eq!((verdict.verdict, &verdict.problems[..]), (Word::Ok, &[][..]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_that_a_kill_cut_short_is_brought_to_its_end() {
    let mut lab = crate::driver::Lab::start(&region_loss()).await;
    lab.end().await;
    let ledger = lab.path().join("ledgers/world.jsonl");
    let facts = std::fs::read_to_string(&ledger).unwrap();
    let before = facts.lines().filter(|line| !line.contains("\"phase\""));
    std::fs::write(&ledger, before.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let copy = lab.path().join("objects/shipments/pg-1/00000000000000000129-00000000000000000192.g2.wal");
    std::fs::remove_file(&copy).unwrap();
    lab.serve().await;
    assert!(copy.exists());
    assert!(std::fs::read_to_string(&ledger).unwrap().contains("\"phase\":\"struck\""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lab_that_is_asked_to_end_ends_well() {
    let dir = tempfile::tempdir().unwrap();
    ceptra_flow_lab::create(dir.path(), &crate::driver::quick()).unwrap();
    let mut served = Served::start(dir.path()).await;
    let pid = served.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(served.0.wait().unwrap().success());
    assert!(!ceptra_flow_lab::is_running(dir.path()));
}
