//! From text to documents with exact places, in bounded memory.
//!
//! A spanned TOML document takes about forty times the memory of its text. So [`scan`] first finds, with TOML's own lexer,
//! where each step's tables stand; then every step is parsed as a small document of its own, lowered, and let go. Small
//! files, and files that write `steps` in another way, are parsed whole; what comes out is the same. Start at [`scan::scan`].

pub(crate) mod document;
pub(crate) mod node;
pub(crate) mod scan;

/// A file's bytes. Twice the largest that anybody has measured; the bound keeps offsets in 32 bits.
pub(crate) const FILE_BYTES_MAX: usize = 64 << 20;

/// Lexical tokens in what is parsed as one document; about 100 bytes of memory each.
pub(crate) const DOCUMENT_TOKENS_MAX: usize = 500_000;

/// Steps of a file; five times the largest that anybody has measured.
pub(crate) const STEPS_MAX: usize = 500_000;

/// Brackets within brackets. Values are walked by recursion.
pub(crate) const NESTING_MAX: usize = 32;

/// Segments of a dotted key, each of which is a nested table.
pub(crate) const KEY_SEGMENTS_MAX: usize = 16;

/// Files up to here are parsed whole.
pub(crate) const WHOLE_BYTES_MAX: usize = 256 << 10;
