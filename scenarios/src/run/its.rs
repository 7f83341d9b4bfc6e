//! What the driver of an ITS has told it so far, in a scenario under way.

use passim_model::{Host, PhysAddr, Width};

use super::{Runner, Stage};

/// GITS_CBASER, GITS_CWRITER. IHI 0069 H 12.18.
const CBASER: u64 = 0x80;
const CWRITER: u64 = 0x88;

impl Runner {
    /// The commands in the queue of the first ITS, from its start to GITS_CWRITER; none without a
    /// kernel that drives one.
    pub fn its_commands(&mut self) -> Vec<[u64; 4]> {
        let Stage::Booted(running) = &mut self.stage else { return Vec::new() };
        let Some(its) = running.system.its else { return Vec::new() };
        let board = &mut running.system.board;
        let mut load = |offset| {
            let at = its.checked_add(offset);
            at.and_then(|at| board.load(at, Width::W64).ok()).unwrap_or(0)
        };
        let (base, end) = (load(CBASER) & 0x000f_ffff_ffff_f000, load(CWRITER) & 0xf_ffe0);
        let command = |n: u64| {
            let at = PhysAddr::new(base).checked_add(32 * n)?;
            board.memory().words(at, 4).ok()?.try_into().ok()
        };
        (0..end / 32).map_while(command).collect()
    }
}
