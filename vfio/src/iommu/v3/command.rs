//! Commands as the driver encodes them.
//!
//! Not here: which commands an invalidation takes (`tlbi`), and how they reach the SMMU (`queue`).

use super::probe::SyncSignal;
use super::wire::{
    ARM_SMMU_MEMATTR_OIWB, ARM_SMMU_SH_ISH, ATC_INV_SIZE_ALL, CMDQ_RESUME_0_RESP_ABORT,
    CMDQ_SYNC_0_CS_IRQ, CMDQ_SYNC_0_CS_SEV, Cmdq0, CmdqAtc0, CmdqAtc1, CmdqCfgi0, CmdqCfgi1,
    CmdqCfgiRange1, CmdqResume0, CmdqResume1, CmdqSync0, CmdqSync1, CmdqTlbi0, op,
};
use passim_model::{Asid, PhysAddr, StreamId, Vmid};

/// One entry of the command queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::iommu) struct Command(pub(in crate::iommu) [u64; 2]);

impl Command {
    fn plain(operation: u64) -> Self {
        Self([Cmdq0::OP.of(operation), 0])
    }

    fn stream(operation: u64, stream: StreamId) -> u64 {
        CmdqCfgi0::OP.of(operation) | CmdqCfgi0::SID.of(stream.get().into())
    }

    /// Invalidates all configuration.
    pub(super) fn cfgi_all() -> Self {
        Self([Cmdq0::OP.of(op::CFGI_ALL), CmdqCfgiRange1::RANGE.of(31)])
    }

    /// Invalidates one STE.
    pub(super) fn cfgi_ste(stream: StreamId) -> Self {
        Self([Self::stream(op::CFGI_STE, stream), CmdqCfgi1::LEAF.of(1)])
    }

    /// Invalidates the CD of traffic without a substream.
    pub(super) fn cfgi_cd(stream: StreamId) -> Self {
        Self([Self::stream(op::CFGI_CD, stream), CmdqCfgi1::LEAF.of(1)])
    }

    /// Prefetches the configuration of a stream.
    pub(super) fn prefetch_cfg(stream: StreamId) -> Self {
        Self([Self::stream(op::PREFETCH_CFG, stream), 0])
    }

    /// Invalidates every EL2 translation.
    pub(super) fn tlbi_el2_all() -> Self {
        Self::plain(op::TLBI_EL2_ALL)
    }

    /// Invalidates every non-secure EL1 translation.
    pub(super) fn tlbi_nsnh_all() -> Self {
        Self::plain(op::TLBI_NSNH_ALL)
    }

    /// Invalidates the stage-1 translations of one ASID.
    pub(super) fn tlbi_nh_asid(asid: Asid) -> Self {
        Self::tlbi_asid(op::TLBI_NH_ASID, asid)
    }

    /// Invalidates the translations of one ASID of EL2-E2H.
    pub(super) fn tlbi_el2_asid(asid: Asid) -> Self {
        Self::tlbi_asid(op::TLBI_EL2_ASID, asid)
    }

    fn tlbi_asid(operation: u64, asid: Asid) -> Self {
        let operation = CmdqTlbi0::OP.of(operation);
        Self([operation | CmdqTlbi0::ASID.of(asid.get().into()), 0])
    }

    /// Invalidates the translations of one VMID.
    pub(super) fn tlbi_s12_vmall(vmid: Vmid) -> Self {
        let operation = CmdqTlbi0::OP.of(op::TLBI_S12_VMALL);
        Self([operation | CmdqTlbi0::VMID.of(vmid.get().into()), 0])
    }

    /// Invalidates a device's whole ATC.
    pub(super) fn atc_inv_all(stream: StreamId) -> Self {
        let first = CmdqAtc0::OP.of(op::ATC_INV) | CmdqAtc0::SID.of(stream.get().into());
        Self([first, CmdqAtc1::SIZE.of(ATC_INV_SIZE_ALL)])
    }

    /// Invalidates `size` bytes from `start` on in a device's ATC: the smallest aligned span of a
    /// power of two of 4K pages that contains them.
    // arm_smmu_atc_inv_to_cmd: the bits in which first and last page differ; size 0 is everything.
    pub(super) fn atc_inv(stream: StreamId, start: u64, size: u64) -> Self {
        let all = Self::atc_inv_all(stream);
        if size == 0 {
            return all;
        }
        let (first, last) = (start >> 12, start.wrapping_add(size - 1) >> 12);
        let lg2 = u64::BITS - (first ^ last).leading_zeros();
        let address = CmdqAtc1::ADDR.in_place(first >> lg2 << lg2 << 12);
        Self([all.0[0], address | CmdqAtc1::SIZE.of(lg2.into())])
    }

    /// Terminates a stalled transaction with an abort.
    pub(super) fn resume_abort(stream: StreamId, tag: u64) -> Self {
        let first = CmdqResume0::OP.of(op::RESUME)
            | CmdqResume0::RESP.of(CMDQ_RESUME_0_RESP_ABORT)
            | CmdqResume0::SID.of(stream.get().into());
        Self([first, CmdqResume1::STAG.of(tag)])
    }

    /// Completes when all commands before it have. `slot` is the command's own address in memory.
    // Dumps: 0xfc02046, SEV, inner shareable, write-back.
    pub(super) fn sync(signal: SyncSignal, slot: PhysAddr) -> Self {
        let common = CmdqSync0::OP.of(op::CMD_SYNC)
            | CmdqSync0::MSH.of(ARM_SMMU_SH_ISH)
            | CmdqSync0::MSIATTR.of(ARM_SMMU_MEMATTR_OIWB);
        match signal {
            SyncSignal::Bare => {
                Self([CmdqSync0::OP.of(op::CMD_SYNC) | CmdqSync0::CS.of(CMDQ_SYNC_0_CS_SEV), 0])
            }
            SyncSignal::Consumed => Self([common | CmdqSync0::CS.of(CMDQ_SYNC_0_CS_SEV), 0]),
            // The message is 0: it overwrites the low half of the command, which is not 0.
            SyncSignal::Message => Self([
                common | CmdqSync0::CS.of(CMDQ_SYNC_0_CS_IRQ),
                CmdqSync1::MSIADDR.in_place(slot.get()),
            ]),
        }
    }
}

#[cfg(test)]
mod tests;
