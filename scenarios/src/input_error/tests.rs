use std::path::Path;

use proptest::prelude::*;

use super::{Colour, InputError, InputKind, SourceText};

fn sample() -> InputError {
    SourceText::new("dir/a.passim", "# first\nmap iova=0x1000 sise=4K\n  ok\n")
        .error(InputKind::Scenario, 24..28, "unknown key `sise`")
        .with_hint("did you mean `size`?")
}

#[test]
fn one_line_form_names_file_line_and_column() {
    assert_eq!(sample().to_string(), "dir/a.passim:2:17: unknown key `sise`");
    let whole = InputError::in_file(InputKind::Machine, Path::new("m.toml"), "no CPUs");
    assert_eq!(whole.to_string(), "m.toml: no CPUs");
}

#[test]
fn drawn_form_marks_the_span() {
    insta::assert_snapshot!(sample().render(Colour::Plain), @r"
    error: unknown key `sise`
     --> dir/a.passim:2:17
      |
    2 | map iova=0x1000 sise=4K
      |                 ^^^^
      |
      = help: did you mean `size`?
    ");
    assert!(sample().render(Colour::Ansi).contains('\u{1b}'));
}

#[test]
fn json_form_is_flat() {
    assert_eq!(
        sample().to_json(),
        r#"{"kind":"scenario","file":"dir/a.passim","line":2,"column":17,"width":4,"message":"unknown key `sise`","hint":"did you mean `size`?","source":"map iova=0x1000 sise=4K"}"#
    );
}

#[test]
fn columns_count_characters() {
    let error = SourceText::new("x", "äöü!").error(InputKind::Scenario, 6..7, "here");
    assert_eq!(error.column(), Some(4));
}

#[test]
fn bytes_that_are_not_utf8_are_located() {
    let error = SourceText::from_bytes("x", b"ab\ncd\xff\n".to_vec()).unwrap_err();
    assert_eq!(error.to_string(), "x:2:3: not UTF-8: byte 0xff");
}

#[test]
fn what_a_terminal_would_obey_is_spelt_out() {
    let error =
        SourceText::new("f", "a\u{1b}[2Jb").error(InputKind::Scenario, 0..1, "no \u{1b}[2J");
    assert_eq!(error.message(), "no \\u{1b}[2J");
    assert!(!error.render(Colour::Plain).contains('\u{1b}'));
}

#[test]
fn a_missing_file_is_an_error() {
    let error = SourceText::read(Path::new("/nonexistent/file")).unwrap_err();
    assert_eq!(error.kind(), InputKind::Unreadable);
    assert!(error.to_string().starts_with("/nonexistent/file: cannot read"));
}

#[test]
fn long_lines_are_cut_but_keep_their_column() {
    let text = "x".repeat(1_000_000);
    let error = SourceText::new("f", text).error(InputKind::Scenario, 500_000..999_999, "here");
    assert_eq!(error.column(), Some(500_001));
    assert!(error.render(Colour::Plain).len() < 2_000);
}

proptest! {
    #[test]
    fn any_span_of_any_text_renders(text in any::<String>(), start in 0usize..50, end in 0usize..50) {
        let error = SourceText::new("f", text).error(InputKind::Scenario, start..end, "here");
        error.render(Colour::Plain);
        error.to_json();
    }
}
