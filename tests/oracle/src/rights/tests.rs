//! Permissions by the Arm ARM's tables, row by row.

use super::{Rights, Rules, stage1, stage2};
use crate::walk::Privilege::{self, Privileged, Unprivileged};

const XN: u64 = 1 << 54;
const PXN: u64 = 1 << 53;

fn text(rights: Rights) -> String {
    let Rights { read, write, fetch } = rights;
    let letters = [(read, 'r'), (write, 'w'), (fetch, 'x')];
    letters.iter().map(|(is, letter)| if *is { *letter } else { '-' }).collect()
}

fn first(rules: Rules, privilege: Privilege, leaf: u64, tables: u64) -> String {
    text(stage1(rules, privilege, leaf, tables))
}

#[test]
fn two_privileges() {
    let none = Rules::default();
    let rows = [
        (0 << 6, "--x", "rwx"),
        // Writable without privilege: never executable with it.
        (1 << 6, "rwx", "rw-"),
        (2 << 6, "--x", "r-x"),
        (3 << 6, "r-x", "r-x"),
        (XN, "---", "rwx"),
        (PXN, "--x", "rw-"),
        (3 << 6 | XN | PXN, "r--", "r--"),
    ];
    for (leaf, user, kernel) in rows {
        assert_eq!(first(none, Unprivileged, leaf, 0), user, "{leaf:#x}");
        assert_eq!(first(none, Privileged, leaf, 0), kernel, "{leaf:#x}");
    }
    // PXNTable, XNTable, APTable[0], APTable[1], over a leaf that both privileges may read and
    // execute.
    let tables = [(59, "r-x", "r--"), (60, "r--", "r-x"), (61, "--x", "r-x"), (62, "r-x", "r-x")];
    for (bit, user, kernel) in tables {
        assert_eq!(first(none, Unprivileged, 3 << 6, 1 << bit), user, "{bit}");
        assert_eq!(first(none, Privileged, 3 << 6, 1 << bit), kernel, "{bit}");
    }
    // Memory whose unprivileged writes a table forbids is executable for the kernel.
    assert_eq!(first(none, Privileged, 1 << 6, 1 << 62), "r-x");
}

#[test]
fn what_a_regime_forbids() {
    let wxn = Rules { wxn: true, ..Rules::default() };
    assert_eq!(first(wxn, Unprivileged, 1 << 6, 0), "rw-");
    assert_eq!(first(wxn, Privileged, 0, 0), "rw-");
    assert_eq!(first(wxn, Privileged, 2 << 6, 0), "r-x");
    let pan = Rules { pan: true, ..Rules::default() };
    assert_eq!(first(pan, Privileged, 3 << 6, 0), "--x");
    assert_eq!(first(pan, Privileged, 0, 0), "rwx");
    assert_eq!(first(pan, Unprivileged, 3 << 6, 0), "r-x");
    let epan = Rules { epan: true, ..pan };
    assert_eq!(first(epan, Privileged, 0, 0), "--x");
    assert_eq!(first(epan, Privileged, XN, 0), "rwx");
    let both = Rules { wxn: true, ..epan };
    // Memory that PAN makes unwritable is not writable for WXN.
    assert_eq!(first(both, Privileged, 0, 0), "--x");
}

#[test]
fn one_privilege() {
    let rules = Rules { one_privilege: true, ..Rules::default() };
    for privilege in [Unprivileged, Privileged] {
        assert_eq!(first(rules, privilege, PXN, 1 << 59 | 1 << 61), "rwx");
        assert_eq!(first(rules, privilege, XN | 1 << 6, 0), "rw-");
        assert_eq!(first(rules, privilege, 2 << 6, 0), "r-x");
        assert_eq!(first(rules, privilege, 0, 1 << 60), "rw-");
        let wxn = Rules { wxn: true, ..rules };
        assert_eq!(first(wxn, privilege, 0, 0), "rw-");
    }
}

#[test]
fn execution_at_stage_2() {
    let ask = |xnx, privilege, xn: u64| {
        let rules = Rules { xnx, ..Rules::default() };
        stage2(rules, privilege, xn << 53 | 1 << 6).fetch
    };
    let by_privilege = |privilege| [0, 1, 2, 3].map(|xn| ask(true, privilege, xn));
    assert_eq!(by_privilege(Unprivileged), [true, true, false, false]);
    assert_eq!(by_privilege(Privileged), [true, false, false, true]);
    assert_eq!([0, 1, 2, 3].map(|xn| ask(false, Privileged, xn)), [true, true, false, false]);
    assert_eq!(text(stage2(Rules::default(), Privileged, 2 << 6)), "-wx");
}
