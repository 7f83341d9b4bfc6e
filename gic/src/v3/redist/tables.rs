//! Turning LPIs on and off, and their tables: GICR_PROPBASER, GICR_PENDBASER, GICR_CTLR.EnableLPIs;
//! saving them.

use super::Redistributor;
use crate::attributes;
use crate::choice::Attributes;
use crate::choice::lpi::{
    BaseWhileEnabled, ClearEnable, Disabling, LpiState, PendingAtDisable, PendingZero,
};
use crate::row::Row;
use crate::v3::lpis::{InUse, Lpis, Remembered};
use crate::v3::wire::{Pendbaser, Propbaser, RedistributorCtlr};
use passim_model::{Memory, PhysAddr};

/// The state of a redistributor that is not in memory.
#[derive(Clone, Debug)]
pub(in crate::v3) struct SavedRedistributor {
    ctlr: u64,
    asleep: bool,
    /// The tables in use, if LPIs are on.
    in_use: Option<InUse>,
    /// The state cached from these tables.
    remembered: Option<Remembered>,
    propbaser: u64,
    pendbaser: u64,
    row: Row,
}

impl SavedRedistributor {
    /// Whether LPIs are on.
    pub(in crate::v3) fn is_on(&self) -> bool {
        self.in_use.is_some()
    }

    /// GICR_PROPBASER.
    pub(in crate::v3) fn propbaser(&self) -> u64 {
        self.propbaser
    }
}

impl Redistributor {
    /// Whether LPIs are kept while they are off.
    pub(super) fn holds(&self) -> bool {
        self.features.lpis && self.choices.holds_while_off()
    }

    /// The tables that LPIs use while they are off.
    pub(super) fn held(&self) -> InUse {
        InUse { intid_bits: self.intid_bits, ..self.named() }
    }

    /// The tables that the registers name.
    fn named(&self) -> InUse {
        let asked = Propbaser::ID_BITS.get(self.propbaser) as u32 + 1;
        InUse {
            intid_bits: asked.min(self.intid_bits),
            most: self.most_lpis,
            configuration: PhysAddr::new(Propbaser::PHYSICAL_ADDRESS.in_place(self.propbaser)),
            pending: PhysAddr::new(Pendbaser::PHYSICAL_ADDRESS.in_place(self.pendbaser)),
        }
    }

    /// Whether stores to the base registers are accepted now.
    fn bases_open(&self) -> bool {
        let open = !self.on || self.choices.base_while_enabled != BaseWhileEnabled::Ignored;
        open && self.leaving.is_none()
    }

    /// The LPIs, if they follow the base registers: always, or until they are turned on.
    fn follows_bases(&mut self) -> Option<&mut Lpis> {
        let used = self.choices.base_while_enabled == BaseWhileEnabled::Used;
        self.lpis.as_mut().filter(|_| used || !self.on)
    }

    /// The base register with its attributes as kept: `stored` has the fields of `value` alone.
    fn made_of(&self, stored: u64, value: u64) -> u64 {
        match self.choices.attributes {
            Attributes::Kept => stored,
            Attributes::Raw => value,
            Attributes::Cacheable => attributes::cacheable(stored, attributes::GICR),
        }
    }

    /// Stores to GICR_PROPBASER.
    pub(in crate::v3) fn store_propbaser(&mut self, value: u64) {
        if self.features.lpis && self.bases_open() {
            let fields = [
                Propbaser::ID_BITS,
                Propbaser::INNER_CACHE,
                Propbaser::SHAREABILITY,
                Propbaser::PHYSICAL_ADDRESS,
                Propbaser::OUTER_CACHE,
            ];
            let stored = fields.iter().fold(0, |word, field| word | field.in_place(value));
            let stored = self.made_of(stored, value);
            self.propbaser = stored;
            let bits = match self.holds() {
                true => self.intid_bits,
                false => self.named().intid_bits,
            };
            if let Some(lpis) = self.follows_bases() {
                lpis.configure_from(PhysAddr::new(Propbaser::PHYSICAL_ADDRESS.in_place(stored)));
                lpis.resize(bits);
            }
        }
    }

    /// Stores GICR_PROPBASER after a store to another redistributor's, where all share one.
    pub(in crate::v3) fn share_propbaser(&mut self, value: u64) {
        if !self.features.lpis {
            return;
        }
        self.propbaser = value;
        if let Some(lpis) = &mut self.lpis {
            lpis.configure_from(PhysAddr::new(Propbaser::PHYSICAL_ADDRESS.in_place(value)));
        }
    }

    /// INTIDs below this have a configuration byte, by GICR_PROPBASER.
    pub(in crate::v3) fn configured(&self) -> u32 {
        let bits = Propbaser::ID_BITS.get(self.propbaser) as u32 + 1;
        1 << bits.min(self.intid_bits)
    }

    /// Stores to GICR_PENDBASER.
    pub(in crate::v3) fn store_pendbaser(&mut self, value: u64) {
        if self.features.lpis && self.bases_open() {
            let fields = [
                Pendbaser::INNER_CACHE,
                Pendbaser::SHAREABILITY,
                Pendbaser::PHYSICAL_ADDRESS,
                Pendbaser::OUTER_CACHE,
                Pendbaser::PTZ,
            ];
            let stored = fields.iter().fold(0, |word, field| word | field.in_place(value));
            let stored = self.made_of(stored, value);
            self.pendbaser = stored;
            if let Some(lpis) = self.follows_bases() {
                lpis.set_table(PhysAddr::new(Pendbaser::PHYSICAL_ADDRESS.in_place(stored)));
            }
        }
    }

    pub(super) fn store_ctlr(&mut self, value: u64, memory: &mut Memory) {
        self.ctlr = self.declined(value);
        let on = RedistributorCtlr::ENABLE_LPIS.is_set(value);
        match (self.on, on) {
            (false, true) if self.features.lpis && self.leaving.is_none() => {
                self.enable_lpis(memory)
            }
            (true, false) if self.choices.clear_enable != ClearEnable::Refused => {
                self.disable_lpis(memory);
            }
            (true, true) => {
                if let Some(lpis) = &mut self.lpis {
                    lpis.look_again(memory);
                }
            }
            _ => {}
        }
    }

    /// The groups that the CPU declines, of those in a value of GICR_CTLR.
    // IHI 0069 H 12.11 (GICR_CTLR): without GICR_TYPER.DPGS none, and with GICD_CTLR.DS, which is 1
    // here, DPG1S is RAZ/WI.
    pub(super) fn declined(&self, value: u64) -> u64 {
        if !self.features.dpgs {
            return 0;
        }
        RedistributorCtlr::DPG0.in_place(value) | RedistributorCtlr::DPG1NS.in_place(value)
    }

    /// Whether turning LPIs on reads the pending table.
    pub(in crate::v3) fn reads_pending(&self) -> bool {
        let zero = Pendbaser::PTZ.is_set(self.pendbaser);
        let honoured =
            matches!(self.choices.ptz, PendingZero::Honoured | PendingZero::HonouredOnce);
        !(zero && honoured)
    }

    fn enable_lpis(&mut self, memory: &mut Memory) {
        self.on = true;
        let (named, read) = (self.named(), self.reads_pending());
        if self.choices.ptz == PendingZero::HonouredOnce {
            self.pendbaser = Pendbaser::PTZ.set(self.pendbaser, 0);
        }
        match &mut self.lpis {
            Some(held) => held.turn_on(read, memory),
            None => self.lpis = Some(Lpis::enable(self.choices, named, read, memory)),
        }
    }

    /// IHI 0069 H 12.11 (GICR_CTLR): nothing is delivered after this, and once GICR_CTLR.RWP is 0
    /// the table in memory is up to date. KVM's vgic_flush_pending_lpis writes no table.
    fn disable_lpis(&mut self, memory: &mut Memory) {
        self.on = false;
        self.invalidations.clear();
        let Some(mut lpis) = self.lpis.take() else { return };
        if self.choices.pending_at_disable == PendingAtDisable::Shelved {
            lpis.shelve_all();
            self.lpis = Some(lpis);
            return;
        }
        self.past_aborts += lpis.aborts();
        if self.choices.disabling == Disabling::OnStep {
            self.leaving = Some(lpis);
            self.lpis = self.holds().then(|| Lpis::held(self.choices, self.held()));
            return;
        }
        lpis.disable(memory);
        self.lpis = self.holds().then(|| Lpis::held(self.choices, self.held()));
    }

    /// Writes the pending bits of LPIs that have been turned off. Returns whether there were any to
    /// write.
    pub(super) fn finish_leaving(&mut self, memory: &mut Memory) -> bool {
        let leaving = self.leaving.take();
        let left = leaving.is_some();
        if let Some(lpis) = leaving {
            lpis.disable(memory);
        }
        left
    }

    /// The state to be saved. Brings the pending table in memory up to date, except with
    /// [`LpiState::PerLpi`].
    pub(in crate::v3) fn save(&mut self, memory: &mut Memory) -> SavedRedistributor {
        let of_all = self.choices.state == LpiState::PerRedistributor;
        if let Some(lpis) = self.lpis.as_mut().filter(|_| of_all) {
            lpis.write_pending(memory);
        }
        SavedRedistributor {
            ctlr: self.ctlr,
            asleep: self.asleep,
            in_use: self.lpis.as_ref().filter(|_| self.on).map(Lpis::in_use),
            remembered: self.lpis.as_ref().filter(|_| self.on).and_then(Lpis::remembered),
            propbaser: self.propbaser,
            pendbaser: self.pendbaser,
            row: self.row.clone(),
        }
    }

    /// Restores saved state: the pending table is read, whatever PTZ was when LPIs were turned on.
    /// `shared` is the GICR_PROPBASER that all share, if they do.
    pub(in crate::v3) fn restore(
        &mut self,
        saved: &SavedRedistributor,
        shared: Option<u64>,
        memory: &mut Memory,
    ) {
        self.ctlr = self.declined(saved.ctlr);
        self.asleep = saved.asleep;
        let propbaser = shared.unwrap_or(saved.propbaser);
        if self.features.lpis {
            self.propbaser = self.made_of(propbaser, propbaser);
            self.pendbaser = self.made_of(saved.pendbaser, saved.pendbaser);
        }
        self.row = saved.row.clone();
        self.on = saved.in_use.is_some();
        let holds = self.holds();
        let held = holds.then(|| self.held());
        let in_use = saved.in_use.map(|in_use| match holds {
            true => InUse { intid_bits: self.intid_bits, most: self.most_lpis, ..in_use },
            false => InUse { most: self.most_lpis, ..in_use },
        });
        let mut in_use = in_use.or(held);
        if let Some(in_use) = in_use.as_mut().filter(|_| propbaser != saved.propbaser) {
            in_use.configuration = self.named().configuration;
        }
        let remembered = saved.remembered.as_ref();
        self.lpis = in_use.map(|in_use| Lpis::resume(self.choices, in_use, remembered, memory));
    }
}
