//! Checks the names in templates and conditions.

use super::fields::check_shape;
use crate::codes;
use crate::diagnostic::{Sink, Span};
use crate::expr::cel::{Condition, FUNCTIONS, MACROS};
use crate::expr::helpers::Helper;
use crate::expr::path::{Path, ROOTS, Segment};
use crate::expr::template::{Expr, Part, Template, is_template};
use crate::lower::Known;
use crate::syntax::node::{Node, shown};
use crate::units::{closest, did_you_mean};
use ceptra_flow_core::StepIx;
use ceptra_flow_core::catalog::Shape;
use serde_json::Value;

/// What may be done with a secret at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrets<'a> {
    Allowed,
    /// Others on the machine can see the field.
    Exposed(&'a str),
    /// What is written there is kept in the journal.
    Stored(&'a str),
}

/// Where an expression stands, and what is in scope there.
#[derive(Clone)]
pub(crate) struct Where<'a> {
    /// The step it belongs to; `None` for what is resolved before there are steps.
    pub(crate) step: Option<StepIx>,
    /// `item` and `index`, with the elements where they are known.
    pub(crate) item: Option<&'a Elements>,
    /// `output`, and what it looks like.
    pub(crate) output: Option<&'a Shape>,
    /// `run.outcome`.
    pub(crate) finally: bool,
    pub(crate) secrets: Secrets<'a>,
    /// Must be known before the run: what for.
    pub(crate) now: Option<&'a str>,
}

impl<'a> Where<'a> {
    pub(crate) fn now(what: &'a str) -> Self {
        Self { step: None, item: None, output: None, finally: false, secrets: Secrets::Stored(what), now: Some(what) }
    }
}

/// What `for_each` runs over, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Elements(pub(crate) Option<Vec<Value>>);

/// A reference to a step, checked when all steps are known.
#[derive(Clone, Debug)]
pub(crate) struct StepUse {
    pub(crate) from: StepIx,
    pub(crate) to: StepIx,
    pub(crate) span: Span,
    /// What follows the id.
    pub(crate) segments: Box<[Segment]>,
}

/// A template, read and checked; `None` when it cannot be read.
pub(crate) fn template(
    known: &mut Known<'_>,
    sink: &mut Sink<'_>,
    node: Node<'_>,
    text: &str,
    at: &Where<'_>,
) -> Option<Template> {
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(error) => {
            let span = node.span_within(text, error.span);
            let code = if error.helper { codes::UNKNOWN_HELPER } else { codes::TEMPLATE_SYNTAX };
            sink.error(code, span, format!("the template cannot be read: {}", error.message), "here", error.help);
            return None;
        }
    };
    let mut walk = Walk { known, sink, node, text, at, locals: Vec::new(), blocks: 0, forgiving: false };
    walk.parts(&template.parts);
    Some(template)
}

/// A condition, read and checked.
pub(crate) fn condition(known: &mut Known<'_>, sink: &mut Sink<'_>, node: Node<'_>, text: &str, at: &Where<'_>) {
    if is_template(text) {
        sink.error(
            codes::CEL_SYNTAX,
            node.span(),
            format!("`{}` is a condition, not a template", node.key),
            "braces mean something else here",
            format!("write the names without braces:  {} = \"inputs.ticket != ''\"", node.key),
        );
        return;
    }
    let condition = match Condition::parse(text) {
        Ok(condition) => condition,
        Err(error) => {
            let span = node.span_within(text, error.span);
            let (code, help) = if error.too_complex {
                (codes::TOO_COMPLEX, "split it: several `verify` checks, or a `set` step that computes a part")
            } else {
                (
                    codes::CEL_SYNTAX,
                    "conditions are CEL:  output.exit_code == 0 && size(output.volumes) >= 3;  text stands in quotes",
                )
            };
            sink.error(code, span, format!("the condition cannot be read: {}", error.message), "here", help);
            return;
        }
    };
    for function in &condition.functions {
        if !FUNCTIONS.contains(&function.as_str()) {
            let all: Vec<&str> = FUNCTIONS.iter().chain(&MACROS).copied().collect();
            let at = text.find(function.as_str()).unwrap_or(0);
            let span = node.span_within(text, at..at + function.len());
            sink.error(
                codes::UNKNOWN_HELPER,
                span,
                format!("there is no function `{}`", shown(function)),
                "here",
                did_you_mean(function, all),
            );
        }
    }
    let mut walk = Walk { known, sink, node, text, at, locals: Vec::new(), blocks: 0, forgiving: false };
    for path in &condition.paths {
        walk.path(path);
    }
}

struct Walk<'w, 'k, 's, 'd> {
    known: &'w mut Known<'k>,
    sink: &'w mut Sink<'s>,
    node: Node<'d>,
    text: &'w str,
    at: &'w Where<'w>,
    /// Names that blocks give.
    locals: Vec<Box<str>>,
    /// Blocks that change `this`: bare names inside them may be its fields.
    blocks: usize,
    /// Inside `default`: what is not there has another value.
    forgiving: bool,
}

impl Walk<'_, '_, '_, '_> {
    fn parts(&mut self, parts: &[Part]) {
        for part in parts {
            match part {
                Part::Text(_) => {}
                Part::Value(expr) => self.expr(expr),
                Part::If { condition, negated: _, then, otherwise } => {
                    self.expr(condition);
                    self.parts(then);
                    self.parts(otherwise);
                }
                Part::Each { over: expr, names, body, otherwise }
                | Part::With { value: expr, names, body, otherwise } => {
                    self.expr(expr);
                    let outside = self.locals.len();
                    self.locals.extend(names.iter().cloned());
                    self.blocks += 1;
                    self.parts(body);
                    self.blocks -= 1;
                    self.locals.truncate(outside);
                    self.parts(otherwise);
                }
            }
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Literal(_) => {}
            Expr::Path(path) => self.path(path),
            Expr::Call { helper, arguments } => {
                for (at, argument) in arguments.iter().enumerate() {
                    self.forgiving = *helper == Helper::Default && at == 0;
                    self.expr(argument);
                }
                self.forgiving = false;
            }
        }
    }

    fn span(&self, path: &Path) -> Span {
        self.node.span_within(self.text, path.span.clone())
    }

    fn path(&mut self, path: &Path) {
        let root = &*path.root;
        if self.locals.iter().any(|local| **local == *root) {
            return;
        }
        let in_block = self.blocks > 0;
        if in_block && (root == "this" || root.starts_with('@') || path.up > 0 || !ROOTS.contains(&root)) {
            return;
        }
        if let Some(what) = self.at.now
            && (matches!(root, "steps" | "item" | "index" | "output") || (root == "run" && path.key(0) != Some("name")))
        {
            let span = self.span(path);
            self.sink.error(
                codes::NOT_KNOWN_NOW,
                span,
                format!("{what} must be known before the run, and `{path}` is known only later"),
                "known only while the run goes on",
                "use `inputs`, `target`, `env` or `run.name`, or write the value itself",
            );
            return;
        }
        match root {
            "inputs" => self.input(path),
            "target" => self.target(path),
            "env" => self.env(path),
            "run" => self.run(path),
            "item" | "index" => self.item(path),
            "output" => self.output(path),
            "steps" => self.step(path),
            _ => self.unknown_root(path),
        }
    }

    fn unknown_root(&mut self, path: &Path) {
        let root = &*path.root;
        let span = self.span(path);
        let help = if self.known.input(root).is_some() {
            format!("write  inputs.{root}")
        } else if self.known.steps.contains_key(root) {
            format!("write  steps.{root}.output")
        } else if let Some(close) = closest(root, ROOTS) {
            format!("did you mean `{close}`?")
        } else {
            "a name begins with inputs, target, steps, run, env, item, index or output; text stands in quotes"
                .to_owned()
        };
        self.sink.error(
            codes::UNKNOWN_ROOT,
            span,
            format!("`{}` means nothing here", shown(root)),
            "unknown name",
            help,
        );
    }

    fn input(&mut self, path: &Path) {
        let span = self.span(path);
        let Some(name) = path.key(0) else {
            self.sink.error(
                codes::UNKNOWN_INPUT,
                span,
                "`inputs` must be followed by an input's name",
                "",
                "write  inputs.NAME",
            );
            return;
        };
        let Some(decl) = self.known.input(name) else {
            let names: Vec<&str> = self.known.inputs.iter().map(|one| one.decl.name.as_str()).collect();
            let help = match closest(name, names.iter().copied()) {
                Some(close) => format!("did you mean `inputs.{close}`?"),
                None => format!("declare it:  [inputs.{}]  type = \"string\"", shown(name)),
            };
            self.sink.error(
                codes::UNKNOWN_INPUT,
                span,
                format!("no input `{}` is declared", shown(name)),
                "not declared",
                help,
            );
            return;
        };
        if decl.secret.is_none() {
            return;
        }
        match self.at.secrets {
            Secrets::Allowed => {}
            Secrets::Exposed(field) => self.sink.error(
                codes::SECRET_EXPOSED,
                span,
                format!("the secret `{name}` would be seen by others in `{field}`"),
                "everybody on the machine can read this",
                "give it by `env` or `stdin` of a process, or a header of a request",
            ),
            Secrets::Stored(what) => self.sink.error(
                codes::SECRET_STORED,
                span,
                format!("the secret `{name}` would be stored with {what}"),
                "a secret is never stored",
                "use it only in the parameters of a step that needs it",
            ),
        }
    }

    fn target(&mut self, path: &Path) {
        let Some(target) = self.known.target.clone() else {
            return;
        };
        let mut value = &*target;
        for (at, segment) in path.segments.iter().enumerate() {
            let next = match (segment, value) {
                (Segment::Key(key), Value::Object(map)) => map.get(&**key),
                (Segment::Index(index), Value::Array(list)) => list.get(*index),
                (Segment::Index(index), Value::Object(map)) => map.get(&index.to_string()),
                (Segment::Key(_) | Segment::Index(_), _) => None,
            };
            if next.is_none() && self.forgiving {
                return;
            }
            let Some(next) = next else {
                let span = self.span(path);
                let before = Path { segments: path.segments[..at].to_vec(), ..path.clone() };
                let help = match (segment, value) {
                    (Segment::Key(key), Value::Object(map)) => {
                        did_you_mean(key, map.keys().map(String::as_str).collect::<Vec<_>>())
                    }
                    _ => "look at the target file".to_owned(),
                };
                self.sink.error(
                    codes::UNKNOWN_TARGET_FIELD,
                    span,
                    format!("the target has no `{path}`"),
                    format!("`{before}` has no such field"),
                    help,
                );
                return;
            };
            value = next;
        }
    }

    fn env(&mut self, path: &Path) {
        let span = self.span(path);
        let Some(name) = path.key(0) else {
            self.sink.error(
                codes::ENV_NOT_LISTED,
                span,
                "`env` must be followed by a variable's name",
                "",
                "write  env.NAME",
            );
            return;
        };
        if !self.known.env_listed.iter().any(|listed| listed == name) {
            self.sink.error(
                codes::ENV_NOT_LISTED,
                span,
                format!("the environment variable `{}` is not listed", shown(name)),
                "only listed variables can be read",
                format!("add it in [runbook]:  env = [\"{}\"]", shown(name)),
            );
        } else if self.known.complete && !self.forgiving && !self.known.has_env(name) {
            self.sink.error(
                codes::ENV_NOT_SET,
                span,
                format!("the environment variable `{name}` is not set"),
                "listed, but without a value",
                format!("set it before the run:  export {name}=…;  or give another value:  {{{{ env.{name} | default \"…\" }}}}"),
            );
        }
    }

    fn run(&mut self, path: &Path) {
        const FIELDS: [&str; 6] = ["id", "name", "epoch", "started_at", "dir", "outcome"];
        let field = path.key(0).unwrap_or_default();
        let span = self.span(path);
        if !FIELDS.contains(&field) {
            self.sink.error(
                codes::UNKNOWN_FIELD,
                span,
                format!("`run` has no `{}`", shown(field)),
                "not there",
                did_you_mean(field, FIELDS),
            );
        } else if field == "outcome" && !self.at.finally {
            self.sink.error(
                codes::OUT_OF_SCOPE,
                span,
                "`run.outcome` is known only when the steps are done",
                "not known here",
                "use it in a [finally.ID] step",
            );
        }
    }

    fn item(&mut self, path: &Path) {
        let span = self.span(path);
        let Some(elements) = self.at.item else {
            self.sink.error(
                codes::OUT_OF_SCOPE,
                span,
                format!("`{}` is there only for steps with `for_each`", path.root),
                "not in scope here",
                "add  for_each = \"{{ … }}\"  to this step, or name the value itself",
            );
            return;
        };
        let (Some(elements), true) = (&elements.0, &*path.root == "item") else {
            return;
        };
        let Some(Segment::Key(key)) = path.segments.first() else {
            return;
        };
        if elements.is_empty() || elements.iter().any(|element| element.get(&**key).is_some()) {
            return;
        }
        let fields: Vec<&str> = elements
            .iter()
            .filter_map(Value::as_object)
            .flat_map(|map| map.keys().map(String::as_str))
            .take(50)
            .collect();
        let mut fields = fields;
        fields.sort_unstable();
        fields.dedup();
        self.sink.error(
            codes::UNKNOWN_FIELD,
            span,
            format!("no element of `for_each` has a field `{}`", shown(key)),
            "not there",
            did_you_mean(key, fields),
        );
    }

    fn output(&mut self, path: &Path) {
        let span = self.span(path);
        match self.at.output {
            Some(shape) => check_shape(self.sink, span, "output", shape, &path.segments),
            None => self.sink.error(
                codes::OUT_OF_SCOPE,
                span,
                "`output` is there only where a step's own output is looked at",
                "not in scope here",
                "use it in `verify`, `until`, `done`, `not_done` and `undo`; elsewhere write  steps.ID.output",
            ),
        }
    }

    fn step(&mut self, path: &Path) {
        let span = self.span(path);
        let Some(Segment::Key(id)) = path.segments.first() else {
            self.sink.error(
                codes::UNKNOWN_STEP,
                span,
                "`steps` must be followed by a step's id",
                "",
                "write  steps.ID.output",
            );
            return;
        };
        let (Some(to), Some(from)) = (self.known.steps.get(&**id).copied(), self.at.step) else {
            if self.sink.is_full() {
                return;
            }
            let help = self.known.like_step(id);
            self.sink.error(
                codes::UNKNOWN_STEP,
                span,
                format!("there is no step `{}`", shown(id)),
                "unknown step",
                help,
            );
            return;
        };
        self.known.uses.push(StepUse { from, to, span, segments: path.segments[1..].into() });
    }
}
