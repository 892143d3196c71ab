//! Who is it that answers? `[guard] fingerprint` is compared with what the live target says of itself.
//!
//! Not a step type: it is asked before a run begins or goes on, so that a plan for one installation never touches another that
//! happens to have its address. The target says how to ask, with `[operations.fingerprint]`.

use super::ops::Operations;
use super::world;
use crate::context::StepContext;
use crate::error::StepError;
use serde_json::{Map, Value};

/// The operation that asks.
const FINGERPRINT: &str = "fingerprint";

/// What the target answers: the text of its `fingerprint` field, or the whole answer where it is text.
///
/// # Errors
/// When the target does not say how to ask, does not answer, or answers something without a fingerprint.
pub async fn fingerprint(cx: &StepContext) -> Result<String, StepError> {
    let ops = Operations::of(cx).await?;
    // A target without clusters may still name a URL of its own.
    let params = ["dr", "primary"].into_iter().find_map(|name| world::cluster(cx, name).ok());
    let params = params.map_or_else(|| Ok(Map::new()), |cluster| cluster.params(Value::Null))?;
    let answer = ops.query(FINGERPRINT, params).await?;
    let said = answer.get(FINGERPRINT).unwrap_or(&answer).as_str();
    said.map(str::to_owned).ok_or_else(|| StepError::nothing("parse", format!("no `{FINGERPRINT}` in {answer}")))
}
