//! The distributor: SPIs, wired and by message, and their routing. IHI 0069 H 12.8, 12.9.

use super::wire::{DistributorCtlr, DistributorTyper, Irouter, MessageSpi, gicd};
use crate::choice::lpi::PriorityBits;
use crate::identification::{self, Identification};
use crate::priority;
use crate::row::{BitRegister, FIRST_SPECIAL, ROW, Row, bits_of};
use crate::{Signal, Size};
use passim_model::IntId;
use passim_model::bits::Field;

/// The parameters of a distributor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Features {
    /// SPIs, a multiple of 32 up to 992; other numbers are rounded up and capped.
    pub spis: u16,
    /// GICD_IIDR.
    pub iidr: u32,
    /// SPIs can be raised by message (GICD_TYPER.MBIS).
    pub message_spis: bool,
    /// Bits of an INTID, 14 to 24 (GICD_TYPER.IDbits + 1).
    pub intid_bits: u32,
    /// log2 of the number of LPIs, minus one, where there are fewer than the INTIDs allow
    /// (GICD_TYPER.num_LPIs); 0 otherwise. LPIs beyond that number do not exist.
    pub num_lpis: u32,
    /// Affinity 3 is supported (GICD_TYPER.A3V). Without it, the upper word of GICD_IROUTER reads
    /// as zero, and every CPU has affinity 3 of zero.
    pub affinity3: bool,
    /// SPIs that any CPU may take (1 of N).
    pub one_of_n: OneOfN,
    /// How groups are enabled, and their reset state.
    pub groups: Groups,
    /// The value of GICD_STATUSR.
    pub statusr: u32,
    /// SGIs that ICC_SGI1R_EL1 requests.
    pub sgi1r: SgiGroups,
    /// SGIs can be requested of CPUs with an affinity 0 of 16 and more (GICD_TYPER.RSS,
    /// ICC_CTLR_EL1.RSS). Set automatically if such CPUs exist.
    pub range_selector: bool,
    /// The identification registers: GICD_PIDR4 to GICD_CIDR3.
    pub identification: Identification,
}

/// Interrupt groups.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Groups {
    /// Each is enabled by its bit of GICD_CTLR. After reset interrupts are in Group 0 and disabled,
    /// SGIs edge-triggered and the others level-sensitive.
    #[default]
    Apart,
    /// As in KVM: EnableGrp1 is the only enable, and applies to both. After reset interrupts are in
    /// Group 1, SGIs are enabled, and SPIs edge-triggered.
    // vgic_mmio_write_v3_misc, kvm_vgic_dist_init.
    Together,
}

impl Groups {
    /// GICD_IGROUPR of existing interrupts after reset.
    pub(super) fn at_reset(self) -> u32 {
        if self == Self::Together { u32::MAX } else { 0 }
    }
}

/// SPIs that any CPU may take: GICD_IROUTER.Interrupt_Routing_Mode.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum OneOfN {
    /// Supported.
    #[default]
    Offered,
    /// Not supported, and GICD_TYPER.No1N is 1. The bit is stored, and the SPI is routed by
    /// affinity.
    Denied,
    /// Not supported, and GICD_TYPER.No1N is 0; the bit reads as zero.
    Absent,
}

/// SGIs that a write to ICC_SGI1R_EL1 makes pending, by their configured group at the target.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SgiGroups {
    /// Of either group: IHI 0069 H, Forwarding an SGI to a target PE, with one Security state, as
    /// Linux implements it (`vgic-mmio-v3.c`, vgic_v3_queue_sgi).
    #[default]
    Either,
    /// Of Group 1 alone: QEMU's gicv3_redist_send_sgi.
    Own,
}

/// The distributor.
#[derive(Clone, Debug)]
pub(super) struct Distributor {
    features: Features,
    lpis: bool,
    priority_bits: PriorityBits,
    ctlr: u64,
    /// The SPIs, from 32 on.
    rows: Vec<Row>,
    /// GICD_IROUTER of each SPI.
    routes: Vec<u64>,
}

/// The route of an SPI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Route {
    /// To the CPU with this affinity.
    To(u32),
    /// To any CPU.
    Any,
}

/// The SPI that a value written to GICD_SETSPI_NSR or its siblings names.
pub fn message_spi(value: u64) -> IntId {
    IntId::new(MessageSpi::INTID.get(value) as u32)
}

impl Distributor {
    pub(super) fn new(features: Features, lpis: bool, priority_bits: PriorityBits) -> Self {
        let spis = features.spis.min(992).next_multiple_of(32);
        let intid_bits = features.intid_bits.clamp(14, 24);
        let row = |n| {
            let mut row = Row::new(features.groups.at_reset() & Self::existing(n));
            row.states.edge = row.group1;
            row
        };
        Self {
            features: Features {
                spis,
                intid_bits,
                num_lpis: features.num_lpis.min(31),
                ..features
            },
            lpis,
            priority_bits,
            ctlr: 0,
            rows: (1..=usize::from(spis) / ROW as usize).map(row).collect(),
            routes: vec![0; usize::from(spis)],
        }
    }

    /// The parameters of the distributor; numbers out of range have been corrected.
    pub(super) fn features(&self) -> &Features {
        &self.features
    }

    fn on(&self, field: Field) -> bool {
        field.is_set(self.ctlr)
    }

    /// The groups that the distributor enables: 0, 1.
    pub(super) fn groups(&self) -> (bool, bool) {
        let group1 = self.on(DistributorCtlr::ENABLE_GRP1);
        match self.features.groups {
            Groups::Apart => (self.on(DistributorCtlr::ENABLE_GRP0), group1),
            Groups::Together => (group1, group1),
        }
    }

    /// Row `n` of the SPIs, 1 for INTIDs 32 to 63.
    pub(super) fn row(&self, n: usize) -> Option<&Row> {
        self.rows.get(n.checked_sub(1)?)
    }

    /// As [`Distributor::row`], mutable.
    pub(super) fn row_mut(&mut self, n: usize) -> Option<&mut Row> {
        self.rows.get_mut(n.checked_sub(1)?)
    }

    /// The route of an SPI.
    pub(super) fn route(&self, spi: u32) -> Option<Route> {
        let register = *self.routes.get(spi.checked_sub(ROW)? as usize)?;
        let any = self.features.one_of_n == OneOfN::Offered;
        Some(match any && Irouter::MODE.is_set(register) {
            true => Route::Any,
            false => {
                let low = Irouter::AFF_LOW.get(register) as u32;
                Route::To(low | (Irouter::AFF3.get(register) as u32) << 24)
            }
        })
    }

    fn existing(n: usize) -> u32 {
        if n == 31 { u32::MAX >> (1024 - FIRST_SPECIAL) } else { u32::MAX }
    }

    /// A load. Registers of INTIDs below 32 belong to the redistributors.
    pub(super) fn load(&self, at: u64, size: Size) -> u64 {
        if !size.aligns(at) {
            return 0;
        }
        match (at, size) {
            (gicd::IROUTER..gicd::IROUTER_END, Size::Word | Size::Double) => {
                let n = (at - gicd::IROUTER) / 8;
                let spi = n.checked_sub(u64::from(ROW));
                let register = spi.and_then(|spi| self.routes.get(spi as usize));
                register.map_or(0, |register| size.part(*register, at))
            }
            (gicd::IPRIORITYR..gicd::ITARGETSR, Size::Byte | Size::Word) => {
                let first = at - gicd::IPRIORITYR;
                let bytes = (0..size.bytes()).rev();
                bytes.fold(0, |word, i| word << 8 | u64::from(self.priority((first + i) as usize)))
            }
            (_, Size::Word) => u64::from(self.load_word(at)),
            _ => 0,
        }
    }

    fn priority(&self, intid: usize) -> u8 {
        let row = self.row(intid / ROW as usize);
        row.map_or(0, |row| row.priority[intid % ROW as usize])
    }

    /// Number of LPIs, if lower than the INTIDs allow. IHI 0069 H 12.9 (GICD_TYPER.num_LPIs).
    pub(super) fn most_lpis(&self) -> u32 {
        match self.features.num_lpis {
            0 => u32::MAX,
            n => 2u32.checked_shl(n).unwrap_or(u32::MAX),
        }
    }

    fn load_word(&self, at: u64) -> u32 {
        if let Some((register, n)) = BitRegister::at(at) {
            return self.row(n).map_or(0, |row| row.load(register) & Self::existing(n));
        }
        let word = match at {
            gicd::CTLR => {
                self.ctlr | DistributorCtlr::ARE.flag(true) | DistributorCtlr::DS.flag(true)
            }
            gicd::TYPER => {
                let features = &self.features;
                let num_lpis = if self.lpis { u64::from(features.num_lpis) } else { 0 };
                DistributorTyper::IT_LINES_NUMBER.of(u64::from(features.spis / 32))
                    | DistributorTyper::NUM_LPIS.of(num_lpis)
                    | DistributorTyper::MBIS.flag(features.message_spis)
                    | DistributorTyper::LPIS.flag(self.lpis)
                    | DistributorTyper::ID_BITS.of(u64::from(features.intid_bits - 1))
                    | DistributorTyper::A3V.flag(features.affinity3)
                    | DistributorTyper::RSS.flag(features.range_selector)
                    | DistributorTyper::NO_1_N.flag(features.one_of_n == OneOfN::Denied)
            }
            gicd::IIDR => u64::from(self.features.iidr),
            gicd::STATUSR => u64::from(self.features.statusr),
            gicd::ICFGR..gicd::IGRPMODR => {
                let n = (at - gicd::ICFGR) / 4;
                let row = self.row(n as usize / 2);
                row.map_or(0, |row| u64::from(row.load_triggers(!n.is_multiple_of(2), u32::MAX)))
            }
            gicd::IDENTIFICATION..gicd::END => {
                identification::register(&self.features.identification, at - gicd::IDENTIFICATION)
            }
            _ => 0,
        };
        word as u32
    }

    /// A store.
    pub(super) fn store(&mut self, at: u64, size: Size, value: u64) {
        if !size.aligns(at) {
            return;
        }
        match (at, size) {
            (gicd::IROUTER..gicd::IROUTER_END, Size::Word | Size::Double) => {
                let n = (at - gicd::IROUTER) / 8;
                let spi = n.checked_sub(u64::from(ROW));
                let aff3 = Some(Irouter::AFF3).filter(|_| self.features.affinity3);
                let mode = Some(Irouter::MODE);
                let mode = mode.filter(|_| self.features.one_of_n != OneOfN::Absent);
                if let Some(register) = spi.and_then(|spi| self.routes.get_mut(spi as usize)) {
                    let merged = size.merge(*register, at, value);
                    let fields = [Some(Irouter::AFF_LOW), mode, aff3].into_iter().flatten();
                    *register = fields.fold(0, |word, field| word | field.in_place(merged));
                }
            }
            (gicd::IPRIORITYR..gicd::ITARGETSR, Size::Byte | Size::Word) => {
                let first = (at - gicd::IPRIORITYR) as usize;
                let (bytes, bits) = (value.to_le_bytes(), self.priority_bits);
                for (i, byte) in bytes.into_iter().take(size.bytes() as usize).enumerate() {
                    let intid = first + i;
                    let n = intid / ROW as usize;
                    let exists = Self::existing(n) >> (intid % ROW as usize) & 1 != 0;
                    if let Some(row) = self.row_mut(n).filter(|_| exists) {
                        row.priority[intid % ROW as usize] = priority::kept(byte, bits);
                    }
                }
            }
            // IHI 0069 H 12.9: these accept 16 bits too. GICD_SETSPI_SR and GICD_CLRSPI_SR ignore
            // stores while GICD_CTLR.DS is 1 (DDI 0601 2025-09), as it always is here.
            (gicd::SETSPI_NSR, Size::Half | Size::Word) => self.message(size.cut(value), true),
            (gicd::CLRSPI_NSR, Size::Half | Size::Word) => self.message(size.cut(value), false),
            (_, Size::Word) => self.store_word(at, value as u32),
            _ => {}
        }
    }

    fn store_word(&mut self, at: u64, value: u32) {
        if let Some((register, n)) = BitRegister::at(at) {
            if let Some(row) = self.row_mut(n) {
                row.store(register, value, Self::existing(n));
            }
            return;
        }
        match at {
            gicd::CTLR => {
                let apart = self.features.groups == Groups::Apart;
                let group0 = Some(DistributorCtlr::ENABLE_GRP0).filter(|_| apart);
                let fields = group0.into_iter().chain([DistributorCtlr::ENABLE_GRP1]);
                let value = u64::from(value);
                self.ctlr = fields.fold(0, |word, field| word | field.in_place(value));
            }
            gicd::ICFGR..gicd::IGRPMODR => {
                let n = (at - gicd::ICFGR) / 4;
                let row_n = n as usize / 2;
                if let Some(row) = self.row_mut(row_n) {
                    row.store_triggers(!n.is_multiple_of(2), value, Self::existing(row_n));
                }
            }
            _ => {}
        }
    }

    /// A message for an SPI. IHI 0069 H 12.9 (GICD_SETSPI_NSR): an edge-triggered one becomes
    /// pending, a level-sensitive one stays asserted until the message that clears it. Without such
    /// messages the registers are reserved.
    fn message(&mut self, value: u64, set: bool) {
        if !self.features.message_spis {
            return;
        }
        let spi = message_spi(value).get();
        if spi >= FIRST_SPECIAL {
            return;
        }
        let mask = 1 << (spi % ROW);
        let Some(row) = self.row_mut((spi / ROW) as usize) else { return };
        let edge = row.states.edge & mask != 0;
        row.states = match (edge, set) {
            (true, true) => row.states.set_pending(mask),
            (true, false) => row.states.clear_pending(mask),
            (false, true) => row.states.rise(mask),
            (false, false) => row.states.fall(mask),
        };
    }

    /// The wire of an SPI changes.
    pub(super) fn wire(&mut self, spi: u32, signal: Signal) {
        let exists = (ROW..FIRST_SPECIAL).contains(&spi);
        if let Some(row) = self.row_mut((spi / ROW) as usize).filter(|_| exists) {
            row.drive(spi % ROW, signal);
        }
    }

    /// Priority and INTID of the most urgent waiting SPI, among those that `takes` accepts by route
    /// and group.
    pub(super) fn highest(
        &self,
        groups: (bool, bool),
        takes: impl Fn(Route, bool) -> bool,
    ) -> Option<(u8, u32)> {
        let rows = self.rows.iter().enumerate();
        let of_row = |(n, row): (usize, &Row)| {
            let waiting = row.waiting(groups.0, groups.1);
            let first = (n as u32 + 1) * ROW;
            let here = bits_of(waiting)
                .filter(|bit| {
                    let group1 = row.group1 >> bit & 1 != 0;
                    self.route(first + bit).is_some_and(|route| takes(route, group1))
                })
                .fold(0, |mask, bit| mask | 1 << bit);
            row.first(here).map(|(priority, bit)| (priority, first + bit))
        };
        rows.filter_map(of_row).min()
    }
}
