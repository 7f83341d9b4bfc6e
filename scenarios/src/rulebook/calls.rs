//! Calls, the rules each asks for, and where in the kernel that is done: files and functions of 6.12.

/// A call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallEntry {
    /// Its name in `linux/vfio.h`, without what all begin with, or that of the system call.
    pub name: &'static str,
    /// Verbs of a scenario that make it.
    pub verbs: &'static [&'static str],
    /// The file and the function that serve it.
    pub place: (&'static str, &'static str),
    /// The rules it asks for, in no order, a space between two.
    asks: &'static str,
    /// Of these, rules that other calls ask for as well, in functions of their own.
    shared: &'static str,
}

impl CallEntry {
    /// The rules it asks for.
    pub fn rules(&self) -> impl Iterator<Item = &'static str> {
        self.asks.split_whitespace()
    }

    /// Whether it asks for a rule.
    pub fn asks_for(&self, rule: &str) -> bool {
        self.rules().any(|known| known == rule)
    }

    /// Whether it asks for a rule as no other call does.
    pub(super) fn owns(&self, rule: &str) -> bool {
        self.asks_for(rule) && !self.shared.split_whitespace().any(|known| known == rule)
    }
}

pub(super) const TYPE1: &str = "drivers/vfio/vfio_iommu_type1.c";
pub(super) const CONTAINER: &str = "drivers/vfio/container.c";
pub(super) const GROUP: &str = "drivers/vfio/group.c";
pub(super) const VFIO_PCI: &str = "drivers/vfio/pci/vfio_pci_core.c";
const VFIO_PCI_RDWR: &str = "drivers/vfio/pci/vfio_pci_rdwr.c";
pub(super) const VFIO_PCI_INTRS: &str = "drivers/vfio/pci/vfio_pci_intrs.c";
pub(super) const VFIO_MAIN: &str = "drivers/vfio/vfio_main.c";

/// Every call.
pub const CALLS: &[CallEntry] = &[
    CallEntry {
        name: "MAP_DMA",
        verbs: &["map", "msi-window"],
        place: (TYPE1, "vfio_dma_do_map"),
        asks: "bad-fd user-pointer argsz-short flags-unknown container-without-iommu \
            map-no-permission map-alignment map-wrap map-overlap map-entry-limit \
            map-outside-valid map-page-fault map-memlock vaddr-no-mapping vaddr-not-exact \
            window-alignment window-wrap window-overlap iommu-map-range iommu-map-exists \
            iommu-map-no-table iommu-map-alignment iommu-map-access iommu-map-unattached \
            msi-second-aperture msi-no-cookie msi-no-support msi-other-range \
            msi-outside-aperture msi-granule lock-never-free ioctl-unknown no-free-frame",
        shared: "bad-fd user-pointer argsz-short flags-unknown container-without-iommu \
            lock-never-free ioctl-unknown",
    },
    CallEntry {
        name: "UNMAP_DMA",
        verbs: &["unmap", "unmap-all"],
        place: (TYPE1, "vfio_dma_do_unmap"),
        asks: "bad-fd user-pointer argsz-short flags-unknown container-without-iommu \
            unmap-flags-conflict unmap-alignment unmap-wrap unmap-all-range unmap-bisects \
            unmap-vaddr-twice unmap-tree-shape find-dma-null dirty-not-started \
            dirty-page-size dirty-bitmap-size dirty-bitmap-address dirty-bitmap-fault \
            lock-never-free ioctl-unknown",
        shared: "bad-fd user-pointer argsz-short flags-unknown container-without-iommu \
            dirty-not-started dirty-page-size dirty-bitmap-size dirty-bitmap-address \
            dirty-bitmap-fault lock-never-free ioctl-unknown",
    },
    CallEntry {
        name: "DIRTY_PAGES",
        verbs: &["dirty"],
        place: (TYPE1, "vfio_iommu_type1_dirty_pages"),
        asks: "bad-fd user-pointer argsz-short flags-unknown container-without-iommu dirty-v1 \
            dirty-not-started dirty-range dirty-page-size dirty-bitmap-size \
            dirty-bitmap-address dirty-bitmap-fault unmap-bisects lock-never-free \
            ioctl-unknown",
        shared: "unmap-bisects",
    },
    CallEntry {
        name: "IOMMU_GET_INFO",
        verbs: &["info"],
        place: (TYPE1, "vfio_iommu_type1_get_info"),
        asks: "bad-fd user-pointer argsz-short container-without-iommu ioctl-unknown \
            lock-never-free",
        shared: "user-pointer argsz-short",
    },
    CallEntry {
        name: "SET_IOMMU",
        verbs: &["set-iommu", "attach"],
        place: (CONTAINER, "vfio_ioctl_set_iommu"),
        asks: "bad-fd set-iommu-without-group set-iommu-twice iommu-type-unsupported \
              iommu-type-not-a-type nesting-refused attach-no-domain attach-aperture \
              attach-reserved replay-window-refused replay-walks-window iommu-attach-busy \
              iommu-attach-other-smmu iommu-claim-owned iommu-domain-nesting-refused \
              iommu-domain-no-asid iommu-domain-no-bank iommu-domain-no-entry \
              iommu-domain-no-memory iommu-domain-no-shape iommu-domain-no-vmid \
              iommu-group-unknown lock-never-free ioctl-unknown interrupts-unsafe",
        shared: "bad-fd lock-never-free ioctl-unknown",
    },
    CallEntry {
        name: "CHECK_EXTENSION",
        verbs: &["check-extension"],
        place: (CONTAINER, "vfio_container_ioctl_check_extension"),
        asks: "bad-fd ioctl-unknown container-without-iommu",
        shared: "bad-fd ioctl-unknown container-without-iommu",
    },
    CallEntry {
        name: "GROUP_SET_CONTAINER",
        verbs: &["set-container", "attach"],
        place: (GROUP, "vfio_group_ioctl_set_container"),
        asks: "bad-fd user-pointer container-fd-bad container-fd-other group-attached \
              group-not-viable group-lost attach-vaddr-invalid attach-no-domain \
              attach-aperture attach-reserved iommu-attach-busy iommu-attach-other-smmu \
              iommu-claim-owned iommu-domain-no-asid iommu-domain-no-bank \
              iommu-domain-no-entry iommu-domain-no-memory iommu-domain-no-shape \
              iommu-domain-no-vmid replay-window-refused replay-walks-window ioctl-unknown \
              lock-never-free interrupts-unsafe",
        shared: "bad-fd user-pointer ioctl-unknown lock-never-free",
    },
    CallEntry {
        name: "GROUP_UNSET_CONTAINER",
        verbs: &["unset-container"],
        place: (GROUP, "vfio_group_ioctl_unset_container"),
        asks: "bad-fd group-not-attached group-devices-open group-lost ioctl-unknown",
        shared: "bad-fd group-lost ioctl-unknown",
    },
    CallEntry {
        name: "GROUP_GET_STATUS",
        verbs: &["status"],
        place: (GROUP, "vfio_group_ioctl_get_status"),
        asks: "bad-fd user-pointer argsz-short group-lost ioctl-unknown",
        shared: "bad-fd user-pointer argsz-short ioctl-unknown",
    },
    CallEntry {
        name: "GROUP_GET_DEVICE_FD",
        verbs: &["get-device", "attach"],
        place: (GROUP, "vfio_group_ioctl_get_device_fd"),
        asks: "bad-fd user-pointer text-end device-name-options device-not-in-group \
            device-needs-container group-lost ioctl-unknown",
        shared: "bad-fd user-pointer group-lost ioctl-unknown",
    },
    CallEntry {
        name: "DEVICE_GET_INFO",
        verbs: &["device-info"],
        place: (VFIO_PCI, "vfio_pci_ioctl_get_info"),
        asks: "bad-fd user-pointer argsz-short ioctl-unknown",
        shared: "bad-fd user-pointer argsz-short ioctl-unknown",
    },
    CallEntry {
        name: "DEVICE_GET_REGION_INFO",
        verbs: &[],
        place: (VFIO_PCI, "vfio_pci_ioctl_get_region_info"),
        asks: "bad-fd user-pointer argsz-short region-index ioctl-unknown",
        shared: "bad-fd user-pointer argsz-short ioctl-unknown",
    },
    CallEntry {
        name: "DEVICE_GET_IRQ_INFO",
        verbs: &[],
        place: (VFIO_PCI, "vfio_pci_ioctl_get_irq_info"),
        asks: "bad-fd user-pointer argsz-short irq-index ioctl-unknown",
        shared: "bad-fd user-pointer argsz-short ioctl-unknown",
    },
    CallEntry {
        name: "DEVICE_SET_IRQS",
        verbs: &["set-irqs", "enable", "disable", "go-on"],
        place: (VFIO_PCI_INTRS, "vfio_pci_set_irqs_ioctl"),
        asks: "bad-fd user-pointer argsz-short set-irqs-shape irq-action irq-mode irq-off \
            irq-vector irq-eventfd irq-unmask-taken irq-notice vectors-none \
            vectors-no-capability vectors-exhausted device-no-lpis device-no-place \
            device-no-events device-no-memory interrupt-leaked \
            block-partly-freed events-at-teardown messages-unaligned \
            msi-no-domain msi-no-cookie msi-no-support msi-no-aperture msi-window-full \
            msi-page-not-mapped msi-outside-aperture msi-mappings-remain \
            doorbell-not-described doorbell-not-mapped doorbell-put-twice \
            message-not-translated wire-block wire-not-maskable wire-without-eventfd \
            its-queue-full its-queue-stopped iommu-map-exists iommu-map-range \
            iommu-map-no-table ioctl-unknown lock-never-free",
        shared: "bad-fd user-pointer argsz-short ioctl-unknown lock-never-free iommu-map-exists \
            iommu-map-range iommu-map-no-table",
    },
    CallEntry {
        name: "DEVICE_RESET",
        verbs: &[],
        place: (VFIO_PCI, "vfio_pci_ioctl_reset"),
        asks: "bad-fd reset-unsupported ioctl-unknown",
        shared: "bad-fd ioctl-unknown",
    },
    CallEntry {
        name: "DEVICE_GET_PCI_HOT_RESET_INFO",
        verbs: &[],
        place: (VFIO_PCI, "vfio_pci_ioctl_get_pci_hot_reset_info"),
        asks: "bad-fd user-pointer argsz-short hot-reset-no-slot hot-reset-not-isolated \
            ioctl-unknown",
        shared: "bad-fd user-pointer argsz-short ioctl-unknown",
    },
    CallEntry {
        name: "DEVICE_PCI_HOT_RESET",
        verbs: &[],
        place: (VFIO_PCI, "vfio_pci_ioctl_pci_hot_reset_groups"),
        asks: "bad-fd user-pointer argsz-short flags-unknown hot-reset-no-slot \
            hot-reset-groups hot-reset-group-file hot-reset-owned ioctl-unknown",
        shared: "bad-fd user-pointer argsz-short flags-unknown hot-reset-no-slot ioctl-unknown",
    },
    CallEntry {
        name: "DEVICE_IOEVENTFD",
        verbs: &[],
        place: (VFIO_PCI_RDWR, "vfio_pci_ioeventfd"),
        asks: "bad-fd user-pointer argsz-short ioeventfd-shape ioeventfd-place \
            ioeventfd-taken ioeventfd-absent ioeventfd-limit irq-eventfd ioctl-unknown \
            not-modelled",
        shared: "bad-fd user-pointer argsz-short irq-eventfd ioctl-unknown",
    },
    CallEntry {
        name: "DEVICE_FEATURE",
        verbs: &[],
        place: (VFIO_MAIN, "vfio_ioctl_device_feature"),
        asks: "bad-fd user-pointer argsz-short device-feature-shape feature-absent \
            feature-set-only low-power-twice irq-eventfd ioctl-unknown",
        shared: "bad-fd user-pointer argsz-short irq-eventfd ioctl-unknown",
    },
    CallEntry {
        name: "open",
        verbs: &["open", "attach"],
        place: (GROUP, "vfio_group_fops_open"),
        asks: "path-absent group-absent group-open resource-claimed",
        shared: "path-absent",
    },
    CallEntry {
        name: "read",
        verbs: &["pread", "pwrite"],
        place: (VFIO_PCI_RDWR, "vfio_pci_bar_rw"),
        asks: "bad-fd user-pointer region-index region-end config-end memory-off user-fault \
            not-modelled",
        shared: "bad-fd user-pointer region-index user-fault not-modelled",
    },
    CallEntry {
        name: "mmap",
        verbs: &["area", "munmap", "mprotect"],
        place: ("mm/mmap.c", "do_mmap"),
        asks: "bad-fd mmap-outside mmap-range bar-not-mappable resource-not-mappable \
            resource-claimed memlock-limit range-has-hole huge-page-split mlock-populate \
            no-free-frame region-index",
        shared: "bad-fd no-free-frame region-index",
    },
    CallEntry {
        name: "mlock",
        verbs: &["mlock", "munlock"],
        place: ("mm/mlock.c", "do_mlock"),
        asks: "memlock-limit mlock-not-allowed mlock-populate range-has-hole mmap-range mmap-outside",
        shared: "memlock-limit range-has-hole mmap-range mmap-outside",
    },
    CallEntry {
        name: "memory",
        verbs: &["touch", "fill", "peek"],
        place: ("arch/arm64/mm/fault.c", "do_page_fault"),
        asks: "user-fault no-free-frame",
        shared: "",
    },
    CallEntry {
        name: "sysfs",
        verbs: &["bind", "unbind", "unplug", "write-attribute", "affinity", "module"],
        place: ("drivers/pci/pci-driver.c", "pci_device_probe"),
        asks: "path-absent attribute-value cpu-absent unbind-in-use remove-in-use sriov-total \
            sriov-no-driver sriov-enabled device-without-group device-not-coherent \
            probe-dma-owned",
        shared: "",
    },
    CallEntry {
        name: "boot",
        verbs: &["machine"],
        place: ("drivers/irqchip/irq-gic-v2m.c", "gicv2m_of_init"),
        asks: "frame-invalid spi-beyond msi-base-exists msi-base-kind msi-doorbell-range",
        shared: "",
    },
];
