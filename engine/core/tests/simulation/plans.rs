//! Plans to simulate, as notation: random ones, and small ones whose every schedule is walked.

use crate::choices::Chooser;
use crate::support;
use ceptra_flow_core::Plan;
use std::fmt::Write as _;

/// What random plans may hold.
pub(crate) struct Kinds {
    /// Whether failures may halt or undo, approvals expire, times pass.
    wild: bool,
}

/// Every key.
pub(crate) const ANY: Kinds = Kinds { wild: true };
/// Only keys under which the end does not depend on timing.
pub(crate) const STEADY: Kinds = Kinds { wild: false };

/// Small plans of every effect and shape, with the crashes and mishaps that a walk through them may have.
pub(crate) const SMALL: &[(&str, u32, u32)] = &[
    ("a; a: once", 2, 2),
    ("a; a: probe, asks", 2, 1),
    ("a; a: keyed", 2, 1),
    ("a -> b; a: once, undo; b: once, undoes", 1, 1),
    ("a -> b; a: keyed, retry=2; b: read; t: finally", 1, 1),
    ("a, b; a: once, continue; b: probe, asks", 1, 1),
    ("a, b; a: once, locks=m; b: idempotent, locks=m", 1, 1),
    ("a -> b -> c; a: idempotent; b: once; c: keyed", 2, 1),
    ("a, b -> c; a: once; b: idempotent; c: probe, asks", 2, 0),
    ("a -> b, a -> c; a: keyed; b: read; c: once", 2, 0),
    ("a, b, c; a: once; b: probe, asks; c: keyed", 1, 0),
    ("a -> s; a: once; s: each=x+y, max=1, idempotent", 1, 1),
    ("go -> a; go: approval; a: once; t: finally", 2, 0),
    ("m -> a; m: manual; a: keyed, undo", 1, 1),
];

/// A random plan.
pub(crate) fn random(chooser: &mut dyn Chooser, kinds: &Kinds) -> Plan {
    support::plan(&notation(chooser, kinds))
}

fn notation(chooser: &mut dyn Chooser, kinds: &Kinds) -> String {
    let mut text = String::new();
    let count = 1 + chooser.below(7);
    for at in 0..count {
        let _ = write!(text, "s{at}");
        text.push(';');
        for need in 0..at {
            if chooser.chance(35) {
                let _ = write!(text, "s{need} -> s{at};");
            }
        }
        step(&mut text, chooser, kinds, &format!("s{at}"));
    }
    for at in 0..chooser.below(3) {
        let _ = write!(text, "t{at}: finally;");
        if at == 1 && chooser.chance(50) {
            text.push_str("t0 -> t1;");
        }
        step(&mut text, chooser, kinds, &format!("t{at}"));
    }
    if chooser.chance(30) {
        let _ = write!(text, "run: max={};", 1 + chooser.below(3));
    }
    if chooser.chance(10) {
        let _ = write!(text, "run: until=s{};", chooser.below(count));
    }
    if kinds.wild && chooser.chance(15) {
        let _ = write!(text, "run: timeout={};", 200 + chooser.below(5000));
    }
    text
}

fn step(text: &mut String, chooser: &mut dyn Chooser, kinds: &Kinds, id: &str) {
    let mut key = |key: String| {
        let _ = write!(text, "{id}: {key};");
    };
    let is_main = id.starts_with('s');
    match chooser.below(14) {
        0 => key("approval".to_owned()),
        1 => key("manual".to_owned()),
        at => key(["read", "idempotent", "keyed", "probe, asks", "once", "probe"]
            [usize::try_from(at % 6).unwrap_or(0)]
        .to_owned()),
    }
    let mut often = |percent: u64, name: &str| {
        if chooser.chance(percent) {
            key(name.to_owned());
        }
    };
    often(10, "approve");
    often(8, "when=true");
    often(8, "when=false");
    often(20, "retry=3, pause=70, exponential, jitter");
    often(8, "retry=2, pause=30");
    often(12, "locks=m");
    often(8, "locks=n+m");
    often(10, "each=x+y+z");
    often(5, "each=x+y, max=1");
    often(3, "each=");
    often(4, "left_out");
    if is_main {
        often(40, "undo");
        often(10, "undo=once");
        often(10, "undo=auto");
    }
    if !kinds.wild {
        key("continue".to_owned());
        return;
    }
    often(3, "when=error");
    often(3, "each=error");
    often(3, "approve, prompt=error");
    often(15, "approve, approvers=2");
    often(5, "approve, not_initiator");
    often(5, "approve, expires=300");
    often(6, "deadline=150");
    often(6, "retry=3, on=exit");
    if is_main {
        often(20, "continue");
        often(15, "undoes");
        often(6, "no_return");
    }
}
