//! Runs a lab inside the test and carries out a recovery by hand, as a runbook would.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ceptra_flow_formats::hash::Sha256Digest;
use ceptra_flow_lab::client::Client;
use ceptra_flow_lab::{LabConfig, ROUTES, Scenario, Verdict};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Nothing in these tests takes this long; a test that does has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn region_loss() -> LabConfig {
    LabConfig { scenario: Scenario::RegionLoss, ..quick() }
}

pub(crate) fn quick() -> LabConfig {
    LabConfig { fsync: false, client_pause_ms: 2, ..LabConfig::default() }
}

/// A lab served by a task of this test.
pub(crate) struct Lab {
    pub(crate) dir: TempDir,
    serving: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Lab {
    pub(crate) async fn start(config: &LabConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        ceptra_flow_lab::create(dir.path(), config).unwrap();
        let mut lab = Self { dir, serving: None };
        lab.serve().await;
        lab
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) async fn serve(&mut self) {
        let (end, ended) = oneshot::channel();
        let dir = self.path().to_owned();
        let task = tokio::spawn(async move {
            let ended = async { ended.await.unwrap_or(()) };
            ceptra_flow_lab::serve_until(&dir, ended).await.unwrap();
        });
        self.serving = Some((end, task));
        wait_until_ready(self.path()).await;
    }

    /// Ends the serving task, as SIGTERM would.
    pub(crate) async fn end(&mut self) {
        let (end, task) = self.serving.take().unwrap();
        let _ = end.send(());
        task.await.unwrap();
    }

    pub(crate) fn operator(&self) -> Operator {
        Operator::new(self.path())
    }

    /// The verdict once the clients have seen the world as it is.
    pub(crate) async fn verdict(&self) -> Verdict {
        assert!(ceptra_flow_lab::settle(self.path(), PATIENCE).await.unwrap());
        ceptra_flow_lab::judge(self.path()).unwrap()
    }
}

pub(crate) async fn wait_until_ready(dir: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while !ceptra_flow_lab::is_ready(dir) {
        assert!(Instant::now() < deadline, "the lab does not get ready");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Calls operations as the operator.
pub(crate) struct Operator {
    endpoints: BTreeMap<String, String>,
    /// Headers of every request.
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// Keys must differ between operators too: the lab remembers them.
static KEYS: AtomicU64 = AtomicU64::new(0);

impl Operator {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { endpoints: ceptra_flow_lab::endpoints(dir).unwrap(), headers: Vec::new() }
    }

    pub(crate) fn url(&self, name: &str) -> &str {
        &self.endpoints[name]
    }

    pub(crate) async fn send(
        &self,
        identity: &str,
        name: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> std::io::Result<(u16, Value)> {
        let url = self.url(name);
        let mut client = match url.starts_with("https") {
            true => Client::mutual(url, Path::new(self.url("tls")), identity).unwrap(),
            false => Client::plain(url),
        };
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        client.send(method, path, &headers, body).await
    }

    pub(crate) async fn get(&self, name: &str, path: &str) -> Value {
        let (status, reply) = self.send("operator", name, "GET", path, None).await.unwrap();
        assert_eq!(status, 200, "GET {path}: {reply}");
        reply
    }

    /// Posts under a fresh idempotency key.
    pub(crate) async fn post(&self, name: &str, path: &str, mut body: Value) -> (u16, Value) {
        let key = KEYS.fetch_add(1, Ordering::Relaxed);
        body["idempotency_key"] = json!(format!("test-{key}"));
        self.send("operator", name, "POST", path, Some(&body)).await.unwrap()
    }

    pub(crate) async fn must(&self, name: &str, path: &str, body: Value) -> Value {
        let (status, reply) = self.post(name, path, body).await;
        assert_eq!(status, 200, "POST {path}: {reply}");
        reply
    }
}

/// The recovery, and the ways in which it can be got wrong.
#[derive(Clone)]
pub(crate) struct Recovery {
    pub(crate) groups: Vec<String>,
    pub(crate) freeze: bool,
    pub(crate) verify: bool,
    pub(crate) apply_to: Vec<String>,
    pub(crate) switch_early: bool,
    pub(crate) target_epoch: u64,
    pub(crate) routes: Vec<&'static str>,
}

impl Recovery {
    pub(crate) fn of(config: &LabConfig) -> Self {
        let groups: Vec<_> = config.group_ids().collect();
        Self {
            freeze: true,
            verify: true,
            apply_to: groups.clone(),
            groups,
            switch_early: false,
            target_epoch: 8,
            routes: ROUTES.to_vec(),
        }
    }

    /// Everything, in order.
    pub(crate) async fn run(&self, operator: &Operator) {
        if self.freeze {
            self.freeze(operator).await;
        }
        self.rebuild_control_plane(operator).await;
        for group in &self.apply_to {
            self.apply(operator, group).await;
        }
        if self.switch_early {
            self.switch(operator).await;
        }
        self.cut_over(operator).await;
        if !self.switch_early {
            self.switch(operator).await;
        }
    }

    pub(crate) async fn freeze(&self, operator: &Operator) {
        for group in &self.groups {
            operator
                .must("cluster-b.control-plane", "/admin/freeze-partition-group", json!({ "group_id": group }))
                .await;
            let state = operator.get("cluster-b.control-plane", &format!("/admin/partition-groups/{group}")).await;
            assert_eq!((&state["frozen"], &state["unfenced"]), (&json!(true), &json!(0)));
        }
    }

    pub(crate) async fn rebuild_control_plane(&self, operator: &Operator) {
        let control_plane = "cluster-b.control-plane";
        operator.must(control_plane, "/admin/promote-voter", json!({ "member": "cp-b-3" })).await;
        operator.must(control_plane, "/admin/evict-voter", json!({ "member": "cp-b-1" })).await;
        let membership = operator.get(control_plane, "/admin/membership").await;
        assert_eq!(membership["voters"], json!(["cp-b-0", "cp-b-2", "cp-b-3"]));
        operator
            .must(
                control_plane,
                "/admin/restore-control-plane",
                json!({ "snapshot": "control-plane/cluster-a/snap-7-2" }),
            )
            .await;
        let state = operator.get(control_plane, "/admin/control-plane").await;
        assert_eq!((&state["epoch"], &state["epoch_source"]), (&json!(7), &json!("snapshot")));
    }

    /// Applies what the standbys miss: verified copies, or blindly the newest.
    pub(crate) async fn apply(&self, operator: &Operator, group: &str) {
        let store = operator.url("objects").to_owned();
        let read = |key: &str| std::fs::read(Path::new(&store).join(key)).unwrap();
        let baseline: Value = serde_json::from_slice(&read(&format!("baselines/{group}.json"))).unwrap();
        for range in baseline["ranges"].as_array().unwrap() {
            let (from, to) = (range["from"].as_u64().unwrap(), range["to"].as_u64().unwrap());
            let copies = (1..=2).rev().map(|copy| format!("shipments/{group}/{from:020}-{to:020}.g{copy}.wal"));
            let mut there = copies.filter(|key| Path::new(&store).join(key).exists());
            let wanted = range["sha256"].as_str().unwrap();
            let fits = |key: &String| !self.verify || Sha256Digest::of(&read(key)).prefixed() == wanted;
            let object = there.find(fits).expect("a good copy is in the store");
            for node in ["cluster-b.node-0", "cluster-b.node-1", "cluster-b.node-2"] {
                let mut body = json!({ "group_id": group, "object": object });
                if self.verify {
                    body["sha256"] = json!(wanted);
                }
                operator.must(node, "/admin/apply-shipment", body).await;
                if self.verify {
                    let status =
                        operator.get(node, &format!("/admin/wal-status?group_id={group}&from={from}&to={to}")).await;
                    assert_eq!(status["range"]["sha256"], wanted);
                }
            }
        }
    }

    pub(crate) async fn cut_over(&self, operator: &Operator) {
        let body = json!({ "source_epoch": 7, "target_epoch": self.target_epoch });
        operator.must("cluster-b.control-plane", "/admin/advance-epoch", body).await;
    }

    pub(crate) async fn switch(&self, operator: &Operator) {
        for route in &self.routes {
            operator.must("ingress", "/admin/switch-ingress", json!({ "route": route, "cluster": "cluster-b" })).await;
        }
    }
}
