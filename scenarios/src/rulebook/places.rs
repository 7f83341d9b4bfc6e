//! Where in the kernel a check stands that the function which serves the call does not make itself: files
//! and functions of 6.12, or of the series where no released kernel has the check.

use super::calls::{CONTAINER, GROUP, TYPE1, VFIO_MAIN, VFIO_PCI, VFIO_PCI_INTRS};

const VFIO_PLATFORM_IRQ: &str = "drivers/vfio/platform/vfio_platform_irq.c";
const IOMMU: &str = "drivers/iommu/iommu.c";
const DMA_IOMMU: &str = "drivers/iommu/dma-iommu.c";
const MSI_IOMMU: &str = "drivers/iommu/msi-iommu.c";
const PGTABLE: &str = "drivers/iommu/io-pgtable-arm.c";
const SMMU_V3: &str = "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c";
const SMMU_V2: &str = "drivers/iommu/arm/arm-smmu/arm-smmu.c";
const PCI_MSI: &str = "drivers/pci/msi/msi.c";
const V2M: &str = "drivers/irqchip/irq-gic-v2m.c";
const ITS: &str = "drivers/irqchip/irq-gic-v3-its.c";
const MLOCK: &str = "mm/mlock.c";

/// What a place ends with that only the series has.
pub(super) const OF_THE_SERIES: &str = "of the series";

/// Rules that no kernel checks: limits of this model.
const NOWHERE: &[&str] = &["no-process", "not-modelled", "lock-never-free", "no-free-frame"];

/// Whether no kernel makes the check.
pub(super) fn is_nowhere(rule: &str) -> bool {
    NOWHERE.contains(&rule)
}

/// Where a check stands that is not made by the function that serves the call.
pub(super) fn place(rule: &str) -> Option<(&'static str, &'static str)> {
    of_vfio(rule)
        .or_else(|| of_iommu(rule))
        .or_else(|| of_interrupts(rule))
        .or_else(|| elsewhere(rule))
}

fn of_vfio(rule: &str) -> Option<(&'static str, &'static str)> {
    Some(match rule {
        "container-without-iommu" => (CONTAINER, "vfio_fops_unl_ioctl"),
        "argsz-short" | "flags-unknown" | "user-pointer" | "ioctl-unknown" => {
            ("drivers/vfio", "the function that serves the ioctl, before anything else")
        }
        "map-page-fault" | "map-memlock" => (TYPE1, "vfio_pin_pages_remote, vaddr_get_pfns"),
        "map-outside-valid" => (TYPE1, "vfio_iommu_iova_dma_valid"),
        "dirty-range" | "dirty-page-size" | "dirty-bitmap-address" => {
            (TYPE1, "vfio_iommu_type1_dirty_pages, verify_bitmap_size")
        }
        "dirty-bitmap-size" => (TYPE1, "verify_bitmap_size"),
        "dirty-bitmap-fault" => (TYPE1, "update_user_bitmap"),
        "attach-aperture" | "attach-reserved" | "attach-no-domain" | "interrupts-unsafe" => {
            (TYPE1, "vfio_iommu_type1_attach_group")
        }
        "nesting-refused" => (TYPE1, "vfio_iommu_domain_alloc, iommu_enable_nesting"),
        "attach-vaddr-invalid" => (TYPE1, "vfio_iommu_type1_attach_group"),
        "group-not-viable" => (IOMMU, "iommu_group_claim_dma_owner"),
        "group-attached" => (GROUP, "vfio_group_ioctl_set_container"),
        "container-fd-bad" | "container-fd-other" => (CONTAINER, "vfio_container_from_file"),
        "set-irqs-shape" => (VFIO_MAIN, "vfio_set_irqs_validate_and_prepare"),
        "irq-mode" | "irq-off" | "irq-vector" => {
            (VFIO_PCI_INTRS, "vfio_pci_set_msi_trigger, vfio_pci_set_intx_trigger")
        }
        "wire-block" | "wire-not-maskable" | "wire-without-eventfd" => {
            (VFIO_PLATFORM_IRQ, "vfio_platform_set_irqs_ioctl")
        }
        "irq-unmask-taken" => ("drivers/vfio/virqfd.c", "vfio_virqfd_enable"),
        "irq-notice" => (VFIO_PCI_INTRS, "vfio_pci_set_ctx_trigger_single"),
        "low-power-twice" => (VFIO_PCI, "vfio_pci_runtime_pm_entry"),
        "bar-not-mappable" => (VFIO_PCI, "vfio_pci_core_mmap"),
        "device-name-options" => (VFIO_PCI, "vfio_pci_core_match"),
        "unbind-in-use" | "remove-in-use" => (VFIO_MAIN, "vfio_unregister_group_dev"),
        "device-not-coherent" => (VFIO_MAIN, "__vfio_register_dev"),
        "device-without-group" => (GROUP, "vfio_group_find_or_alloc"),
        "replay-window-refused" | "replay-walks-window" => {
            (TYPE1, "vfio_iommu_replay of the series")
        }
        "window-alignment" | "window-wrap" | "window-overlap" => {
            (TYPE1, "vfio_register_msi_range of the series")
        }
        "find-dma-null" | "unmap-tree-shape" => (TYPE1, "vfio_find_dma of the series"),
        "config-end" => ("drivers/vfio/pci/vfio_pci_config.c", "vfio_config_do_rw"),
        "region-index" | "region-end" => (VFIO_PCI, "vfio_pci_rw, vfio_pci_ioctl_get_region_info"),
        _ => return None,
    })
}

fn of_iommu(rule: &str) -> Option<(&'static str, &'static str)> {
    Some(match rule {
        "iommu-map-range" | "iommu-map-exists" | "iommu-map-no-table" | "iommu-map-access" => {
            (PGTABLE, "arm_lpae_map_pages, __arm_lpae_map")
        }
        "iommu-map-alignment" => (IOMMU, "__iommu_map"),
        "iommu-map-unattached" => (SMMU_V2, "arm_smmu_map_pages"),
        "iommu-claim-owned" => (IOMMU, "iommu_group_claim_dma_owner"),
        "iommu-group-unknown" => (IOMMU, "iommu_group_get"),
        "iommu-attach-busy" => (IOMMU, "__iommu_attach_group"),
        "iommu-attach-other-smmu" => (SMMU_V3, "arm_smmu_attach_dev; arm-smmu.c has the same"),
        "iommu-domain-no-memory" => (PGTABLE, "__arm_lpae_alloc_pages"),
        "iommu-domain-no-shape" => (PGTABLE, "arm_lpae_alloc_pgtable"),
        "iommu-domain-no-asid" => (SMMU_V3, "arm_smmu_domain_finalise_s1"),
        "iommu-domain-no-vmid" => (SMMU_V3, "arm_smmu_domain_finalise_s2"),
        "iommu-domain-no-bank" => (SMMU_V2, "arm_smmu_alloc_context_bank"),
        "iommu-domain-no-entry" => (SMMU_V2, "arm_smmu_find_sme"),
        "iommu-domain-nesting-refused" => (SMMU_V3, "arm_smmu_enable_nesting"),
        "probe-dma-owned" => (IOMMU, "iommu_device_use_default_domain"),
        "msi-page-not-mapped" => (DMA_IOMMU, "iommu_dma_prepare_msi, iommu_dma_get_msi_page"),
        "message-not-translated" => (DMA_IOMMU, "iommu_dma_compose_msi_msg"),
        "msi-base-kind" | "msi-base-exists" => (DMA_IOMMU, "iommu_get_msi_cookie"),
        "msi-no-cookie"
        | "msi-second-aperture"
        | "msi-other-range"
        | "msi-outside-aperture"
        | "msi-granule"
        | "msi-no-support"
        | "msi-mappings-remain"
        | "msi-no-aperture"
        | "msi-window-full"
        | "msi-doorbell-range" => {
            (MSI_IOMMU, "the function that the rule's source names, of the series")
        }
        _ => return None,
    })
}

fn of_interrupts(rule: &str) -> Option<(&'static str, &'static str)> {
    Some(match rule {
        "vectors-none" | "vectors-no-capability" => {
            (PCI_MSI, "__pci_enable_msi_range, __pci_enable_msix_range")
        }
        "msi-no-domain" => (
            "drivers/pci/msi",
            "msi.c, __pci_enable_msi_range; irqdomain.c, pci_msi_setup_msi_irqs",
        ),
        "vectors-exhausted" => (V2M, "gicv2m_irq_domain_alloc; irq-gic-v3-its.c has the same"),
        "interrupt-leaked" => (V2M, "gicv2m_irq_domain_alloc; irq-gic-v3-its.c has the same"),
        "block-partly-freed" => ("kernel/irq/irqdomain.c", "irq_domain_free_irqs_hierarchy"),
        "events-at-teardown" => (ITS, "its_msi_teardown"),
        "messages-unaligned" => (ITS, "its_alloc_device_irq; gicv2m_alloc_msi has the same"),
        "device-no-lpis" => (ITS, "its_create_device, its_lpi_alloc"),
        "device-no-place" => (ITS, "its_alloc_device_table, its_alloc_table_entry"),
        "device-no-events" | "device-no-memory" => (ITS, "its_create_device"),
        "its-queue-full" => (ITS, "its_allocate_entry"),
        "its-queue-stopped" => (ITS, "its_wait_for_range_completion"),
        "spi-beyond" => (V2M, "gicv2m_irq_gic_domain_alloc"),
        "frame-invalid" => (V2M, "gicv2m_init_one, is_msi_spi_valid"),
        "doorbell-not-described" | "doorbell-not-mapped" | "doorbell-put-twice" => {
            ("kernel/irq/msi.c", "msi_domain_alloc of the series")
        }
        "irq-eventfd" => ("fs/eventfd.c", "eventfd_ctx_fdget"),
        _ => return None,
    })
}

fn elsewhere(rule: &str) -> Option<(&'static str, &'static str)> {
    Some(match rule {
        "bad-fd" => ("fs/ioctl.c", "the system call, before any driver"),
        "sriov-total" | "sriov-enabled" | "sriov-no-driver" => {
            ("drivers/pci/iov.c", "sriov_numvfs_store")
        }
        "resource-not-mappable" | "resource-claimed" => {
            ("drivers/pci/pci-sysfs.c", "pci_mmap_resource")
        }
        "cpu-absent" => ("kernel/irq/proc.c", "write_irq_affinity"),
        "attribute-value" => ("fs/sysfs/file.c", "sysfs_kf_write, and who stores the attribute"),
        "path-absent" => ("fs/namei.c", "the system call, before any driver"),
        "text-end" => ("mm/util.c", "strndup_user"),
        "huge-page-split" => ("mm/hugetlb.c", "hugetlb_vm_op_split"),
        "range-has-hole" => ("mm/mprotect.c", "do_mprotect_pkey; mm/mlock.c has the same"),
        "memlock-limit" | "mlock-not-allowed" => (MLOCK, "do_mlock, mlock_future_ok of mm/mmap.c"),
        "mlock-populate" => ("mm/gup.c", "__mm_populate"),
        _ => return None,
    })
}
