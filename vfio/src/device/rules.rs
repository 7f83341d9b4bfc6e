//! The rules of device files that concern interrupts and registers.

passim_model::rules! {
    /// ENOTTY.
    IRQ_ACTION = "irq-action",
        "SET_IRQS names one action, and the interrupt knows it: only pins and wires can be masked.",
        "measured on 6.1 and 6.12";
    /// EINVAL.
    IRQ_MODE = "irq-mode",
        "A function uses its pin, MSI or MSI-X, one at a time.",
        "measured on 6.1 and 6.12";
    /// EINVAL.
    IRQ_OFF = "irq-off",
        "An interrupt is triggered, masked or turned off while it is on.",
        "measured on 6.1 and 6.12";
    /// EINVAL.
    IRQ_VECTOR = "irq-vector",
        "A vector has an interrupt: as many have as were asked for when messages were turned on.",
        "measured: 6.1 before anything changes, 6.12 at each vector";
    /// EBADF, or EINVAL if it is something else.
    IRQ_EVENTFD = "irq-eventfd",
        "What shall be signalled is an open eventfd.",
        "measured on 6.1 and 6.12";
    /// EBUSY.
    IRQ_UNMASK_TAKEN = "irq-unmask-taken",
        "One eventfd masks or unmasks a pin or a wire.",
        "from reading 6.12 vfio virqfd; not measured";
    /// EINVAL.
    IRQ_NOTICE = "irq-notice",
        "An eventfd is set for errors and requests one at a time, and signalled once it is set.",
        "measured on 6.1 and 6.12";
    /// EINVAL.
    REGION_END = "region-end",
        "A transfer begins inside the region.",
        "from reading 6.12 vfio_pci; not measured";
    /// EFAULT.
    CONFIG_END = "config-end",
        "A transfer ends inside configuration space.",
        "from reading 6.12 vfio_pci; not measured";
    /// EIO.
    MEMORY_OFF = "memory-off",
        "A BAR is read and written while the function decodes memory.",
        "from reading 6.12 vfio_pci; not measured";
    /// ENOTTY.
    FEATURE_ABSENT = "feature-absent",
        "A feature request names a feature the device has.",
        "6.12 vfio; outcomes measured on 6.12 with 64K pages";
    /// EINVAL.
    FEATURE_SET_ONLY = "feature-set-only",
        "Low power is set, with the structure that belongs to it, and never read.",
        "6.12 vfio_pci_core; outcomes measured on 6.12 with 64K pages";
    /// EINVAL.
    LOW_POWER_TWICE = "low-power-twice",
        "A device that may sleep already is not let sleep again.",
        "from reading 6.12 vfio_pci_core; not measured";
    /// EINVAL.
    IOEVENTFD_PLACE = "ioeventfd-place",
        "What an ioeventfd writes lies in a BAR, and not in the MSI-X table.",
        "from reading 6.12 vfio_pci; not measured";
    /// EEXIST.
    IOEVENTFD_TAKEN = "ioeventfd-taken",
        "One eventfd has the same written to the same place.",
        "from reading 6.12 vfio_pci; not measured";
    /// ENODEV.
    IOEVENTFD_ABSENT = "ioeventfd-absent",
        "What shall no longer be written has an ioeventfd.",
        "from reading 6.12 vfio_pci; not measured";
    /// ENOSPC.
    IOEVENTFD_LIMIT = "ioeventfd-limit",
        "A device has at most 1000 ioeventfds.",
        "from reading 6.12 vfio_pci; not measured";
}
