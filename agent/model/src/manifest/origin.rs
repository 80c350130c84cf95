//! Where a manifest was written, so that later faults can name line and column too.
//!
//! **Invariant:** an origin says nothing about what is wanted; it is not part of any digest.

use std::fmt;
use std::sync::Arc;

use crate::read::{Document, Fault};

/// File, line and column of a manifest and of its fields.
#[derive(Clone)]
pub struct Origin {
    /// The file, as the caller of the reader named it.
    pub file: Arc<str>,
    /// Line of its first field, from 1.
    pub line: u32,
    /// Column of its first field, from 1.
    pub column: u32,
    fields: Arc<[(String, u32, u32)]>,
}

impl Origin {
    /// Notes where each field down to `spec.path` and `dependsOn[0]` stands.
    pub(crate) fn of(document: &Document) -> Self {
        let (line, column) = document.root.place;
        let mut fields = Vec::new();
        document.each_place(&mut |field, (line, column)| fields.push((field, line, column)));
        Self { file: Arc::clone(&document.file), line, column, fields: fields.into() }
    }

    /// A fault at a field such as `spec.path`, or at the nearest one above it that was written.
    pub fn fault(
        &self,
        field: &str,
        message: impl Into<String>,
        expected: impl Into<String>,
    ) -> Fault {
        let mut sought = field;
        let (line, column) = loop {
            let found = self.fields.iter().find(|(known, _, _)| known == sought);
            match (found, sought.rfind(['.', '['])) {
                (Some((_, line, column)), _) => break (*line, *column),
                (None, Some(end)) => sought = sought.get(..end).unwrap_or_default(),
                (None, None) => break (self.line, self.column),
            }
        };
        Fault::at(&self.file, line, column, field, message, expected)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
