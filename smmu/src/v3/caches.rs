//! The caches of an SMMUv3 and their sizes: a property of the implementation, like its features. No
//! ID register shows them.

use crate::cache::{Geometry, Retention};
use crate::choice::Overlap;
use crate::stages::Caching;
use crate::transaction::Transaction;
use crate::v3::config::ste::SteState;
use crate::v3::config::{self, Context};
use crate::v3::features::Features;
use crate::v3::{Implementation, SmmuV3};
use passim_model::Requester;

/// The caches of an SMMU. Where they keep everything
/// ([`Retention::Everything`](crate::cache::Retention)), all of them exist and none has a size.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Caches {
    /// The TLB: complete translations of stage 1, of both stages, and of stage 2. Consecutive pages
    /// of one size and space lie in consecutive sets.
    pub tlb: Geometry,
    /// The walk cache: tables of walks, of each stage and level; `None`: no walk cache.
    pub tables: Option<Geometry>,
    /// STEs. Consecutive StreamIDs lie in consecutive sets.
    pub stes: Geometry,
    /// CDs. With one SubstreamID, those of consecutive StreamIDs lie in consecutive sets.
    pub cds: Geometry,
    /// Level-1 Stream table descriptors, consecutive ones in consecutive sets; `None`: they are not
    /// cached.
    pub level_one_stes: Option<Geometry>,
    /// Level-1 CD table descriptors; `None`: they are not cached.
    pub level_one_cds: Option<Geometry>,
}

impl Caches {
    /// The kinds of caches that the `virt` board's emulator has: complete translations, STEs and
    /// CDs, and nothing intermediate. The sizes are chosen for speed.
    pub const VIRT: Self = Self {
        tlb: Geometry::new(12, 1),
        tables: None,
        stes: Geometry::new(8, 1),
        cds: Geometry::new(8, 1),
        level_one_stes: None,
        level_one_cds: None,
    };

    /// Caches like those of Arm's MMU-600, whose integrators choose the sizes: 256 translations,
    /// 1024 tables, 32 STEs and 32 CDs, each in four ways. Not to cache level-1 descriptors is a
    /// choice made here.
    pub const MMU_600: Self = Self {
        tlb: Geometry::new(6, 4),
        tables: Some(Geometry::new(8, 4)),
        stes: Geometry::new(3, 4),
        cds: Geometry::new(3, 4),
        level_one_stes: None,
        level_one_cds: None,
    };

    /// Every kind of cache.
    pub const EVERYTHING: Self = Self {
        tlb: Geometry::new(10, 4),
        tables: Some(Geometry::new(8, 4)),
        stes: Geometry::new(6, 4),
        cds: Geometry::new(6, 4),
        level_one_stes: Some(Geometry::new(4, 4)),
        level_one_cds: Some(Geometry::new(4, 4)),
    };

    /// The built-in caches, by the names of the descriptions they go with
    /// ([`Description::PRESETS`](super::Description::PRESETS)).
    pub const PRESETS: [(&'static str, Self); 3] =
        [("virt", Self::VIRT), ("mmu-600", Self::MMU_600), ("everything", Self::EVERYTHING)];

    /// The built-in caches of this name.
    pub fn preset(name: &str) -> Option<Self> {
        let mut presets = Self::PRESETS.into_iter();
        presets.find(|(preset, _)| *preset == name).map(|(_, caches)| caches)
    }
}

impl Default for Caches {
    fn default() -> Self {
        Self::VIRT
    }
}

/// How translations are cached in this implementation.
pub(crate) fn caching(implementation: &Implementation, features: &Features) -> Caching {
    let Implementation { caches, choices, retention, .. } = *implementation;
    let sized = retention == Retention::Sized;
    Caching {
        overlap: match features.bbm_level {
            // IHI 0070 G.b 3.21.1.3: F_TLB_CONFLICT is never reported.
            2 => Overlap::SmallestWins,
            _ => choices.overlap,
        },
        retention,
        heeds_nt: features.bbm_level == 1,
        keeps_tables: !sized || caches.tables.is_some(),
        counts_tlb_uses: sized && caches.tlb.counts_uses(),
        counts_config_uses: sized && (caches.stes.counts_uses() || caches.cds.counts_uses()),
    }
}

impl SmmuV3 {
    /// Records uses of the STE and the CD of a transaction, if they are cached.
    #[cold]
    pub(crate) fn count_uses(&mut self, txn: &Transaction) {
        let Requester { stream, substream, .. } = txn.requester;
        self.configs.touch_ste(stream);
        if let Some(SteState::Translate(ste)) = self.configs.ste(stream)
            && let Some(pointer) = &ste.stage1
            && let Ok(Context::Cd(index)) = config::select_context(pointer, substream)
        {
            self.configs.touch_cd(stream, index);
        }
    }
}
