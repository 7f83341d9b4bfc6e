//! The parts of a board by the words of its machine file, and where in the file they stand.

use std::fmt;
use std::ops::Range;

use passim_model::bus::Overlap;
use passim_model::{PhysAddr, Span, Target};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::machine::{Gic, Iommu, Machine};

/// Two parts that claim one address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Clash {
    /// Who claims what, as the board has it.
    pub overlap: Overlap,
    part: String,
    other: String,
}

impl Clash {
    /// By the names of a machine.
    pub(super) fn of(overlap: Overlap, machine: &Machine) -> Self {
        let Overlap { target, other, .. } = overlap;
        Self { overlap, part: name(target, machine), other: name(other, machine) }
    }
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { overlap, part, other } = self;
        write!(f, "{part} at {} overlaps {other}", overlap.span)
    }
}

/// A block of an interrupt controller.
enum Block {
    Its(usize),
    Distributor,
    Redistributor(usize),
    Frame(usize),
    CpuInterface,
}

/// The block with this number, in the order in which they are placed.
fn block(number: u16, machine: &Machine) -> Block {
    let number = usize::from(number);
    match &machine.gic {
        Gic::Its(gic) => match number.checked_sub(gic.its.len()) {
            None => Block::Its(number),
            Some(0) => Block::Distributor,
            Some(behind) => Block::Redistributor(behind - 1),
        },
        Gic::V2m(gic) => match number.checked_sub(gic.frames.len()) {
            None => Block::Frame(number),
            Some(0) => Block::Distributor,
            Some(_) => Block::CpuInterface,
        },
    }
}

/// A part in words.
pub(super) fn name(target: Target, machine: &Machine) -> String {
    match target {
        Target::Ram => "RAM".to_owned(),
        Target::Smmu(number) => format!("SMMU {number}"),
        Target::Config => "configuration space".to_owned(),
        Target::Bar { function, bar } => {
            let function = machine.functions.get(usize::from(function));
            let rid = function.map_or_else(String::new, |function| format!(" of {}", function.rid));
            format!("BAR {bar}{rid}")
        }
        Target::Interrupts(number) => match block(number, machine) {
            Block::Its(its) => format!("ITS {its}"),
            Block::Distributor => "the distributor".to_owned(),
            Block::Redistributor(cpu) => format!("the redistributor of CPU {cpu}"),
            Block::Frame(frame) => format!("GICv2m frame {frame}"),
            Block::CpuInterface => "the CPU interface".to_owned(),
        },
        Target::X86Iommu => "the register of the IOMMU".to_owned(),
        Target::Board(number) => {
            let device = machine.platforms.get(usize::from(number));
            format!("message registers of {}", device.map_or("a device", |it| it.name.as_str()))
        }
    }
}

/// What to do about a part that is where it cannot be.
pub(super) fn hint(target: Target, machine: &Machine) -> String {
    match target {
        Target::Interrupts(number) => match block(number, machine) {
            Block::Redistributor(_) => format!(
                "each of the {} CPUs has a redistributor of 128K, from `redistributors` on: fewer \
                 `cpus`, or another place",
                machine.cpus
            ),
            _ => "move one of the two".to_owned(),
        },
        Target::Config => "`ecam` says where it is, and each bus takes 1M from there".to_owned(),
        _ => "move one of the two".to_owned(),
    }
}

/// One step into a file.
enum Key {
    Name(&'static str),
    Number(usize),
}

/// Where in a machine file a part stands; `None` for one that the file says nothing of.
pub(super) fn place(
    target: Target,
    span: Span<PhysAddr>,
    machine: &Machine,
    text: &str,
) -> Option<Range<usize>> {
    use Key::{Name, Number};
    let keys = match target {
        Target::Ram => {
            let bank = machine.ram.iter().position(|bank| bank.overlaps(span))?;
            vec![Name("ram"), Number(bank), Name("base")]
        }
        Target::Smmu(number) => {
            let kind = match machine.iommu {
                Iommu::SmmuV2(_) => vec![Name("iommu"), Name("smmuv2")],
                Iommu::Mixed(..) => vec![Name("iommu"), Name("mixed"), Name("smmuv3")],
                _ => vec![Name("iommu"), Name("smmuv3")],
            };
            kind.into_iter().chain([Number(usize::from(number)), Name("base")]).collect()
        }
        Target::Config => vec![Name("ecam")],
        Target::Bar { function, .. } => {
            vec![Name("function"), Number(usize::from(function)), Name("bars")]
        }
        Target::Interrupts(number) => match block(number, machine) {
            Block::Its(its) => vec![Name("gic"), Name("its"), Name("its"), Number(its)],
            Block::Redistributor(_) => vec![Name("gic"), Name("its"), Name("redistributors")],
            Block::Frame(frame) => {
                vec![Name("gic"), Name("v2m"), Name("frames"), Number(frame), Name("base")]
            }
            Block::CpuInterface => vec![Name("gic"), Name("v2m"), Name("cpu_interface")],
            Block::Distributor => match machine.gic {
                Gic::Its(_) => vec![Name("gic"), Name("its"), Name("distributor")],
                Gic::V2m(_) => vec![Name("gic"), Name("v2m"), Name("distributor")],
            },
        },
        Target::X86Iommu => vec![Name("iommu")],
        Target::Board(number) => vec![Name("platform"), Number(usize::from(number))],
    };
    find(text, &keys)
}

/// The bytes of the value that the keys lead to, or of the last one above it that is there, below the
/// first.
fn find(text: &str, keys: &[Key]) -> Option<Range<usize>> {
    let file = DeTable::parse(text).ok()?;
    let (first, keys) = keys.split_first()?;
    let Key::Name(first) = first else { return None };
    let mut at = file.get_ref().get(*first)?;
    for key in keys {
        let below: Option<&Spanned<DeValue<'_>>> = match (key, at.get_ref()) {
            (Key::Name(name), DeValue::Table(table)) => table.get(*name),
            (Key::Number(number), DeValue::Array(list)) => list.get(*number),
            _ => None,
        };
        let Some(below) = below else { break };
        at = below;
    }
    Some(at.span())
}
