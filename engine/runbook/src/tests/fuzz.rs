//! Any text ends in findings or a plan: no panic, no hang, no stack overflow.

use super::{around, catalog, compile, options, target};
use crate::{Catalog, Source, Target, check, decode, inputs, line_column};
use proptest::prelude::*;

fn survives(text: &str) {
    let (plan, found) = compile(text);
    assert_eq!(plan.is_none(), found.iter().any(crate::Diagnostic::is_error), "{text}");
    for one in &found {
        assert!(!one.help.is_empty() && !one.message.is_empty(), "{one:?}");
        for label in &one.labels {
            assert!(
                label.span.start <= label.span.end && label.span.end <= text.len(),
                "{one:?} in {} bytes",
                text.len()
            );
            let _ = line_column(text, label.span.start);
        }
        let _ = crate::diagnostic::to_json(one, text);
    }
    let catalog = catalog::catalog();
    let source = Source { name: "x", text };
    let target = target();
    drop((
        check(&source, &Catalog(&catalog), None),
        check(&source, &Catalog(&catalog), Some(&target)),
        inputs(&source),
        Target::parse(&source),
    ));
}

/// Runbooks of words that mean something, in an order that does not.
fn confused() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "[steps.a]",
        "[finally.b]",
        "[inputs.i]",
        "[runbook]",
        "[defaults]",
        "schema = 1",
        "type = \"exec\"",
        "type = \"approval\"",
        "type = \"set\"",
        "with = ",
        "needs = [\"a\", \"b\"]",
        "for_each = [1, 2, {a = 1}]",
        "key = \"{{ item.a }}\"",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "\"\"\"",
        "=",
        ",",
        ".",
        "{{ steps.a.output | size }}",
        "{{#each item}}",
        "{{/each}}",
        "{{#if x}}",
        "{{else}}",
        "| join \", \"",
        "(",
        ")",
        "when = \"steps.a.output[0].x\"",
        "verify = [{ check = \"output.x.all(y, y > 1)\" }]",
        "probe = { type = \"exec\" }",
        "1",
        "-9223372036854775809",
        "0x",
        "1e999",
        "nan",
        "1979-05-27T07:32:00Z",
        "ü",
        "\u{0}",
        "\u{feff}",
        "\r\n",
        "\\",
        "\\u00zz",
        "#",
        "undo = \"auto\"",
        "timeout = \"{{ inputs.i }}\"",
        "default = ",
        "pattern = \"(a+)+$\"",
        "secret = true",
        "from = { env = \"X\" }",
        "true",
    ]);
    prop::collection::vec((word, prop::sample::select(vec!["\n", " ", ""])), 0..60)
        .prop_map(|words| words.into_iter().map(|(word, space)| format!("{word}{space}")).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn confused_text(text in confused()) {
        survives(&text);
        survives(&around(&format!("[steps.a]\ntype = \"set\"\n{text}")));
    }

    #[test]
    fn any_template_and_condition(inner in "[ a-z.\\[\\]{}()|\"'#/!0-9&=<>?:,@~^\\\\-]{0,60}") {
        let quoted = toml::Value::String(format!("{{{{{inner}}}}} {inner}")).to_string();
        let condition = toml::Value::String(inner).to_string();
        survives(&around(&format!("[steps.a]\ntype = \"set\"\nwith = {{ x = {quoted} }}\nwhen = {condition}\nfor_each = [{quoted}]\nkey = {quoted}\n")));
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(text) = decode("x", bytes) {
            survives(&text);
        }
    }
}

#[test]
fn deep_and_long_things_are_refused_or_read() {
    let many = 30_000;
    let texts = [
        "[".repeat(many),
        "{".repeat(many),
        format!("a = {}", "[".repeat(many)),
        format!("a = {}", "{ a = ".repeat(many)),
        format!("a{} = 1", ".a".repeat(many)),
        format!("[a{}]", ".a".repeat(many)),
        "[[a.b]]\n".repeat(10_000),
        "a = 1\n".repeat(many),
        "\"\"\"".repeat(many),
        "'".repeat(many),
        "[steps.a]\n".repeat(many),
        around(&format!("[steps.a]\ntype = \"set\"\nneeds = [{}]\n", "\"a\",".repeat(many))),
        around(&format!("[steps.a]\ntype = \"set\"\nwith = {{ x = '{}' }}\n", "{{#if a}}".repeat(many))),
        around(&format!("[steps.a]\ntype = \"set\"\nwith = {{ x = '{}' }}\n", "\\{{x}}".repeat(many))),
        around(&format!("[steps.a]\ntype = \"set\"\nwith = {{ x = '{{{{ {} }}}}' }}\n", "(".repeat(many))),
        around(&format!(
            "[steps.a]\ntype = \"set\"\nwith = {{ x = '{{{{ run.name{} }}}}' }}\n",
            " | json".repeat(many)
        )),
        around(&format!("[steps.a]\ntype = \"set\"\nwith = {{ x = '{{{{ a{} }}}}' }}\n", ".a".repeat(many))),
        around(&format!("[steps.a]\ntype = \"set\"\nwhen = '{}'\n", "!".repeat(many))),
        around(&format!("[steps.a]\ntype = \"set\"\nwhen = '{}true'\n", "true?true:".repeat(400))),
        around(&format!("[steps.a]\ntype = \"set\"\nwhen = '{}1'\n", "1+".repeat(200))),
        around(&format!(
            "[steps.a]\ntype = \"set\"\nwith = {{ {} }}\n",
            (0..many).map(|n| format!("k{n} = {n},")).collect::<String>().trim_end_matches(',')
        )),
    ];
    for text in texts {
        // A thread as small as the smallest that may do this.
        std::thread::Builder::new().stack_size(2 << 20).spawn(move || survives(&text)).unwrap().join().unwrap();
    }
}

#[test]
fn many_findings_are_bounded() {
    let mut text = around("");
    for at in 0..5_000 {
        text.push_str(&format!(
            "[steps.s{at}]\ntype = \"nope{at}\"\nneeds = [\"t{at}\"]\ntitle = \"{{{{ steps.q{at}.output }}}}\"\n"
        ));
    }
    let (_, found) = super::compile_by(crate::lower::file::Way::Auto, &text, &options());
    assert!(found.len() <= 500);
    assert!(found.last().unwrap().help.contains("more findings"));
}
