//! Plans as text: `a -> b, a -> c; c: once, retry=3` is three steps, two edges and the keys of one step.

use ceptra_flow_core::plan::{
    Approval, Body, ForEach, Limits, Manual, More, OnFailure, Probe, RetryPolicy, RunbookInfo, SEMANTICS, StepPlan,
    TargetInfo, TargetKind, Undo,
};
use ceptra_flow_core::{Effect, Json, Name, Plan, StepIx};

/// The plan that the notation describes.
///
/// Sections end with `;` or a line's end. `a -> b -> c, d` names steps and edges. `a: key, key=value` gives a step its
/// keys; `run: key` gives the run its own. A step is `once` unless it says otherwise.
pub(crate) fn plan(text: &str) -> Plan {
    let mut draft = Draft::default();
    for section in text.split([';', '\n']).map(str::trim).filter(|section| !section.is_empty()) {
        match section.split_once(':') {
            Some(("run", keys)) => keys.split(',').for_each(|key| draft.run_key(key.trim())),
            Some((step, keys)) => keys.split(',').for_each(|key| draft.key(step.trim(), key.trim())),
            None => section.split(',').for_each(|chain| draft.chain(chain)),
        }
    }
    draft.seal()
}

#[derive(Default)]
struct Draft {
    steps: Vec<DraftStep>,
    limits: Limits,
    until: Option<String>,
    kind: Option<TargetKind>,
}

struct DraftStep {
    id: String,
    kind: &'static str,
    needs: Vec<String>,
    effect: Effect,
    more: More,
    is_finally: bool,
}

impl Draft {
    fn step(&mut self, id: &str) -> &mut DraftStep {
        let at = self.steps.iter().position(|step| step.id == id).unwrap_or_else(|| {
            let more = More::default();
            self.steps.push(DraftStep {
                id: id.to_owned(),
                kind: "exec",
                needs: vec![],
                effect: Effect::Once,
                more,
                is_finally: false,
            });
            self.steps.len() - 1
        });
        &mut self.steps[at]
    }

    fn chain(&mut self, chain: &str) {
        let mut before: Option<&str> = None;
        for id in chain.split("->").map(str::trim) {
            let step = self.step(id);
            if let Some(before) = before.filter(|before| !step.needs.iter().any(|need| need == before)) {
                step.needs.push(before.to_owned());
            }
            before = Some(id);
        }
    }

    fn run_key(&mut self, key: &str) {
        let (name, value) = key.split_once('=').unwrap_or((key, ""));
        match name {
            "max" => self.limits.max_parallel = Some(number(value)),
            "timeout" => self.limits.timeout_ms = Some(number(value)),
            "until" => self.until = Some(value.to_owned()),
            "production" => self.kind = Some(TargetKind::Production),
            other => panic!("a run has no key `{other}`"),
        }
    }

    fn key(&mut self, id: &str, key: &str) {
        let (name, value) = key.split_once('=').unwrap_or((key, ""));
        let step = self.step(id);
        let more = &mut step.more;
        if let Some(effect) = Effect::named(name) {
            step.effect = effect;
            return;
        }
        match name {
            "when" => more.when = Some(value.to_owned()),
            "left_out" => more.left_out = Some("--skip".to_owned()),
            "each" if value == "error" => each(more).over = Json::of("error"),
            "each" => each(more).over = Json::of(&words(value)),
            "max" => each(more).max_parallel = Some(number(value)),
            "retry" => retry(more).attempts_max = number(value),
            "pause" => retry(more).backoff_ms_min = number(value),
            "most" => retry(more).backoff_ms_max = number(value),
            "exponential" => retry(more).exponential = true,
            "jitter" => retry(more).jitter = true,
            "on" => retry(more).on = names(value),
            "deadline" => more.deadline_ms = Some(number(value)),
            "locks" => more.locks = names(value),
            "asks" => more.probe = Some(Probe { body: body(Effect::Read), done: None, not_done: None }),
            "continue" => more.on_failure = OnFailure::Continue,
            "undoes" => more.on_failure = OnFailure::Undo,
            "undo" if value == "auto" => more.undo = Some(Undo::Auto),
            "undo" => more.undo = Some(Undo::Body(body(Effect::named(value).unwrap_or(Effect::Idempotent)))),
            "no_return" => more.point_of_no_return = true,
            "approval" => {
                step.kind = "approval";
                step.effect = Effect::Read;
                approval(&mut step.more);
            }
            "approve" => drop(approval(more)),
            "approvers" => approval(more).approvers = number(value),
            "not_initiator" => approval(more).not_initiator = true,
            "choices" => approval(more).choices = words(value),
            "expires" => approval(more).expires_ms = Some(number(value)),
            "prompt" => approval(more).prompt = value.to_owned(),
            "manual" => {
                step.kind = "manual";
                step.effect = Effect::Probe;
                step.more.manual = Some(Manual { instructions: "do it".to_owned(), fields: None });
            }
            "finally" => step.is_finally = true,
            other => panic!("a step has no key `{other}`"),
        }
    }

    fn seal(mut self) -> Plan {
        self.steps.sort_by_key(|step| step.is_finally);
        let ids: Vec<String> = self.steps.iter().map(|step| step.id.clone()).collect();
        let find = |id: &String| {
            StepIx(
                u32::try_from(ids.iter().position(|one| one == id).expect("a step of this plan")).expect("few steps"),
            )
        };
        let main_count = u32::try_from(self.steps.iter().filter(|step| !step.is_finally).count()).expect("few steps");
        let until = self.until.as_ref().map(find);
        let steps = self.steps.into_iter().map(|step| StepPlan {
            id: Name::from(step.id.as_str()),
            kind: Name::from(step.kind),
            needs: step.needs.iter().map(find).collect(),
            with: Json::null(),
            effect: step.effect,
            timeout_ms: 1000,
            more: (step.more != More::default()).then(|| Box::new(step.more)),
        });
        let steps = steps.collect();
        Plan {
            semantics: SEMANTICS,
            runbook: RunbookInfo { name: "test".to_owned(), title: "Test".to_owned(), ..RunbookInfo::default() },
            target: TargetInfo {
                name: "t".to_owned(),
                kind: self.kind.unwrap_or(TargetKind::Lab),
                value: Json::null(),
            },
            inputs: Json::null(),
            secrets: vec![],
            env: Json::null(),
            limits: self.limits,
            guard: None,
            steps,
            main_count,
            until,
        }
    }
}

fn number<N: std::str::FromStr>(text: &str) -> N {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is not a number"))
}

fn words(text: &str) -> Vec<String> {
    text.split('+').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn names(text: &str) -> Vec<Name> {
    words(text).into_iter().map(Name::from).collect()
}

fn each(more: &mut More) -> &mut ForEach {
    more.for_each.get_or_insert_with(|| ForEach { over: Json::of::<[String]>(&[]), key: None, max_parallel: None })
}

fn retry(more: &mut More) -> &mut RetryPolicy {
    more.retry.get_or_insert_with(|| RetryPolicy {
        attempts_max: 1,
        exponential: false,
        backoff_ms_min: 100,
        backoff_ms_max: 1000,
        jitter: false,
        on: vec![],
    })
}

fn approval(more: &mut More) -> &mut Approval {
    more.approval.get_or_insert_with(|| Approval {
        prompt: "go?".to_owned(),
        choices: vec![],
        approvers: 1,
        not_initiator: false,
        expires_ms: None,
        evidence: vec![],
        fields: None,
        rehearsal_grants: false,
    })
}

fn body(effect: Effect) -> Body {
    Body { kind: Name::from("exec"), with: Json::null(), effect, timeout_ms: 1000 }
}
