//! Verbs that belong to later versions: named plainly, so that nobody searches for a typing mistake.

use crate::exit::{CommandError, Exit};

/// The answer to a verb of a later version.
pub(crate) fn verb(name: &str) -> Result<Exit, CommandError> {
    Err(CommandError::later(&format!("`{name}`")))
}
