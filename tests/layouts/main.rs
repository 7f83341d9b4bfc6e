//! Structures that real kernels left in memory, checked from both ends.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`driver`] | does the Linux side write the recorded words? |
//! | [`hardware`] | does the SMMU act on the recorded words as measured? |
//! | [`literals`] | which words are in the dumps? |
//!
//! Words are literals from memory dumps of Linux 6.1 and 6.12 behind an SMMUv3. [`hardware`] puts
//! them at the kernel's addresses and runs the SMMU: it must do what was measured. [`driver`] lets
//! the Linux side repeat the kernel's calls: it must write the same words. Each side has its own
//! transcription of the layouts, so a literal on which both agree depends on neither.

mod driver;
mod hardware;
mod literals;
