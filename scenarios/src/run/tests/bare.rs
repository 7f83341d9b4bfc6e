//! What software of a bare machine may get wrong is pointed at.

use super::super::Runner;
use super::script;
use crate::input_error::InputError;
use crate::op::Op;

/// Performs every line; the first that cannot be performed ends it.
fn perform(text: &str) -> Result<Vec<String>, InputError> {
    let (script, mut runner) = (script(text), Runner::new());
    let mut last = Vec::new();
    for block in script.blocks() {
        let op = Op::read(script.source(), &block.invocation)?;
        last = runner.perform(&op).map_err(|error| error.at(&script, block))?;
    }
    Ok(last)
}

/// Line, column and hint of the error.
fn error(line: &str) -> (u64, u64, String) {
    let error = perform(&format!("bare virt-its\n{line}\n")).unwrap_err();
    (error.line().unwrap(), error.column().unwrap(), error.hint().to_owned())
}

fn told(line: u64, column: u64, hint: &str) -> (u64, u64, String) {
    (line, column, hint.to_owned())
}

#[test]
fn names_are_checked() {
    let at = "at=0x41000000";
    assert_eq!(error(&format!("ste {at} confg=5")), told(2, 19, "did you mean `config`?"));
    assert_eq!(error("smmu-register STRTAB_BAS"), told(2, 1, "did you mean `STRTAB_BASE`?"));
    assert_eq!(error("smmu-register CR0 smmuenn=1"), told(2, 19, "did you mean `smmuen`?"));
    assert_eq!(error("command CFGI_STF"), told(2, 1, "did you mean `CFGI_STE`?"));
    assert_eq!(error("command SYNC css=3"), told(2, 14, "did you mean `cs`?"));
    assert_eq!(
        error("gic-load register=GICD_IPRIORTYR4"),
        told(2, 10, "did you mean `GICD_IPRIORITYR`?")
    );
    assert_eq!(error("gic-load register=GICD_IROUTER1020").1, 10);
    assert!(error("icc-load register=ICC_IAR2_EL1 cpu=0").2.contains("ICC_IAR1_EL1"));
    let wires = "PPIs are 16 to 31, SPIs 32 to 1019";
    assert_eq!(error("gic-wire intid=15 level=high"), told(2, 10, wires));
    assert_eq!(error("gic-wire intid=27 level=high cpu=2").1, 30);
    let unknown = perform("bare virt-its smmu=everythin\n").unwrap_err();
    assert_eq!(unknown.hint(), "did you mean `everything`?");
}

#[test]
fn values_that_do_not_fit_are_refused() {
    assert_eq!(error("ste at=0x41000000 config=8"), told(2, 19, "it has 3 bits"));
    let address = "it holds bits 6 to 55 of an address";
    assert_eq!(error("ste at=0x41000000 s1contextptr=0x44000020"), told(2, 19, address));
    let address = "a multiple of 0x10000 below 2^52";
    let line = "descriptor at=0x41000000 kind=page oa=0x48001000 granule=64K";
    assert_eq!(error(line), told(2, 36, address));
    let with_ds = "descriptor at=0x41000000 kind=page oa=0x48001000 ds=y sh=3";
    assert_eq!(error(with_ds), told(2, 55, "CD.SH0 and STE.S2SH0 say it"));
    assert_eq!(error("transaction sid=0 iova=0 size=0").1, 26);
    assert_eq!(error("transaction sid=0 iova=0 smmu=1").1, 26);
    assert_eq!(error("ste at=0x0 v=1").1, 1);
    let bits = "1 to 32: the field Size is one less";
    for bad in ["0", "33"] {
        let line = format!("its-command MAPD device=2 itt=0x46000000 bits={bad}");
        assert_eq!(error(&line), told(2, 42, bits));
    }
    let size = "`size=` says how many there are";
    assert_eq!(error("message device=2 event=0x100000000"), told(2, 18, size));
    assert_eq!(error("message device=2 event=0x10000 size=2"), told(2, 18, size));
}

#[test]
fn a_wide_address_is_put_where_the_granule_has_it() {
    let line = |rest: &str| {
        let text =
            format!("bare virt-its\ndescriptor at=0x41000000 {rest}\npeek-phys at=0x41000000\n");
        perform(&text).unwrap()
    };
    assert_eq!(line("kind=page granule=64K oa=0xf000012340000"), ["0x1234f003"]);
    assert_eq!(line("kind=block ds=y oa=0xf000040000000"), ["0x3000040000301"]);
    assert_eq!(line("kind=s2-page oa=0x1000 s2ap=3 af=1"), ["0x14c3"]);
}
