//! The list of mutants fits the code, and every row of docs/its.md that names a mutant has one.

use passim::docs::bugs::BUGS;
use passim_tests::mutants;
use std::path::Path;

#[test]
fn every_mutant_can_still_be_made() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let all = mutants::its().unwrap();
    for mutant in &all {
        mutant.files(&root).unwrap_or_else(|why| panic!("{}: {why}", mutant.what));
        assert!(!mutant.tests().is_empty(), "{}: no test has to notice it", mutant.what);
    }
    for bug in BUGS.iter().filter(|bug| !bug.mutant.is_empty()) {
        assert!(all.iter().any(|mutant| mutant.row == bug.number), "row {}", bug.number);
    }
}
