//! Every dump of the recordings, translated by an SMMU with the dump's registers.

use std::path::{Path, PathBuf};

use passim::replay::Verdict;
use passim::walk::{DumpedSmmu, expectations, follow, look};

/// Folders that contain dumps, and their recordings.
fn folders() -> Vec<(PathBuf, Vec<PathBuf>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let found = passim::recording::find(&[root]).unwrap();
    let mut folders: Vec<(PathBuf, Vec<PathBuf>)> = Vec::new();
    for recording in found.into_iter().filter(|recording| recording.dumps.is_dir()) {
        match folders.iter_mut().find(|(dumps, _)| *dumps == recording.dumps) {
            Some((_, recordings)) => recordings.push(recording.recording),
            None => folders.push((recording.dumps, vec![recording.recording])),
        }
    }
    folders
}

fn dumps_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_smmu = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("smmu_"))
    };
    let mut dumps: Vec<_> = entries.filter(is_smmu).collect();
    dumps.sort();
    dumps
}

#[test]
fn every_leaf_and_every_expectation_of_every_dump_agrees() {
    let (mut leaves, mut expected) = (0, 0);
    for (folder, recordings) in folders() {
        let expectations = expectations(&recordings).unwrap();
        let mut of_folder = 0;
        for dump in dumps_in(&folder) {
            let mut stand = DumpedSmmu::read(&dump).unwrap();
            let file = dump.display().to_string();
            let report = look(&mut stand, &expectations, file, |_| {});
            assert_eq!(report.verdict(), Verdict::Agreed, "{report}\n{:#?}", report.differences);
            assert_eq!(report.not_compared.len(), 0, "{report}");
            assert!(report.unmapped > 0, "{report}");
            leaves += report.leaves;
            of_folder += report.expectations;
        }
        assert_eq!(of_folder, expectations.count(), "{}", folder.display());
        expected += of_folder;
    }
    assert!(leaves > 20_000 && expected > 1_000, "{leaves} leaves, {expected} expectations");
}

#[test]
fn every_log_of_an_emulator_is_answered_alike_or_deviates_in_a_known_way() {
    let (mut logs, mut looked, mut whole) = (0, 0, 0);
    for (folder, _) in folders() {
        let log = folder.parent().unwrap().join("qemu-trace.log.zst");
        if !log.is_file() {
            continue;
        }
        let report = follow(&log, &dumps_in(&folder)).unwrap();
        assert_eq!(report.verdict(), Verdict::Agreed, "{report}\n{:#?}", report.differences);
        assert_eq!(report.not_compared.len(), 0, "{report}");
        // Each fault is compared with its record, where dumps were taken after it.
        assert_eq!(report.records, report.faults, "{report}");
        logs += 1;
        looked += report.translations + report.faults + report.silent;
        whole += report.records;
    }
    assert!(
        logs >= 4 && looked > 600 && whole > 300,
        "{logs} logs, {looked} lookups, {whole} whole"
    );
}
