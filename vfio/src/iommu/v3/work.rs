//! The driver's acts on memory and queue, one at a time.

use super::SmmuV3;
use super::command::Command;
use super::entry::{Words, cd_used, ste_used};
use super::queue::{Ending, Submitted, Ticket};
use super::update::{Round, hitless};
use crate::iommu::finding::Finding;
use crate::iommu::progress::Progress;
use crate::iommu::synced::Synced;
use crate::policy::Smmu3Queues;
use passim_model::{Host, PhysAddr, Width};
use std::collections::VecDeque;

/// Which of the SMMU's tables an entry belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::iommu) enum EntryKind {
    /// Stream table entry.
    Ste,
    /// Context descriptor.
    Cd,
}

/// One act.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::iommu) enum Work {
    /// Store these doublewords of the entry at `at`, then invalidate it.
    Round {
        /// First doubleword of the entry.
        at: PhysAddr,
        /// The stores.
        stores: Round,
        /// The invalidations; a SYNC follows.
        tell: Vec<Command>,
    },
    /// Store these doublewords of an entry that the SMMU cannot have cached.
    Store {
        /// First doubleword of the entry.
        at: PhysAddr,
        /// The stores.
        stores: Round,
    },
    /// Change the entry at `at` to `target`, in as many rounds as its present value needs.
    Become {
        /// Kind of the entry.
        kind: EntryKind,
        /// First doubleword of the entry.
        at: PhysAddr,
        /// The new value.
        target: Words,
        /// The invalidations after each round; a SYNC follows.
        tell: Vec<Command>,
    },
    /// Submit commands.
    Submit {
        /// The commands; empty if only the SYNC is wanted.
        commands: Vec<Command>,
        /// Whether a SYNC follows.
        ending: Ending,
    },
    /// Store to a control register of a device's ATS.
    Configure {
        /// Address of the register.
        at: PhysAddr,
        /// The value.
        value: u64,
    },
    /// Wait for a SYNC.
    Await(Ticket),
}

/// Acts to perform, in order.
#[derive(Debug, Default)]
pub(in crate::iommu) struct Worklist {
    /// The first act. Most lists have no other.
    next: Option<Work>,
    /// The acts after it; none where there is no first.
    rest: VecDeque<Work>,
    /// From the last SYNC.
    proof: Option<Synced>,
}

impl Worklist {
    /// A list of these acts, in order.
    pub(in crate::iommu) fn new(acts: impl IntoIterator<Item = Work>) -> Self {
        let mut acts = acts.into_iter();
        Self { next: acts.next(), rest: acts.collect(), proof: None }
    }

    /// Appends an act.
    pub(in crate::iommu) fn push(&mut self, act: Work) {
        match self.next {
            None => self.next = Some(act),
            Some(_) => self.rest.push_back(act),
        }
    }

    /// Puts an act before all others.
    fn put_first(&mut self, act: Work) {
        if let Some(second) = self.next.replace(act) {
            self.rest.push_front(second);
        }
    }

    fn take_first(&mut self) -> Option<Work> {
        let second = self.rest.pop_front();
        std::mem::replace(&mut self.next, second)
    }

    /// Performs what is possible without waiting.
    pub(in crate::iommu) fn advance(
        &mut self,
        smmu: &mut SmmuV3,
        host: &mut impl Host,
    ) -> Progress {
        while let Some(act) = self.take_first() {
            match act {
                Work::Round { at, stores, tell } => {
                    smmu.store_round(at, &stores, host);
                    self.put_first(Work::Submit { commands: tell, ending: Ending::Sync });
                }
                Work::Store { at, stores } => smmu.store_round(at, &stores, host),
                Work::Become { kind, at, target, tell } => {
                    let used = match kind {
                        EntryKind::Ste => ste_used,
                        EntryKind::Cd => cd_used,
                    };
                    let rounds = hitless(&smmu.read_entry(at, host), &target, used);
                    for stores in rounds.into_iter().rev() {
                        self.put_first(Work::Round { at, stores, tell: tell.clone() });
                    }
                }
                Work::Submit { mut commands, ending } if smmu.splits(&commands, ending) => {
                    let rest = commands.split_off(1);
                    self.put_first(Work::Submit { commands: rest, ending });
                    self.put_first(Work::Submit { commands, ending: Ending::Open });
                }
                Work::Submit { commands, ending } => match smmu.submit(&commands, ending, host) {
                    Submitted::Open => {}
                    Submitted::Sync(ticket) => self.put_first(Work::Await(ticket)),
                    Submitted::Full => {
                        self.put_first(Work::Submit { commands, ending });
                        return Progress::Waiting;
                    }
                },
                Work::Configure { at, value } => {
                    // A store that no device accepts is lost.
                    let _ = host.store(at, Width::W16, value);
                }
                Work::Await(ticket) => match smmu.completed(ticket, host) {
                    Some(proof) => self.proof = Some(proof),
                    None => {
                        self.put_first(act);
                        return Progress::Waiting;
                    }
                },
            }
        }
        Progress::Done(self.proof.take().unwrap_or_else(Synced::nothing_stale))
    }
}

impl SmmuV3 {
    /// Whether the first of these commands is submitted by itself: kernels with short queues insert
    /// one command at a time.
    fn splits(&self, commands: &[Command], ending: Ending) -> bool {
        let more = commands.len() > 1 || ending == Ending::Sync && !commands.is_empty();
        more && self.queues == Smmu3Queues::Short
    }

    fn store_round(&mut self, at: PhysAddr, stores: &Round, host: &mut impl Host) {
        for (index, value) in stores {
            let at = PhysAddr::new(at.get() + *index as u64 * 8);
            if let Err(abort) = host.memory_mut().store_u64(at, *value) {
                self.findings.push(Finding::NoAnswer(abort));
            }
        }
    }

    /// Reads an entry from memory, where a device may have overwritten it.
    fn read_entry(&mut self, at: PhysAddr, host: &impl Host) -> Words {
        match host.memory().words(at, 8) {
            Ok(words) => words.try_into().expect("eight words were asked for"),
            Err(abort) => {
                self.findings.push(Finding::NoAnswer(abort));
                [0; 8]
            }
        }
    }
}
