//! What an expression names.

use std::fmt;
use std::ops::Range;

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Segment {
    /// A field by name.
    Key(Box<str>),
    /// An element by place.
    Index(usize),
}

/// A name and the way from it into its value: `steps.freeze.output.epoch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// How many blocks further out the name is looked up (`../`).
    pub(crate) up: usize,
    /// The first name; `this`, `@index`, … inside blocks.
    pub(crate) root: Box<str>,
    pub(crate) segments: Vec<Segment>,
    /// Where it stands in the expression's text.
    pub(crate) span: Range<usize>,
}

impl Path {
    /// The field that the n-th segment names.
    pub(crate) fn key(&self, at: usize) -> Option<&str> {
        match self.segments.get(at)? {
            Segment::Key(key) => Some(key),
            Segment::Index(_) => None,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for _ in 0..self.up {
            out.write_str("../")?;
        }
        out.write_str(&self.root)?;
        write_segments(out, &self.segments)
    }
}

pub(crate) fn write_segments(out: &mut impl fmt::Write, segments: &[Segment]) -> fmt::Result {
    for segment in segments {
        match segment {
            Segment::Key(key) => write!(out, ".{key}")?,
            Segment::Index(index) => write!(out, "[{index}]")?,
        }
    }
    Ok(())
}

/// The names that expressions can begin with.
pub(crate) const ROOTS: [&str; 8] = ["inputs", "target", "steps", "run", "env", "item", "index", "output"];
