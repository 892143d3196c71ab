//! Follows a path into what a step type says of its output.

use crate::codes;
use crate::diagnostic::{Sink, Span};
use crate::expr::path::Segment;
use crate::syntax::node::shown;
use crate::units::did_you_mean;
use ceptra_flow_core::catalog::Shape;

/// Whether a path leads somewhere in a value of this shape.
pub(crate) fn check_shape(sink: &mut Sink<'_>, span: Span, name: &str, shape: &Shape, segments: &[Segment]) {
    if let Err((at, known)) = follows(shape, segments) {
        let mut before = name.to_owned();
        crate::expr::path::write_segments(&mut before, &segments[..at]).expect("writing to a String cannot fail");
        let field = match &segments[at] {
            Segment::Key(key) => key.to_string(),
            Segment::Index(index) => index.to_string(),
        };
        let (message, help) = if known.is_empty() {
            (format!("`{before}` has no fields, so no `{}`", shown(&field)), format!("use `{before}` itself"))
        } else {
            (format!("`{before}` has no field `{}`", shown(&field)), did_you_mean(&field, known))
        };
        sink.error(codes::UNKNOWN_FIELD, span, message, "not there", help);
    }
}

/// The segment that leads nowhere, and the fields that there are.
fn follows(shape: &Shape, segments: &[Segment]) -> Result<(), (usize, Vec<&'static str>)> {
    let Some(segment) = segments.first() else {
        return Ok(());
    };
    let deeper = |result: Result<(), (usize, Vec<&'static str>)>| result.map_err(|(at, known)| (at + 1, known));
    match (shape, segment) {
        (Shape::Any, _) => Ok(()),
        (Shape::Table(table), segment) => {
            let field = match segment {
                Segment::Key(key) => table.fields.iter().find(|field| *field.name == **key),
                Segment::Index(_) => None,
            };
            match field {
                Some(field) => deeper(follows(&field.shape, &segments[1..])),
                None if table.open => Ok(()),
                None => Err((0, table.fields.iter().map(|field| field.name).collect())),
            }
        }
        (Shape::Map(value), _) => deeper(follows(value, &segments[1..])),
        (Shape::List(element), Segment::Index(_)) => deeper(follows(element, &segments[1..])),
        (Shape::Either(shapes), _) => {
            let mut failed = Vec::new();
            for shape in shapes {
                match follows(shape, segments) {
                    Ok(()) => return Ok(()),
                    Err(error) => failed.push(error),
                }
            }
            failed.into_iter().max_by_key(|(at, known)| (*at, known.len())).map_or(Ok(()), Err)
        }
        (
            Shape::Null
            | Shape::Boolean
            | Shape::Integer
            | Shape::Number
            | Shape::String
            | Shape::Duration
            | Shape::Size
            | Shape::Cel
            | Shape::OneOf(_)
            | Shape::List(_),
            _,
        ) => Err((0, Vec::new())),
    }
}
