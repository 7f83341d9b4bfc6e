use passim_model::{Iova, PageSize, Perms, Rid};
use proptest::prelude::*;

use super::{
    Args, Invocation, ItemKind, List, Place, Script, Signed, Text, compare, invocation, number,
    same, unknown_verb,
};
use crate::input_error::{Colour, InputError, SourceText};

const TOUR: &str = "\
# An MSI write is DMA like any other.
machine virt-gicv2m profile=msi-v9

map iova=0x10000 va=A+0x1000  size=8K prot=r|w
  ok
enable dev=00:01.0 vectors=1
  vector 0: doorbell 0x800f040
    data 82
note \"two words\"
";

fn script(text: &str) -> Result<Script, InputError> {
    Script::parse(SourceText::new("t.passim", text))
}

fn refusal(text: &str) -> String {
    script(text).unwrap_err().to_string()
}

fn outcome(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

#[test]
fn a_scenario_is_taken_apart_and_printed_back() {
    let script = script(TOUR).unwrap();
    assert_eq!(script.to_string(), TOUR);
    let blocks: Vec<_> = script.blocks().collect();
    assert_eq!(blocks.len(), 4);
    assert_eq!(blocks[1].expected, ["ok"]);
    assert_eq!(blocks[2].expected, ["vector 0: doorbell 0x800f040", "  data 82"]);
    assert_eq!(blocks[1].invocation.to_string(), "map iova=0x10000 va=A+0x1000 size=8K prot=r|w");
    assert_eq!(
        &TOUR[blocks[1].invocation.span()],
        "map iova=0x10000 va=A+0x1000  size=8K prot=r|w"
    );
    let kinds = script.items().iter().filter(|item| item.kind == ItemKind::Blank);
    assert_eq!(kinds.count(), 1);
}

#[test]
fn lines_that_are_nothing_are_refused_where_they_are() {
    let cases = [
        (" map\n", "t.passim:1:1: indented by one space"),
        ("  ok\n", "t.passim:1:1: no operation stands above this line"),
        ("map\n\n  ok\n", "t.passim:3:1: no operation stands above this line"),
        ("map\n# why\n  ok\n", "t.passim:3:1: no operation stands above this line"),
        ("map\n  \n", "t.passim:2:1: a line of spaces alone"),
        ("map\ta\n", "t.passim:1:4: control character '\\t'"),
        ("map\ra\n", "t.passim:1:4: control character '\\r'"),
        ("Map\n", "t.passim:1:1: expected a verb: lower-case letters, digits and hyphens"),
        ("map a=\n", "t.passim:1:7: expected a value after `=`"),
        ("map \n", "t.passim:1:4: expected a space and a value, or `key=value`"),
        ("map a=b=c\n", "t.passim:1:8: expected a space and a value, or `key=value`"),
    ];
    for (text, message) in cases {
        assert_eq!(refusal(text), message, "{text:?}");
    }
    assert!(refusal("note \"open\n").contains("expected a closing `\"`"));
    assert!(refusal(&"x".repeat(100_000)).contains("too long"));
}

#[test]
fn a_reproducer_is_built_and_read_back() {
    let built = Invocation::new("map")
        .key("va", Place::Area { name: "A".into(), offset: 0x1000 })
        .key("prot", Perms::READ | Perms::WRITE)
        .word(Text("two words".into()));
    assert_eq!(built.to_string(), "map va=A+0x1000 prot=r|w \"two words\"");
    assert!(invocation("-", &built.to_string()).unwrap().same_words(&built));
}

#[test]
fn numbers_have_prefixes_and_units() {
    let good = [("0", 0), ("4096", 4096), ("0xffffffffffffffff", u64::MAX), ("4K", 4096)];
    for (text, value) in good {
        assert_eq!(number(text), Some(value), "{text}");
    }
    assert_eq!(number("16777215T"), Some(16_777_215 << 40));
    for text in ["", "-1", "+1", "0x", "0x10000000000000000", "4k", "16777216T", "1 ", "0X1", "K"] {
        assert_eq!(number(text), None, "{text}");
    }
}

#[test]
fn arguments_are_taken_by_name_and_type() {
    let line = "map 00:01.0 iova=0x1000 page=2M prot=r|w at=A count=-1 quiet=y list=1,2,0x3";
    let source = SourceText::new("t", line);
    let invocation = invocation("t", line).unwrap();
    let mut args = Args::new(&source, &invocation).unwrap();
    assert_eq!(args.word::<Rid>("device").unwrap(), Rid::from_bdf(0, 1, 0).unwrap());
    assert_eq!(args.required::<Iova>("iova").unwrap(), Iova::new(0x1000));
    assert_eq!(args.required::<PageSize>("page").unwrap().lg2(), 21);
    assert_eq!(args.required::<Perms>("prot").unwrap(), Perms::READ | Perms::WRITE);
    let place = args.required::<Place>("at").unwrap();
    assert_eq!(place, Place::Area { name: "A".into(), offset: 0 });
    assert_eq!(args.optional::<Signed>("count").unwrap(), Some(Signed(-1)));
    assert_eq!(args.optional::<bool>("quiet").unwrap(), Some(true));
    assert_eq!(args.optional::<u64>("absent").unwrap(), None);
    assert_eq!(args.required::<List<u8>>("list").unwrap(), List(vec![1, 2, 3]));
    args.finish().unwrap();
}

/// Accepts `iova` and an optional `size`, nothing else.
fn take(line: &str) -> Result<(), InputError> {
    let source = SourceText::new("t", line);
    let invocation = invocation("t", line)?;
    let mut args = Args::new(&source, &invocation)?;
    args.required::<u32>("iova")?;
    args.optional::<u64>("size")?;
    args.finish()
}

#[test]
fn arguments_are_refused_with_advice() {
    let cases = [
        ("map iova=1 sise=2", "t:1:12: `map` takes no `sise=`", "did you mean `size`?"),
        ("map iova=1 zz=2", "t:1:12: `map` takes no `zz=`", "keys: iova, size"),
        ("map ioav=2", "t:1:5: `map` takes no `ioav=`", "did you mean `iova`?"),
        ("map size=2", "t:1:1: `map` needs `iova=`", "add a number of at most 32 bits"),
    ];
    for (line, message, hint) in cases {
        let error = take(line).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.hint()), (message, hint));
    }
    let plain = [
        ("map iova=1 iova=2", "t:1:12: `iova` is given twice"),
        ("map iova=1 stray", "t:1:12: `map` takes no further word"),
        ("map iova=x", "t:1:10: expected a number of at most 32 bits"),
        ("map iova=0x100000000", "t:1:10: expected a number of at most 32 bits"),
    ];
    for (line, message) in plain {
        assert_eq!(take(line).unwrap_err().to_string(), message);
    }
    let source = SourceText::new("t", "umap iova=1");
    let umap = invocation("t", source.text()).unwrap();
    let error = unknown_verb(&source, &umap, &["map", "unmap", "raise"]);
    assert_eq!(error.hint(), "did you mean `unmap`?");
}

#[test]
fn blessing_replaces_outcomes_and_nothing_else() {
    let outcomes = [outcome(&[]), outcome(&["EINVAL", "", "  a\nb"])];
    let blessed = script(TOUR).unwrap().bless(&outcomes);
    assert_eq!(blessed, TOUR.replace("  ok\n", "  EINVAL\n    a\n  b\n"));
    // Blocks without an outcome are unchanged.
    assert!(blessed.contains("    data 82\n"));
    for (before, after) in
        [("map", "map\n  ok"), ("map\n  no", "map\n  ok"), ("map\n", "map\n  ok\n")]
    {
        assert_eq!(script(before).unwrap().bless(&[outcome(&["ok"])]), after);
    }
    assert_eq!(script("map\n  ok").unwrap().bless(&[outcome(&[])]), "map");
}

#[test]
fn differences_show_both_sides() {
    let expected = outcome(&["a", "b", "c"]);
    assert_eq!(compare(&expected, &expected), None);
    let difference = compare(&expected, &outcome(&["a", "x", "c"])).unwrap();
    assert_eq!(difference.render(Colour::Plain), "  a\n- b\n+ x\n  c\n");
    assert!(difference.render(Colour::Ansi).contains("\u{1b}[31m- b\u{1b}[0m\n"));
}

#[test]
fn long_outcomes_are_told_apart_without_aligning_them() {
    let lines = |what: &str| (0..3000).map(|n| format!("{what} {n}")).collect::<Vec<_>>();
    let around = |middle: Vec<String>| [outcome(&["head"]), middle, outcome(&["tail"])].concat();
    let (expected, actual) = (around(lines("was")), around(lines("is")));
    let drawn = compare(&expected, &actual).unwrap().render(Colour::Plain);
    let drawn: Vec<_> = drawn.lines().collect();
    assert_eq!(drawn.len(), 6002);
    assert_eq!([drawn[0], drawn[1], drawn[3000]], ["  head", "- was 0", "- was 2999"]);
    assert_eq!([drawn[3001], drawn[6000], drawn[6001]], ["+ is 0", "+ is 2999", "  tail"]);
}

#[test]
fn an_operation_knows_its_line() {
    let script = script("# one\n\nmap\n  ok\nunmap\n").unwrap();
    let lines: Vec<_> = script.blocks().map(|block| script.line_of(block)).collect();
    assert_eq!(lines, [3, 5]);
}

proptest! {
    #[test]
    fn any_text_is_refused_or_printed_back(text in any::<String>()) {
        if let Ok(script) = script(&text) {
            prop_assert_eq!(script.to_string(), text);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_printed_back(bytes in any::<Vec<u8>>()) {
        if let Ok(source) = SourceText::from_bytes("t", bytes.clone())
            && let Ok(script) = Script::parse(source)
        {
            prop_assert_eq!(script.to_string().into_bytes(), bytes);
        }
    }

    #[test]
    fn text_of_the_languages_own_characters(text in r#"[a-c0x=+|#" \\\n]{0,60}"#) {
        match script(&text) {
            Ok(script) => prop_assert_eq!(script.to_string(), text),
            Err(error) => prop_assert!(error.render(Colour::Plain).contains("t.passim")),
        }
    }

    #[test]
    fn a_truncated_scenario_is_refused_or_printed_back(end in 0..TOUR.len()) {
        if let Ok(script) = script(&TOUR[..end]) {
            prop_assert_eq!(script.to_string(), &TOUR[..end]);
        }
    }

    #[test]
    fn blessing_twice_changes_nothing(lines in prop::collection::vec(any::<String>(), 0..4)) {
        let outcomes = [lines.clone(), Vec::new(), lines];
        let blessed = script(TOUR).unwrap().bless(&outcomes);
        let again = script(&blessed).unwrap();
        prop_assert_eq!(again.bless(&outcomes), blessed);
        let expected = &again.blocks().next().unwrap().expected;
        prop_assert_eq!(compare(expected, &outcomes[0]), None);
        prop_assert!(same(expected, &outcomes[0]));
    }

    #[test]
    fn words_built_are_words_read(value in any::<String>(), offset in any::<u64>()) {
        let place = Place::Area { name: "B_2".into(), offset };
        let built = Invocation::new("poke").key("at", &place).word(Text(value.clone()));
        let read = invocation("t", &built.to_string()).unwrap();
        prop_assert!(read.same_words(&built));
        let source = SourceText::new("t", built.to_string());
        let mut args = Args::new(&source, &read).unwrap();
        prop_assert_eq!(args.required::<Place>("at").unwrap(), place);
        let text = args.word::<Text>("text").unwrap().0;
        prop_assert_eq!(text, value.replace(char::is_control, " "));
    }
}
