//! Plans and runs for tests: a small region loss, driven through the real scheduler by hand.

use crate::{Clock, Commands, Head, PlanWords};
use ceptra_flow_core::event::{Item, RunStarted};
use ceptra_flow_core::input::{Actor, Engine, Failure, Left, Operation, Request, Result as Ended, Verdict};
use ceptra_flow_core::plan::{
    Approval, Check, ForEach, Limits, More, RetryPolicy, RunbookInfo, SEMANTICS, StepPlan, TargetInfo, TargetKind,
};
use ceptra_flow_core::{
    Decision, Effect, Epoch, Expressions, Input, Json, Name, Output, Place, Plan, Prompt, Record, RunState, Scheduler,
    StepIx, Timestamp,
};
use serde_json::{Value, json};

/// 2026-11-22 22:57:34 UTC.
pub(crate) const START: Timestamp = Timestamp(1_795_388_254_000);
pub(crate) const RUN: &str = "019aad2f-0c50-7000-8000-000000000001";

pub(crate) fn clock() -> Clock {
    Clock::in_zone(jiff::tz::TimeZone::fixed(jiff::tz::offset(1)))
}

pub(crate) fn commands() -> Commands {
    Commands::new(RUN, None)
}

pub(crate) fn head(state: &RunState) -> Head {
    Head { seq: state.head().0, hash: "ab".repeat(32) }
}

pub(crate) fn ada(via: &str) -> Actor {
    Actor { name: "ada".to_owned(), via: via.into(), host: None }
}

fn engine() -> Engine {
    Engine { version: "0.1.0".to_owned(), host: "ops-1".to_owned(), pid: 77, boot_id: None }
}

pub(crate) fn step(id: &str, kind: &str, effect: Effect, needs: &[u32], with: Value) -> StepPlan {
    let needs = needs.iter().map(|at| StepIx(*at)).collect();
    StepPlan {
        id: id.into(),
        kind: kind.into(),
        needs,
        with: Json::from(with),
        effect,
        timeout_ms: 600_000,
        more: None,
    }
}

pub(crate) fn with_more(mut step: StepPlan, more: More) -> StepPlan {
    step.more = Some(Box::new(more));
    step
}

fn approval(prompt: &str) -> Approval {
    Approval {
        prompt: prompt.to_owned(),
        choices: Vec::new(),
        approvers: 1,
        not_initiator: false,
        expires_ms: Some(1_800_000),
        evidence: Vec::new(),
        fields: None,
        rehearsal_grants: false,
    }
}

pub(crate) fn plan_of(steps: Vec<StepPlan>, finally: Vec<StepPlan>) -> Plan {
    let main_count = u32::try_from(steps.len()).unwrap();
    Plan {
        semantics: SEMANTICS,
        runbook: RunbookInfo {
            name: "region-loss".to_owned(),
            title: "Recover from the loss of a region".to_owned(),
            rto_ms: Some(1_800_000),
            owner: Some("storage-oncall".to_owned()),
            links: vec![("guide".to_owned(), "docs/region-loss.md".to_owned())],
            ..RunbookInfo::default()
        },
        target: TargetInfo { name: "lab".to_owned(), kind: TargetKind::Lab, value: Json::from(json!({})) },
        inputs: Json::from(json!({"ticket": "INC-7|x"})),
        secrets: Vec::new(),
        env: Json::from(json!({})),
        limits: Limits::default(),
        guard: None,
        steps: steps.into_iter().chain(finally).collect(),
        main_count,
        until: None,
    }
}

/// Every kind of step that a view treats in its own way.
pub(crate) fn region_loss() -> Plan {
    let groups = json!([{"group_id": "pg-1"}, {"group_id": "pg-2"}]);
    let freeze = More {
        title: Some("Fence {{ item.group_id }}".to_owned()),
        for_each: Some(ForEach { over: Json::from(groups), key: None, max_parallel: Some(2) }),
        retry: Some(RetryPolicy {
            attempts_max: 3,
            exponential: true,
            backoff_ms_min: 2000,
            backoff_ms_max: 30_000,
            jitter: false,
            on: Vec::new(),
        }),
        type_probes: true,
        verify: vec![Check { check: "output.frozen".to_owned(), message: None }],
        ..More::default()
    };
    let cutover = More {
        point_of_no_return: true,
        type_probes: true,
        approval: Some(approval("Cut over to cluster-b?\nClients lose a minute.")),
        ..More::default()
    };
    let declared = More { approval: Some(approval("Is cluster-a lost?")), ..More::default() };
    let steps = vec![
        step("preflight", "ceptra.preflight", Effect::Read, &[], json!({})),
        with_more(step("declare", "approval", Effect::Read, &[0], json!({"prompt": "Is cluster-a lost?"})), declared),
        with_more(
            step("freeze", "ceptra.freeze", Effect::Probe, &[1], json!({"group": "{{ item.group_id }}"})),
            freeze,
        ),
        step(
            "ship",
            "exec",
            Effect::Once,
            &[2],
            json!({"command": ["ship-wal", "--to", "cluster b"], "parse": "json"}),
        ),
        with_more(
            step("cutover", "ceptra.cutover", Effect::Probe, &[3], json!({"plan": "{{ steps.ship.output }}"})),
            cutover,
        ),
        step(
            "tidy",
            "http",
            Effect::Idempotent,
            &[4],
            json!({"method": "PUT", "url": "https://ops/x", "json": {"a": 1}}),
        ),
    ];
    plan_of(steps, vec![step("tell", "exec", Effect::Once, &[], json!({"command": ["page", "it's over"]}))])
}

/// Knows what is plain; whatever holds a template is known later.
pub(crate) struct Words<'a>(pub(crate) &'a Plan);

impl PlanWords for Words<'_> {
    fn is_known(&self, step: StepIx) -> bool {
        !self.0.step(step).with.as_str().contains("{{")
    }
    fn with(&self, step: StepIx) -> Value {
        self.0.step(step).with.value()
    }
    fn title(&self, step: StepIx) -> Option<String> {
        self.0.step(step).more.as_ref()?.title.clone()
    }
}

struct Plain;

impl Expressions for Plain {
    fn when(&self, at: Place<'_>) -> Result<bool, String> {
        Ok(at.state.plan().step(at.step).when() != Some("false"))
    }
    fn items(&self, at: Place<'_>) -> Result<Vec<Item>, String> {
        let over = at.state.plan().step(at.step).for_each().unwrap().over.value();
        let item =
            |item: &Value| Item { key: item["group_id"].as_str().unwrap().into(), item: Json::from(item.clone()) };
        Ok(over.as_array().unwrap().iter().map(item).collect())
    }
    fn prompt(&self, at: Place<'_>) -> Result<Prompt, String> {
        let prompt = at.state.plan().step(at.step).approval().unwrap().prompt.clone();
        Ok(Prompt { prompt, evidence: Some(Json::from(json!({"steps.preflight.output": {"ready": true}}))) })
    }
}

pub(crate) fn failure(class: &str, message: &str, exit_code: Option<i64>) -> Failure {
    Failure { class: class.into(), message: message.to_owned(), left: Left::Partial, exit_code, detail: None }
}

/// A run in the making.
pub(crate) struct Story {
    pub(crate) scheduler: Scheduler,
    pub(crate) records: Vec<Record>,
    pub(crate) now: Timestamp,
}

impl Story {
    pub(crate) fn of(plan: &Plan) -> Self {
        let text = Json::of(plan);
        let start = RunStarted { run: RUN.into(), digest: plan.digest(), by: ada("command"), path: None, plan: text };
        let (scheduler, first) = Scheduler::start(start, engine(), &Plain, START).unwrap();
        let mut story = Self { scheduler, records: Vec::new(), now: START };
        story.keep(&first);
        story
    }

    pub(crate) fn state(&self) -> &RunState {
        self.scheduler.state()
    }

    fn keep(&mut self, decision: &Decision) {
        self.records.extend_from_slice(decision.records());
    }

    /// Something is heard this many milliseconds later.
    pub(crate) fn hear(&mut self, after_ms: u64, input: Input) {
        self.now = self.now.plus_ms(after_ms);
        let decision = self.scheduler.handle(self.now, input, &Plain).unwrap();
        self.keep(&decision);
    }

    /// The attempt in flight at a step or an instance ends.
    pub(crate) fn ends(&mut self, after_ms: u64, label: &str, result: Ended) {
        let attempt = self.scheduler.in_flight().find(|attempt| attempt.label() == label).expect(label).clone();
        self.hear(after_ms, Input::Finished { attempt, result });
    }

    pub(crate) fn done(&mut self, after_ms: u64, label: &str, output: Value) {
        self.ends(after_ms, label, Ended::Done(Output::Inline(Json::from(output))));
    }

    pub(crate) fn asks(&mut self, after_ms: u64, by: Actor, reason: Option<&str>, what: Operation) {
        let reason = reason.map(str::to_owned);
        self.hear(after_ms, Input::Operator(Request { by, reason, what }));
    }

    pub(crate) fn approves(&mut self, step: &str, by: Actor, reason: Option<&str>) {
        self.asks(60_000, by, reason, Operation::Approve { step: step.into(), key: None, choice: None, fields: None });
    }

    /// Whatever waits for a time has waited long enough.
    pub(crate) fn tick(&mut self) {
        let at = self.scheduler.wake_at().unwrap();
        self.hear(at.ms_since(self.now), Input::Tick);
    }

    /// The process is killed, and another takes the run.
    pub(crate) fn killed_and_resumed(&mut self, after_ms: u64) {
        let state = RunState::replay(&self.records).unwrap();
        let epoch = Epoch(state.epoch().0 + 1);
        self.scheduler = Scheduler::resume(state);
        self.hear(after_ms, Input::Opened { epoch, by: ada("command"), engine: engine(), go_on: true });
    }
}

pub(crate) fn cutover_output() -> Value {
    json!({
        "primary_cluster": "cluster-a", "dr_cluster": "cluster-b", "fenced_groups": ["pg-1", "pg-2"],
        "verified_shipments": ["pg-2", "pg-1"], "ingress_rerouted": ["dns:ingest.example.com"], "reconciled_epoch": u64::MAX,
    })
}

/// Up to the step that a crash leaves in doubt.
pub(crate) fn in_doubt() -> Story {
    let mut story = Story::of(&region_loss());
    story.done(400, "preflight", json!({"ready": true}));
    story.approves("declare", ada("command"), Some("region | is dark"));
    story.ends(1500, "freeze[pg-1]", Ended::Failed(failure("status", "503 from cluster-a", None)));
    story.ends(500, "freeze[pg-2]", Ended::Unknown(failure("timeout", "no answer in 10m", None)));
    story.done(100, "freeze[pg-2]", json!({"frozen": true, "epoch": 7}));
    story.tick();
    story.done(900, "freeze[pg-1]", json!({"frozen": true, "epoch": 7}));
    story.killed_and_resumed(30_000);
    story
}

/// All the way to a good end.
pub(crate) fn recovered() -> Story {
    let mut story = in_doubt();
    let done = Operation::Resolve { step: "ship".into(), key: None, verdict: Verdict::Done, fields: None };
    story.asks(5000, ada("command"), Some("seen in the bucket"), done);
    story.approves("cutover", ada("yes"), None);
    story.done(3000, "cutover", cutover_output());
    story.done(200, "tidy", Value::Null);
    story.done(50, "tell", json!({"stdout": "```\nsent <b>"}));
    story
}

/// A step fails for good.
pub(crate) fn failed() -> Story {
    let mut story = Story::of(&region_loss());
    story.ends(400, "preflight", Ended::Failed(failure("exit", "no certificate\nat all", Some(3))));
    story.done(50, "tell", Value::Null);
    story
}

pub(crate) fn name(text: &str) -> Name {
    text.into()
}
