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

/// Functions by the indentation of their first line: rustfmt closes each at the same depth.
fn functions(text: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let bare = line.trim_start();
        let depth = line.len() - bare.len();
        let words: Vec<_> = bare.split_whitespace().take(4).collect();
        let Some(place) = words.iter().position(|word| *word == "fn") else { continue };
        let modifiers = ["pub", "pub(crate)", "pub(super)", "const", "async"];
        if !words[..place].iter().all(|word| modifiers.contains(word)) {
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
    let text = "pub fn a() {\n    b();\n}\nimpl X {\n    const fn c(\n        d: u8,\n    ) -> u8 {\n        d\n    }\n}\n";
    let seen: Vec<_> =
        functions(text).into_iter().map(|(line, _, length)| (line, length)).collect();
    assert_eq!(seen, [(1, 3), (5, 5)]);
}
