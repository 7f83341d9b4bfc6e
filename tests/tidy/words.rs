//! Words without meaning, and marks of unfinished work.

use crate::tree::{files, is_test, root};

/// Parts of identifiers that name no thing of this field.
const EMPTY_WORDS: [&str; 6] = ["Manager", "Helper", "Util", "Handler", "fn do_", "fn process_"];

/// Marks of unfinished work. Spelled apart so that this file does not contain them.
const UNFINISHED: [&str; 6] = [
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    "FIX\x4dE",
    "XX\x58",
    "TO\x44O",
    "HAC\x4b",
];

/// Constructs that the design rules exclude.
const RULED_OUT: [&str; 5] = ["unsafe ", "Rc<RefCell", "Arc<Mutex", "prelude::*", "#[ignore"];

/// Modules by which a run could depend on more than its input and seed.
const OUTSIDE: [&str; 5] = ["std::time", "std::env", "std::fs", "std::net", "std::thread"];

fn sources() -> impl Iterator<Item = (String, String)> {
    files("rs").into_iter().filter(|(name, _)| !name.starts_with("tests/tidy/"))
}

fn places(text: &str, word: &str) -> Vec<usize> {
    let code = |line: &str| !line.trim_start().starts_with("//");
    let lines = text.lines().enumerate();
    lines.filter(|(_, line)| code(line) && line.contains(word)).map(|(at, _)| at + 1).collect()
}

#[test]
fn names_are_the_fields_own() {
    let mut found = Vec::new();
    for (name, text) in sources() {
        for word in EMPTY_WORDS {
            found.extend(places(&text, word).into_iter().map(|at| format!("{name}:{at} {word}")));
        }
    }
    assert!(found.is_empty(), "empty words:\n{}", found.join("\n"));
}

#[test]
fn nothing_is_left_undone() {
    let mut found = Vec::new();
    for (name, text) in sources() {
        for word in UNFINISHED {
            for (at, _) in text.lines().enumerate().filter(|(_, line)| line.contains(word)) {
                found.push(format!("{name}:{} {word}", at + 1));
            }
        }
    }
    assert!(found.is_empty(), "unfinished:\n{}", found.join("\n"));
}

#[test]
fn no_construct_that_the_design_rules_out() {
    let mut found = Vec::new();
    for (name, text) in sources() {
        let proptest_prelude = is_test(&name);
        for word in RULED_OUT {
            if word == "prelude::*" && proptest_prelude {
                continue;
            }
            found.extend(places(&text, word).into_iter().map(|at| format!("{name}:{at} {word}")));
        }
        let object = format!("{}yn ", 'd');
        let parts = ["model/", "smmu/", "gic/", "vfio/"];
        if parts.iter().any(|part| name.starts_with(part)) && !is_test(&name) {
            found.extend(
                places(&text, &object).into_iter().map(|at| format!("{name}:{at} {object}")),
            );
        }
    }
    assert!(found.is_empty(), "ruled out:\n{}", found.join("\n"));
}

#[test]
fn every_folder_has_a_license_and_no_machine_path() {
    for file in ["LICENSE-MIT", "LICENSE-APACHE", "README.md", "ARCHITECTURE.md"] {
        assert!(root().join(file).is_file(), "{file} is missing");
    }
    let paths = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("../sha", "red")];
    let mut found = Vec::new();
    for extension in ["rs", "md", "toml", "scn"] {
        for (name, text) in files(extension) {
            for path in paths {
                for (at, _) in text.lines().enumerate().filter(|(_, line)| line.contains(path)) {
                    found.push(format!("{name}:{} {path}", at + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "machine paths:\n{}", found.join("\n"));
}

#[test]
fn nothing_below_the_scenarios_looks_outside() {
    let parts = ["model/", "smmu/", "gic/", "vfio/"];
    let mut found = Vec::new();
    for (name, text) in sources() {
        if is_test(&name) || !parts.iter().any(|part| name.starts_with(part)) {
            continue;
        }
        for word in OUTSIDE {
            found.extend(places(&text, word).into_iter().map(|at| format!("{name}:{at} {word}")));
        }
    }
    assert!(found.is_empty(), "looks outside:\n{}", found.join("\n"));
}
