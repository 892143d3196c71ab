//! Parsing a file whole and step by step gives the same.

use super::{around, compile_by, options, told};
use crate::lower::file::Way;
use proptest::prelude::*;

fn same(text: &str) {
    let options = options();
    let (whole, whole_found) = compile_by(Way::Whole, text, &options);
    let (parts, parts_found) = compile_by(Way::Parts, text, &options);
    assert_eq!(told(text, &whole_found), told(text, &parts_found), "{text}");
    assert_eq!(whole, parts, "{text}");
}

#[test]
fn tables_in_any_order_and_place() {
    let step = "type = \"set\"\n";
    for text in [
        "[steps.b]\ntype = \"set\"\nneeds = [\"a\"]\n[steps.a]\ntype = \"set\"\n".to_owned(),
        format!("[finally.z]\n{step}[steps.a]\n{step}[limits]\nmax_parallel = 2\n[steps.b]\n{step}"),
        format!("[steps.a.with]\nx = 1\n[steps.b]\n{step}[steps.a]\n{step}"),
        format!("[steps.a]\n{step}[steps.b]\n{step}[steps.a.with]\nx = \"{{{{ nothing }}}}\"\n"),
        "[[steps.a]]\ntype = \"set\"\n".to_owned(),
        format!("[steps.a]\n{step}# [steps.c]\ntitle = '''\n[steps.c]\n'''\n[ steps . \"b\" ]\n{step}"),
        format!("[inputs.x]\ntype = \"string\"\ndefault = 1\n[steps.a]\n{step}[inputs.y]\ntype = \"table\"\n"),
        format!("[steps.a]\n{step}[steps.a]\n{step}"),
        format!("[steps.a]\n{step}[steps.b]\n{step}[steps.a]\ntitle = \"x\"\n"),
        format!("[steps.a]\r\n{step}\r\n[steps.b]\r\n{step}unknown = [\r\n[1],\r\n]\r\n"),
        format!("[steps.a]\n{step}title = \"\"\"\n  ü {{{{ nope }}}}\"\"\"\n[steps.Ü]\n{step}"),
        format!(
            "[steps.a]\n{step}[steps.a.probe]\ntype = \"set\"\ndone = \"x\"\n[[steps.a.verify]]\ncheck = \"output.y == 1\"\n[[steps.a.verify]]\nchekc = \"z\"\n"
        ),
        format!("[finally]\n[steps.a]\n{step}"),
        format!("[steps]\n[steps.a]\n{step}"),
        format!("[steps.a]\n{step}with.x.y = 1\nwith.x.z = 2\n"),
        "[steps]\na.type = \"set\"\n".to_owned(),
        format!("[steps.a]\n{step}[steps]\nb.type = \"set\"\n"),
        String::new(),
    ] {
        same(&around(&text));
        same(&text);
    }
}

/// Files put together from pieces that matter to where a step begins.
fn files() -> impl Strategy<Value = String> {
    let id = prop::sample::select(vec!["a", "b", "c", "\"d\"", "'e'"]);
    let piece = prop_oneof![
        (prop::sample::select(vec!["steps", "finally"]), id.clone())
            .prop_map(|(section, id)| format!("[{section}.{id}]\n")),
        (
            prop::sample::select(vec!["steps", "finally"]),
            id.clone(),
            prop::sample::select(vec!["with", "probe", "undo", "approval"])
        )
            .prop_map(|(section, id, table)| format!("[{section}.{id}.{table}]\n")),
        prop::sample::select(vec![
            "type = \"set\"\n",
            "type = \"exec\"\n",
            "needs = [\"a\"]\n",
            "needs = [\n  \"b\",\n  \"c\",\n]\n",
            "with = { x = \"{{ steps.a.output }}\" }\n",
            "title = \"\"\"\n[steps.q]\n\"\"\"\n",
            "x = [[1], [2]]\n",
            "# comment [steps.r]\n",
            "\n",
            "[limits]\n",
            "[inputs.n]\n",
            "[runbook]\n",
            "schema = 1\n",
            "timeout = \"1m\"\n",
            "when = \"inputs.n == 1\"\n",
            "command = [\"x\"]\n",
        ])
        .prop_map(ToOwned::to_owned),
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_pieces(text in files()) {
        same(&text);
    }
}

#[test]
fn a_large_file_is_read_by_parts_and_findings_keep_their_places() {
    let mut text = around("");
    for at in 0..6000 {
        text.push_str(&format!(
            "[steps.s{at}]\ntype = \"set\"\nneeds = [{}]\nwith = {{ value = {at} }}\n",
            if at == 0 { String::new() } else { format!("\"s{}\"", at - 1) }
        ));
    }
    assert!(text.len() > crate::syntax::WHOLE_BYTES_MAX);
    same(&text);
    let broken = text
        .replace("[steps.s5000]\ntype = \"set\"", "[steps.s5000]\ntype = \"sett\"")
        .replace("needs = [\"s5500\"]", "needs = [\"s5501\"]");
    same(&broken);
    let found = compile_by(Way::Auto, &broken, &options()).1;
    assert_eq!(found.iter().map(|one| one.code).collect::<Vec<_>>(), ["CF0101", "CF0103"]);
}
