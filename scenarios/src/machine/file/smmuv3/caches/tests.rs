use super::super::features::testkit::{refused, smmu};
use passim_smmu::tlb::{Geometry, Retention, Victim};
use passim_smmu::v3::ConfigGeometry;

const FEATURES: &str = "features = { preset = \"virt\" }\n";

#[test]
fn sizes_are_what_the_file_says() {
    let lines = "tlb = { sets = 64, ways = 4, victim = \"least-recently-used\" }\n\
                 config_caches = { stes = 16, cds = 1 }";
    let sized = smmu(&format!("{FEATURES}{lines}")).unwrap();
    let victim = Victim::LeastRecentlyUsed;
    assert_eq!(sized.tlb, Geometry { sets_lg2: 6, ways: 4, victim });
    assert_eq!(sized.configs, ConfigGeometry { stes_lg2: 4, cds_lg2: 0 });
    assert_eq!(sized.retention, Retention::Sized);
    let plain = smmu(FEATURES).unwrap();
    assert_eq!((plain.tlb, plain.configs), (Geometry::default(), ConfigGeometry::default()));
}

#[test]
fn a_size_that_cannot_be_is_said_where_it_stands() {
    for (lines, place, said) in [
        ("tlb = { sets = 48, ways = 4 }", "15:16", "a power of two up to 1048576, not 48"),
        ("tlb = { sets = 0, ways = 4 }", "15:16", "not 0"),
        ("tlb = { sets = 0x20_0000, ways = 4 }", "15:16", "not 2097152"),
        ("tlb = { sets = 64, ways = 17 }", "15:27", "1 to 16 ways, not 17"),
        ("config_caches = { stes = 3, cds = 1 }", "15:26", "up to 65536, not 3"),
        ("caches = \"everything\"\ntlb = { sets = 64, ways = 4 }", "16:7", "have no size"),
    ] {
        let refused = refused(&format!("{FEATURES}{lines}"));
        assert!(refused.contains(place) && refused.contains(said), "{lines}:\n{refused}");
    }
}
