//! The rules of MSI domains, and verdicts about messages.

passim_model::rules! {
    /// EINVAL, ENODEV or ENOTSUPP, by policy.
    MSI_NO_DOMAIN = "msi-no-domain",
        "Firmware leads the device to a controller of messages: by msi-map, or msi-parent.",
        "arch_setup_msi_irq of 4.6; pci_msi_legacy_setup_msi_irqs of 6.1; __pci_enable_msi_range of 6.12: a function without an MSI domain";
    /// ERANGE.
    VECTORS_NONE = "vectors-none",
        "At least one vector is asked for.",
        "measured on 6.1 and 6.12: SET_IRQS with eventfds, start 0 and count 0";
    /// EINVAL.
    VECTORS_NO_CAPABILITY = "vectors-no-capability",
        "The function has the capability that is asked for.",
        "6.12 PCI core";
    /// ENOSPC.
    VECTORS_EXHAUSTED = "vectors-exhausted",
        "The interrupt controller has an interrupt left.",
        "irq-gic-v2m.c of v8; irq-gic-v3-its.c of 4.11 and 6.12";
    /// ENOMEM, or ENODEV by policy.
    DEVICE_NO_LPIS = "device-no-lpis",
        "The ITS driver has LPIs left for another device.",
        "irq-gic-v3-its.c of 4.11 and 6.12: making a device; the changes of 6.16: making a domain";
    /// ENOMEM, or ENODEV by policy.
    DEVICE_NO_PLACE = "device-no-place",
        "The ITS's device table has a place for the DeviceID.",
        "irq-gic-v3-its.c of 6.12: its_alloc_device_table; the changes of 6.16: making a domain";
    /// ENOMEM, or ENODEV by policy.
    DEVICE_NO_EVENTS = "device-no-events",
        "The number of the ITS's EventIDs, in 32 bits, is not 0.",
        "irq-gic-v3-its.c of 7.2 and of 6.1.167, its_create_device: min_t of unsigned int";
    /// ENOMEM, or ENODEV by policy.
    DEVICE_NO_MEMORY = "device-no-memory",
        "There is memory for the ITS's tables of the device.",
        "irq-gic-v3-its.c of 4.11 and 6.12: its_alloc_table_entry, its_create_device";
    /// ENOSPC.
    SPI_BEYOND = "spi-beyond",
        "The distributor has the SPI that the frame claims.",
        "irq-gic.c: translating the parent's number";
    /// EINVAL, by policy.
    DOORBELL_NOT_DESCRIBED = "doorbell-not-described",
        "Some interrupt controller above the device describes its doorbell.",
        "patch 5/8 of part 2, asked by patch 7/8 of part 2: mapping at allocation";
    /// ENOSPC, by policy.
    DOORBELL_NOT_MAPPED = "doorbell-not-mapped",
        "The doorbell of every vector can be mapped; another reading keeps the errno.",
        "patch 7/8 of part 2: the common error exit of an allocation";

    /// A verdict: the kernel warns.
    MESSAGE_NOT_TRANSLATED = "message-not-translated",
        "The doorbell of a message that is composed is mapped for its device.",
        "patch 8/8 of part 2, patch 7/8 of part 1: composing; dma-iommu.c of 4.11 and 6.12";
    /// A verdict: a reference is lost.
    DOORBELL_PUT_TWICE = "doorbell-put-twice",
        "Only doorbells that were taken are put back when mapping fails.",
        "patch 7/8 of part 2, as coded: the failing vector is put too";
    /// A verdict: an interrupt is lost.
    INTERRUPT_LEAKED = "interrupt-leaked",
        "An interrupt whose doorbell cannot be mapped is free again.",
        "from reading 6.12 and 7.2: gicv2m and the ITS driver return with the bit set";
    /// A verdict: interrupts are lost.
    BLOCK_PARTLY_FREED = "block-partly-freed",
        "Of the block that several messages of MSI were given, all is freed with them.",
        "6.12 irq_domain_free_irqs_hierarchy, since 5.11, and its_irq_domain_free: one at a time, not the block's whole size";
    /// A verdict: the kernel warns, the first time, and the device stays mapped.
    EVENTS_AT_TEARDOWN = "events-at-teardown",
        "A device whose MSI domain ends has no event in use.",
        "6.16 its_msi_teardown";
    /// A verdict: vectors raise other interrupts than the kernel believes.
    MESSAGES_UNALIGNED = "messages-unaligned",
        "The first of several messages of MSI has data that their number, rounded up to a power of two, divides.",
        "PCI Local Bus 3.0 6.8.1.6: a function changes only the low bits of its one data register";
    /// A verdict: the kernel logs it, and goes on as if the commands had been performed.
    ITS_QUEUE_STOPPED = "its-queue-stopped",
        "An ITS performs the commands in its queue while the driver waits for them.",
        "irq-gic-v3-its.c of 6.12: its_wait_for_range_completion gives up after a second";
    /// A verdict: the kernel logs it, and drops the command.
    ITS_QUEUE_FULL = "its-queue-full",
        "An ITS's command queue has room for the next command within a second.",
        "irq-gic-v3-its.c of 4.4, 5.12 and 6.12: its_allocate_entry gives up after a second";
    /// A verdict: there are no messages.
    FRAME_INVALID = "frame-invalid",
        "A GICv2m frame claims SPIs, from 32 on and up to 1018.",
        "irq-gic-v2m.c of v8: one frame that does not ends the probing of all";
}
