//! What an unmap leaves to be invalidated.

/// Ranges whose translations hardware may still hold.
#[must_use = "pages may go back only after what was gathered is invalidated"]
#[derive(Debug, Default)]
pub struct Gather {}
