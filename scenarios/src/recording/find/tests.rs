use std::fs;
use std::path::{Path, PathBuf};

use super::find;

/// A folder that is removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[&str]) -> Self {
        let path = std::env::temp_dir().join(format!("passim-{name}-{}", std::process::id()));
        for file in files {
            let file = path.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_folder_means_the_recordings_below_it() {
    let folder = Folder::new(
        "find",
        &[
            "b/topo.jsonl",
            "b/z.jsonl",
            "b/a.jsonl.zst",
            "b/notes.txt",
            "b/log.zst",
            "b/dumps/no.jsonl",
            "b/dumps/smmu_x.json.zst",
            "a/topo.jsonl",
            "a/m.jsonl",
        ],
    );
    let root = &folder.0;
    let found = find(std::slice::from_ref(root)).unwrap();
    let names: Vec<_> = found.iter().map(|found| found.name()).collect();
    assert_eq!(names, ["m", "a", "z"]);
    assert_eq!(found[1].topology, root.join("b/topo.jsonl"));
    assert_eq!(found[1].dump("smmu_x"), Some(root.join("b/dumps/smmu_x.json.zst")));
    assert_eq!(found[1].dump("smmu_y"), None);

    // A file named first stays first, and is not listed again.
    let found = find(&[root.join("b/z.jsonl"), root.clone()]).unwrap();
    let names: Vec<_> = found.iter().map(|found| found.name()).collect();
    assert_eq!(names, ["z", "m", "a"]);
}

#[test]
fn what_cannot_be_replayed_is_refused() {
    let folder = Folder::new("refuse", &["empty/notes.txt", "alone/x.jsonl"]);
    let refusal = |path: &str| find(&[folder.0.join(path)]).unwrap_err();
    assert!(refusal("empty").to_string().ends_with("no recordings here"));
    assert!(refusal("alone").to_string().contains("no topo.jsonl beside"));
    assert!(refusal("alone/y.jsonl").to_string().contains("cannot read"));
    assert!(find(&[Path::new("/nonexistent").to_owned()]).is_err());
}
