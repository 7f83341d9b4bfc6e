use std::path::Path;

use crate::chosen::Chosen;
use crate::draw::{self, Form};
use crate::input_error::SourceText;
use crate::replay::machine_named;
use crate::script::Script;

const STORY: &str = "\
machine virt-its profile=linux-6.12
area A size=16K
touch va=A size=16K
attach dev=00:01.0
map iova=0x10000 va=A+0x1000 size=8K prot=r|w
enable dev=00:01.0 vectors=1 index=msi
read dev=00:01.0 iova=0x10008
unmap iova=0x10000 size=8K
read dev=00:01.0 iova=0x10008
";

fn page(text: &str, line: Option<u64>) -> String {
    let script = Script::parse(SourceText::new("story.scn", text)).unwrap();
    draw::scenario(&script, line, &Chosen::default(), None, Form::Html).unwrap()
}

/// The titles of the figures, in order.
fn figures(page: &str) -> Vec<&str> {
    let parts = page.split("<figcaption>").skip(1);
    parts.map(|part| part.split_once('<').unwrap().0).collect()
}

#[test]
fn a_line_shows_what_stands_after_it_and_the_access_it_makes() {
    let page = page(STORY, Some(7));
    let titles = ["The access", "Device addresses of container 0", "Messages", "The machine"];
    assert_eq!(figures(&page), titles);
    for shown in [
        "A+0x1000, r|w, 8K",
        "read at 0x10008",
        "group 2, in container 0",
        "[20:12] 0x10",
        "served by VFIO",
        "DeviceID 0x8, EventID 0",
        "collection 0",
        "of cpu 0",
        "type1 v2; group 2; 1 mapping",
        "story.scn, as it stands after line 7",
        "GITS_TRANSLATER 0x8090040",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(!page.contains("unmap iova"), "that is a later line");
}

#[test]
fn an_access_that_faults_ends_in_its_event() {
    let page = page(STORY, None);
    assert!(page.contains("F_TRANSLATION of stage 1"));
    assert!(page.contains("class=\"fault\""));
}

/// What the SMMU lets pass the ITS may refuse.
#[test]
fn a_message_ends_behind_the_smmu() {
    let refused = format!("{STORY}write dev=00:01.0 iova=0x8000040 value=9 size=4\n");
    let page = page(&refused, None);
    let picture = page.split_once("</figure>").unwrap().0;
    assert!(picture.contains("the message") && picture.contains("not translated by the its"));
    assert!(picture.contains("class=\"fault\""));
}

#[test]
fn a_page_needs_nothing_else_and_breaks_at_no_name() {
    let page = page("machine virt-its\narea \"<b>&\" size=4K\n", None);
    assert!(!page.contains("<b>&"));
    assert!(page.contains("&lt;b&gt;&amp;"));
    let addresses = page.matches("http").count();
    assert_eq!(addresses, page.matches("http://www.w3.org/2000/svg").count());
}

#[test]
fn more_mappings_than_fit_are_counted() {
    let mut text = "machine virt-its\narea A size=1M\nattach dev=00:01.0\n".to_owned();
    for at in 0..60 {
        text.push_str(&format!("map iova={:#x} va=A size=4K prot=r\n", 0x10000 + at * 0x2000));
    }
    let page = page(&text, None);
    assert!(page.contains("12 more mappings in 92K"));
}

#[test]
fn every_built_in_machine_can_be_drawn() {
    for (name, _) in crate::machine::BUILTIN {
        let page = draw::machine(&machine_named(name).unwrap(), Form::Html);
        assert_eq!(figures(&page), ["The machine"], "{name}");
    }
}

/// The README shows this picture. `passim draw scenarios/files/series/story/msi-v9.scn:35 --out
/// docs/pictures/msi-v9.svg` updates it.
#[test]
fn the_picture_in_the_documentation_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = read(&root.join("files/series/story/msi-v9.scn"));
    let script = Script::parse(SourceText::new("scenarios/files/series/story/msi-v9.scn", text));
    let chosen = Chosen::default();
    let drawn = draw::scenario(&script.unwrap(), Some(35), &chosen, None, Form::Svg).unwrap();
    assert!(drawn == read(&root.join("../docs/pictures/msi-v9.svg")), "draw it anew");
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
