//! One suite that every page-table format passes: tables of every shape, with every kind of
//! descriptor at every level, read by the hardware's walk and by the oracle's.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `suite` | what does the suite require of a format, and how does it compare the walks? |
//! | `vmsav8` | which tables has VMSAv8-64? |
//! | `aarch32` | which tables has AArch32? |
//! | `behind` | how does the suite read tables through an SMMU? |
//! | `through` | how do STE and CD of an SMMUv3 describe tables? |
//! | `banks` | how do the registers of an SMMUv2 describe tables? |
//! | `written` | do both walks agree on tables that software wrote? |

mod aarch32;
mod banks;
mod behind;
mod suite;
mod through;
mod vmsav8;
mod written;

use aarch32::{Vmsav7l, Vmsav7s};
use banks::ThroughBank;
use suite::check;
use through::ThroughSmmu;
use vmsav8::Vmsav8;

#[test]
fn vmsav8_64_stage_1() {
    check(&Vmsav8::stage1());
}

#[test]
fn vmsav8_64_stage_2() {
    check(&Vmsav8::stage2());
}

#[test]
fn vmsav8_64_with_ds() {
    check(&Vmsav8::wide());
}

#[test]
fn vmsav7_short_descriptors() {
    check(&Vmsav7s::shapes());
}

#[test]
fn vmsav7_long_descriptors() {
    check(&Vmsav7l::stage1());
    check(&Vmsav7l::stage2());
}

#[test]
fn vmsav8_64_through_stes_and_cds() {
    check(&ThroughSmmu::of(Vmsav8::stage1()));
    check(&ThroughSmmu::of(Vmsav8::stage2()));
    check(&ThroughSmmu::of(Vmsav8::wide()));
}

#[test]
fn every_format_through_context_banks() {
    check(&ThroughBank::of_short(Vmsav7s::shapes()));
    check(&ThroughBank::of_long(Vmsav7l::stage1()));
    check(&ThroughBank::of_long(Vmsav7l::stage2()));
    check(&ThroughBank::of_aarch64(Vmsav8::stage1()));
    check(&ThroughBank::of_aarch64(Vmsav8::stage2()));
}
