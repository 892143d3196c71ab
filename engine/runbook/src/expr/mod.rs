//! Templates and conditions: reading, checking what they name, evaluating.
//!
//! Pure functions of a plan and a run's state. `template` and `cel` read text, `render` evaluates templates,
//! [`Evaluator`] gives the names of a running plan, [`known`] those that are known before it runs.

pub(crate) mod cel;
mod evaluator;
pub(crate) mod helpers;
pub(crate) mod known;
pub(crate) mod path;
mod reader;
pub(crate) mod reads;
pub(crate) mod render;
pub(crate) mod scope;
pub(crate) mod template;

pub use evaluator::{BlobLoader, Evaluator};
pub use known::{Known, Preview, known, render_known};
pub use scope::Scope;

pub(crate) use evaluator::instances;

pub(crate) use crate::syntax::node::shown;
