//! What others ask of a run that somebody drives.

use crate::*;
use ceptra_flow_core::ids::Timestamp;
use ceptra_flow_core::input::Request;

/// The owner's side of a run's inbox.
pub struct Inbox {}

/// A request that waits for the owner.
#[derive(Clone, Debug, PartialEq)]
pub struct Posted {
    /// Its id.
    pub id: RequestId,
    /// When it was posted, by the poster's clock.
    pub at: Timestamp,
    /// What is asked, by whom.
    pub request: Request,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is in the journal.
    Accepted,
    /// It is not, for this reason.
    Refused(String),
}

impl Inbox {
    /// Requests posted since the last call (all unanswered ones the first time). Costs microseconds when there are none.
    pub fn poll(&mut self) -> Result<Vec<Posted>, StoreError> { todo!() }
    /// Tells the poster. For accepted ones after `append_answering`.
    pub fn reply(&mut self, id: &RequestId, reply: &Reply) -> Result<(), StoreError> { todo!() }
}
