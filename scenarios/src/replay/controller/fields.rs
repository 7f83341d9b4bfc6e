//! Fields of registers and commands for comparisons, transcribed independently. IHI 0069 H 5.3,
//! 12.10, 12.18.

use passim_gic::its::Spelled;
use passim_model::Width;

/// A register to compare, and its compared bits.
pub(super) struct Named {
    pub(super) name: &'static str,
    pub(super) offset: u64,
    pub(super) width: Width,
    pub(super) compared: u64,
}

pub(super) const CTLR: u64 = 0x00;
pub(super) const CBASER: u64 = 0x80;
pub(super) const CWRITER: u64 = 0x88;
pub(super) const BASER: u64 = 0x100;
pub(super) const PROPBASER: u64 = 0x70;
pub(super) const PENDBASER: u64 = 0x78;

/// GITS_CBASER.Physical_Address.
pub(super) const QUEUE_ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// GITS_CWRITER.Offset.
pub(super) const QUEUE_OFFSET: u64 = 0x000f_ffe0;
/// GICR_PROPBASER.Physical_Address.
pub(super) const PROPBASER_ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// GITS_BASER without Physical_Address.
pub(super) const BASER_COMPARED: u64 = !0x0000_ffff_ffff_f000;
/// GICR_PENDBASER.Physical_Address.
const PENDBASER_ADDRESS: u64 = 0x000f_ffff_ffff_0000;

pub(super) const REGISTERS: &[Named] = &[
    Named { name: "CTLR", offset: CTLR, width: Width::W32, compared: !0 },
    Named { name: "IIDR", offset: 0x04, width: Width::W32, compared: !0 },
    Named { name: "TYPER", offset: 0x08, width: Width::W64, compared: !0 },
    Named { name: "CBASER", offset: CBASER, width: Width::W64, compared: !QUEUE_ADDRESS },
    Named { name: "CWRITER", offset: CWRITER, width: Width::W64, compared: !0 },
    Named { name: "CREADR", offset: 0x90, width: Width::W64, compared: !0 },
];

pub(super) const REDISTRIBUTOR: &[Named] = &[
    Named { name: "CTLR", offset: 0x00, width: Width::W32, compared: !0 },
    Named { name: "TYPER", offset: 0x08, width: Width::W64, compared: !0 },
    Named { name: "PROPBASER", offset: PROPBASER, width: Width::W64, compared: !PROPBASER_ADDRESS },
    Named { name: "PENDBASER", offset: PENDBASER, width: Width::W64, compared: !PENDBASER_ADDRESS },
];

/// GICR_PROPBASER.IDbits: bits of an INTID.
pub(super) fn propbaser_bits(propbaser: u64) -> u32 {
    (propbaser & 0x1f) as u32 + 1
}

/// MAPC, which every driver sends first, and MAPD.
pub(super) const COMMANDS: (u64, u64) = (0x09, 0x08);

/// GITS_TYPER.PTA: commands name redistributors by address.
const PTA: u64 = 1 << 19;

/// MAPD.ITT_addr.
pub(super) const ITT_ADDRESS: u64 = 0x000f_ffff_ffff_ff00;

/// A command without the address of a table.
pub(super) fn comparable(command: &[u64; 4]) -> [u64; 4] {
    let [first, second, third, fourth] = *command;
    let third = if first & 0xff == COMMANDS.1 { third & !ITT_ADDRESS } else { third };
    [first, second, third, fourth]
}

/// `MAPD device=0x8 itt=0x44bdd800 bits=1 valid=y`, and its doublewords.
pub(super) fn command_text(command: &[u64; 4], typer: u64) -> String {
    let by_address = typer & PTA != 0;
    let words = command.map(|word| format!("{word:#x}"));
    format!("{} ({})", Spelled::of(command, by_address), words.join(" "))
}
