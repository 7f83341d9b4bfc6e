//! The project's own files.

use std::fs;
use std::path::{Path, PathBuf};

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in a folder").to_owned()
}

/// Folders without sources of the project.
const PASSED_OVER: [&str; 4] = ["target", ".git", "recordings", "corpus"];

fn collect(folder: &Path, extension: &str, into: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("a folder of the project can be read");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !PASSED_OVER.contains(&name) {
                collect(&path, extension, into);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            into.push(path);
        }
    }
}

/// Every file with this extension, with its path from the root and its text.
pub(crate) fn files(extension: &str) -> Vec<(String, String)> {
    let root = root();
    let mut paths = Vec::new();
    collect(&root, extension, &mut paths);
    let text = |path: &PathBuf| fs::read_to_string(path).expect("a source file is UTF-8");
    let name = |path: &PathBuf| {
        path.strip_prefix(&root).expect("below the root").to_string_lossy().into_owned()
    };
    paths.iter().map(|path| (name(path), text(path))).collect()
}

/// Whether a source file contains tests, benches or fuzz targets only.
pub(crate) fn is_test(name: &str) -> bool {
    let test_folder = ["tests/", "benches/", "fuzz/"].iter().any(|at| name.starts_with(at));
    test_folder || name.contains("/tests/") || name.ends_with("tests.rs")
}
