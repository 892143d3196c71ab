//! A whole file, from its text to a plan's parts.

use super::head::{self, Head};
use super::step::{self, Identity};
use super::{Known, plan};
use crate::check::graph::Graph;
use crate::codes;
use crate::diagnostic::{Diagnostic, Sink, Span};
use crate::expr::known::before_the_run;
use crate::expr::scope::{Fixed, Parsed, object};
use crate::inputs::{self, Declared};
use crate::syntax::document::Document;
use crate::syntax::node::{Fields, Node, shown};
use crate::syntax::scan::{Body, Layout, Section, scan};
use crate::syntax::{DOCUMENT_TOKENS_MAX, FILE_BYTES_MAX, WHOLE_BYTES_MAX};
use crate::{Options, Source, Target};
use ceptra_flow_core::catalog::StepType;
use ceptra_flow_core::plan::{Plan, SEMANTICS, SecretInput, StepPlan, place};
use ceptra_flow_core::{Json, Name, StepIx};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// How a file is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By its size.
    Auto,
    /// Step by step where the file allows it.
    #[cfg(test)]
    Parts,
    /// As one document.
    #[cfg(test)]
    Whole,
}

/// What is compiled, and against what.
pub(crate) struct Job<'j> {
    pub(crate) source: &'j Source<'j>,
    pub(crate) catalog: &'j [StepType],
    pub(crate) target: Option<&'j Target>,
    /// `None` when only the file is checked.
    pub(crate) options: Option<&'j Options>,
    pub(crate) way: Way,
}

/// A plan, when there is no error, and everything there is to say.
pub(crate) fn read(job: &Job<'_>) -> (Option<Plan>, Vec<Diagnostic>) {
    let mut sink = Sink::new(job.source.name);
    let plan = compile(job, &mut sink);
    let plan = if sink.failed() { None } else { plan };
    (plan, sink.into_found())
}

fn compile(job: &Job<'_>, sink: &mut Sink<'_>) -> Option<Plan> {
    let text = job.source.text;
    if text.len() > FILE_BYTES_MAX {
        too_large(
            sink,
            &format!("the file has {} MiB; {} MiB is the most", text.len() >> 20, FILE_BYTES_MAX >> 20),
            "split it into several runbooks",
        );
        return None;
    }
    let layout = scan(text, sink);
    if layout.refused {
        return None;
    }
    if by_parts(job.way, text, &layout) { parts(job, &layout, sink) } else { whole(job, &layout, sink) }
}

fn by_parts(way: Way, text: &str, layout: &Layout<'_>) -> bool {
    match way {
        Way::Auto => !layout.unusual && layout.parts_fit() && text.len() > WHOLE_BYTES_MAX,
        #[cfg(test)]
        Way::Parts => !layout.unusual,
        #[cfg(test)]
        Way::Whole => false,
    }
}

fn too_large(sink: &mut Sink<'_>, message: &str, help: &str) {
    sink.error_elsewhere(codes::TOO_LARGE, message, help);
}

/// Every step as a document of its own.
fn parts(job: &Job<'_>, layout: &Layout<'_>, sink: &mut Sink<'_>) -> Option<Plan> {
    let head = Document::of(job.source.text, layout.head.iter().cloned());
    let (table, _) = head.parse(sink);
    let mut reader = Reader::new(job, Fields::root(&table, &head), sink);
    let bodies = |section: Section| layout.bodies.iter().filter(move |body| body.section == section);
    reader.ids(bodies(Section::Steps).map(|body| body.id), bodies(Section::Finally).map(|body| body.id));
    for body in bodies(Section::Steps).chain(bodies(Section::Finally)) {
        reader.part(body);
    }
    reader.finish()
}

/// The file as one document.
fn whole(job: &Job<'_>, layout: &Layout<'_>, sink: &mut Sink<'_>) -> Option<Plan> {
    if !layout.whole_fits() {
        let help = if layout.unusual {
            "in a file of this size write every step as a table of its own:  [steps.ID]"
        } else {
            "keep large values in files that steps read"
        };
        too_large(sink, &format!("one table holds more than {DOCUMENT_TOKENS_MAX} values and keys"), help);
        return None;
    }
    let document = Document::whole(job.source.text);
    let (table, _) = document.parse(sink);
    let root = Fields::root(&table, &document);
    let steps = section(root, Section::Steps, layout, sink);
    let finally = section(root, Section::Finally, layout, sink);
    let mut reader = Reader::new(job, root, sink);
    reader.ids(steps.iter().map(|node| node.key), finally.iter().map(|node| node.key));
    for (nodes, section) in [(&steps, Section::Steps), (&finally, Section::Finally)] {
        for node in nodes {
            reader.step(*node, section, node.key);
        }
    }
    reader.finish()
}

/// The steps in the order in which they first appear; a table's own order changes when `[a]` comes after `[a.b]`.
fn section<'d>(root: Fields<'d>, section: Section, layout: &Layout<'_>, sink: &mut Sink<'_>) -> Vec<Node<'d>> {
    let Some(fields) = root.get(section.key()).and_then(|node| node.table(sink)) else {
        return Vec::new();
    };
    let mut nodes: Vec<Node<'d>> = fields.iter().collect();
    if layout.unusual {
        nodes.sort_by_key(|node| node.key_span());
    } else {
        let bodies = layout.bodies.iter().filter(|body| body.section == section);
        let order: HashMap<&str, usize> = bodies.enumerate().map(|(at, body)| (body.id, at)).collect();
        nodes.sort_by_key(|node| order.get(node.key).copied());
    }
    nodes
}

/// Reads steps one after the other.
struct Reader<'r, 's, 'n> {
    job: &'r Job<'r>,
    sink: &'s mut Sink<'n>,
    known: Known<'r>,
    head: Head,
    values: Map<String, Value>,
    env: Value,
    main_count: usize,
    steps: Vec<StepPlan>,
    need_spans: Vec<Vec<Span>>,
    root: Span,
}

impl<'r, 's, 'n> Reader<'r, 's, 'n> {
    fn new(job: &'r Job<'r>, root: Fields<'_>, sink: &'s mut Sink<'n>) -> Self {
        let mut known = Known::new(job.catalog, job.target.map(|target| target.value.clone()));
        head::declarations(&mut known, sink, root);
        let values = match job.options {
            Some(options) => inputs::values(&known.inputs, &options.given, sink),
            None => defaults(&known.inputs),
        };
        let env = env(&known, job.options);
        known.complete = job.options.is_some();
        known.values = Some(before_the_run(Arc::new(fixed(&known, &values, &env)), ""));
        let head = head::read(&mut known, sink, root);
        if let Some(values) = &mut known.values {
            values.run = Arc::new(object([("name", Value::from(head.runbook.name.as_str()))]));
        }
        let root = root.span;
        Self { job, sink, known, head, values, env, main_count: 0, steps: Vec::new(), need_spans: Vec::new(), root }
    }

    /// Tells all ids before any step is read, so that a step may need a later one.
    fn ids(&mut self, steps: impl Iterator<Item = &'r str>, finally: impl Iterator<Item = &'r str>) {
        let mut at = 0;
        for id in steps {
            self.known.steps.insert(id, place(at));
            at += 1;
        }
        self.main_count = at;
        for id in finally {
            self.known.steps.entry(id).or_insert(place(at));
            at += 1;
        }
        self.steps.reserve_exact(at);
        self.need_spans.reserve_exact(at);
        if self.main_count == 0 {
            self.sink.error(
                codes::NO_STEPS,
                self.root,
                "the runbook has no steps",
                "",
                "add  [steps.first]  type = \"exec\"  with = { command = [\"…\"] }",
            );
        }
    }

    fn part(&mut self, body: &Body<'r>) {
        let document =
            Document::of(self.job.source.text, std::iter::once(body.first.clone()).chain(body.more.iter().cloned()));
        let (table, _) = document.parse(self.sink);
        let node = Fields::root(&table, &document)
            .get(body.section.key())
            .and_then(|node| node.table(self.sink)?.get(body.id));
        match node {
            Some(node) => self.step(node, body.section, body.id),
            // The header itself could not be read; the place must be filled all the same.
            None => self.placeholder(body.id),
        }
    }

    fn placeholder(&mut self, id: &str) {
        self.steps.push(StepPlan {
            id: Name::from(id),
            kind: Name::from(""),
            needs: Vec::new(),
            with: Json::null(),
            effect: ceptra_flow_core::Effect::Read,
            timeout_ms: 0,
            more: None,
        });
        self.need_spans.push(Vec::new());
    }

    fn step(&mut self, node: Node<'_>, section: Section, id: &str) {
        let at: StepIx = place(self.steps.len());
        if section == Section::Finally && self.known.steps.get(id).is_some_and(|first| first.at() < self.main_count) {
            self.sink.error(
                codes::ID_TWICE,
                node.key_span(),
                format!("`{}` is a step already", shown(id)),
                "the same id again",
                "choose another id, so that `steps.ID` names one of them",
            );
        }
        let identity = Identity { section, id, at, main_count: self.main_count };
        let read = step::read(&mut self.known, self.sink, node, identity, &self.head.defaults);
        self.steps.push(read.plan);
        self.need_spans.push(read.need_spans);
    }

    fn finish(mut self) -> Option<Plan> {
        Graph { steps: &self.steps, need_spans: &self.need_spans, main_count: self.main_count }
            .check(&self.known, self.sink);
        let options = self.job.options?;
        let target = self.job.target?;
        if !options.only.is_empty() || !options.skip.is_empty() {
            plan::leave_out(&mut self.steps, self.main_count, options, self.sink);
        }
        let until = plan::until(&self.steps, self.main_count, options, self.sink);
        match options.max_parallel {
            Some(0) => self.sink.error_elsewhere(
                codes::OPTION_BAD,
                "`--max-parallel 0` would start nothing",
                "give a number from 1",
            ),
            Some(count) => self.head.limits.max_parallel = Some(count),
            None => {}
        }
        let secrets = self.known.inputs.iter().filter_map(|one| {
            let from = one.decl.secret.clone()?;
            Some(SecretInput { name: Name::from(one.decl.name.as_str()), from })
        });
        Some(Plan {
            semantics: SEMANTICS,
            runbook: std::mem::take(&mut self.head.runbook),
            target: target.info.clone(),
            inputs: Json::from(Value::Object(std::mem::take(&mut self.values))),
            secrets: secrets.collect(),
            env: Json::from(self.env.clone()),
            limits: std::mem::take(&mut self.head.limits),
            guard: self.head.guard.take(),
            main_count: place(self.main_count).0,
            steps: std::mem::take(&mut self.steps),
            until,
        })
    }
}

fn defaults(declared: &[Declared]) -> Map<String, Value> {
    declared.iter().filter_map(|one| Some((one.decl.name.clone(), one.decl.default.clone()?))).collect()
}

fn env(known: &Known<'_>, options: Option<&Options>) -> Value {
    let listed: BTreeSet<&String> = known.env_listed.iter().collect();
    let value = |name: &String| {
        options.and_then(|options| options.env.get(name)).map(|value| (name.clone(), Value::from(value.as_str())))
    };
    Value::Object(listed.into_iter().filter_map(value).collect())
}

fn fixed(known: &Known<'_>, values: &Map<String, Value>, env: &Value) -> Fixed {
    Fixed {
        inputs: Value::Object(values.clone()),
        target: known.target.as_deref().cloned().unwrap_or_default(),
        env: env.clone(),
        parsed: Parsed::default(),
    }
}
