//! Compares layouts with words that a Linux driver wrote, and with positions written as numbers.

use super::cd::{Cd0, Cd1};
use super::command::{Cfgi1, Stream0, Sync0, Tlbi0, Tlbi1, opcode};
use super::regs::{CmdqCons, EventqProd, Gbpa, Idr0, Idr1, Idr5, QueueBase, StrtabBaseCfg};
use super::ste::{Config, Ste0, Ste1, Ste2, Ste3};

#[test]
fn an_ste_of_stage_1() {
    let (w0, w1) = (0x4398_700b, 0xd6);
    assert_eq!(Ste0::V.get(w0), 1);
    assert_eq!(Config::of(Ste0::CONFIG.get(w0)), Config::Stage1);
    assert_eq!(Ste0::S1FMT.get(w0), 0);
    assert_eq!(Ste0::S1CONTEXTPTR.in_place(w0), 0x4398_7000);
    assert_eq!(Ste0::S1CDMAX.get(w0), 0);
    assert_eq!(Ste1::S1DSS.get(w1), 2);
    assert_eq!((Ste1::S1CIR.get(w1), Ste1::S1COR.get(w1), Ste1::S1CSH.get(w1)), (1, 1, 3));
    assert_eq!((Ste1::EATS.get(w1), Ste1::STRW.get(w1)), (0, 0));
}

#[test]
fn an_ste_of_stage_2() {
    let w2 = 0x040c_3594_0000_0003;
    assert_eq!((Ste2::S2VMID.get(w2), Ste2::S2T0SZ.get(w2), Ste2::S2SL0.get(w2)), (3, 20, 2));
    assert_eq!((Ste2::S2TG.get(w2), Ste2::S2PS.get(w2)), (0, 4));
    assert_eq!((Ste2::S2AA64.get(w2), Ste2::S2R.get(w2), Ste2::S2S.get(w2)), (1, 1, 0));
    assert_eq!(Ste3::S2TTB.mask(), 0x00ff_ffff_ffff_fff0);
}

#[test]
fn a_cd() {
    let w0 = 0x7_e204_c000_3510;
    assert_eq!((Cd0::T0SZ.get(w0), Cd0::TG0.get(w0)), (16, 0));
    assert_eq!((Cd0::EPD0.get(w0), Cd0::EPD1.get(w0), Cd0::V.get(w0)), (0, 1, 1));
    assert_eq!((Cd0::IR0.get(w0), Cd0::OR0.get(w0), Cd0::SH0.get(w0)), (1, 1, 3));
    assert_eq!((Cd0::IPS.get(w0), Cd0::AA64.get(w0), Cd0::AFFD.get(w0)), (4, 1, 0));
    assert_eq!((Cd0::S.get(w0), Cd0::R.get(w0), Cd0::A.get(w0), Cd0::ASET.get(w0)), (0, 1, 1, 1));
    assert_eq!(Cd0::ASID.get(w0), 7);
    assert_eq!(Cd1::TTB0.in_place(0x480c_2000), 0x480c_2000);
}

#[test]
fn commands() {
    let cfgi = 0x8_0000_0003;
    assert_eq!(Stream0::OPCODE.get(cfgi), opcode::CFGI_STE);
    assert_eq!((Stream0::STREAM_ID.get(cfgi), Cfgi1::LEAF.get(1)), (8, 1));

    // Eight pages: NUM 0, SCALE 3.
    let (va0, va1) = (0x7_0000_0030_0012, 0x4000_0701);
    assert_eq!((Tlbi0::OPCODE.get(va0), Tlbi0::ASID.get(va0)), (opcode::TLBI_NH_VA, 7));
    assert_eq!((Tlbi0::NUM.get(va0), Tlbi0::SCALE.get(va0)), (0, 3));
    assert_eq!((Tlbi1::LEAF.get(va1), Tlbi1::TTL.get(va1), Tlbi1::TG.get(va1)), (1, 3, 1));
    assert_eq!(Tlbi1::ADDRESS.in_place(va1), 0x4000_0000);

    let sync = 0xfc0_2046;
    assert_eq!((Sync0::OPCODE.get(sync), Sync0::CS.get(sync)), (opcode::SYNC, 2));
    assert_eq!((Sync0::MSH.get(sync), Sync0::MSI_ATTR.get(sync)), (3, 0xf));
}

#[test]
fn registers() {
    let idr0 = 0xd44_101b;
    assert_eq!((Idr0::S2P.get(idr0), Idr0::S1P.get(idr0), Idr0::TTF.get(idr0)), (1, 1, 2));
    assert_eq!((Idr0::COHACC.get(idr0), Idr0::ASID16.get(idr0)), (1, 1));
    assert_eq!((Idr0::VMID16.get(idr0), Idr0::TTENDIAN.get(idr0)), (1, 2));
    assert_eq!((Idr0::STALL_MODEL.get(idr0), Idr0::TERM_MODEL.get(idr0)), (1, 1));
    assert_eq!(Idr0::ST_LEVEL.get(idr0), 1);
    let idr1 = 0x273_0010;
    assert_eq!((Idr1::SIDSIZE.get(idr1), Idr1::SSIDSIZE.get(idr1)), (16, 0));
    assert_eq!(
        (Idr1::CMDQS.get(idr1), Idr1::EVENTQS.get(idr1), Idr1::PRIQS.get(idr1)),
        (19, 19, 0)
    );
    assert_eq!(Idr5::OAS.get(0x74), 4);
    assert_eq!(StrtabBaseCfg::FMT.mask(), 0x3_0000);
    assert_eq!(QueueBase::ADDR.mask(), 0x00ff_ffff_ffff_ffe0);
    assert_eq!(Gbpa::ABORT.mask() | Gbpa::UPDATE.mask(), 0x8010_0000);
    assert_eq!(CmdqCons::ERR.mask(), 0x7f00_0000);
    assert_eq!(EventqProd::OVFLG.mask(), 0x8000_0000);
}
