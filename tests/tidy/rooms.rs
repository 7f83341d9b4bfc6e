//! Rooms are under 500 lines, functions under 70.

use crate::tree::{files, is_test};

const ROOM_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

#[test]
fn rooms_are_under_500_lines() {
    let large: Vec<_> = files("rs")
        .into_iter()
        .filter(|(name, text)| !is_test(name) && text.lines().count() > ROOM_LINES)
        .map(|(name, text)| format!("{name}: {}", text.lines().count()))
        .collect();
    assert!(large.is_empty(), "larger than {ROOM_LINES} lines:\n{}", large.join("\n"));
}

/// Whether a word, after those before it, may stand before `fn`.
fn is_modifier(before: &[&str], word: &str) -> bool {
    let modifiers = ["pub", "pub(crate)", "pub(super)", "pub(in", "const", "async", "unsafe"];
    let follows = |other| before.last() == Some(&other);
    let path = follows("pub(in") && word.ends_with(')');
    let abi = follows("extern") && word.starts_with('"');
    modifiers.contains(&word) || word == "extern" || path || abi
}

/// Functions, found by the indentation of their first line: rustfmt closes each at the same depth.
fn functions(text: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let bare = line.trim_start();
        let depth = line.len() - bare.len();
        let words: Vec<_> = bare.split_whitespace().take(8).collect();
        let Some(place) = words.iter().position(|word| *word == "fn") else { continue };
        if !words[..place].iter().enumerate().all(|(at, word)| is_modifier(&words[..at], word)) {
            continue;
        }
        let close = format!("{}}}", " ".repeat(depth));
        let length = lines[at..].iter().position(|line| *line == close);
        let one_line = bare.ends_with('}') || bare.ends_with(';');
        if let Some(length) = length.filter(|_| !one_line) {
            let name = words.get(place + 1).copied().unwrap_or_default();
            found.push((at + 1, name.to_owned(), length + 1));
        }
    }
    found
}

#[test]
fn functions_are_under_70_lines() {
    let mut long = Vec::new();
    for (name, text) in files("rs") {
        for (line, function, length) in functions(&text) {
            if length > FUNCTION_LINES {
                long.push(format!("{name}:{line} {function}: {length}"));
            }
        }
    }
    assert!(long.is_empty(), "longer than {FUNCTION_LINES} lines:\n{}", long.join("\n"));
}

#[test]
fn the_measure_sees_functions() {
    let text = "pub fn a() {\n    b();\n}\nimpl X {\n    const fn c(\n        d: u8,\n    ) -> u8 {\n        d\n    }\n}\n\
                pub(in crate::e) const fn f() {\n    g();\n}\n\
                pub unsafe extern \"C\" fn h() {\n    i();\n}\n// no fn j() {\n}\n";
    let seen: Vec<_> =
        functions(text).into_iter().map(|(line, _, length)| (line, length)).collect();
    assert_eq!(seen, [(1, 3), (5, 5), (11, 3), (14, 3)]);
}

/// The modules that a file declares, except tests.
fn modules(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut of_tests = false;
    for line in text.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words.as_slice() {
            ["mod", name] | [_, "mod", name] if name.ends_with(';') && !line.starts_with(' ') => {
                let name = name.trim_end_matches(';');
                if !of_tests && !["tests", "testkit"].contains(&name) {
                    found.push(name);
                }
                of_tests = false;
            }
            [first, ..] if first.starts_with("#[") => of_tests |= line.contains("cfg(test)"),
            _ => of_tests = false,
        }
    }
    found
}

/// A table of rooms names every room of its file.
#[test]
fn tables_of_rooms_name_every_room() {
    let mut left_out = Vec::new();
    for (name, text) in files("rs") {
        let table: Vec<_> = text.lines().filter(|line| line.starts_with("//! | ")).collect();
        if !table.iter().any(|line| line.starts_with("//! | room |")) {
            continue;
        }
        let names = |room: &str| {
            let forms = ["`", "::", "mod@"].map(|before| format!("{before}{room}`"));
            let in_full = format!("(mod@{room})");
            table
                .iter()
                .any(|line| forms.iter().any(|form| line.contains(form)) || line.contains(&in_full))
        };
        let absent = modules(&text).into_iter().filter(|room| !names(room));
        left_out.extend(absent.map(|room| format!("{name}: {room}")));
    }
    assert!(left_out.is_empty(), "rooms without a line:\n{}", left_out.join("\n"));
}

#[test]
fn the_list_of_rooms_is_seen() {
    let text = "mod a;\npub mod b;\n#[cfg(test)]\nmod c;\npub(crate) mod d;\nmod tests;\n";
    assert_eq!(modules(text), ["a", "b", "d"]);
}
