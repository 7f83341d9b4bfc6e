//! Reads and prints an operation as one line outside of a file.

use core::fmt;

use super::Op;
use crate::input_error::{InputError, SourceText};
use crate::script::invocation;

impl Op {
    /// Reads an operation that is in no file.
    ///
    /// # Errors
    /// As [`Op::read`]; `name` stands for the file in the error.
    pub fn parse(name: &str, line: &str) -> Result<Self, InputError> {
        let source = SourceText::new(name, line);
        Self::read(&source, &invocation(name, line)?)
    }
}

/// One line, as [`Op::parse`] reads it.
impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.invocation().fmt(f)
    }
}
