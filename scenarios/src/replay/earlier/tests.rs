//! Groups that earlier suites claimed, found from their lines.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Earlier, earlier};
use crate::recording::{Found, Topology};

/// A folder with a topology of these suites, and these recordings.
fn folder(name: &str, suites: &str, recordings: &[(&str, &[&str])]) -> PathBuf {
    let small = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/small/topo.jsonl");
    let topology = fs::read_to_string(small).unwrap();
    let own = format!("\"suites\":\"{suites}\"");
    let topology = topology.replace("\"suites\":\"small\"", &own);
    let folder = std::env::temp_dir().join(format!("passim-earlier-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("topo.jsonl"), topology).unwrap();
    for (name, lines) in recordings {
        fs::write(folder.join(format!("{name}.jsonl")), lines.join("\n") + "\n").unwrap();
    }
    folder
}

fn found(folder: &Path, name: &str) -> Earlier {
    let topology = folder.join("topo.jsonl");
    let read = Topology::read(&topology).unwrap();
    let recording = folder.join(format!("{name}.jsonl"));
    let found = Found { recording, topology, dumps: folder.join("dumps") };
    earlier(&found, &read)
}

const START: &str = r#"{"step":"start","proc":0,"fds":[0,1,2],"memlock":8388608,"caps":"all","params":{"allow_unsafe_interrupts":"N","disable_hugepages":"N","dma_entry_limit":"65535"}}"#;

fn open(path: &str, fd: i32) -> String {
    format!(r#"{{"step":"open","path":"{path}","fd":{fd}}}"#)
}

fn claim(fd: i32, ret: i32) -> String {
    format!(
        r#"{{"step":"ioctl","fd":{fd},"req":"VFIO_GROUP_SET_CONTAINER","nr":15208,"in":"03000000","ret":{ret},"errno":0,"out":"03000000"}}"#
    )
}

#[test]
fn groups_that_earlier_suites_claimed_are_known() {
    let first = [
        START.to_owned(),
        open("/dev/vfio/vfio", 3),
        open("/dev/vfio/7", 4),
        claim(4, 0),
        open("/dev/vfio/2", 5),
        claim(5, -1),
        r#"{"step":"fork","child":1}"#.to_owned(),
        r#"{"step":"in","proc":1}"#.to_owned(),
        r#"{"step":"close","fd":5}"#.to_owned(),
        claim(5, 0),
        r#"{"step":"in","proc":0}"#.to_owned(),
        claim(4, 0),
    ];
    let second = [START.to_owned(), open("/dev/vfio/3", 3), claim(3, 0)];
    let first: Vec<_> = first.iter().map(String::as_str).collect();
    let second: Vec<_> = second.iter().map(String::as_str).collect();
    let recordings: [(&str, &[&str]); 3] = [("one", &first), ("two", &second), ("four", &[])];
    let folder = folder("known", "one,two,three,four", &recordings);
    assert_eq!(found(&folder, "one"), Earlier::default());
    assert_eq!(found(&folder, "two").claimed, [7]);
    let last = found(&folder, "four");
    assert_eq!((last.claimed, last.unrecorded), (vec![7, 3], vec!["three".to_owned()]));
    // Nobody says when one ran that the list does not name.
    let unnamed = found(&folder, "five");
    assert_eq!((unnamed.claimed.len(), unnamed.unrecorded.len()), (0, 4));
    fs::remove_dir_all(folder).unwrap();
}

/// A recording that breaks off is reported, and its claims do not count.
#[test]
fn an_earlier_recording_that_cannot_be_read_counts_as_none() {
    let good = [START.to_owned(), open("/dev/vfio/3", 3), claim(3, 0)];
    let bad = [START.to_owned(), open("/dev/vfio/7", 4), claim(4, 0), "{\"step\":".to_owned()];
    let good: Vec<_> = good.iter().map(String::as_str).collect();
    let bad: Vec<_> = bad.iter().map(String::as_str).collect();
    let recordings: [(&str, &[&str]); 3] = [("one", &good), ("two", &bad), ("three", &[])];
    let folder = folder("broken", "one,two,three", &recordings);
    let last = found(&folder, "three");
    assert_eq!((last.claimed, last.unrecorded), (vec![3], vec!["two".to_owned()]));
    assert!(matches!(&last.notes[..], [note] if note.contains("two.jsonl:4: ")));
    fs::remove_dir_all(folder).unwrap();
}
