//! A home for the tests beside it: each folder is one test program. What several of them draw from
//! is in [`machines`], [`bare`] and [`mistakes`].
//!
//! | program | question it answers |
//! | --- | --- |
//! | `tidy` | does the code keep its own rules: sizes, words, edges between crates? |
//! | `layouts` | do structures from dumps of real kernels decode to what was measured? |
//! | `agree` | does the model agree with the oracles under random operations? |
//! | `series` | do windows, doorbells and vectors keep their rules on random machines? |
//! | `topologies` | have recorded machines the groups a kernel gave them, do random ones boot? |
//! | `stale`, `forgotten`, `invalidation` | does an invalidation that a driver forgets show? |
//! | `recordings` | does the model agree with recordings, and is a changed recording noticed? |

pub mod bare;
pub mod machines;
pub mod mistakes;
pub mod mutants;
