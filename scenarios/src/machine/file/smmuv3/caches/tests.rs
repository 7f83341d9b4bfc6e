use super::super::features::testkit::{refused, smmu};
use passim_smmu::cache::{Geometry, Retention, Victim};
use passim_smmu::v3::Caches;

const FEATURES: &str = "features = { preset = \"virt\" }\n";

#[test]
fn sizes_are_what_the_file_says() {
    let lines = "tlb = { sets = 64, ways = 4, victim = \"least-recently-used\" }\n\
                 walk_cache = { sets = 8, ways = 2, victim = \"random\", seed = 9 }\n\
                 [iommu.smmuv3.config_caches]\n\
                 stes = { sets = 16, ways = 1 }\n\
                 cds = { sets = 1, ways = 3, victim = \"random\" }\n\
                 level_1_stes = { sets = 2, ways = 2 }\n\
                 level_1_cds = { sets = 0 }";
    let sized = smmu(&format!("{FEATURES}{lines}")).unwrap();
    let lru = Victim::LeastRecentlyUsed;
    let random = |seed| Victim::Random { seed };
    let expected = Caches {
        tlb: Geometry { sets_lg2: 6, ways: 4, victim: lru },
        tables: Some(Geometry { sets_lg2: 3, ways: 2, victim: random(9) }),
        stes: Geometry::new(4, 1),
        cds: Geometry { sets_lg2: 0, ways: 3, victim: random(0) },
        level_one_stes: Some(Geometry::new(1, 2)),
        level_one_cds: None,
    };
    assert_eq!((sized.caches, sized.retention), (expected, Retention::Sized));
}

#[test]
fn what_the_file_does_not_say_is_as_the_preset_has_it() {
    for (preset, caches) in Caches::PRESETS {
        let lines = format!("features = {{ preset = \"{preset}\" }}\n");
        assert_eq!(smmu(&lines).unwrap().caches, caches, "{preset}");
        let tlb = Geometry::new(0, 1);
        let lines = format!("{lines}tlb = {{ sets = 1, ways = 1 }}");
        assert_eq!(smmu(&lines).unwrap().caches, Caches { tlb, ..caches }, "{preset}");
        let lines = format!("features = {{ preset = \"{preset}\" }}\nwalk_cache = {{ sets = 0 }}");
        assert_eq!(smmu(&lines).unwrap().caches, Caches { tables: None, ..caches }, "{preset}");
    }
    let idr = "idr = [0xd44101b, 0x2730010, 0, 0x1414, 0, 0x74]\naidr = 1";
    assert_eq!(smmu(idr).unwrap().caches, Caches::VIRT);
}

#[test]
fn a_size_that_cannot_be_is_said_where_it_stands() {
    for (lines, place, said) in [
        ("tlb = { sets = 48, ways = 4 }", "15:16", "a power of two up to 1048576, not 48"),
        ("tlb = { sets = 0, ways = 4 }", "15:16", "cannot be without this cache"),
        ("tlb = { sets = -8, ways = 4 }", "15:16", "not -8"),
        ("tlb = { sets = 0x20_0000, ways = 4 }", "15:16", "not 2097152"),
        ("tlb = { sets = 64, ways = 17 }", "15:27", "1 to 16 ways, not 17"),
        ("tlb = { sets = 64, ways = 0 }", "15:27", "1 to 16 ways, not 0"),
        ("tlb = { sets = 64 }", "15:16", "direct mapped"),
        ("tlb = { sets = 64, ways = 2, victim = \"randon\" }", "15:39", "did you mean \"random\"?"),
        (
            "tlb = { sets = 64, ways = 2, victim = \"fifo\" }",
            "15:39",
            "round-robin, least-recently",
        ),
        ("tlb = { sets = 64, ways = 2, seed = 3 }", "15:37", "only `victim = \"random\"`"),
        (
            "walk_cache = { sets = 1, ways = 2, victim = \"random\", seed = -1 }",
            "15:62",
            "32 bits, not -1",
        ),
        ("walk_cache = { sets = 0x2_0000, ways = 1 }", "15:23", "up to 65536, not 131072"),
        ("walk_cache = { sets = 0, ways = 1 }", "15:33", "`sets = 0` alone"),
        ("config_caches = { stes = { sets = 3, ways = 1 } }", "15:35", "up to 65536, not 3"),
        ("config_caches = { cds = { sets = 0 } }", "15:34", "cannot be without this cache"),
        ("config_caches = { level_1_stes = { sets = 6, ways = 1 } }", "15:43", "not 6"),
        ("caches = \"everything\"\ntlb = { sets = 64, ways = 4 }", "16:7", "have no size"),
        ("caches = \"everything\"\nwalk_cache = { sets = 0 }", "16:14", "have no size"),
    ] {
        let refused = refused(&format!("{FEATURES}{lines}"));
        assert!(refused.contains(place) && refused.contains(said), "{lines}:\n{refused}");
    }
}
