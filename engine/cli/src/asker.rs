//! Questions put to the person at the terminal: approvals, choices, typed answers.
//!
//! An empty answer is "not now": the run parks, and another command decides later. Start at [`TerminalAsker`].

use crate::console::Console;
use crate::decide::declared_fields;
use ceptra_flow_core::event::ApprovalRequested;
use ceptra_flow_core::ids::label;
use ceptra_flow_core::input::{Operation, Verdict};
use ceptra_flow_core::{Json, Name};
use ceptra_flow_local::Asker;
use ceptra_flow_runbook::InputDecl;
use serde_json::{Map, Value};

/// Asks on stderr, reads from stdin.
pub(crate) struct TerminalAsker {
    /// How this process talks.
    pub(crate) console: Console,
}

impl Asker for TerminalAsker {
    fn ask(&mut self, step: &Name, key: Option<&Name>, asked: &ApprovalRequested) -> Option<Operation> {
        let console = self.console;
        console.trouble(&question(&label(step, key), asked));
        let prompt = if asked.manual { "  done, not done, or later? " } else { "  yes, no, or later? " };
        loop {
            let answer = if asked.choices.is_empty() {
                console.ask(prompt)?
            } else {
                console.ask("  number, no, or later? ")?
            };
            match read(&answer, &asked.choices) {
                Some(Answer::Later) => return None,
                Some(Answer::No) if asked.manual => {
                    return Some(Operation::Resolve {
                        step: step.clone(),
                        key: key.cloned(),
                        verdict: Verdict::NotDone,
                        fields: None,
                    });
                }
                Some(Answer::No) => return Some(Operation::Reject { step: step.clone(), key: key.cloned() }),
                Some(Answer::Yes(choice)) => {
                    let fields = fields(console, asked)?;
                    return Some(Operation::Approve { step: step.clone(), key: key.cloned(), choice, fields });
                }
                None => console.trouble("  that is none of the answers\n"),
            }
        }
    }
}

/// What is asked, with everything that was put beside it.
fn question(step: &str, asked: &ApprovalRequested) -> String {
    let mut text = format!("\n? {step}: {}\n", asked.prompt.trim_end().replace('\n', "\n  "));
    if let Some(evidence) = &asked.evidence
        && let Value::Object(values) = evidence.value()
    {
        for (path, value) in values {
            let value = crate::console::pretty(&value).replace('\n', "\n    ");
            text.push_str(&format!("    {path} = {value}\n"));
        }
    }
    for (place, choice) in asked.choices.iter().enumerate() {
        text.push_str(&format!("    {} {choice}\n", place + 1));
    }
    text
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Yes(Option<String>),
    No,
    Later,
}

fn read(answer: &str, choices: &[String]) -> Option<Answer> {
    match answer.to_ascii_lowercase().as_str() {
        "" | "later" | "l" => Some(Answer::Later),
        "no" | "n" | "not done" => Some(Answer::No),
        "yes" | "y" | "done" if choices.is_empty() => Some(Answer::Yes(None)),
        other => {
            let number = other.parse::<usize>().ok().and_then(|number| choices.get(number.checked_sub(1)?));
            let choice = number.or_else(|| choices.iter().find(|choice| choice.as_str() == answer))?;
            Some(Answer::Yes(Some(choice.clone())))
        }
    }
}

/// The typed answers, asked for one by one; `None` when the person stops answering.
fn fields(console: Console, asked: &ApprovalRequested) -> Option<Option<Json>> {
    let Some(declared) = asked.fields.as_ref().map(declared_fields) else { return Some(None) };
    let mut values = Map::new();
    for field in &declared {
        values.insert(field.name.clone(), field_value(console, field)?);
    }
    Some(Some(Json::from(Value::Object(values))))
}

fn field_value(console: Console, field: &InputDecl) -> Option<Value> {
    let about = field.description.as_ref().map_or(String::new(), |about| format!(" ({about})"));
    let usual = field.default.as_ref().map_or(String::new(), |usual| format!(" [{usual}]"));
    loop {
        let text = console.ask(&format!("  {}{about}{usual}: ", field.name))?;
        match (text.as_str(), &field.default) {
            ("", Some(usual)) => return Some(usual.clone()),
            ("", None) => console.trouble("  it needs a value\n"),
            (text, _) => match field.read(text) {
                Ok(value) => return Some(value),
                Err(why) => console.trouble(&format!("  {why}\n")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_people_give_them() {
        assert_eq!(read("Yes", &[]), Some(Answer::Yes(None)));
        assert_eq!(read("", &[]), Some(Answer::Later));
        assert_eq!(read("n", &[]), Some(Answer::No));
        assert_eq!(read("perhaps", &[]), None);
        let choices = ["eu-west".to_owned(), "eu-north".to_owned()];
        assert_eq!(read("2", &choices), Some(Answer::Yes(Some("eu-north".into()))));
        assert_eq!(read("eu-west", &choices), Some(Answer::Yes(Some("eu-west".into()))));
        assert_eq!((read("yes", &choices), read("0", &choices), read("3", &choices)), (None, None, None));
    }
}
