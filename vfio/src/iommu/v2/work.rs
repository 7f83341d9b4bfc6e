//! The driver's acts on registers, one at a time.

use super::SmmuV2;
use super::wire::{TlbStatus, cb, gr0};
use crate::iommu::finding::Finding;
use crate::iommu::progress::Progress;
use crate::iommu::synced::Synced;
use passim_model::{Abort, Host};
use std::collections::VecDeque;

/// The invalidations that a synchronisation waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::iommu) enum Scope {
    /// Every invalidation.
    Global,
    /// Those of the context bank with this number.
    Bank(usize),
}

/// Invalidations of one kind: the register, the first operand and the stride.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::iommu) struct Sweep {
    /// Offset of the register.
    pub(in crate::iommu) at: u64,
    /// The next operand.
    pub(in crate::iommu) operand: u64,
    /// Distance from one operand to the next.
    pub(in crate::iommu) stride: u64,
    /// Number of operands left.
    pub(in crate::iommu) count: u64,
    /// Whether the operand has 64 bits.
    pub(in crate::iommu) wide: bool,
}

/// One act.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::iommu) enum Work {
    /// Store 32 bits.
    Store {
        /// Offset of the register.
        at: u64,
        /// The value.
        value: u64,
    },
    /// Store 64 bits.
    StoreWide {
        /// Offset of the register.
        at: u64,
        /// The value.
        value: u64,
    },
    /// Store one operand after another.
    Sweep(Sweep),
    /// Start a synchronisation, and wait for it.
    Sync(Scope),
    /// Wait for a synchronisation.
    Await(Scope),
}

/// Acts to perform, in order.
#[derive(Debug, Default)]
pub(in crate::iommu) struct Worklist {
    rest: VecDeque<Work>,
    /// From the last synchronisation.
    proof: Option<Synced>,
}

/// The operand of an operation that takes none; QEMU and hardware ignore it.
// arm-smmu.h of 6.12: firmware that traps these stores requires a value other than 0.
const DUMMY: u64 = 0xffff_ffff;

impl Worklist {
    /// A list of these acts, in order.
    pub(in crate::iommu) fn new(acts: impl IntoIterator<Item = Work>) -> Self {
        Self { rest: acts.into_iter().collect(), proof: None }
    }

    /// Performs what is possible without waiting.
    ///
    /// Linux abandons a synchronisation after a second and continues; here time does not pass, and
    /// a synchronisation that never completes is waited for.
    pub(in crate::iommu) fn advance(
        &mut self,
        smmu: &mut SmmuV2,
        host: &mut impl Host,
    ) -> Progress {
        while let Some(act) = self.rest.pop_front() {
            match act {
                Work::Store { at, value } => smmu.store(at, value, host),
                Work::StoreWide { at, value } => smmu.store_wide(at, value, host),
                Work::Sweep(sweep) => smmu.sweep(sweep, host),
                Work::Sync(scope) => {
                    let (start, _) = smmu.sync_registers(scope);
                    smmu.store(start, DUMMY, host);
                    self.rest.push_front(Work::Await(scope));
                }
                Work::Await(scope) => match smmu.synced(scope, host) {
                    Some(proof) => self.proof = Some(proof),
                    None => {
                        self.rest.push_front(act);
                        return Progress::Waiting;
                    }
                },
            }
        }
        Progress::Done(self.proof.take().unwrap_or_else(Synced::nothing_stale))
    }
}

/// The acts that invalidate everything: stores that take no operand.
pub(super) fn everything() -> [Work; 2] {
    [gr0::TLBIALLH, gr0::TLBIALLNSNH].map(|at| Work::Store { at, value: DUMMY })
}

impl SmmuV2 {
    fn heed(&mut self, answer: Result<(), Abort>) {
        if let Err(abort) = answer {
            self.findings.push(Finding::NoAnswer(abort));
        }
    }

    fn store(&mut self, at: u64, value: u64, host: &mut impl Host) {
        let answer = self.registers.store(at, value, host);
        self.heed(answer);
    }

    // 6.12 arm-smmu-impl.c, mrvl_mmu500_writeq and mrvl_mmu500_readq: the upper half first.
    fn store_wide(&mut self, at: u64, value: u64, host: &mut impl Host) {
        if self.workarounds.halves {
            self.store(at + 4, value >> 32, host);
            return self.store(at, value & u64::from(u32::MAX), host);
        }
        let answer = self.registers.store_wide(at, value, host);
        self.heed(answer);
    }

    /// Loads 64 bits.
    pub(super) fn load_wide(&self, at: u64, host: &mut impl Host) -> Result<u64, Abort> {
        if self.workarounds.halves {
            let high = self.registers.load(at + 4, host)?;
            return Ok(high << 32 | self.registers.load(at, host)?);
        }
        self.registers.load_wide(at, host)
    }

    fn sweep(&mut self, sweep: Sweep, host: &mut impl Host) {
        let Sweep { at, mut operand, stride, count, wide } = sweep;
        for _ in 0..count {
            match wide {
                true => self.store_wide(at, operand, host),
                false => self.store(at, operand, host),
            }
            operand = operand.wrapping_add(stride);
        }
    }

    /// The registers that start a synchronisation and report its state.
    fn sync_registers(&self, scope: Scope) -> (u64, u64) {
        match scope {
            Scope::Global => (gr0::TLBGSYNC, gr0::TLBGSTATUS),
            Scope::Bank(bank) => {
                (self.features.cb(bank, cb::TLBSYNC), self.features.cb(bank, cb::TLBSTATUS))
            }
        }
    }

    /// The proof that a synchronisation is complete, if it is.
    fn synced(&mut self, scope: Scope, host: &mut impl Host) -> Option<Synced> {
        let (_, status) = self.sync_registers(scope);
        match self.registers.load(status, host) {
            Ok(status) if TlbStatus::GSACTIVE.is_set(status) => None,
            Ok(_) => Some(Synced::by_tlb_sync()),
            Err(abort) => {
                self.findings.push(Finding::NoAnswer(abort));
                None
            }
        }
    }
}
