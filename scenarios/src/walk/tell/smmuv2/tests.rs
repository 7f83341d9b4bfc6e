//! Explanations of an SMMUv2's translations on the machine of a scenario.

use passim_model::{Access, Iova};

use crate::chosen::Chosen;
use crate::input_error::SourceText;
use crate::op::DeviceName;
use crate::script::{FromValue, Script};
use crate::walk::explain_in_scenario;

/// The printed explanation of a device's read at the end of a scenario.
fn told(scenario: &str, dev: &str, iova: u64) -> String {
    let script = Script::parse(SourceText::new("s.scn", scenario)).unwrap();
    let dev = DeviceName::from_value(dev).unwrap();
    let asked = (None, Iova::new(iova), Access::READ);
    explain_in_scenario(&script, None, &Chosen::default(), &dev, asked).unwrap().to_string()
}

const MAPPED: &str = "\
machine two-smmuv2s profile=linux-6.12 allow_unsafe_interrupts=y
area A size=8K
touch va=A size=8K
attach dev=00:01.0
map iova=0x10000 va=A size=8K prot=r
";

/// The lines that begin with `start`, without the indented lines below them.
fn lines<'a>(told: &'a str, start: &str) -> Vec<&'a str> {
    told.lines().map(str::trim_start).filter(|line| line.starts_with(start)).collect()
}

#[test]
fn from_the_entry_to_the_page() {
    let told = told(MAPPED, "00:01.0", 0x1_1008);
    assert!(told.starts_with("stream 0x8: read at 0x11008\n"), "{told}");
    for (register, section) in [
        ("CR0 at 0x0", "9.6.3"),
        ("SMR0 at 0x800", "9.6.25"),
        ("S2CR0 at 0xc00", "9.6.23"),
        ("CBA2R", "10.2.2"),
        ("CB1_SCTLR", "16.5.29"),
        ("CB1_TCR at", "16.5.38"),
        ("CB1_TTBR0", "16.5.40"),
    ] {
        let found = lines(&told, register);
        assert_eq!(found.len(), 1, "{register} in {told}");
        assert!(found[0].ends_with(&format!("(IHI 0062 D.c {section})")), "{}", found[0]);
    }
    for level in 0..4 {
        assert_eq!(lines(&told, &format!("stage 1 level {level}: ")).len(), 1, "{told}");
    }
    assert!(told.contains("AP[2]=0x1 (read-only)"), "{told}");
    let verdict = lines(&told, "verdict: 0x11008 -> ");
    assert!(verdict[0].ends_with("(IHI 0062 D.c 2.7)"), "{told}");
}

#[test]
fn short_descriptors_and_faults() {
    let scenario = MAPPED.replacen("profile", "set=\"smmu2-formats=aarch32-short\" profile", 1);
    let told = told(&scenario, "00:01.0", 0x1_2000);
    assert!(told.contains("VA64=0x0 (tables of AArch32)"), "{told}");
    assert_eq!(lines(&told, "CB1_CONTEXTIDR").len(), 1, "{told}");
    assert_eq!(lines(&told, "stage 1 level 2: invalid descriptor").len(), 1, "{told}");
    let verdict = "verdict: context fault of bank 1, FSR.TF, at level 2 (IHI 0062 D.c 3.7)";
    assert!(told.ends_with(verdict), "{told}");
}

#[test]
fn streams_that_nobody_has() {
    let told = told(MAPPED, "80:03.0", 0x1000);
    assert!(told.contains("USFCFG=0x1 (a stream without an entry faults)"), "{told}");
    assert!(told.ends_with("verdict: global fault, GFSR.USF (IHI 0062 D.c 3.8)"), "{told}");
}
