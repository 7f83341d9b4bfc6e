//! Logs made here: read, and replayed.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::log::{End, Item, Lookup, read};
use super::{TraceReport, follow};
use crate::input_error::InputError;

/// A lookup of stage 1 that walks two levels of 39 bits, as an emulator prints it.
const WALK: &str = "\
smmuv3_config_cache_miss Config cache MISS for sid=0x8 (hits=0, misses=1, hit rate=0)
smmuv3_find_ste sid=0x8 features:0x1, sid_split:0x8
smmuv3_find_ste_2lvl strtab_base:0x4000000000010000 l1ptr:0x10000 l1_off:0x0, l2ptr:0x20000 l2_off:0x8 max_l2_ste:511
smmuv3_get_ste STE addr: 0x20200
smmuv3_get_cd CD addr: 0x30000
smmuv3_decode_cd oas=44
smmuv3_decode_cd_tt TT[0]:tsz:25 ttb:0x40000 granule_sz:12 had:0
smmu_iotlb_lookup_miss IOTLB cache MISS asid=7 vmid=0 addr=0x1040 hit=0 miss=1 hit rate=0
smmu_get_pte baseaddr=0x40000 index=0x0, pteaddr=0x40000, pte=0x80000f45
smmu_ptw_level stage=1 level=1 iova=0x1040 subpage_sz=0x40000000 baseaddr=0x40000 offset=0 => pte=0x80000fc5
smmuv3_translate_success smmuv3-iommu-memory-region-8-3 sid=0x8 iova=0x1040 translated=0x80001040 perm=0x1 stage=1
";

/// A write that the page does not permit, in two parts.
const WRITE: &str = "\
smmuv3_config_cache_hit Config cache HIT for sid=0x8 (hits=1, misses=1, hit rate=50)
smmu_iotlb_lookup_hit IOTLB cache HIT asid=7 vmid=0 addr=0x1000 hit=1 miss=2 hit rate=33
smmuv3_record_event SMMU_EVT_F_PERMISSION sid=0x8
smmuv3_trigger_irq irq=0
smmuv3_config_cache_hit Config cache HIT for sid=0x8 (hits=2, misses=1, hit rate=50)
smmu_iotlb_lookup_hit IOTLB cache HIT asid=7 vmid=0 addr=0x1004 hit=1 miss=2 hit rate=33
smmuv3_record_event SMMU_EVT_F_PERMISSION sid=0x8
";

/// Stage 2 refuses a write, and an address beyond its input range, without a record.
const SILENT: &str = "\
123@456.789:smmuv3_config_cache_miss Config cache MISS for sid=0x8 (hits=0, misses=1, hit rate=0)
123@456.789:smmuv3_find_ste_2lvl strtab_base:0x10000 l1ptr:0x10000 l1_off:0x0, l2ptr:0x20000 l2_off:0x8 max_l2_ste:511
123@456.789:smmuv3_get_ste STE addr: 0x20200
123@456.789:smmu_iotlb_lookup_miss IOTLB cache MISS asid=-1 vmid=7 addr=0x1000 hit=0 miss=1 hit rate=0
123@456.789:smmu_ptw_level stage=2 level=1 iova=0x1000 subpage_sz=0x40000000 baseaddr=0x40000 offset=0 => pte=0x8000077d
123@456.789:smmuv3_config_cache_hit Config cache HIT for sid=0x8 (hits=1, misses=1, hit rate=50)
123@456.789:smmu_iotlb_lookup_miss IOTLB cache MISS asid=-1 vmid=7 addr=0x10000000000000 hit=0 miss=1 hit rate=0
";

fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("passim-trace-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A dump of registers without streams.
fn registers() -> String {
    let queue = |pa: &str| json!({"pa": pa, "n": 16, "prod": 0, "wrapflag": 0, "entries": []});
    json!({
        "regs": {
            "IDR0": "0xd44101b", "IDR1": "0x2730010", "IDR3": "0x1414", "IDR5": "0x74",
            "AIDR": "0x1", "CR0": "0xd", "CR2": "0x6", "STRTAB_BASE": "0x10000",
            "STRTAB_BASE_CFG": "0x10210", "CMDQ_BASE": "0x60004", "EVENTQ_BASE": "0x70004",
        },
        "streams": [], "cmdq": queue("0x60000"), "eventq": queue("0x70000"),
    })
    .to_string()
}

fn followed(name: &str, log: &str) -> Result<TraceReport, InputError> {
    let folder = scratch(name);
    let (at, dump) = (folder.join("a.log"), folder.join("smmu_a.json"));
    std::fs::write(&at, log).unwrap();
    std::fs::write(&dump, registers()).unwrap();
    let report = follow(&at, &[dump]);
    std::fs::remove_dir_all(&folder).unwrap();
    report
}

#[test]
fn a_log_is_read_lookup_by_lookup() {
    let folder = scratch("read");
    let at = folder.join("a.log");
    std::fs::write(&at, [WALK, "smmu_iotlb_inv_all IOTLB\n", WRITE].concat()).unwrap();
    let items = read(&at).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let [Item::Lookup(walk), Item::Forgotten, Item::Lookup(one), Item::Lookup(two)] =
        items.as_slice()
    else {
        panic!("{items:?}")
    };
    let Lookup { line, iova, ref end, .. } = *walk;
    assert_eq!((line, iova), (1, Some(0x1040)));
    assert_eq!(*end, End::Translated { pa: 0x8000_1040, perm: 1 });
    let configuration = walk.configuration.unwrap();
    assert_eq!((configuration.ste, configuration.cd), (0x2_0200, Some(0x3_0000)));
    assert_eq!(configuration.level_one, Some((0x1_0000, 0x2_0009)));
    assert_eq!((one.line, two.iova), (13, Some(0x1004)));
    assert_eq!(one.end, End::Recorded("F_PERMISSION".to_owned()));
}

#[test]
fn what_the_log_saw_is_answered_alike() {
    let report = followed("alike", &[WALK, WRITE].concat()).unwrap();
    assert_eq!(report.differences, [], "{report}");
    assert_eq!((report.translations, report.faults, report.made), (1, 2, 1));
    let parts: Vec<_> = report.deviations.iter().collect();
    assert!(matches!(parts[..], [(name, 1)] if name.contains("parts")), "{report}");
}

#[test]
fn what_stage_2_refused_in_silence_is_named() {
    let report = followed("silent", SILENT).unwrap();
    assert_eq!(report.differences, [], "{report}");
    assert_eq!((report.silent, report.deviations.len()), (2, 2), "{report}");
    // The page permits reading, and the log does not show that the access was a write.
    let wrote = |report: &TraceReport| {
        report.deviations.keys().any(|name| name.contains("if it wrote (the log does not say)"))
    };
    assert!(wrote(&report), "{report}");
    let saying = |is_write: u32| {
        let name = if is_write == 1 { "wrote" } else { "read" };
        let (first, _) = SILENT.rsplit_once("123@456.789:smmuv3_config_cache_hit").unwrap();
        let line =
            format!("smmuv3_translate_abort n sid=0x8 STE abort iova:0x1000 is_write={is_write}\n");
        followed(name, &[first, &line].concat()).unwrap()
    };
    let report = saying(1);
    assert_eq!((report.differences.len(), report.deviations.len()), (0, 1), "{report}");
    assert!(!wrote(&report), "{report}");
    // A read is permitted: nothing explains the missing record.
    let report = saying(0);
    assert_eq!((report.differences.len(), report.deviations.len()), (1, 0), "{report}");
}

#[test]
fn another_answer_is_a_difference() {
    let report = followed("other", &WALK.replace("translated=0x80001040", "translated=0x80002040"));
    let report = report.unwrap();
    assert_eq!(report.differences.len(), 1, "{report}");
    assert_eq!(report.differences[0].line.as_ref().unwrap().1, 1);
    let report = followed("kind", &[WALK, &WRITE.replace("PERMISSION", "ACCESS")].concat());
    assert_eq!(report.unwrap().differences.len(), 2);
}

#[test]
fn what_is_no_log_is_refused() {
    assert!(followed("nothing", "hello\n").is_err());
    let error = followed("short", &WALK.replace("pte=0x80000fc5", "pte")).unwrap_err();
    assert_eq!(error.line(), Some(10), "{error}");
    assert!(follow(Path::new("/nonexistent.log"), &[]).is_err());
}
