//! `capabilities.md`: which features an SMMUv3 can be built with here, which not, and why.

use passim_smmu::cache::{Geometry, Victim};
use passim_smmu::v3::{Caches, Description};

use super::{NOTICE, table};

const REGISTERS: &str = "
# SMMUv3: what is modelled

What the ID registers of an SMMUv3 can promise, field by field, and what of it is here. The last
columns are the values in the built-in descriptions.

";

const CACHES: &str = "
## Caches

No ID register tells of them. A machine file says otherwise with `tlb`, `walk_cache` and
`config_caches` (`stes`, `cds`, `level_1_stes`, `level_1_cds`), each with `sets`, `ways`, `victim`
(`round-robin`, `least-recently-used`, `random`) and, of a random victim, `seed`; `sets = 0` is no
cache. With `caches = \"everything\"` each of them is there, and nothing gives way to anything. Of an
SMMUv2 it says `tlb` and `walk_cache`.

";

pub(super) fn page() -> String {
    let mut head = vec!["cache", "holds", "forgets by"];
    head.extend(Caches::PRESETS.map(|(name, _)| name));
    let caches = table(&head, KINDS.iter().map(row));
    let registers = Description::capability_table();
    format!("{NOTICE}{REGISTERS}{registers}{CACHES}{caches}")
}

/// A cache: its name, its entries, the commands that invalidate them, and its size in a preset.
struct Kind {
    name: &'static str,
    holds: &'static str,
    forgets: &'static str,
    size: fn(&Caches) -> Option<Geometry>,
}

/// The caches, in the order in which a transaction looks them up.
const KINDS: [Kind; 6] = [
    Kind {
        name: "`level_1_stes`",
        holds: "level-1 Stream table descriptors, in any state",
        forgets: "CFGI_STE with Leaf = 0, CFGI_STE_RANGE, CFGI_ALL",
        size: |caches| caches.level_one_stes,
    },
    Kind {
        name: "`stes`",
        holds: "STEs, in any state",
        forgets: "CFGI_STE, CFGI_STE_RANGE, CFGI_ALL",
        size: |caches| Some(caches.stes),
    },
    Kind {
        name: "`level_1_cds`",
        holds: "level-1 CD table descriptors, in any state",
        forgets: "CFGI_CD with Leaf = 0, CFGI_CD_ALL, and what takes the STE",
        size: |caches| caches.level_one_cds,
    },
    Kind {
        name: "`cds`",
        holds: "CDs, in any state",
        forgets: "CFGI_CD, CFGI_CD_ALL, and what takes the STE",
        size: |caches| Some(caches.cds),
    },
    Kind {
        name: "`tlb`",
        holds: "translations of stage 1, of both stages together, of stage 2",
        forgets: "TLBI: of stage 1 what stage 1 had a part in, of stage 2 what stage 2 is alone",
        size: |caches| Some(caches.tlb),
    },
    Kind {
        name: "`walk_cache`",
        holds: "tables of stage 1, with what stage 2 makes of their address, and of stage 2",
        forgets: "the same; by address with Leaf = 0 only",
        size: |caches| caches.tables,
    },
];

fn row(kind: &Kind) -> Vec<String> {
    let mut cells = vec![kind.name.to_owned(), kind.holds.to_owned(), kind.forgets.to_owned()];
    cells.extend(Caches::PRESETS.map(|(_, caches)| (kind.size)(&caches).map_or_else(none, size)));
    cells
}

fn none() -> String {
    "none".to_owned()
}

fn size(geometry: Geometry) -> String {
    let (entries, ways) = (geometry.entries(), geometry.ways);
    let victim = match geometry.victim {
        _ if ways == 1 => return format!("{entries}, direct mapped"),
        Victim::RoundRobin => "in turn",
        Victim::LeastRecentlyUsed => "least recently used",
        Victim::Random { .. } => "random",
    };
    format!("{entries} in {ways} ways, {victim}")
}
