//! The tests beside it: each folder is one test program, except `oracle`, `fuzz`, `mutants` and
//! `qemu`, which are programs of their own, and `recordings`, the answers of real kernels. Code that
//! several tests share is in these rooms:
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`machines`] | which random machines are valid? |
//! | [`bare`] | how does a test drive an SMMUv3 itself? |
//! | [`cases`] | how are random cases repeatable? |
//! | [`mistakes`] | do a device's accesses show a driver's mistake? |
//! | [`mutants`] | which defects must tests detect? |
//!
//! The programs:
//!
//! | program | question it answers |
//! | --- | --- |
//! | `tidy` | does the code keep its own rules: sizes, words, edges between crates? |
//! | `layouts` | do structures from dumps of real kernels decode to what was measured? |
//! | `formats` | do hardware's walk and the oracle's agree on tables of every format? |
//! | `agree` | does the model agree with the oracles under random operations? |
//! | `differential` | do SMMUv2 and SMMUv3 answer alike behind their drivers? |
//! | `robust` | does hostile input at any entry point cause a panic? |
//! | `races` | what can a device still do between the steps of a system call? |
//! | `series`, `doorbells` | do windows, doorbells and vectors keep their rules on random machines? |
//! | `topologies` | do recorded machines get the groups of their kernel, do random ones boot? |
//! | `stale`, `forgotten`, `invalidation` | does an invalidation that a driver omits have a visible effect? |
//! | `qemu` | does the ITS of a running QEMU do what the preset `qemu` does? |
//! | `its` | how does an ITS behave under every preset, and is a broken one detected? |
//! | `choices`, `stories` | which choices of the policy does a scenario show? |
//! | `explain` | is the request that an explanation suggests accepted? |

pub mod bare;
pub mod cases;
pub mod machines;
pub mod mistakes;
pub mod mutants;
