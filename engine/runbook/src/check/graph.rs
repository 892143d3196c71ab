//! Who waits for whom: cycles, ancestors, and what is read from whom.

use super::expressions::StepUse;
use super::fields::check_shape;
use crate::codes;
use crate::diagnostic::{Sink, Span};
use crate::expr::path::{Segment, write_segments};
use crate::expr::template::is_template;
use crate::lower::Known;
use crate::units::did_you_mean;
use ceptra_flow_core::StepIx;
use ceptra_flow_core::catalog::Shape;
use ceptra_flow_core::plan::{StepPlan, place};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use serde_json::Value;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

/// Edges of a cycle that are labelled; a longer one is told, not drawn.
const LABELS_MAX: usize = 12;

/// The steps with the places of their needs.
pub(crate) struct Graph<'g> {
    pub(crate) steps: &'g [StepPlan],
    /// For every step, one place for each of its needs.
    pub(crate) need_spans: &'g [Vec<Span>],
    pub(crate) main_count: usize,
}

impl Graph<'_> {
    /// Every step after all that it needs; shorter than `steps` when there is a cycle.
    fn order(&self) -> Vec<u32> {
        let mut waiting: Vec<u32> =
            self.steps.iter().map(|step| u32::try_from(step.needs.len()).unwrap_or(u32::MAX)).collect();
        let (starts, dependents) = self.dependents();
        let mut order: Vec<u32> = (0..self.steps.len()).filter(|at| waiting[*at] == 0).map(|at| place(at).0).collect();
        let mut next = 0;
        while next < order.len() {
            let at = order[next] as usize;
            next += 1;
            for dependent in &dependents[starts[at]..starts[at + 1]] {
                let left = &mut waiting[*dependent as usize];
                *left -= 1;
                if *left == 0 {
                    order.push(*dependent);
                }
            }
        }
        order
    }

    /// The dependents of all steps in one list, and where each step's begin.
    fn dependents(&self) -> (Vec<usize>, Vec<u32>) {
        let mut starts = vec![0_usize; self.steps.len() + 1];
        for need in self.steps.iter().flat_map(|step| &step.needs) {
            starts[need.at() + 1] += 1;
        }
        for at in 0..self.steps.len() {
            starts[at + 1] += starts[at];
        }
        let mut filled = starts.clone();
        let mut dependents = vec![0_u32; starts[self.steps.len()]];
        for (at, step) in self.steps.iter().enumerate() {
            for need in &step.needs {
                dependents[filled[need.at()]] = place(at).0;
                filled[need.at()] += 1;
            }
        }
        (starts, dependents)
    }

    /// Checks everything; the steps must be those of the whole file.
    pub(crate) fn check(&self, known: &Known<'_>, sink: &mut Sink<'_>) {
        let order = self.order();
        if order.len() < self.steps.len() {
            self.cycles(&order, sink);
        } else {
            self.ancestors(&order, &known.uses, sink);
        }
        self.fields(known, sink);
    }

    fn cycles(&self, order: &[u32], sink: &mut Sink<'_>) {
        let mut in_order = vec![false; self.steps.len()];
        for at in order {
            in_order[*at as usize] = true;
        }
        let mut graph: DiGraph<usize, ()> = DiGraph::new();
        let mut nodes: HashMap<usize, NodeIndex> = HashMap::new();
        for at in (0..self.steps.len()).filter(|at| !in_order[*at]) {
            nodes.insert(at, graph.add_node(at));
        }
        for at in (0..self.steps.len()).filter(|at| !in_order[*at]) {
            for need in &self.steps[at].needs {
                if let (Some(from), Some(to)) = (nodes.get(&at), nodes.get(&need.at())) {
                    graph.add_edge(*from, *to, ());
                }
            }
        }
        // Kosaraju's algorithm keeps its own stack: a chain of 100,000 steps must not use up ours.
        let mut components: Vec<Vec<usize>> = kosaraju_scc(&graph)
            .into_iter()
            .filter(|one| one.len() > 1)
            .map(|one| one.into_iter().map(|node| graph[node]).collect())
            .collect();
        for component in &mut components {
            component.sort_unstable();
        }
        components.sort();
        for component in components {
            self.cycle(&component, sink);
        }
    }

    /// Tells the shortest cycle through the first step of a component.
    fn cycle(&self, component: &[usize], sink: &mut Sink<'_>) {
        let first = component[0];
        let mut came_from: HashMap<usize, usize> = HashMap::new();
        let mut queue = VecDeque::from([first]);
        let mut last = None;
        while let (Some(at), None) = (queue.pop_front(), last) {
            for need in
                self.steps[at].needs.iter().map(|need| need.at()).filter(|need| component.binary_search(need).is_ok())
            {
                if need == first {
                    last = Some(at);
                    break;
                }
                if let Entry::Vacant(entry) = came_from.entry(need) {
                    entry.insert(at);
                    queue.push_back(need);
                }
            }
        }
        let mut path = vec![first];
        let mut at = last.expect("every step of a strongly connected component is on a cycle");
        while at != first {
            path.push(at);
            at = came_from[&at];
        }
        path[1..].reverse();
        let labels: Vec<(Span, String)> =
            (0..path.len()).take(LABELS_MAX).map(|n| self.edge(path[n], path[(n + 1) % path.len()])).collect();
        let mut names: Vec<&str> = path.iter().take(LABELS_MAX).map(|at| &*self.steps[*at].id).collect();
        if path.len() > LABELS_MAX {
            names.push("…");
        }
        names.push(&self.steps[first].id);
        sink.error_at(
            codes::CYCLE,
            labels,
            format!("{} steps wait for one another in a cycle: {}", path.len(), names.join(" → ")),
            "take one of these out of its step's `needs`; an arrow means “needs”",
        );
    }

    fn edge(&self, from: usize, to: usize) -> (Span, String) {
        let at = self.steps[from].needs.iter().position(|need| need.at() == to).unwrap_or_default();
        let span = self.need_spans[from].get(at).copied().unwrap_or_default();
        (span, format!("`{}` needs `{}`", self.steps[from].id, self.steps[to].id))
    }

    /// Every step that is read must be done before.
    fn ancestors(&self, order: &[u32], uses: &[StepUse], sink: &mut Sink<'_>) {
        let mut asked: Vec<(u32, usize)> = Vec::new();
        let mut depth = vec![0_u32; self.steps.len()];
        for (at, step) in order.iter().zip(0_u32..) {
            depth[*at as usize] = step;
        }
        for (n, one) in uses.iter().enumerate() {
            let across = one.to.at() >= self.main_count;
            if one.from == one.to {
                self.reads_itself(one, sink);
            } else if one.from.at() >= self.main_count && !across {
                // Everything is settled when a `finally` step starts.
            } else if one.from.at() < self.main_count && across {
                self.not_waited_for(one, true, sink);
            } else if !self.steps[one.from.at()].needs.contains(&one.to) {
                asked.push((depth[one.to.at()], n));
            }
        }
        // Near ones first, and 64 at a time: one pass over the steps answers them all.
        asked.sort_unstable();
        let mut targets: Vec<(u32, Vec<usize>)> = Vec::new();
        for (at, n) in asked {
            match targets.last_mut() {
                Some((last, all)) if *last == at => all.push(n),
                _ => targets.push((at, vec![n])),
            }
        }
        for batch in targets.chunks(64) {
            let reach = self.reach(order, batch);
            for (bit, (_, all)) in batch.iter().enumerate() {
                for n in all {
                    let one = &uses[*n];
                    if reach[one.from.at()] & (1 << bit) == 0 {
                        self.not_waited_for(one, false, sink);
                    }
                }
            }
        }
    }

    /// For every step, which of up to 64 others are among its ancestors.
    fn reach(&self, order: &[u32], batch: &[(u32, Vec<usize>)]) -> Vec<u64> {
        let mut reach = vec![0_u64; self.steps.len()];
        let first = batch.first().map_or(0, |(depth, _)| *depth as usize);
        for (bit, (depth, _)) in batch.iter().enumerate() {
            reach[order[*depth as usize] as usize] |= 1 << bit;
        }
        for at in &order[first..] {
            let step = *at as usize;
            let from_needs = self.steps[step].needs.iter().fold(0, |bits, need| bits | reach[need.at()]);
            reach[step] |= from_needs;
        }
        reach
    }

    fn reads_itself(&self, one: &StepUse, sink: &mut Sink<'_>) {
        let id = &self.steps[one.from.at()].id;
        sink.error(
            codes::NOT_ANCESTOR,
            one.span,
            format!("step `{id}` reads `{}`, its own result", written(id, &one.segments)),
            "not there before it has run",
            "in `verify`, `until` and `undo` the step's own output is  output",
        );
    }

    fn not_waited_for(&self, one: &StepUse, across: bool, sink: &mut Sink<'_>) {
        if sink.is_full() {
            return;
        }
        let (from, to) = (&self.steps[one.from.at()], &self.steps[one.to.at()]);
        let help = if across {
            format!("`{}` runs at the end; read it from another [finally.ID] step", to.id)
        } else if self.leads_to(one.to.at(), one.from.at()) {
            format!("`{}` itself waits for `{}`: read it in a later step", to.id, from.id)
        } else {
            let all: Vec<String> = from
                .needs
                .iter()
                .take(8)
                .map(|need| format!("\"{}\"", self.steps[need.at()].id))
                .chain([format!("\"{}\"", to.id)])
                .collect();
            let dots = if from.needs.len() > 8 { "…, " } else { "" };
            format!("{}  needs = [{dots}{}]", if from.needs.is_empty() { "add" } else { "write" }, all.join(", "))
        };
        sink.error(
            codes::NOT_ANCESTOR,
            one.span,
            format!("step `{}` reads `{}`, but does not wait for `{}`", from.id, written(&to.id, &one.segments), to.id),
            format!("`{}` is not among the steps this one needs", to.id),
            help,
        );
    }

    /// Whether `from` waits for `to`, looked for among a bounded number of steps: it only chooses a help line.
    fn leads_to(&self, from: usize, to: usize) -> bool {
        let mut seen = std::collections::HashSet::from([from]);
        let mut queue = VecDeque::from([from]);
        while let Some(at) = queue.pop_front() {
            if at == to {
                return true;
            }
            if seen.len() > 10_000 {
                return false;
            }
            queue.extend(self.steps[at].needs.iter().map(|need| need.at()).filter(|need| seen.insert(*need)));
        }
        false
    }

    /// What is read of a step must be there.
    fn fields(&self, known: &Known<'_>, sink: &mut Sink<'_>) {
        let mut shapes: HashMap<StepIx, (Shape, Value)> = HashMap::new();
        for one in &known.uses {
            if sink.is_full() {
                return;
            }
            self.field(known, one, &mut shapes, sink);
            if shapes.len() > 256 {
                shapes.clear();
            }
        }
    }

    fn field(
        &self,
        known: &Known<'_>,
        one: &StepUse,
        shapes: &mut HashMap<StepIx, (Shape, Value)>,
        sink: &mut Sink<'_>,
    ) {
        const FIELDS: [&str; 5] = ["output", "status", "attempts", "duration", "items"];
        let step = &self.steps[one.to.at()];
        let name = format!("steps.{}", step.id);
        let field = match one.segments.first() {
            None => return,
            Some(Segment::Key(field)) => &**field,
            Some(Segment::Index(_)) => "",
        };
        let many = step.for_each().is_some();
        if !FIELDS.contains(&field) {
            let help =
                match known.kind(&step.kind).map(|(kind, _)| follows_output(&(kind.output)(&step.with.value()), field))
                {
                    Some(true) => format!("write  {name}.output.{field}"),
                    _ => did_you_mean(field, FIELDS),
                };
            sink.error(codes::UNKNOWN_FIELD, one.span, format!("`{name}` has no `{field}`"), "not there", help);
            return;
        }
        if field == "items" && !many {
            sink.error(
                codes::UNKNOWN_FIELD,
                one.span,
                format!("`{name}` has no `items`, for it has no `for_each`"),
                "not there",
                format!("use  {name}.output"),
            );
            return;
        }
        let rest = &one.segments[1..];
        if field != "output" || rest.is_empty() {
            return;
        }
        let Some((kind, _)) = known.kind(&step.kind) else {
            return;
        };
        let (shape, with) = shapes.entry(one.to).or_insert_with(|| {
            let with = step.with.value();
            let shape = (kind.output)(&with);
            (if many { Shape::List(Box::new(shape)) } else { shape }, with)
        });
        check_shape(sink, one.span, &format!("{name}.output"), shape, rest);
        // What `set` gives back is what is written there, so its own keys are known.
        if kind.name == "set" && !many {
            own_keys(sink, one.span, &name, with, rest);
        }
    }
}

fn follows_output(shape: &Shape, field: &str) -> bool {
    match shape {
        Shape::Table(table) => table.fields.iter().any(|known| known.name == field),
        _ => false,
    }
}

/// Follows a path into what a `set` step is given, up to the first template.
fn own_keys(sink: &mut Sink<'_>, span: Span, name: &str, with: &Value, segments: &[Segment]) {
    let mut value = with;
    let mut before = format!("{name}.output");
    for segment in segments {
        let next = match (segment, value) {
            (Segment::Key(key), Value::Object(map)) => map.get(&**key),
            (Segment::Index(index), Value::Array(list)) => list.get(*index),
            (_, Value::String(text)) if is_template(text) => return,
            _ => None,
        };
        let Some(next) = next else {
            let help = match (segment, value) {
                (Segment::Key(key), Value::Object(map)) => {
                    did_you_mean(key, map.keys().map(String::as_str).collect::<Vec<_>>())
                }
                _ => format!("use  {before}"),
            };
            let mut field = String::new();
            write_segments(&mut field, std::slice::from_ref(segment)).expect("writing to a String cannot fail");
            sink.error(
                codes::UNKNOWN_FIELD,
                span,
                format!("`{before}` has no `{}`", field.trim_start_matches('.')),
                "not there",
                help,
            );
            return;
        };
        write_segments(&mut before, std::slice::from_ref(segment)).expect("writing to a String cannot fail");
        value = next;
    }
}

fn written(id: &str, segments: &[Segment]) -> String {
    let mut text = format!("steps.{id}");
    write_segments(&mut text, segments).expect("writing to a String cannot fail");
    text
}
