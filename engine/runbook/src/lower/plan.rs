//! Options that choose among a plan's steps.

use crate::Options;
use crate::codes;
use crate::diagnostic::Sink;
use crate::expr::shown;
use crate::units::did_you_mean;
use ceptra_flow_core::StepIx;
use ceptra_flow_core::plan::{More, StepPlan, place};

/// `--only`, `--skip`: says of every step that is left out why.
pub(crate) fn leave_out(steps: &mut [StepPlan], main_count: usize, options: &Options, sink: &mut Sink<'_>) {
    for (option, words) in [("--only", &options.only), ("--skip", &options.skip)] {
        for word in words {
            if !steps.iter().any(|step| is_meant(step, word)) {
                let known = words_of(steps);
                let help = did_you_mean(word, known.iter().map(String::as_str).collect::<Vec<_>>());
                sink.error_elsewhere(
                    codes::OPTION_UNKNOWN,
                    format!("`{option} {}` names no step and no tag", shown(word)),
                    help,
                );
            }
        }
    }
    let mut left = 0;
    for (at, step) in steps.iter_mut().enumerate() {
        let is_main = at < main_count;
        let skipped =
            options.skip.iter().find(|word| is_meant(step, word)).map(|word| format!("left out by --skip {word}"));
        let kept = !is_main || options.only.is_empty() || options.only.iter().any(|word| is_meant(step, word));
        let why = skipped.or_else(|| (!kept).then(|| format!("left out by --only {}", options.only.join(", "))));
        match why {
            Some(why) => step.more.get_or_insert_with(|| Box::new(More::default())).left_out = Some(why),
            None => left += usize::from(is_main),
        }
    }
    if left == 0 && main_count > 0 && !sink.failed() {
        sink.error_elsewhere(
            codes::NOTHING_LEFT,
            "the options leave out every step",
            "give fewer `--skip`, or other `--only`",
        );
    }
}

fn is_meant(step: &StepPlan, word: &str) -> bool {
    *step.id == *word || step.more.as_ref().is_some_and(|more| more.tags.iter().any(|tag| **tag == *word))
}

fn words_of(steps: &[StepPlan]) -> Vec<String> {
    let tags =
        steps.iter().filter_map(|step| step.more.as_ref()).flat_map(|more| more.tags.iter().map(ToString::to_string));
    let mut words: Vec<String> = tags.chain(steps.iter().take(1000).map(|step| step.id.to_string())).collect();
    words.dedup();
    words
}

/// `--until`.
pub(crate) fn until(steps: &[StepPlan], main_count: usize, options: &Options, sink: &mut Sink<'_>) -> Option<StepIx> {
    let name = options.until.as_ref()?;
    let found = steps.iter().position(|step| *step.id == **name);
    match found {
        Some(at) if at < main_count => Some(place(at)),
        Some(_) => {
            sink.error_elsewhere(
                codes::OPTION_BAD,
                format!("`--until {}` names a `finally` step", shown(name)),
                "name a step of [steps]",
            );
            None
        }
        None => {
            let help = did_you_mean(name, steps[..main_count].iter().map(|step| step.id.as_str()));
            sink.error_elsewhere(codes::OPTION_UNKNOWN, format!("`--until {}` names no step", shown(name)), help);
            None
        }
    }
}
