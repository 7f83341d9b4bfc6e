//! The tables of a stage, as CD and STE describe them.

use passim_oracle::rights::Rules;
use passim_oracle::walk::{self, HighAddress, Privilege, TablePermissions, start_level_of_sl0};
use passim_oracle::{Granule, Stage, wide};

use super::context::Cd;
use super::fields::{Cd0, Cd1, Cd2, Idr0, Idr3, Idr5, Ste2, Ste3};
use super::tables::{First, Flags, Form, Half, Second};
use super::{Reading, Registers, World};

/// The parameters of the tables of one half, or of stage 2.
#[derive(Clone, Copy)]
struct Shape {
    stage: Stage,
    granule: Granule,
    base: u64,
    input_bits: u8,
    /// `None`: the only level without concatenated tables.
    start_level: Option<i8>,
    output_bits: u8,
    high_address: HighAddress,
    ds: bool,
    table_permissions: TablePermissions,
    rules: Rules,
}

/// Stage 1.
pub(super) fn stage1(registers: &Registers, cd: &Cd, world: World) -> Result<First, Reading> {
    let &[cd0, cd1, cd2] = cd;
    let two = world == World::Two;
    // IHI 0070 G.b 5.4, EPD0 and EPD1: EL2 has TTB0 alone.
    let disabled = [two && Cd0::EPD0.is_set(cd0), !two || Cd0::EPD1.is_set(cd0)];
    let big_endian = Cd0::ENDI.is_set(cd0);
    if disabled != [true; 2] && !has_order(registers, big_endian) {
        return Err(Reading::NoContext);
    }
    has_format(registers, Cd0::AA64.is_set(cd0), Reading::NoContext)?;
    let rules = Rules {
        one_privilege: !two,
        wxn: Cd0::WXN.is_set(cd0),
        pan: two && Cd0::PAN.is_set(cd0),
        epan: Idr3::EPAN.is_set(registers.idr3) && Cd1::EPAN.is_set(cd1),
        ..Rules::default()
    };
    let ds = Idr5::DS.is_set(registers.idr5) && Cd2::DS.is_set(cd2);
    let half = |size, granule: Option<Granule>, base, no_hierarchy: bool| {
        let granule = implemented(registers, granule).ok_or(Reading::NoContext)?;
        let permissions = match no_hierarchy && Idr3::HAD.is_set(registers.idr3) {
            true => TablePermissions::Disabled,
            false => TablePermissions::Honoured,
        };
        let ds = ds && granule != Granule::Size64K;
        let shape = Shape {
            stage: Stage::One,
            granule,
            base: root(registers, base, Cd0::IPS.get(cd0)),
            input_bits: input_bits(registers, size, least0(registers, granule, ds), granule)
                .map_err(|it| it.unwrap_or(Reading::NoContext))?,
            start_level: None,
            output_bits: output_bits(registers, Cd0::IPS.get(cd0), granule, ds),
            high_address: high_address(registers),
            ds,
            table_permissions: permissions,
            rules,
        };
        // IHI 0070 G.b 5.4, TTB0.
        if base >> shape.output_bits != 0 {
            return Err(Reading::NoContext);
        }
        shape.form()
    };
    let lower = || {
        let granule = granule0(Cd0::TG0.get(cd0));
        half(Cd0::T0SZ.get(cd0), granule, Cd1::TTB0.in_place(cd1), Cd1::HAD0.is_set(cd1))
    };
    let upper = || {
        let granule = granule1(Cd0::TG1.get(cd0));
        half(Cd0::T1SZ.get(cd0), granule, Cd2::TTB1.in_place(cd2), Cd2::HAD1.is_set(cd2))
    };
    // IHI 0070 G.b 5.4, E0PD0: with two privilege levels.
    let refuses = |is_set: bool| two && Idr3::E0PD.is_set(registers.idr3) && is_set;
    let halves = [
        Half {
            form: (!disabled[0]).then(lower).transpose()?,
            ignores_top_byte: Cd0::TBI0.is_set(cd0),
            refuses_unprivileged: refuses(Cd1::E0PD0.is_set(cd1)),
        },
        Half {
            form: (!disabled[1]).then(upper).transpose()?,
            ignores_top_byte: Cd0::TBI1.is_set(cd0),
            refuses_unprivileged: refuses(Cd2::E0PD1.is_set(cd2)),
        },
    ];
    let kept = [&Cd0::AFFD, &Cd0::HA, &Cd0::HD].map(|flag| flag.is_set(cd0));
    Ok(First { halves, flags: Flags::of(Stage::One, kept, big_endian) })
}

/// Stage 2.
pub(super) fn stage2(registers: &Registers, ste2: u64, ste3: u64) -> Result<Second, Reading> {
    has_format(registers, Ste2::S2AA64.is_set(ste2), Reading::Nothing)?;
    let big_endian = Ste2::S2ENDI.is_set(ste2);
    if !has_order(registers, big_endian) {
        return Err(Reading::Nothing);
    }
    let granule = granule0(Ste2::S2TG.get(ste2));
    let granule = implemented(registers, granule).ok_or(Reading::Nothing)?;
    let ds = Idr5::DS.is_set(registers.idr5) && Ste3::S2DS.is_set(ste3);
    let ds = ds && granule != Granule::Size64K;
    // IHI 0070 G.b 5.2, S2T0SZ: no more than IAS.
    let least = if granule == Granule::Size64K || ds { 12 } else { 16 };
    let least = if registers.is_first_version() { 0 } else { least };
    let least = (64 - u64::from(input_size(registers))).max(least);
    let input_bits = input_bits(registers, Ste2::S2T0SZ.get(ste2), least, granule)
        .map_err(|it| it.unwrap_or(Reading::Nothing))?;
    let level = start_level(registers, granule, ds, (Ste2::S2SL0.get(ste2), Ste3::SL0_2.get(ste3)));
    // IHI 0070 G.b 5.2, S2SL0: a reserved level, or one that does not suit S2T0SZ and S2TG, is
    // ILLEGAL.
    let level = level.ok_or(Reading::Nothing)?;
    let shape = Shape {
        stage: Stage::Two,
        granule,
        base: root(registers, Ste3::S2TTB.in_place(ste3), Ste2::S2PS.get(ste2)),
        input_bits,
        start_level: Some(level),
        output_bits: output_bits(registers, Ste2::S2PS.get(ste2), granule, ds),
        high_address: high_address(registers),
        ds,
        table_permissions: TablePermissions::Disabled,
        rules: Rules { xnx: Idr3::XNX.is_set(registers.idr3), ..Rules::default() },
    };
    // IHI 0070 G.b 5.2.1: SMMUv3.0 leaves the check to the walk.
    if shape.base >> shape.output_bits != 0 {
        return Err(match registers.is_first_version() {
            true => Reading::Unread("STE.S2TTB is beyond the output size of stage 2"),
            false => Reading::Nothing,
        });
    }
    let kept = [&Ste2::S2AFFD, &Ste2::S2HA, &Ste2::S2HD].map(|flag| flag.is_set(ste2));
    let flags = Flags::of(Stage::Two, kept, big_endian);
    Ok(Second { form: shape.form()?, flags, protects: false, forces: false })
}

impl Shape {
    fn form(&self) -> Result<Form, Reading> {
        let unsuited = || match self.stage {
            Stage::One => Reading::Unread("an input size that no level suits"),
            Stage::Two => Reading::Nothing,
        };
        let in_a_row_lg2 = match self.stage {
            Stage::One => 0,
            Stage::Two => CONCATENATED_LG2,
        };
        let fits = |level: &i8| self.fits(*level, in_a_row_lg2);
        let level = match self.start_level {
            Some(level) => Some(level).filter(fits),
            None => (-1..=3).find(fits),
        };
        let level = level.ok_or_else(unsuited)?;
        let &Self { stage, granule, base, input_bits, output_bits, .. } = self;
        let &Self { high_address, table_permissions, rules, .. } = self;
        let privilege = Privilege::Unprivileged;
        if !self.ds {
            let config = match stage {
                Stage::One => walk::Config::stage1(granule, base, input_bits, output_bits),
                Stage::Two => {
                    let level = u8::try_from(level).map_err(|_| unsuited())?;
                    walk::Config::stage2(granule, base, input_bits, level, output_bits)
                }
            };
            let config = walk::Config { high_address, table_permissions, rules, ..config };
            return Ok(Form::Narrow(config));
        }
        // IHI 0070 G.b 5.4, TTB0: aligned to the table, to 64 bytes where outputs have 52 bits.
        let table_lg2 = input_bits - low_bit(granule, level) + 3;
        let align_lg2 = table_lg2.max(if output_bits > 48 { 6 } else { 4 });
        Ok(Form::Wide(wide::Config {
            granule,
            stage,
            base: base >> align_lg2 << align_lg2,
            input_bits,
            start_level: level,
            output_bits,
            privilege,
            table_permissions,
            rules,
        }))
    }

    /// Whether a walk can start at this level, with this many concatenated tables. DDI 0487 D8.2: a
    /// level resolves 3 bits fewer than a page has.
    fn fits(&self, level: i8, in_a_row_lg2: u8) -> bool {
        let first = match self.granule {
            Granule::Size4K if self.ds => -1,
            Granule::Size4K | Granule::Size16K => 0,
            Granule::Size64K => 1,
        };
        let stride = page_lg2(self.granule) - 3;
        (first..=3).contains(&level) && {
            let low = low_bit(self.granule, level);
            low < self.input_bits && self.input_bits - low <= stride + in_a_row_lg2
        }
    }
}

/// log2 of the most concatenated tables at the start of stage 2. DDI 0487 D8.2.
const CONCATENATED_LG2: u8 = 4;

fn page_lg2(granule: Granule) -> u8 {
    granule.bytes().trailing_zeros() as u8
}

/// Lowest address bit that a level from -1 to 3 resolves.
fn low_bit(granule: Granule, level: i8) -> u8 {
    let page = page_lg2(granule);
    page + (3 - level) as u8 * (page - 3)
}

/// IHI 0070 G.b 6.3.1, TTENDIAN.
fn has_order(registers: &Registers, big: bool) -> bool {
    match Idr0::TTENDIAN.get(registers.idr0) {
        2 => !big,
        3 => big,
        _ => true,
    }
}

/// IHI 0070 G.b 6.3.1, TTF: the supported formats.
fn has_format(registers: &Registers, aarch64: bool, illegal: Reading) -> Result<(), Reading> {
    match aarch64 {
        true if Idr0::TTF_AARCH64.is_set(registers.idr0) => Ok(()),
        false if Idr5::D128.is_set(registers.idr5) => {
            Err(Reading::Unread("128-bit descriptors, which the SMMU of the model has not"))
        }
        false if Idr0::TTF_AARCH32.is_set(registers.idr0) => {
            Err(Reading::Unread("tables of AArch32, which the SMMU of the model has not"))
        }
        _ => Err(illegal),
    }
}

/// IHI 0070 G.b 5.4: T0SZ and T1SZ are `least` to 39, more with small tables; `Err(None)` makes the
/// structure ILLEGAL.
fn input_bits(
    registers: &Registers,
    size: u64,
    least: u64,
    granule: Granule,
) -> Result<u8, Option<Reading>> {
    let most = match granule {
        _ if !Idr3::STT.is_set(registers.idr3) => 39,
        Granule::Size64K => 47,
        Granule::Size4K | Granule::Size16K => 48,
    };
    match (least..=most).contains(&size) {
        true => Ok(64 - size as u8),
        false if registers.is_first_version() => {
            Err(Some(Reading::Unread("an input size of which SMMUv3.0 may make anything")))
        }
        false => Err(None),
    }
}

/// IHI 0070 G.b 5.4, T0SZ: 52 bits where IDR5.VAX has them, for 64K pages and 52-bit descriptors.
fn least0(registers: &Registers, granule: Granule, ds: bool) -> u64 {
    let is_large = granule == Granule::Size64K || ds;
    if is_large && Idr5::VAX.get(registers.idr5) != 0 { 12 } else { 16 }
}

/// The granule, if the SMMU has it. IHI 0070 G.b 6.3.6.
fn implemented(registers: &Registers, granule: Option<Granule>) -> Option<Granule> {
    granule.filter(|granule| match granule {
        Granule::Size4K => Idr5::GRAN4K.is_set(registers.idr5),
        Granule::Size16K => Idr5::GRAN16K.is_set(registers.idr5),
        Granule::Size64K => Idr5::GRAN64K.is_set(registers.idr5),
    })
}

/// The level of S2SL0, together with S2SL0_2. IHI 0070 G.b 5.2; DDI 0487, VTCR_EL2.SL0 and SL2.
fn start_level(
    registers: &Registers,
    granule: Granule,
    ds: bool,
    (sl0, sl0_2): (u64, u64),
) -> Option<i8> {
    // DDI 0487, VTCR_EL2.SL0: 2 needs a table that only large output sizes need.
    let output = output_size(registers);
    let needed = if granule == Granule::Size16K { 42 } else { 44 };
    match (granule, sl0) {
        _ if sl0 == 2 && output < needed => None,
        (Granule::Size4K, _) if ds && sl0_2 == 1 => (sl0 == 0).then_some(-1),
        (Granule::Size4K, 3) => Idr3::STT.is_set(registers.idr3).then_some(3),
        (Granule::Size16K, 3) => ds.then_some(0),
        _ => start_level_of_sl0(granule, sl0 as u8).map(|level| level as i8),
    }
}

/// IHI 0070 G.b 5.4, TG0 and 5.2, S2TG.
fn granule0(field: u64) -> Option<Granule> {
    match field {
        0 => Some(Granule::Size4K),
        1 => Some(Granule::Size64K),
        2 => Some(Granule::Size16K),
        _ => None,
    }
}

/// IHI 0070 G.b 5.4, TG1, whose encoding differs.
fn granule1(field: u64) -> Option<Granule> {
    match field {
        1 => Some(Granule::Size16K),
        2 => Some(Granule::Size4K),
        3 => Some(Granule::Size64K),
        _ => None,
    }
}

/// IHI 0070 G.b 5.4, IPS: at most OAS, and 48 where descriptors hold no more.
fn output_bits(registers: &Registers, field: u64, granule: Granule, ds: bool) -> u8 {
    let bits = bits_of(field).min(output_size(registers));
    if granule == Granule::Size64K || ds { bits } else { bits.min(48) }
}

/// A first table's address, IHI 0070 G.b 5.4, TTB0: where IPS and OAS have 52 bits, its lowest six
/// bits are treated as zero.
fn root(registers: &Registers, base: u64, field: u64) -> u64 {
    if bits_of(field).min(output_size(registers)) > 48 { base & !63 } else { base }
}

/// Whether descriptors of the 64K granule have room for 52 bits: where OAS has them, whatever IPS
/// is. DDI 0487 D8.3.
fn high_address(registers: &Registers) -> HighAddress {
    if output_size(registers) > 48 { HighAddress::Present } else { HighAddress::Reserved }
}

/// IHI 0070 G.b 6.3.6, OAS, and the fields with the same encoding.
fn bits_of(field: u64) -> u8 {
    match field {
        0 => 32,
        1 => 36,
        2 => 40,
        3 => 42,
        4 => 44,
        5 => 48,
        _ => 52,
    }
}

/// OAS, IHI 0070 G.b 6.3.6.
pub(super) fn output_size(registers: &Registers) -> u8 {
    bits_of(Idr5::OAS.get(registers.idr5))
}

/// IAS, IHI 0070 G.b 3.4: OAS, and at least 40 where AArch32 tables are supported.
pub(super) fn input_size(registers: &Registers) -> u8 {
    let output = output_size(registers);
    if Idr0::TTF_AARCH32.is_set(registers.idr0) { output.max(40) } else { output }
}
