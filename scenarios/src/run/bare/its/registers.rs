//! Registers of a GICv3 by their names. IHI 0069 H 12.8 to 12.19.

use passim_model::{IccRegister, PhysAddr, Width};

use super::super::super::Unperformable;
use crate::input_error::nearest;
use crate::machine::GicIts;

/// Which block a register is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Distributor,
    Redistributor,
    Its,
}

use Block::{Distributor, Its, Redistributor};
use Width::{W32, W64};

const REGISTERS: &[(&str, Block, u64, Width)] = &[
    ("GICD_CTLR", Distributor, 0x0000, W32),
    ("GICD_TYPER", Distributor, 0x0004, W32),
    ("GICD_IIDR", Distributor, 0x0008, W32),
    ("GICD_SETSPI_NSR", Distributor, 0x0040, W32),
    ("GICD_CLRSPI_NSR", Distributor, 0x0048, W32),
    ("GICD_SETSPI_SR", Distributor, 0x0050, W32),
    ("GICD_CLRSPI_SR", Distributor, 0x0058, W32),
    ("GICD_PIDR4", Distributor, 0xffd0, W32),
    ("GICD_PIDR0", Distributor, 0xffe0, W32),
    ("GICD_PIDR1", Distributor, 0xffe4, W32),
    ("GICD_PIDR2", Distributor, 0xffe8, W32),
    ("GICD_CIDR3", Distributor, 0xfffc, W32),
    ("GICR_CTLR", Redistributor, 0x0000, W32),
    ("GICR_IIDR", Redistributor, 0x0004, W32),
    ("GICR_TYPER", Redistributor, 0x0008, W64),
    ("GICR_WAKER", Redistributor, 0x0014, W32),
    ("GICR_SETLPIR", Redistributor, 0x0040, W64),
    ("GICR_CLRLPIR", Redistributor, 0x0048, W64),
    ("GICR_PROPBASER", Redistributor, 0x0070, W64),
    ("GICR_PENDBASER", Redistributor, 0x0078, W64),
    ("GICR_INVLPIR", Redistributor, 0x00a0, W64),
    ("GICR_INVALLR", Redistributor, 0x00b0, W64),
    ("GICR_SYNCR", Redistributor, 0x00c0, W32),
    ("GICR_PIDR4", Redistributor, 0xffd0, W32),
    ("GICR_PIDR0", Redistributor, 0xffe0, W32),
    ("GICR_PIDR2", Redistributor, 0xffe8, W32),
    ("GITS_CTLR", Its, 0x0000, W32),
    ("GITS_IIDR", Its, 0x0004, W32),
    ("GITS_TYPER", Its, 0x0008, W64),
    ("GITS_STATUSR", Its, 0x0040, W32),
    ("GITS_UMSIR", Its, 0x0048, W64),
    ("GITS_CBASER", Its, 0x0080, W64),
    ("GITS_CWRITER", Its, 0x0088, W64),
    ("GITS_CREADR", Its, 0x0090, W64),
    ("GITS_BASER0", Its, 0x0100, W64),
    ("GITS_BASER1", Its, 0x0108, W64),
    ("GITS_BASER2", Its, 0x0110, W64),
    ("GITS_BASER3", Its, 0x0118, W64),
    ("GITS_BASER4", Its, 0x0120, W64),
    ("GITS_BASER5", Its, 0x0128, W64),
    ("GITS_BASER6", Its, 0x0130, W64),
    ("GITS_BASER7", Its, 0x0138, W64),
    ("GITS_PIDR4", Its, 0xffd0, W32),
    ("GITS_PIDR0", Its, 0xffe0, W32),
    ("GITS_PIDR1", Its, 0xffe4, W32),
    ("GITS_PIDR2", Its, 0xffe8, W32),
    ("GITS_CIDR0", Its, 0xfff0, W32),
    ("GITS_CIDR3", Its, 0xfffc, W32),
    ("GITS_TRANSLATER", Its, 0x1_0040, W32),
];

/// Registers that there are several of, side by side: the first, and the number of the last.
const NUMBERED: &[(&str, Block, u64, u64, Width)] = &[
    ("GICD_IGROUPR", Distributor, 0x0080, 31, W32),
    ("GICD_ISENABLER", Distributor, 0x0100, 31, W32),
    ("GICD_ICENABLER", Distributor, 0x0180, 31, W32),
    ("GICD_ISPENDR", Distributor, 0x0200, 31, W32),
    ("GICD_ICPENDR", Distributor, 0x0280, 31, W32),
    ("GICD_ISACTIVER", Distributor, 0x0300, 31, W32),
    ("GICD_ICACTIVER", Distributor, 0x0380, 31, W32),
    ("GICD_IPRIORITYR", Distributor, 0x0400, 254, W32),
    ("GICD_ITARGETSR", Distributor, 0x0800, 254, W32),
    ("GICD_ICFGR", Distributor, 0x0c00, 63, W32),
    ("GICD_IGRPMODR", Distributor, 0x0d00, 31, W32),
    ("GICD_IROUTER", Distributor, 0x6000, 1019, W64),
    ("GICR_IGROUPR", Redistributor, 0x1_0080, 0, W32),
    ("GICR_ISENABLER", Redistributor, 0x1_0100, 0, W32),
    ("GICR_ICENABLER", Redistributor, 0x1_0180, 0, W32),
    ("GICR_ISPENDR", Redistributor, 0x1_0200, 0, W32),
    ("GICR_ICPENDR", Redistributor, 0x1_0280, 0, W32),
    ("GICR_ISACTIVER", Redistributor, 0x1_0300, 0, W32),
    ("GICR_ICACTIVER", Redistributor, 0x1_0380, 0, W32),
    ("GICR_IPRIORITYR", Redistributor, 0x1_0400, 7, W32),
    ("GICR_ICFGR", Redistributor, 0x1_0c00, 1, W32),
];

const ICC: &[(&str, IccRegister)] = &[
    ("ICC_SRE_EL1", IccRegister::Sre),
    ("ICC_PMR_EL1", IccRegister::Pmr),
    ("ICC_BPR0_EL1", IccRegister::Bpr0),
    ("ICC_BPR1_EL1", IccRegister::Bpr1),
    ("ICC_CTLR_EL1", IccRegister::Ctlr),
    ("ICC_IGRPEN0_EL1", IccRegister::Igrpen0),
    ("ICC_IGRPEN1_EL1", IccRegister::Igrpen1),
    ("ICC_IAR0_EL1", IccRegister::Iar0),
    ("ICC_IAR1_EL1", IccRegister::Iar1),
    ("ICC_EOIR0_EL1", IccRegister::Eoir0),
    ("ICC_EOIR1_EL1", IccRegister::Eoir1),
    ("ICC_HPPIR0_EL1", IccRegister::Hppir0),
    ("ICC_HPPIR1_EL1", IccRegister::Hppir1),
    ("ICC_DIR_EL1", IccRegister::Dir),
    ("ICC_RPR_EL1", IccRegister::Rpr),
    ("ICC_AP0R0_EL1", IccRegister::Ap0r0),
    ("ICC_AP1R0_EL1", IccRegister::Ap1r0),
    ("ICC_SGI0R_EL1", IccRegister::Sgi0r),
    ("ICC_SGI1R_EL1", IccRegister::Sgi1r),
    ("ICC_ASGI1R_EL1", IccRegister::Asgi1r),
];

/// Which register of a CPU interface is meant.
pub(super) fn icc(name: &str) -> Result<IccRegister, Unperformable> {
    let found = ICC.iter().find(|(known, _)| *known == name);
    found.map(|(_, register)| *register).ok_or_else(|| {
        let names: Vec<_> = ICC.iter().map(|(name, _)| *name).collect();
        let message = format!("no register of a CPU interface is called `{name}`");
        Unperformable::new(message).hint(format!("they are {}", names.join(", ")))
    })
}

/// Bytes of a redistributor.
const REDISTRIBUTOR_BYTES: u64 = 0x2_0000;

/// Where a register is, and how wide.
pub(super) fn place(
    gic: &GicIts,
    name: &str,
    cpu: u16,
    its: u16,
) -> Result<(PhysAddr, Width), Unperformable> {
    let found = REGISTERS.iter().find(|(known, ..)| *known == name);
    let found = found.map(|&(_, block, offset, width)| (block, offset, width));
    let Some((block, offset, width)) = found.or_else(|| numbered(name)) else {
        let numbered = NUMBERED.iter().map(|(name, ..)| *name);
        let names: Vec<_> = REGISTERS.iter().map(|(name, ..)| *name).chain(numbered).collect();
        let hint = nearest(name, &names).map_or_else(
            || "`load` and `store` take any address".to_owned(),
            |meant| format!("did you mean `{meant}`?"),
        );
        let message = format!("no register of a GICv3 is called `{name}`");
        return Err(Unperformable::new(message).hint(hint).at_key("register"));
    };
    let base = match block {
        Distributor => Some(gic.distributor),
        Redistributor => gic.redistributors.checked_add(u64::from(cpu) * REDISTRIBUTOR_BYTES),
        Its => Some(its_base(gic, its)?),
    };
    let at = base.and_then(|base| base.checked_add(offset));
    let at = at.ok_or_else(|| Unperformable::new(format!("there is no {name} of cpu {cpu}")))?;
    Ok((at, width))
}

/// One of several registers of a name, such as GICD_IROUTER42.
fn numbered(name: &str) -> Option<(Block, u64, Width)> {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number: u64 = name[stem.len()..].parse().ok()?;
    let found = NUMBERED.iter().find(|(known, ..)| *known == stem);
    let (_, block, first, last, width) = *found?;
    (number <= last).then(|| (block, first + number * width.bytes(), width))
}

/// Where an ITS is.
pub(super) fn its_base(gic: &GicIts, its: u16) -> Result<PhysAddr, Unperformable> {
    gic.its.get(usize::from(its)).copied().ok_or_else(|| {
        Unperformable::new(format!("the machine has no ITS {its}"))
            .hint(format!("it has {}, counted from 0", gic.its.len()))
    })
}
