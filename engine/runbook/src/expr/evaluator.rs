//! The names of a running plan.

use super::helpers::{kind, to_text};
use super::reads::{self, Parts, Reads};
use super::scope::{Fixed, Parsed, Scope, object};
use super::template::is_template;
use ceptra_flow_core::event::Item;
use ceptra_flow_core::state::{Instance, RunState, Status};
use ceptra_flow_core::{BlobRef, Expressions, Json, Name, Output, Place, Plan, Prompt, StepIx};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

/// Reads a document that is kept beside the journal.
pub type BlobLoader = Box<dyn Fn(&BlobRef) -> Result<String, String> + Send + Sync>;

/// Instances of one `for_each`; each has its own records.
const ITEMS_MAX: usize = 100_000;

/// An instance's key; it stands in every record, view and message about the instance.
const KEY_BYTES_MAX: usize = 256;

/// Steps whose reads are remembered.
const READS_MAX: usize = 1024;

/// Evaluates a plan's expressions. Make one per run and process; it may be shared between threads.
pub struct Evaluator {
    fixed: Arc<Fixed>,
    run_dir: String,
    blobs: BlobLoader,
    reads: Mutex<HashMap<StepIx, Arc<Reads>>>,
    last: Mutex<Option<Built>>,
    nothing: Arc<Value>,
}

/// The `steps` value last made: the instances of a `for_each` all read the same.
struct Built {
    step: StepIx,
    signature: u64,
    value: Arc<Value>,
}

impl Evaluator {
    /// An evaluator for runs of this plan. `run_dir` is `run.dir`; `secrets` holds the values of the plan's secret inputs.
    #[must_use]
    pub fn new(plan: &Plan, secrets: BTreeMap<String, String>, run_dir: &str, blobs: BlobLoader) -> Self {
        let mut inputs = plan.inputs.value();
        if let Value::Object(inputs) = &mut inputs {
            inputs.extend(secrets.into_iter().map(|(name, value)| (name, Value::String(value))));
        }
        let fixed =
            Fixed { inputs, target: plan.target.value.value(), env: plan.env.value(), parsed: Parsed::default() };
        Self {
            fixed: Arc::new(fixed),
            run_dir: run_dir.to_owned(),
            blobs,
            reads: Mutex::default(),
            last: Mutex::default(),
            nothing: Arc::new(Value::Null),
        }
    }

    /// Parameters (`StepPlan::with`, a probe's or an undo's `Body::with`) with every template rendered. In an undo's
    /// parameters, `output` is what the step itself gave back.
    ///
    /// # Errors
    /// What cannot be rendered and why, for people.
    pub fn render_with(&self, at: Place<'_>, with: &Json) -> Result<Value, String> {
        if !is_template(with.as_str()) {
            return Ok(with.value());
        }
        self.scope(at)?.render_with(with, None)
    }

    /// What the expressions of a step may read, as a snapshot that can be sent to a worker.
    ///
    /// # Errors
    /// When an output that they read cannot be loaded.
    pub fn scope(&self, at: Place<'_>) -> Result<Scope, String> {
        let reads = self.reads(at);
        let instance = at.state.instances(at.step).get(at.instance);
        let is_for_each = at.state.plan().step(at.step).for_each().is_some();
        let item = instance.filter(|_| reads.item).and_then(|instance| instance.item.as_ref());
        let output = match instance.filter(|_| reads.output).and_then(|instance| instance.output.as_ref()) {
            Some(output) => Some(Arc::new(self.load(output)?)),
            None => None,
        };
        Ok(Scope {
            fixed: self.fixed.clone(),
            run: if reads.run { Arc::new(self.run(at.state)) } else { self.nothing.clone() },
            item: item.map(|item| Arc::new(item.value())),
            index: is_for_each.then_some(at.instance),
            steps: if reads.steps.is_empty() { None } else { Some(self.steps(at, &reads)?) },
            output,
        })
    }

    /// A step's title or description for people; the text itself where it cannot be rendered.
    #[must_use]
    pub fn title(&self, at: Place<'_>, template: &str) -> String {
        if !is_template(template) {
            return template.to_owned();
        }
        self.scope(at).and_then(|scope| scope.render(template)).unwrap_or_else(|_| template.to_owned())
    }

    fn reads(&self, at: Place<'_>) -> Arc<Reads> {
        let mut known = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reads) = known.get(&at.step) {
            return reads.clone();
        }
        let reads = Arc::new(reads::of_step(at.state.plan().step(at.step), &self.fixed.parsed));
        if known.len() >= READS_MAX {
            known.clear();
        }
        known.insert(at.step, reads.clone());
        reads
    }

    fn run(&self, state: &RunState) -> Value {
        let started =
            i64::try_from(state.started_at().0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        object([
            ("id", Value::from(state.run().as_str())),
            ("name", Value::from(state.plan().runbook.name.as_str())),
            ("epoch", Value::from(state.epoch().0)),
            ("started_at", started.map_or(Value::Null, |at| Value::String(format!("{at:.3}")))),
            ("dir", Value::from(self.run_dir.as_str())),
            ("outcome", state.main_outcome().map_or(Value::Null, |outcome| Value::from(outcome.as_str()))),
        ])
    }

    fn steps(&self, at: Place<'_>, reads: &Reads) -> Result<Arc<Value>, String> {
        let signature = signature(at.state, reads);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(built) = last.as_ref()
            && built.step == at.step
            && built.signature == signature
        {
            return Ok(built.value.clone());
        }
        let mut steps = Map::new();
        for (id, parts) in &reads.steps {
            if let Some(step) = at.state.find(id) {
                steps.insert(id.to_string(), self.step(at.state, step, *parts)?);
            }
        }
        let value = Arc::new(Value::Object(steps));
        *last = Some(Built { step: at.step, signature, value: value.clone() });
        Ok(value)
    }

    fn step(&self, state: &RunState, step: StepIx, parts: Parts) -> Result<Value, String> {
        let instances = state.instances(step);
        let many = state.plan().step(step).for_each().is_some();
        let mut fields = Map::new();
        fields.insert("status".to_owned(), Value::from(state.status(step).as_str()));
        fields.insert("attempts".to_owned(), Value::from(instances.iter().map(|one| one.attempts).max().unwrap_or(0)));
        fields.insert("duration".to_owned(), seconds(instances));
        if parts.output {
            // A step that was skipped has no instances either; its output is null, not an empty list.
            let output = if many && state.is_expanded(step) && state.status(step) != Status::Skipped {
                Value::Array(instances.iter().map(|one| self.output(one)).collect::<Result<_, _>>()?)
            } else {
                instances.first().map_or(Ok(Value::Null), |one| self.output(one))?
            };
            fields.insert("output".to_owned(), output);
        }
        if parts.items && many {
            let items: Result<Vec<Value>, String> = instances.iter().map(|one| self.item(one)).collect();
            fields.insert("items".to_owned(), Value::Array(items?));
        }
        Ok(Value::Object(fields))
    }

    fn item(&self, instance: &Instance) -> Result<Value, String> {
        Ok(object([
            ("key", instance.key.as_ref().map_or(Value::Null, |key| Value::from(key.as_str()))),
            ("item", instance.item.as_ref().map_or(Value::Null, Json::value)),
            ("status", Value::from(instance.status.as_str())),
            ("output", self.output(instance)?),
            ("attempts", Value::from(instance.attempts)),
        ]))
    }

    fn output(&self, instance: &Instance) -> Result<Value, String> {
        instance.output.as_ref().map_or(Ok(Value::Null), |output| self.load(output))
    }

    fn load(&self, output: &Output) -> Result<Value, String> {
        match output {
            Output::Inline(json) => Ok(json.value()),
            Output::Blob(blob) => {
                let text = (self.blobs)(blob)?;
                serde_json::from_str(&text).map_err(|error| format!("blob {} is not JSON: {error}", blob.sha256))
            }
        }
    }
}

/// From the first start to the last end, in seconds; null before both are known.
fn seconds(instances: &[Instance]) -> Value {
    let started = instances.iter().filter_map(|one| one.started_at).min();
    let ended = instances.iter().filter_map(|one| one.ended_at).max();
    match (started, ended) {
        (Some(started), Some(ended)) => {
            #[expect(clippy::cast_precision_loss, reason = "a duration in ms is far below 2^52")]
            let seconds = ended.ms_since(started) as f64 / 1000.0;
            Value::from(seconds)
        }
        _ => Value::Null,
    }
}

/// Changes whenever what is read changes: a step that ran again has more attempts.
fn signature(state: &RunState, reads: &Reads) -> u64 {
    let mut hasher = DefaultHasher::new();
    for id in reads.steps.keys() {
        let Some(step) = state.find(id) else {
            continue;
        };
        for one in state.instances(step) {
            (one.status, one.attempts, one.ended_at).hash(&mut hasher);
            match &one.output {
                Some(Output::Inline(json)) => (json.as_str().as_ptr() as usize, json.as_str().len()).hash(&mut hasher),
                Some(Output::Blob(blob)) => blob.sha256.as_str().hash(&mut hasher),
                None => 0_u8.hash(&mut hasher),
            }
        }
        (step, state.is_expanded(step), state.status(step)).hash(&mut hasher);
    }
    hasher.finish()
}

impl Expressions for Evaluator {
    fn when(&self, at: Place<'_>) -> Result<bool, String> {
        match at.state.plan().step(at.step).when() {
            Some(condition) => self.scope(at)?.check(condition, None),
            None => Ok(true),
        }
    }

    fn items(&self, at: Place<'_>) -> Result<Vec<Item>, String> {
        let Some(for_each) = at.state.plan().step(at.step).for_each() else {
            return Ok(Vec::new());
        };
        let scope = self.scope(at)?;
        let over = match for_each.over.value() {
            Value::String(template) => scope.value(&template, None)?,
            literal => scope.render_json(literal, None)?,
        };
        instances(&scope, over, for_each.key.as_deref())
    }

    fn prompt(&self, at: Place<'_>) -> Result<Prompt, String> {
        let step = at.state.plan().step(at.step);
        let scope = self.scope(at)?;
        if let Some(manual) = step.manual()
            && step.approval().is_none()
        {
            return Ok(Prompt { prompt: scope.render(&manual.instructions)?, evidence: None });
        }
        let Some(approval) = step.approval() else {
            return Err("nobody is asked anything here".to_owned());
        };
        let mut evidence = Map::new();
        for path in &approval.evidence {
            evidence.insert(path.clone(), scope.named(path)?);
        }
        let evidence = (!evidence.is_empty()).then(|| Json::from(Value::Object(evidence)));
        Ok(Prompt { prompt: scope.render(&approval.prompt)?, evidence })
    }
}

/// The instances over a list, each with its key.
pub(crate) fn instances(scope: &Scope, over: Value, key: Option<&str>) -> Result<Vec<Item>, String> {
    let list = match over {
        Value::Array(list) => list,
        other => return Err(format!("`for_each` is {}, not a list", kind(&other))),
    };
    if list.len() > ITEMS_MAX {
        return Err(format!("`for_each` has {} elements; {ITEMS_MAX} is the most", list.len()));
    }
    let mut seen = BTreeSet::new();
    let mut items = Vec::with_capacity(list.len());
    let mut scope = scope.clone();
    for (index, item) in list.into_iter().enumerate() {
        let json = Json::of(&item);
        scope.index = Some(index);
        scope.item = Some(Arc::new(item));
        let key = match key {
            Some(template) => {
                to_text(&scope.value(template, None)?).map_err(|why| format!("`key` of element {index}: {why}"))?
            }
            None => index.to_string(),
        };
        if key.is_empty() || key.len() > KEY_BYTES_MAX || key.chars().any(char::is_control) {
            return Err(format!("`key` of element {index} must be one line of 1 to {KEY_BYTES_MAX} bytes"));
        }
        let key = Name::from(key);
        if !seen.insert(key.clone()) {
            return Err(format!("two elements have the key `{key}`; keys must be unique"));
        }
        items.push(Item { key, item: json });
    }
    Ok(items)
}
