//! A home for the tests beside it: each folder is one test program, but for `oracle`, `fuzz` and
//! `mutants`, which are programs of their own, and `recordings`, which holds what real kernels
//! answered. What several tests draw from is in [`machines`], [`bare`], [`cases`] and [`mistakes`].
//!
//! | program | question it answers |
//! | --- | --- |
//! | `tidy` | does the code keep its own rules: sizes, words, edges between crates? |
//! | `layouts` | do structures from dumps of real kernels decode to what was measured? |
//! | `formats` | do hardware's walk and the oracle's read tables of every format alike? |
//! | `agree` | does the model agree with the oracles under random operations? |
//! | `differential` | do SMMUv2 and SMMUv3 answer alike behind their drivers? |
//! | `robust` | does hostile input at any door end in a panic? |
//! | `races` | what can a device still do between the steps of a system call? |
//! | `series`, `doorbells` | do windows, doorbells and vectors keep their rules on random machines? |
//! | `topologies` | have recorded machines the groups a kernel gave them, do random ones boot? |
//! | `stale`, `forgotten`, `invalidation` | does an invalidation that a driver forgets show? |
//! | `its` | what does an ITS do under every preset, and is a broken one noticed? |
//! | `choices`, `stories` | which choice of the policy does a scenario see? |
//! | `explain` | is what an explanation suggests accepted? |

pub mod bare;
pub mod cases;
pub mod machines;
pub mod mistakes;
pub mod mutants;
