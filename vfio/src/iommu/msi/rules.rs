//! The checks of mapping doorbells.

passim_model::rules! {
    /// ENOENT, or ENODEV for a cookie. Any call: there is such code at all.
    MSI_NO_SUPPORT = "msi-no-support",
        "The kernel maps doorbells where its user says.",
        "part 1 of the series, msi-iommu.h: the answers of a kernel without it";
    /// ENODEV. set aperture, get: a cookie.
    MSI_NO_COOKIE = "msi-no-cookie",
        "The domain's IOMMU driver takes an MSI cookie, as those of SMMUs do and of x86 do not.",
        "patch 3/8 of part 1 and after: set aperture and get ask for the cookie first";
    /// EINVAL. set aperture: one window.
    MSI_SECOND_APERTURE = "msi-second-aperture",
        "A domain takes one window.",
        "patch 4/8 of part 1, v9: set aperture";
    /// EFAULT. set aperture: the allocator can only be enlarged.
    MSI_OTHER_RANGE = "msi-other-range",
        "A window in use is set again only with the same start and granule, and not shorter.",
        "dma-iommu.c of 4.6 to 4.8: initialising a domain again";
    /// EFAULT. set aperture: within the domain.
    MSI_OUTSIDE_APERTURE = "msi-outside-aperture",
        "The window touches the addresses the domain translates, where its driver enforces them.",
        "dma-iommu.c of 4.6 to 4.8; SMMU drivers enforce their aperture since 4.8";
    /// set aperture: the allocator's granule.
    MSI_GRANULE = "msi-granule",
        "The domain's smallest page is no larger than the CPU's.",
        "iova.c of 4.8: a BUG where an allocator is initialised";
    /// EINVAL. get: a window.
    MSI_NO_APERTURE = "msi-no-aperture",
        "A window was set before a doorbell is mapped.",
        "patch 5/8 of part 1: get";
    /// EINVAL. get: the doorbell's own extent.
    MSI_DOORBELL_RANGE = "msi-doorbell-range",
        "A doorbell has at least one byte, and its pages do not wrap.",
        "what a doorbell is";
    /// ENOMEM. get: room.
    MSI_WINDOW_FULL = "msi-window-full",
        "The window has room for the doorbell's pages; its lowest page is never handed out.",
        "patch 5/8 of part 1: get; iova.c of 4.8";
    /// ENOMEM. prepare: any failure.
    MSI_PAGE_NOT_MAPPED = "msi-page-not-mapped",
        "The page of the doorbell is mapped, or can be.",
        "6.12 dma-iommu: preparing a message answers ENOMEM whatever failed";
    /// EINVAL. MSI-only cookie: the kind of domain.
    MSI_BASE_KIND = "msi-base-kind",
        "An MSI-only cookie is given to a domain of a user.",
        "4.11 dma-iommu";
    /// EEXIST. MSI-only cookie: one cookie.
    MSI_BASE_EXISTS = "msi-base-exists",
        "A domain has one cookie.",
        "4.11 dma-iommu";
    /// Freeing a domain: nothing is mapped any more. Only warned of.
    MSI_MAPPINGS_REMAIN = "msi-mappings-remain",
        "Every doorbell is put back before its domain goes; the records of others are lost.",
        "patch 3/8 of part 1: put cookie";
}
