//! Operations that can stop in the middle: where a kernel waits for hardware or drops a lock.
//!
//! Such an operation is a value. Each [`step`](Step) carries it as far as possible without waiting.
//! A caller that only needs the answer steps it to the end and runs hardware whenever it waits; a
//! caller that explores races runs other operations in between.

use passim_model::Endpoint;

/// The result of one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step<T> {
    /// Finished, with this answer.
    Done(T),
    /// It cannot continue until this makes progress.
    Waiting(Queue),
    /// A lock was dropped: other operations may run before the next step.
    Unlocked,
}

/// What an operation waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Queue {
    /// The command queue of the SMMUv3 with this index among the IOMMUs: free room, or a CMD_SYNC.
    SmmuCommands(usize),
    /// The invalidations that the SMMUv2 with this index among the IOMMUs has accepted: TLBSYNC.
    SmmuInvalidations(usize),
    /// The lock of the container with this index.
    ContainerLock(usize),
    /// The lock of a device's interrupts.
    DeviceLock(Endpoint),
}

/// A place where an operation can stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SuspensionPoint {
    /// Stable kebab-case name.
    pub name: &'static str,
    /// The state while the operation is stopped there.
    pub meaning: &'static str,
    /// Its source.
    pub source: &'static str,
}

/// Every suspension point.
pub const SUSPENSION_POINTS: &[SuspensionPoint] = &[
    SuspensionPoint {
        name: "unmap-before-unpin",
        meaning: "the tables no longer map a slot, the SMMU may still; its pages are still pinned",
        source: "6.12 vfio_iommu_type1: unmap without flush, then sync, then unpin",
    },
    SuspensionPoint {
        name: "attach-between-syncs",
        meaning: "an STE or CD is half way from its old to its new value",
        source: "command queues in dumps of 6.1 and 6.12: a CMD_SYNC after each part",
    },
    SuspensionPoint {
        name: "domain-before-free",
        meaning: "a domain has no device left, its translations are being dropped",
        source: "command queues in dumps: TLBI_NH_ASID or TLBI_S12_VMALL after the detach",
    },
    SuspensionPoint {
        name: "queue-full",
        meaning: "a command is waiting for room in the queue",
        source: "IHI 0070 G.b 4.1: a full queue takes no command",
    },
    SuspensionPoint {
        name: "doorbell-before-map",
        meaning: "no record holds a doorbell, and the lock of the records is dropped to map it",
        source: "part 1 of the series, v9: get maps outside its lock",
    },
    SuspensionPoint {
        name: "doorbell-before-record",
        meaning: "a doorbell is mapped and in no record: another call may map it a second time",
        source: "part 1 of the series, v9: get looks again under its lock",
    },
    SuspensionPoint {
        name: "doorbell-doubled",
        meaning: "a doorbell was mapped twice; the second I/O address is free and still mapped",
        source: "part 1 of the series, v9: get frees the address before it unmaps",
    },
    SuspensionPoint {
        name: "container-lock",
        meaning: "another operation holds the container's lock",
        source: "6.12 vfio_iommu_type1: one mutex around every ioctl",
    },
    SuspensionPoint {
        name: "device-lock",
        meaning: "another operation is changing the interrupts of the device",
        source: "6.12 vfio_pci_core: SET_IRQS holds a mutex of the device, and none of the container",
    },
];
