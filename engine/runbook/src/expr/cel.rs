//! Conditions: CEL, bounded before it is parsed, with every name it reads.

use super::path::{Path, Segment};
use super::render::Names;
use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::objects::{Key, Map};
use cel::{Context, Env};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, LazyLock};

/// A condition's length. Parsing, evaluating and dropping are recursive; the bounds keep them within a thread's stack.
const BYTES_MAX: usize = 4096;

/// Brackets within brackets.
const NESTING_MAX: usize = 24;

/// Operators: a chain of them is a deep tree.
const OPERATORS_MAX: usize = 256;

/// The standard environment, made once: it takes longer than most conditions.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A condition, read.
#[derive(Debug)]
pub(crate) struct Condition {
    expr: IdedExpr,
    /// What it reads from outside; not the variables of its own macros.
    pub(crate) paths: Vec<Path>,
    /// Functions it calls, as written.
    pub(crate) functions: Vec<String>,
}

/// Why a condition cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConditionError {
    pub(crate) message: String,
    pub(crate) span: Range<usize>,
    /// Whether it is only too long or too deep.
    pub(crate) too_complex: bool,
}

impl Condition {
    pub(crate) fn parse(text: &str) -> Result<Self, ConditionError> {
        bounded(text)?;
        let expr = cel::parser::PrattParser::new().max_recursion_depth(64).parse(text).map_err(|errors| {
            let first = errors.errors.first();
            let message = first.map_or("it cannot be read", |error| error.msg.as_str());
            let at = first.map_or(0, |error| offset(text, error.pos));
            ConditionError { message: plain(message), span: at..text.len().min(at + 1).max(at), too_complex: false }
        })?;
        let mut reader = References { text, paths: Vec::new(), functions: Vec::new(), locals: Vec::new() };
        reader.expr(&expr);
        let References { paths, functions, .. } = reader;
        Ok(Self { expr, paths, functions })
    }

    /// Whether it holds.
    pub(crate) fn holds(&self, names: &impl Names) -> Result<bool, String> {
        let mut context = Context::with_env(ENV.clone());
        for (root, paths) in self.by_root() {
            if let Some(value) = names.root(root) {
                context.add_variable_from_value(root, pruned(&value, &paths, 0));
            }
        }
        match cel::Value::resolve(&self.expr, &context) {
            Ok(cel::Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("the condition gives {}, not true or false", other.type_of())),
            Err(error) => Err(explained(&error)),
        }
    }

    fn by_root(&self) -> BTreeMap<&str, Vec<&[Segment]>> {
        let mut roots: BTreeMap<&str, Vec<&[Segment]>> = BTreeMap::new();
        for path in &self.paths {
            roots.entry(&path.root).or_default().push(&path.segments);
        }
        roots
    }
}

/// Refuses what could exhaust the stack, before anything recursive sees it.
fn bounded(text: &str) -> Result<(), ConditionError> {
    let refuse = |what: &str, at: usize| {
        Err(ConditionError { message: format!("it {what}"), span: at..at + 1, too_complex: true })
    };
    if text.len() > BYTES_MAX {
        return refuse("is too long", 0);
    }
    let (mut depth, mut operators, mut quote) = (0_usize, 0_usize, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, '!' | '-' | '+' | '*' | '/' | '%' | '?' | '.' | '<' | '>' | '=' | '&' | '|') => operators += 1,
            (None, _) => {}
        }
        if depth > NESTING_MAX {
            return refuse("is nested too deeply", at);
        }
        if operators > OPERATORS_MAX {
            return refuse("has too many operators", at);
        }
    }
    Ok(())
}

/// A parser's message without its ANTLR accent.
fn plain(message: &str) -> String {
    message
        .trim_start_matches("Syntax error: ")
        .replace("<EOF>", "the end")
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// The byte at a line and column.
fn offset(text: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line).unwrap_or(1).max(1);
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let column = usize::try_from(column).unwrap_or(1).max(1);
    let at = text[start..].char_indices().nth(column - 1).map_or(text.len() - start, |(at, _)| at);
    start + at
}

fn explained(error: &cel::ExecutionError) -> String {
    let text = match error {
        cel::ExecutionError::NoSuchKey(key) => format!("there is no field `{key}`; has(…) tells whether there is one"),
        cel::ExecutionError::UndeclaredReference(name) => format!("there is no `{name}` here"),
        other => other.to_string(),
    };
    let mixed = text.contains("double") && text.contains("int") && text.contains("overload");
    let hint = if mixed { "; whole and other numbers do not mix in arithmetic: write double(…)" } else { "" };
    let mut text = format!("{text}{hint}");
    if text.len() > 500 {
        let end = (0..=500).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Only what is read, so that a large target or output is not copied for every condition.
fn pruned(value: &Value, paths: &[&[Segment]], depth: usize) -> cel::Value {
    match value {
        Value::Object(map) if paths.iter().all(|path| matches!(path.get(depth), Some(Segment::Key(_)))) => {
            let mut fields: HashMap<Key, cel::Value> = HashMap::new();
            for path in paths {
                let Some(Segment::Key(key)) = path.get(depth) else {
                    continue;
                };
                let name = Key::from(&**key);
                if let Some(value) = map.get(&**key)
                    && !fields.contains_key(&name)
                {
                    let same: Vec<&[Segment]> =
                        paths.iter().filter(|other| other.get(depth) == path.get(depth)).copied().collect();
                    fields.insert(name, pruned(value, &same, depth + 1));
                }
            }
            cel::Value::Map(Map { map: Arc::new(fields) })
        }
        other => converted(other),
    }
}

/// JSON as CEL sees it: whole numbers are `int` (`uint` beyond its range), so that `size() == 3` and `>= 0.99` both work.
fn converted(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(flag) => cel::Value::Bool(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => cel::Value::Int(number),
            (None, Some(number)) => cel::Value::UInt(number),
            (None, None) => cel::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => cel::Value::String(Arc::new(text.clone())),
        Value::Array(list) => cel::Value::List(Arc::new(list.iter().map(converted).collect())),
        Value::Object(map) => {
            let fields = map.iter().map(|(key, value)| (Key::from(key.as_str()), converted(value))).collect();
            cel::Value::Map(Map { map: Arc::new(fields) })
        }
    }
}

/// Collects what an expression reads.
struct References<'t> {
    text: &'t str,
    paths: Vec<Path>,
    functions: Vec<String>,
    /// Variables of macros such as `all(x, …)`.
    locals: Vec<String>,
}

impl References<'_> {
    fn expr(&mut self, expr: &IdedExpr) {
        let mut segments = Vec::new();
        if let Some(root) = spine(expr, &mut segments) {
            if !root.starts_with('@') && !self.locals.iter().any(|local| local == root) {
                segments.reverse();
                self.path(root, segments);
            }
            return;
        }
        match &expr.expr {
            Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) => {}
            Expr::Call(call) => {
                if call.func_name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    self.functions.push(call.func_name.clone());
                }
                if let Some(target) = &call.target {
                    self.expr(target);
                }
                call.args.iter().for_each(|argument| self.expr(argument));
            }
            Expr::Comprehension(all) => {
                self.expr(&all.iter_range);
                self.expr(&all.accu_init);
                let outside = self.locals.len();
                self.locals.push(all.iter_var.clone());
                self.locals.extend(all.iter_var2.clone());
                self.locals.push(all.accu_var.clone());
                for inner in [&all.loop_cond, &all.loop_step, &all.result] {
                    self.expr(inner);
                }
                self.locals.truncate(outside);
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.expr(element)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.entry(&entry.expr)),
            Expr::Struct(table) => table.entries.iter().for_each(|entry| self.entry(&entry.expr)),
            Expr::Select(select) => self.expr(&select.operand),
        }
    }

    fn entry(&mut self, entry: &EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.expr(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.expr(&entry.key);
                self.expr(&entry.value);
            }
        }
    }

    /// The parser that is quick keeps no places, so the name is looked for in the text.
    fn path(&mut self, root: &str, segments: Vec<Segment>) {
        let mut path = Path { up: 0, root: root.into(), segments, span: 0..self.text.len() };
        let written = path.to_string();
        path.span = find_name(self.text, &written).or_else(|| find_name(self.text, root)).unwrap_or(path.span);
        if !self.paths.contains(&path) {
            self.paths.push(path);
        }
    }
}

/// The root of `a.b["c"][0]`, with its segments from the last to the first.
fn spine<'e>(expr: &'e IdedExpr, segments: &mut Vec<Segment>) -> Option<&'e str> {
    match &expr.expr {
        Expr::Ident(name) => Some(name),
        Expr::Select(select) => {
            segments.push(Segment::Key(select.field.as_str().into()));
            spine(&select.operand, segments)
        }
        Expr::Call(call) if call.func_name == "_[_]" && call.target.is_none() => {
            let [operand, index] = call.args.as_slice() else {
                return None;
            };
            let segment = match &index.expr {
                Expr::Literal(LiteralValue::String(text)) => Segment::Key(text.inner().into()),
                Expr::Literal(LiteralValue::Int(number)) => Segment::Index(usize::try_from(*number.inner()).ok()?),
                _ => return None,
            };
            segments.push(segment);
            spine(operand, segments)
        }
        _ => None,
    }
}

/// Where a name stands in a condition, outside of texts in quotes.
fn find_name(text: &str, name: &str) -> Option<Range<usize>> {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None => {
                let whole = |c: char| c.is_alphanumeric() || c == '_';
                let ends = !text[at..].get(name.len()..).is_some_and(|rest| rest.starts_with(whole));
                if text[at..].starts_with(name) && !whole(before) && before != '.' && ends {
                    return Some(at..at + name.len());
                }
            }
        }
        before = c;
    }
    None
}

/// Functions that conditions may call.
pub(crate) const FUNCTIONS: [&str; 13] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "bytes",
    "dyn",
    "type",
];

/// Macros, which are expanded before anything is called; named in help lines.
pub(crate) const MACROS: [&str; 6] = ["has", "all", "exists", "exists_one", "map", "filter"];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::borrow::Cow;

    struct Output(Value);

    impl Names for Output {
        fn root(&self, name: &str) -> Option<Cow<'_, Value>> {
            (name == "output").then_some(Cow::Borrowed(&self.0))
        }
    }

    #[test]
    fn numbers_from_json_compare_as_people_expect() {
        let output = Output(
            json!({"volumes": [1, 2, 3], "exit_code": 0, "ratio": 1, "part": 0.5, "offset": u64::MAX, "text": "a", "none": null}),
        );
        let holds = [
            "output.volumes.size() == 3",
            "size(output.volumes) == 3",
            "size(output.volumes) >= 3.0",
            "output.exit_code == 0",
            "output.exit_code == 0.0",
            "output.ratio >= 0.99",
            "output.ratio == 1.0",
            "output.part < 1",
            "output.offset > 5",
            "output.offset == 18446744073709551615u",
            "output.none == null",
            "output.volumes.all(v, v > 0)",
            "output.volumes.exists(v, v == 2.0)",
            "2 in output.volumes",
            "'text' in output",
            "has(output.text) && !has(output.other)",
            "output['text'] == 'a'",
            "output.volumes[1] == 2",
            "output.text.matches('^a$')",
            "double(output.ratio) * 100.0 >= 99.0",
        ];
        for text in holds {
            let condition = Condition::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
            assert_eq!(condition.holds(&output), Ok(true), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_evaluated_is_explained() {
        let output = Output(json!({"n": 1}));
        let why = |text: &str| Condition::parse(text).unwrap().holds(&output).unwrap_err();
        assert_eq!(why("output.x == 1"), "there is no field `x`; has(…) tells whether there is one");
        assert_eq!(why("output.n"), "the condition gives int, not true or false");
        assert_eq!(why("other.x"), "there is no `other` here");
    }

    #[test]
    fn deep_and_long_conditions_are_refused_before_they_are_parsed() {
        for text in [
            "(".repeat(5000),
            "!".repeat(4000),
            format!("{}x", "-".repeat(1000)),
            format!("x{}", ".a".repeat(1000)),
            "[".repeat(40),
        ] {
            assert!(Condition::parse(&text).unwrap_err().too_complex);
        }
    }

    #[test]
    fn the_names_that_are_read_are_found() {
        let condition = Condition::parse(
            "steps.a.output.n > 1 && ['steps.b'].all(x, x == inputs['t'] && steps.b.items[0].key == x)",
        )
        .unwrap();
        let paths: Vec<String> = condition.paths.iter().map(|path| format!("{path} {:?}", path.span)).collect();
        assert_eq!(paths, ["steps.a.output.n 0..16", "inputs.t 48..54", "steps.b.items[0].key 63..83"]);
    }
}
