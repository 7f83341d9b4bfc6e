//! What a machine's firmware and buses report to the kernel at boot.
//!
//! Facts only: device trees and ACPI tables are neither parsed nor placed in memory.

use passim_model::{Endpoint, Iova, PageSizes, PhysAddr, Rid, Span, StreamId, Topology};

/// One IOMMU and the driver for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DriverFacts {
    /// An SMMUv3, driven by arm-smmu-v3.
    SmmuV3 {
        /// Physical address of its registers.
        base: PhysAddr,
    },
    /// An SMMUv2 or SMMUv1, driven by arm-smmu.
    SmmuV2(SmmuV2Facts),
    /// No hardware: mappings are recorded and never translate.
    Flat {
        /// Addresses that can be mapped.
        aperture: Span<Iova>,
        /// Page sizes of mappings; at least one.
        page_sizes: PageSizes,
    },
    /// An IOMMU that treats messages as that of an x86 machine does: hardware accepts them from the
    /// bus, doorbells cannot be mapped, domains have no MSI cookie.
    X86 {
        /// Physical address of its register.
        base: PhysAddr,
        /// Addresses at which hardware accepts messages; 0xfee00000 to 0xfeefffff on such machines.
        messages: Span<Iova>,
        /// Whether it remaps interrupts: IOMMU_CAP_INTR_REMAP.
        remaps_interrupts: bool,
    },
}

/// The device tree node of an SMMUv2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SmmuV2Facts {
    /// Physical address of its registers.
    pub base: PhysAddr,
    /// Its architecture, from `compatible`: no register identifies it.
    pub version: SmmuVersion,
    /// Its product, from `compatible`.
    pub model: SmmuModel,
    /// `stream-match-mask`: bits of StreamIDs that every stream match register ignores.
    pub stream_match_mask: u32,
    /// Number of `interrupts` for context banks, without the global ones.
    pub context_interrupts: u32,
    /// `calxeda,smmu-secure-config-access`: the CPU's accesses to the registers are Secure ones.
    pub secure_config_access: bool,
    /// `dma-coherent`: its walks are coherent, whatever ID0 says.
    pub coherent: bool,
}

/// Versions of the architecture before SMMUv3.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SmmuVersion {
    /// SMMUv1.
    V1,
    /// SMMUv1 with AArch64 tables, as in an MMU-401.
    V1With64K,
    /// SMMUv2.
    V2,
}

/// Products for which the driver has special code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SmmuModel {
    /// None.
    Generic,
    /// Arm's MMU-500: `arm,mmu-500`.
    Mmu500,
    /// The MMU-500 of Marvell's AP806: `marvell,ap806-smmu-500`.
    Ap806,
    /// Cavium's, in a ThunderX: `cavium,smmu-v2`.
    Cavium,
    /// An MMU-500 behind Qualcomm's firmware: `qcom,smmu-500`.
    Qualcomm,
}

/// A device behind an IOMMU.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceFacts {
    /// The device.
    pub endpoint: Endpoint,
    /// Every StreamID its transactions may carry, its own first, then its aliases: a function
    /// behind a PCI bridge also appears under the bridge's. Behind an SMMUv3 no other device may
    /// have them; behind an SMMUv2 devices of its group may, and up to 4.8 any device.
    pub streams: Vec<StreamId>,
    /// The last of the requester IDs that its transactions may carry: its own, unless a
    /// quirk or a bridge replaces it. None for a device on the board, which has only StreamIDs.
    pub requester: Option<Rid>,
    /// Its IOMMU group.
    pub group: u32,
    /// Index of the IOMMU that translates for it.
    pub driver: usize,
    /// Address of its configuration space, for a PCI function whose root complex supports ATS.
    pub config: Option<PhysAddr>,
    /// `dma-coherent`, of the device or of its host bridge: its accesses are coherent with the
    /// CPUs' caches.
    pub coherent: bool,
}

/// Everything that firmware reports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Firmware {
    /// The IOMMUs.
    pub drivers: Vec<DriverFacts>,
    /// The devices, in the order in which the kernel probes them. It decides the order of ASIDs, of
    /// devices within a group, and of the first commands.
    pub devices: Vec<DeviceFacts>,
}

impl Firmware {
    /// The facts of devices that are present at boot.
    pub(crate) fn at_boot(&self, topology: &Topology) -> Self {
        let there = |device: &&DeviceFacts| {
            device.endpoint.rid().is_none_or(|rid| topology.is_there_at_boot(rid))
        };
        let devices = self.devices.iter().filter(there).cloned().collect();
        Self { drivers: self.drivers.clone(), devices }
    }

    /// The facts of virtual functions, ascending.
    pub(crate) fn of_virtual(&self, topology: &Topology) -> Vec<DeviceFacts> {
        let is_virtual = |device: &&DeviceFacts| {
            device.endpoint.rid().is_some_and(|rid| topology.is_virtual(rid))
        };
        let mut found: Vec<_> = self.devices.iter().filter(is_virtual).cloned().collect();
        found.sort_by_key(|device| device.endpoint);
        found
    }
}

impl DeviceFacts {
    /// A device behind IOMMU `driver` with these StreamIDs: its accesses are coherent, and it has
    /// no ATS.
    pub fn with_streams(
        endpoint: impl Into<Endpoint>,
        streams: impl IntoIterator<Item = StreamId>,
        group: u32,
        driver: usize,
    ) -> Self {
        let (endpoint, streams) = (endpoint.into(), streams.into_iter().collect());
        let (requester, config) = (None, None);
        Self { endpoint, streams, requester, group, driver, config, coherent: true }
    }

    /// The functions of `topology` that have a group, all behind IOMMU `driver`, by ascending
    /// group and requester ID, each with its one StreamID.
    pub fn of_topology(topology: &Topology, driver: usize) -> Vec<Self> {
        let grouped = topology.functions().iter().filter_map(|function| {
            let group = function.group?;
            Some(Self::with_streams(function.rid, [function.stream], group, driver))
        });
        let mut devices: Vec<_> = grouped.collect();
        devices.sort_by_key(|device| (device.group, device.endpoint));
        devices
    }
}

/// Why the machine's IOMMUs could not be brought up, or a device not be added.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum BootError {
    /// A register or a table did not answer.
    #[error("{0}")]
    NoAnswer(passim_model::Abort),
    /// IDR0.TTF: the SMMU does not support AArch64 tables.
    #[error("the SMMU has no AArch64 translation tables")]
    NoAarch64Tables,
    /// IDR0.TTENDIAN: big-endian tables only.
    #[error("the SMMU reads big-endian tables only")]
    BigEndianTables,
    /// IDR0: neither stage.
    #[error("the SMMU has neither stage of translation")]
    NoTranslation,
    /// IDR1: queues or tables at fixed addresses.
    #[error("the SMMU has its tables or queues at fixed addresses")]
    PresetTables,
    /// IDR1.CMDQS: not even one batch fits.
    #[error("the SMMU's command queue is too small: 64 entries or fewer")]
    CommandQueueTooSmall,
    /// IDR1.SIDSIZE: more than 32 bits.
    #[error("the SMMU claims StreamIDs of {0} bits")]
    StreamIdSize(u32),
    /// IDR5: no granule.
    #[error("the SMMU has no translation granule")]
    NoGranule,
    /// No table geometry for the sizes that IDR5 reports.
    #[error("no translation tables take {input_bits} bits of input and {output_bits} of output")]
    NoGeometry {
        /// Input address bits.
        input_bits: u32,
        /// Output address bits.
        output_bits: u32,
    },
    /// A control register was written and never acknowledged.
    #[error("the register at offset {0:#x} did not acknowledge in time")]
    NoAcknowledge(u64),
    /// A CMD_SYNC did not complete.
    #[error("the SMMU did not complete its commands in time")]
    CommandTimeout,
    /// No frame for a table or a queue.
    #[error("no memory for the SMMU's tables and queues")]
    NoFrame,
    /// A device of this group is behind another IOMMU than the rest of the group.
    #[error("group {0} is spread over several IOMMUs")]
    SplitGroup(u32),
    /// A device names an IOMMU that does not exist.
    #[error("device {0} names an IOMMU the machine does not have")]
    NoDriver(Endpoint),
    /// A device has a StreamID larger than the SMMU supports.
    #[error("StreamID {0} is beyond the SMMU's StreamID size")]
    StreamOutOfRange(StreamId),
    /// Two devices have the same StreamID.
    #[error("two devices have StreamID {0}")]
    StreamTaken(StreamId),
    /// ID0: stream matching without a single entry.
    #[error("the SMMU matches streams and has no entry for any")]
    NoStreamEntries,
    /// ID1: more stage 2 banks than banks.
    #[error("the SMMU has more context banks for stage 2 than it has banks")]
    NoContextBanks,
    /// An SMMU without context interrupts, or an SMMUv2 with fewer than context banks.
    #[error("the SMMU has {interrupts} context interrupts for {banks} context banks")]
    TooFewContextInterrupts {
        /// Interrupts.
        interrupts: usize,
        /// Banks.
        banks: usize,
    },
    /// An SMMUv2 with more context interrupts than context banks.
    #[error("the SMMU has {interrupts} context interrupts, and only {banks} context banks")]
    TooManyContextInterrupts {
        /// Interrupts.
        interrupts: usize,
        /// Banks.
        banks: usize,
    },
    /// A device's StreamIDs overlap those of another entry in part.
    #[error("the streams of StreamID {0} and its mask are some of another device's, not all")]
    StreamConflict(StreamId),
    /// No stream mapping entry for a device.
    #[error("no stream mapping entry is left for StreamID {0}")]
    NoStreamEntry(StreamId),
    /// Mask bits that stream match registers do not have.
    #[error("the stream match registers have not all bits of the mask {0:#x}")]
    StreamMask(u32),
    /// Stream match registers that cannot mask every bit they compare.
    #[error("the stream match registers compare the bits {ids:#x} and mask only {mask:#x}")]
    NarrowMasks {
        /// Bits of a StreamID.
        ids: u32,
        /// Bits of a mask.
        mask: u32,
    },
    /// No context bank for a group's default domain.
    #[error("no context bank is left for the default domain of group {0}")]
    NoBank(u32),
    /// No ASID or VMID for a group's default domain.
    #[error("no ASID or VMID is left for the default domain of group {0}")]
    NoTag(u32),
}

impl BootError {
    /// Whether the error concerns a single device, which then has no group; the boot continues.
    // 6.12 of/iommu.c, of_iommu_configure: errors of an IOMMU's driver about a device are not
    // passed on.
    pub(super) const fn is_of_a_device(self) -> bool {
        matches!(
            self,
            Self::StreamOutOfRange(_)
                | Self::StreamTaken(_)
                | Self::StreamConflict(_)
                | Self::NoStreamEntry(_)
                | Self::StreamMask(_)
                | Self::NoBank(_)
                | Self::NoTag(_)
        )
    }
}

impl From<passim_model::Abort> for BootError {
    fn from(abort: passim_model::Abort) -> Self {
        Self::NoAnswer(abort)
    }
}
