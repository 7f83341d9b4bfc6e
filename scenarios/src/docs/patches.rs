//! The patches of the series, as they were posted for v9.

use passim_model::Rule;

/// A patch of the series.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patch {
    /// Which of the three parts it belongs to.
    pub part: u8,
    /// Its number in the part.
    pub number: &'static str,
    /// Its subject in a few words.
    pub title: &'static str,
    /// What it changed.
    pub changed: &'static str,
    /// Choices of the policy that it introduced or decides.
    pub choices: &'static [&'static str],
    /// Its name in the sources of rules.
    pub named: &'static str,
    /// Rules that it changed, or whose refusals its calls pass on, by name; their sources name
    /// whoever introduced them.
    pub also: &'static [&'static str],
    /// Scenario files besides those of its choices, below `scenarios/files`.
    pub scenarios: &'static [&'static str],
}

impl Patch {
    /// The rules whose source names it, and those it changed or passes on.
    pub fn rules(&self) -> Vec<&'static Rule> {
        let names =
            |rule: &&Rule| rule.source.contains(self.named) || self.also.contains(&rule.name);
        let mut rules: Vec<_> = passim_vfio::rules::all().filter(names).collect();
        rules.sort_by_key(|rule| rule.name);
        rules
    }
}

macro_rules! patches {
    ($(
        $part:literal $number:literal $title:literal: $changed:literal
        [$($choice:literal),*] $named:literal [$($also:literal),*] [$($scenario:literal),*]
    )*) => {
        /// Every patch, by part and number.
        pub static PATCHES: &[Patch] = &[$(Patch {
            part: $part,
            number: $number,
            title: $title,
            changed: $changed,
            choices: &[$($choice),*],
            named: $named,
            also: &[$($also),*],
            scenarios: &[$($scenario),*],
        }),*];
    };
}

patches! {
    1 "1/8" "a domain tells its MSI geometry":
        "DOMAIN_ATTR_MSI_GEOMETRY: where messages go by themselves, and whether the IOMMU translates them."
        [] "patch 1/8 of part 1" []
        [
            "series/12-what-info-says-of-messages.scn"
        ]
    1 "2/8" "the SMMUs translate messages":
        "arm-smmu and arm-smmu-v3 report a geometry without an aperture that has to be supplied."
        ["window-provider"] "patch 2/8 of part 1" []
        [
            "series/09-domains-that-take-no-window.scn"
        ]
    1 "3/8" "a cookie for doorbells":
        "A domain gets a list of doorbell mappings and an IOVA allocator; EINVAL where it has one, or a DMA cookie."
        ["domain-alloc-error"] "patch 3/8 of part 1" ["msi-no-support"]
        [
            "series/09-domains-that-take-no-window.scn"
        ]
    1 "4/8" "the aperture":
        "Sets the window of a domain once: ENODEV without a cookie, EINVAL the second time."
        ["second-window", "iova-allocator"] "patch 4/8 of part 1" [
            "msi-granule",
            "msi-no-cookie",
            "msi-no-support",
            "msi-other-range",
            "msi-outside-aperture"
        ]
        [
            "series/02-one-window-a-container.scn",
            "series/09-domains-that-take-no-window.scn"
        ]
    1 "5/8" "doorbells are mapped and counted":
        "A doorbell's granule is mapped in the window at its first user, shared, and unmapped after the last."
        ["iova-allocator"] "patch 5/8 of part 1" [
            "msi-doorbell-range",
            "msi-no-cookie",
            "msi-no-support"
        ]
        [
            "series/05-vectors-share-a-doorbell.scn",
            "series/06-no-window-no-vectors.scn"
        ]
    1 "6/8" "which domain translates a device's messages":
        "None where the domain is of type DMA, or its geometry says that messages are not translated."
        ["default-domain"] "patch 6/8 of part 1" []
        [
            "series/07-the-kernels-own-devices.scn"
        ]
    1 "7/8" "a message's address is translated":
        "The physical doorbell in a message becomes the IOVA it is mapped at; EINVAL where it is not."
        ["msi-failure"] "patch 7/8 of part 1" []
        [
            "series/story/msi-v9.scn",
            "series/its-without-doorbell-info.scn"
        ]
    1 "8/8" "the SMMUs take the cookie":
        "arm-smmu and arm-smmu-v3 get one for each domain of VFIO's kind; failing that, no domain."
        ["domain-alloc-error"] "patch 8/8 of part 1" ["attach-no-domain"]
        [
            "series/09-domains-that-take-no-window.scn"
        ]

    2 "1/8" "a flag for remapped interrupts":
        "MSI_FLAG_IRQ_REMAPPING: an MSI domain tells messages apart by their sender."
        ["message-safety"] "patch 1/8 of part 2" []
        [
            "series/01-attach-asks-for-safe-messages.scn"
        ]
    2 "2/8" "the ITS sets it":
        "PCI and platform domains of the ITS are safe; those of GICv2m are not."
        ["message-safety"] "patch 2/8 of part 2" []
        [
            "series/01-attach-asks-for-safe-messages.scn"
        ]
    2 "3/8" "domain information is exported":
        "msi_get_domain_info for who asks whether a device's domain is safe."
        [] "patch 3/8 of part 2" []
        [
            "series/01-attach-asks-for-safe-messages.scn"
        ]
    2 "4/8" "one place composes messages":
        "A wrapper that composes, or makes an all-zero message where one is erased."
        [] "patch 4/8 of part 2" []
        [
            "series/story/msi-v9.scn"
        ]
    2 "5/8" "interrupt controllers describe their doorbells":
        "irq_chip gets msi_doorbell_info: addresses, one or one a CPU, their size and protection."
        ["its-doorbell-info", "missing-doorbell-info"] "patch 5/8 of part 2" []
        [
            "series/its-without-doorbell-info.scn"
        ]
    2 "6/8" "GICv2m describes its doorbell":
        "The base of the frame, four bytes, to be written as a device's registers are."
        [] "patch 6/8 of part 2" []
        [
            "series/05-vectors-share-a-doorbell.scn"
        ]
    2 "7/8" "doorbells are mapped at allocation":
        "Every vector takes a reference on each doorbell above it, and gives it back when it is freed."
        ["msi-mapping", "doorbell-unwind", "doorbell-error", "missing-doorbell-info"]
        "patch 7/8 of part 2" ["msi-no-aperture", "msi-window-full"]
        [
            "series/05-vectors-share-a-doorbell.scn",
            "series/06-no-window-no-vectors.scn"
        ]
    2 "8/8" "composed messages hold IOVAs":
        "What is composed is translated; where that fails, a warning, and the physical address stays."
        ["msi-failure"] "patch 8/8 of part 2" []
        [
            "series/story/msi-v9.scn",
            "series/its-without-doorbell-info.scn"
        ]

    3 "1/7" "a mapping has a type":
        "vfio_dma is of the user or a reserved window; a third type matches any when searched."
        [] "patch 1/7 of part 3" []
        [
            "series/04-the-window-is-nobodys-memory.scn"
        ]
    3 "2/7" "mappings are searched by type":
        "MAP looks for any, UNMAP for the user's; as coded the search may answer one of another type, or dereference none."
        ["find-dma"] "patch 2/7 of part 3" [
            "map-overlap",
            "unmap-bisects",
            "unmap-tree-shape"
        ]
        [
            "series/10-unmapping-exactly-the-window.scn",
            "series/11-unmapping-everything-around-the-window.scn"
        ]
    3 "3/7" "windows are passed over":
        "Unmapping, unpinning and replay leave a window alone; v9 hands it to a domain that joins later."
        ["replay-aperture"] "patch 3/7 of part 3" []
        [
            "series/08-a-second-domain.scn",
            "series/11-unmapping-everything-around-the-window.scn"
        ]
    3 "4/7" "a window is registered":
        "MAP_DMA with bit 2 of its flags reserves the range for doorbells and sets the aperture of every domain, without undoing."
        ["third-map-flag", "aperture-rollback", "second-window", "window-provider"]
        "patch 4/7 of part 3" [
            "argsz-short",
            "container-without-iommu",
            "flags-unknown",
            "msi-no-cookie",
            "msi-no-support",
            "msi-other-range",
            "msi-outside-aperture",
            "msi-second-aperture",
            "user-pointer"
        ]
        [
            "series/02-one-window-a-container.scn",
            "series/03-what-a-registration-looks-at.scn",
            "series/04-the-window-is-nobodys-memory.scn",
            "series/09-domains-that-take-no-window.scn"
        ]
    3 "5/7" "attach asks whether messages are safe":
        "EPERM unless allow_unsafe_interrupts, the IOMMU, or the MSI domains of every device of the group say so."
        ["message-safety", "smmu-intr-remap"] "patch 5/7 of part 3" []
        [
            "series/01-attach-asks-for-safe-messages.scn",
            "order/unsafe-interrupts.scn"
        ]
    3 "6/7" "the SMMUs do not claim remapping":
        "arm-smmu and arm-smmu-v3 no longer report IOMMU_CAP_INTR_REMAP."
        ["smmu-intr-remap"] "patch 6/7 of part 3" ["interrupts-unsafe"]
        [
            "series/01-attach-asks-for-safe-messages.scn",
            "series/story/linux-4.6.scn"
        ]
    3 "7/7" "GET_INFO tells what window to register":
        "A capability chain with the MSI geometry: reserved, aperture, size and alignment; 16 pages are asked for."
        ["info-layout", "msi-info"] "patch 7/7 of part 3" [
            "argsz-short",
            "container-without-iommu",
            "user-pointer"
        ]
        [
            "series/12-what-info-says-of-messages.scn"
        ]
}
