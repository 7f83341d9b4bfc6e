//! Structures that real kernels left in memory, each looked at from both ends.
//!
//! Words are literals from memory dumps of Linux 6.1 and 6.12 behind an SMMUv3. [`hardware`] puts
//! them where the kernel had them and asks the SMMU: it must do what was measured. [`driver`] lets
//! the Linux side do what the kernel had done: it must leave the same words. Each side has its own
//! transcription of the layouts, so a literal both agree on is a fact about neither.

mod driver;
mod hardware;
mod literals;
