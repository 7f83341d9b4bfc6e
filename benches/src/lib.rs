//! Measurements: one file a question.
