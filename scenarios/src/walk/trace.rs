//! Replays an emulator's log of its SMMU, lookup by lookup: does the model's SMMU answer the same?
//!
//! The log contains the descriptors that were read and the addresses of STE and CD; their contents,
//! and every record, are in the dumps of the same machine. Known deviations of the emulator from
//! the architecture are counted by name. Commands are not replayed one by one: whenever the
//! emulator invalidates something, the SMMU invalidates everything.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `log` | which lookups does a log contain? |
//! | `structures` | which STE and CD did a lookup use? |
//! | `answer` | does the model answer alike? |

mod answer;
mod log;
mod structures;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use passim_model::{Memory, PhysAddr};
use serde::Serialize;

use super::dumped_smmu::DumpedSmmu;
use super::report::Difference;
use super::words::Words;
use crate::input_error::{InputError, InputKind};
use crate::recording::dump::SmmuDump;
use crate::replay::Verdict;
use answer::Records;
use log::{Configuration, Item, Lookup};
use structures::structures;

/// The result of replaying a log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TraceReport {
    /// The log, as the caller named it.
    pub file: String,
    /// Lookups that were translated.
    pub translations: u64,
    /// Lookups that wrote a record.
    pub faults: u64,
    /// Lookups that did neither.
    pub silent: u64,
    /// Records that were compared in full with a dump's.
    pub records: u64,
    /// STEs and CDs that are in no dump, built from the log's fields.
    pub made: u64,
    /// Answers with a known deviation of the emulator from the architecture, by name.
    pub deviations: BTreeMap<&'static str, u64>,
    /// Lookups that could not be compared, by reason.
    pub not_compared: BTreeMap<&'static str, u64>,
    /// Every other difference.
    pub differences: Vec<Difference>,
}

impl TraceReport {
    fn new(file: String) -> Self {
        Self {
            file,
            translations: 0,
            faults: 0,
            silent: 0,
            records: 0,
            made: 0,
            deviations: BTreeMap::new(),
            not_compared: BTreeMap::new(),
            differences: Vec::new(),
        }
    }

    /// Whether every answer is the same, or a known deviation of the emulator.
    pub fn verdict(&self) -> Verdict {
        if self.differences.is_empty() { Verdict::Agreed } else { Verdict::Differed }
    }
}

/// Replays a log, with the dumps of its machine.
///
/// # Errors
/// A log or dump that cannot be used.
pub fn follow(log: &Path, dumps: &[PathBuf]) -> Result<TraceReport, InputError> {
    let items = log::read(log)?;
    let Some(first) = dumps.first() else {
        let message = "there is no dump of the SMMU that this log is about";
        return Err(InputError::in_file(InputKind::Recording, log, message)
            .with_hint("its registers are read from dumps: name one with --dump"));
    };
    let stand = DumpedSmmu::read(first)?;
    let dumps = dumps.iter().map(|path| SmmuDump::read(path)).collect::<Result<Vec<_>, _>>()?;
    let memory = memory(&items, &dumps, &stand)
        .map_err(|message| InputError::in_file(InputKind::Recording, log, message))?;
    let mut following = Following {
        stand: stand.standing_on(memory),
        records: Records::of(&dumps),
        dumps,
        waiting: BTreeMap::new(),
        report: TraceReport::new(log.display().to_string()),
        before: None,
    };
    for item in &items {
        match item {
            Item::Forgotten => following.stand.smmu.clear_caches(),
            Item::Lookup(lookup) => following.lookup(lookup),
        }
    }
    Ok(following.report)
}

/// Memory that exists wherever the log or a dump has a word.
fn memory(items: &[Item], dumps: &[SmmuDump], stand: &DumpedSmmu) -> Result<Memory, String> {
    let mut words = Words::default();
    for held in stand.held.iter() {
        words.page(held.start, held.end - held.start)?;
    }
    for item in items {
        let Item::Lookup(lookup) = item else { continue };
        for descriptor in &lookup.descriptors {
            words.page(descriptor.at, 8)?;
        }
        if let Some(configuration) = &lookup.configuration {
            let Configuration { level_one, ste, cd, .. } = *configuration;
            for (at, bytes) in level_one.map(|(at, _)| (at, 8)).into_iter().chain([(ste, 64)]) {
                words.page(at, bytes)?;
            }
            if let Some(cd) = cd {
                words.page(cd, 64)?;
            }
        }
    }
    for stream in dumps.iter().flat_map(|dump| &dump.streams) {
        for at in [stream.ste_pa, stream.cd_pa].into_iter().flatten() {
            words.page(at.get(), 64)?;
        }
    }
    words.memory()
}

/// A log during replay.
struct Following {
    stand: DumpedSmmu,
    dumps: Vec<SmmuDump>,
    records: Records,
    /// Configurations read by the emulator that are not in memory yet, by stream.
    waiting: BTreeMap<u32, Configuration>,
    report: TraceReport,
    /// The previous record, whose access the next may continue.
    before: Option<answer::Recorded>,
}

impl Following {
    fn lookup(&mut self, lookup: &Lookup) {
        if let Some(configuration) = lookup.configuration {
            self.waiting.insert(lookup.stream, configuration);
        }
        for descriptor in &lookup.descriptors {
            self.put(descriptor.at, descriptor.word);
        }
        if let Some(configuration) = self.waiting.get(&lookup.stream).copied()
            && let Some(found) = structures(&configuration, lookup, &self.dumps)
        {
            self.waiting.remove(&lookup.stream);
            self.report.made += u64::from(found.are_made);
            for (at, word) in found.words {
                self.put(at, word);
            }
            self.stand.smmu.clear_caches();
        }
        if self.waiting.contains_key(&lookup.stream) {
            // Its records are counted nevertheless.
            self.records.pass(&lookup.end);
            let reason = "neither a dump nor the log says what stands in the STE";
            *self.report.not_compared.entry(reason).or_default() += 1;
        } else {
            self.answer(lookup);
        }
    }

    /// Stores a word that the emulator read; a change invalidates all caches.
    fn put(&mut self, at: u64, word: u64) {
        let at = PhysAddr::new(at);
        if self.stand.memory.load_u64(at) != Ok(word) {
            // Memory covers every word of the log.
            let _ = self.stand.memory.store_u64(at, word);
            self.stand.smmu.clear_caches();
        }
    }
}

impl fmt::Display for TraceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, translations, faults, silent, records, made, .. } = self;
        write!(f, "{file}: {translations} translations, {faults} faults ({records} records ")?;
        write!(
            f,
            "compared whole), {silent} refused in silence; {} differ",
            self.differences.len()
        )?;
        if *made > 0 {
            write!(f, "; {made} configurations made from the log, no dump holds them")?;
        }
        for (reason, times) in &self.not_compared {
            write!(f, "; not compared {times}: {reason}")?;
        }
        for (name, times) in &self.deviations {
            write!(f, "\n  the emulator deviates {times} times: {name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
