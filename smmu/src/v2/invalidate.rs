//! TLB invalidation: what each operation names, and when it is complete. IHI 0062 D.c 5.4.
//!
//! A store accepts an operation, which completes some time later; SYNC waits for all that were
//! accepted before it. In between, translations that the operation names may still be used.

use crate::regime::World;
use crate::tlb::{Hint, Space};
use crate::v2::bank::{BankFormat, Scheme};
use crate::v2::choice::Completion;
use crate::v2::context::{self, Registers};
use crate::v2::wire::bank::{Tcr, Tcr2, TcrStage2, TlbiAsid, TlbiIpa, TlbiVa, TlbiVa32, offset};
use crate::v2::wire::global::{TlbiVmid, gr0};
use crate::v2::{Progress, SmmuV2};
use core::ops::RangeInclusive;
use passim_model::pgtable::vmsav8::Granule;
use passim_model::{Asid, Vmid, event};
use std::collections::VecDeque;

/// One set of translations an operation names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Named {
    spaces: RangeInclusive<Space>,
    /// First and last address; `None`: all.
    addresses: Option<(u64, u64)>,
    leaves_only: bool,
}

/// Where an operation was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Origin {
    Global,
    Bank(usize),
}

#[derive(Clone, Debug)]
struct Accepted {
    number: u64,
    named: Vec<Named>,
}

/// Operations that are accepted and not complete, and the SYNCs that wait for them.
#[derive(Clone, Default)]
pub(crate) struct Invalidations {
    /// Operations of the global space, and below of each bank, by ascending number.
    global: VecDeque<Accepted>,
    banks: Vec<VecDeque<Accepted>>,
    /// Number of operations accepted so far.
    count: u64,
    /// The last operation that a global SYNC waits for.
    global_sync: u64,
    /// The same by bank.
    bank_syncs: Vec<u64>,
}

impl Invalidations {
    pub(crate) fn new(banks: usize) -> Self {
        Self { banks: vec![VecDeque::new(); banks], bank_syncs: vec![0; banks], ..Self::default() }
    }

    /// The first operation of each queue: its number, where it was written, and the last number
    /// that a SYNC waits for there.
    fn first(&self) -> impl Iterator<Item = (u64, Origin, u64)> + '_ {
        let global = self.global.front().map(|it| (it.number, Origin::Global, self.global_sync));
        let banks = self.banks.iter().enumerate().filter_map(|(bank, queue)| {
            let sync = self.bank_syncs[bank].max(self.global_sync);
            Some((queue.front()?.number, Origin::Bank(bank), sync))
        });
        global.into_iter().chain(banks)
    }

    /// Takes the oldest operation that is due.
    fn take(&mut self, only_waited_for: bool) -> Option<Accepted> {
        let due = self.first().filter(|(number, _, sync)| !only_waited_for || number <= sync);
        let (_, origin, _) = due.min_by_key(|(number, _, _)| *number)?;
        self.queue(origin).pop_front()
    }

    fn queue(&mut self, origin: Origin) -> &mut VecDeque<Accepted> {
        match origin {
            Origin::Global => &mut self.global,
            Origin::Bank(bank) => &mut self.banks[bank],
        }
    }

    /// TLBGSTATUS.GSACTIVE.
    pub(crate) fn global_active(&self) -> bool {
        self.first().any(|(number, _, _)| number <= self.global_sync)
    }

    /// TLBSTATUS.SACTIVE of a bank.
    pub(crate) fn bank_active(&self, bank: usize) -> bool {
        self.banks[bank].front().is_some_and(|first| first.number <= self.bank_syncs[bank])
    }

    pub(crate) fn sync_all(&mut self) {
        self.global_sync = self.count;
    }

    pub(crate) fn sync_bank(&mut self, bank: usize) {
        self.bank_syncs[bank] = self.count;
    }
}

/// The stage-1 spaces of a world and of these VMIDs: those of ASIDs, and the global ones.
fn stage1_spaces(world: World, vmids: RangeInclusive<u16>) -> [RangeInclusive<Space>; 2] {
    let vmids = [*vmids.start(), *vmids.end()].map(Vmid::new);
    let [first, last] = [(vmids[0], 0), (vmids[1], u16::MAX)].map(|(vmid, asid)| Space::Stage1 {
        world,
        vmid,
        asid: Asid::new(asid),
    });
    let [from, to] = [(vmids[0], 0), (vmids[1], u8::MAX)].map(|(vmid, aset)| Space::Global {
        world,
        vmid,
        aset,
    });
    [first..=last, from..=to]
}

fn stage2_spaces(vmids: RangeInclusive<u16>) -> RangeInclusive<Space> {
    let [first, last] =
        [*vmids.start(), *vmids.end()].map(|vmid| Space::Stage2 { vmid: Vmid::new(vmid) });
    first..=last
}

const ALL: RangeInclusive<u16> = 0..=u16::MAX;

fn whole(spaces: RangeInclusive<Space>) -> Named {
    Named { spaces, addresses: None, leaves_only: false }
}

impl SmmuV2 {
    fn accept(&mut self, origin: Origin, named: Vec<Named>) {
        tracing::trace!(target: event::CACHE, ?named, "invalidate");
        self.counters.commands += 1;
        self.invalidations.count += 1;
        if self.implementation.choices.completion == Completion::AtOnce {
            self.complete(&named);
            return;
        }
        let number = self.invalidations.count;
        self.invalidations.queue(origin).push_back(Accepted { number, named });
    }

    fn complete(&mut self, named: &[Named]) {
        for Named { spaces, addresses, leaves_only } in named {
            match *addresses {
                None => self.tlb.invalidate_spaces(spaces.clone()),
                Some((first, last)) => {
                    let hint = Hint { leaves_only: *leaves_only, ..Hint::default() };
                    self.tlb.invalidate(spaces.clone(), first, last, hint);
                }
            }
        }
    }

    /// Completes the oldest operation that is due.
    pub(crate) fn complete_one(&mut self) -> Progress {
        let only_waited_for =
            self.implementation.choices.completion == Completion::WhenSynchronised;
        let Some(accepted) = self.invalidations.take(only_waited_for) else {
            return Progress::Idle;
        };
        self.complete(&accepted.named);
        Progress::Worked
    }

    /// Accepts a store to global space 0, if it is an invalidation. Returns whether it is. IHI 0062
    /// D.c 9.6.26 to 9.6.36.
    pub(crate) fn invalidate_globally(&mut self, at: u64, value: u64) -> bool {
        let v2 = self.implementation.description.is_v2();
        let vmid = || {
            let vmid = TlbiVmid::VMID.get(value) as u16;
            let wide = self.implementation.description.vmid16;
            let vmid = if wide { vmid } else { vmid & 0xff };
            vmid..=vmid
        };
        let hyp = [World::El2, World::El2E2h];
        let hyp_address = |first: u64, leaves_only| {
            let spaces = hyp.into_iter().flat_map(|world| stage1_spaces(world, ALL));
            let addresses = Some((first, first | 0xfff));
            spaces.map(|spaces| Named { spaces, addresses, leaves_only }).collect::<Vec<_>>()
        };
        let named: Vec<Named> = match at {
            gr0::TLBIALLNSNH => {
                // IHI 0062 D.c 2.10: it must drop E2H entries as well.
                let worlds = [World::El1, World::El2E2h].into_iter();
                let stage1 = worlds.flat_map(|world| stage1_spaces(world, ALL));
                stage1.chain([stage2_spaces(ALL)]).map(whole).collect()
            }
            gr0::TLBIALLH => {
                let stage1 = hyp.into_iter().flat_map(|world| stage1_spaces(world, ALL));
                stage1.map(whole).collect()
            }
            gr0::TLBIVMID => {
                let stage1 = stage1_spaces(World::El1, vmid()).into_iter();
                stage1.chain([stage2_spaces(vmid())]).map(whole).collect()
            }
            gr0::TLBIVMIDS1 if v2 => {
                stage1_spaces(World::El1, vmid()).into_iter().map(whole).collect()
            }
            gr0::TLBIVAH => hyp_address(TlbiVa32::VA.in_place(value), false),
            gr0::TLBIVAH64 | gr0::TLBIVALH64 if v2 => {
                // IHI 0062 D.c 9.6.33: AArch32 addresses end at bit 31; bits above act as zero.
                let (wide, leaves) = (address_of(value), at == gr0::TLBIVALH64);
                let narrow = wide & u64::from(u32::MAX);
                [wide, narrow].into_iter().flat_map(|at| hyp_address(at, leaves)).collect()
            }
            _ => return false,
        };
        self.accept(Origin::Global, named);
        true
    }

    /// Accepts a store to a context bank, if it is an invalidation. Returns whether it is. IHI 0062
    /// D.c 16.5.30 to 16.5.35, 17.3.4.
    pub(crate) fn invalidate_in_bank(&mut self, bank: usize, at: u64, value: u64) -> bool {
        let registers = Registers {
            description: &self.implementation.description,
            globals: &self.globals,
            banks: &self.banks,
        };
        let v2 = registers.description.is_v2();
        let stage1 = context::format_of(registers, bank) == BankFormat::Stage1;
        let named = match at {
            offset::TLBIIPAS2 if !stage1 && v2 => by_ipa(registers, bank, value, false),
            offset::TLBIIPAS2L if !stage1 && v2 => by_ipa(registers, bank, value, true),
            // IHI 0062 D.c 16.1: a register exists in every version unless the section says
            // otherwise, which it does not of the last-level operations.
            offset::TLBIVA if stage1 => by_address(registers, bank, value, (true, false)),
            offset::TLBIVAL if stage1 => by_address(registers, bank, value, (true, true)),
            offset::TLBIVAA if stage1 => by_address(registers, bank, value, (false, false)),
            offset::TLBIVAAL if stage1 => by_address(registers, bank, value, (false, true)),
            offset::TLBIASID if stage1 => by_asid(registers, bank, value),
            offset::TLBIALL if stage1 => {
                let (world, vmid, _) = context::tags_of(registers, bank);
                stage1_spaces(world, vmid.get()..=vmid.get()).into_iter().map(whole).collect()
            }
            _ => return false,
        };
        self.accept(Origin::Bank(bank), named);
        true
    }
}

/// The address of a 64-bit operand: bits 55:12, sign-extended from bit 55.
fn address_of(value: u64) -> u64 {
    let address = TlbiVa::ADDRESS.get(value) << 12;
    ((address << 8) as i64 >> 8) as u64
}

/// IHI 0062 D.c 16.5.31: non-global entries of an ASID.
fn by_asid(registers: Registers<'_>, bank: usize, value: u64) -> Vec<Named> {
    let (world, vmid, _) = context::tags_of(registers, bank);
    let asid = asid_of(registers, bank, TlbiAsid::ASID.get(value));
    let space = Space::Stage1 { world, vmid, asid };
    vec![whole(space..=space)]
}

/// An ASID in the bank's width: 8 or 16 bits. IHI 0062 D.c 16.5.31, 16.5.39 (AS).
fn asid_of(registers: Registers<'_>, bank: usize, asid: u64) -> Asid {
    let scheme = context::scheme_of(registers, bank);
    let wide = scheme == Scheme::Aarch64 && Tcr2::AS.is_set(registers.banks[bank].tcr2());
    Asid::new(if wide { asid as u16 } else { asid as u16 & 0xff })
}

/// TLBIVA and its variants: of one ASID and global, or of all ASIDs; `leaves_only`.
fn by_address(
    registers: Registers<'_>,
    bank: usize,
    value: u64,
    (one_asid, leaves_only): (bool, bool),
) -> Vec<Named> {
    let (world, vmid, _) = context::tags_of(registers, bank);
    let scheme = context::scheme_of(registers, bank);
    let (address, asid, granule) = match scheme {
        Scheme::Aarch64 => {
            let address = address_of(value);
            let tcr = registers.banks[bank].tcr();
            let asked = if address >> 55 & 1 == 0 {
                context::granule0(Tcr::TG0.get(tcr))
            } else {
                context::granule1(Tcr::TG1.get(tcr))
            };
            (address, TlbiVa::ASID.get(value), registers.description.granule(asked))
        }
        Scheme::Short | Scheme::Long => {
            (TlbiVa32::VA.in_place(value), TlbiVa32::ASID.get(value), Granule::K4)
        }
    };
    let addresses = Some(page_of(address, granule));
    let [all_asids, global] = stage1_spaces(world, vmid.get()..=vmid.get());
    let tagged = match (one_asid, world) {
        // IHI 0062 D.c 16.5.32: a hypervisor's entries have no ASID.
        (true, World::El1 | World::El2E2h) => {
            let asid = asid_of(registers, bank, asid);
            let space = Space::Stage1 { world, vmid, asid };
            space..=space
        }
        _ => all_asids,
    };
    [tagged, global].map(|spaces| Named { spaces, addresses, leaves_only }).into()
}

/// TLBIIPAS2. IHI 0062 D.c 17.3.4.
fn by_ipa(registers: Registers<'_>, bank: usize, value: u64, leaves_only: bool) -> Vec<Named> {
    let vmid = context::vmid_of(registers.globals, bank).get();
    let bits = registers.description.ias();
    let (bits, granule) = match context::scheme_of(registers, bank) {
        Scheme::Aarch64 => {
            let asked = context::granule0(TcrStage2::TG0.get(registers.banks[bank].tcr()));
            (bits, registers.description.granule(asked))
        }
        Scheme::Short | Scheme::Long => (bits.min(40), Granule::K4),
    };
    // Bits above the address size are ignored.
    let address = TlbiIpa::ADDRESS.get(value) << 12 & ((1 << bits) - 1);
    let addresses = Some(page_of(address, granule));
    vec![Named { spaces: stage2_spaces(vmid..=vmid), addresses, leaves_only }]
}

/// First and last address of the page of this granule.
fn page_of(address: u64, granule: Granule) -> (u64, u64) {
    let mask = granule.page().mask();
    (address & !mask, address | mask)
}

#[cfg(test)]
mod tests;
