//! Nothing but a home for the tests beside it: each folder is one test program.
//!
//! | program | question it answers |
//! | --- | --- |
//! | `tidy` | does the code keep its own rules: sizes, words, edges between crates? |
//! | `layouts` | do structures from dumps of real kernels decode to what was measured? |
//! | `agree` | does the model agree with the oracles under random operations? |
//! | `recordings` | does the model agree with recordings, and is a changed recording noticed? |
