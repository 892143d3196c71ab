//! Broken runbooks by category. Each is told in full: code, place, message, label, help.

mod expressions;
mod file;
mod graph;
mod inputs;
mod keys;
mod semantics;

use super::{around, compile, compile_by, told};
use crate::Options;
use crate::lower::file::Way;
use expect_test::Expect;

/// What is said of a runbook with these lines.
fn check(lines: &str, expected: Expect) {
    check_whole(&around(lines), expected);
}

fn check_whole(text: &str, expected: Expect) {
    let (plan, found) = compile(text);
    assert_eq!(
        plan.is_none(),
        found.iter().any(crate::Diagnostic::is_error),
        "a plan exists exactly when there is no error"
    );
    for one in &found {
        assert!(!one.help.is_empty(), "{one:?}");
        assert!(crate::codes::ALL.iter().any(|code| code.id == one.code), "{one:?}");
    }
    expected.assert_eq(&told(text, &found));
}

fn check_with(lines: &str, options: &Options, expected: Expect) {
    let text = around(lines);
    expected.assert_eq(&told(&text, &compile_by(Way::Auto, &text, options).1));
}
