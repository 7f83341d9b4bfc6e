//! Compares what a dump contains beside its words with the words: fields as the recorder decoded
//! them, and addresses of structures.

use passim_model::Access;
use passim_smmu::v3::names::{CD, L1STD, REGISTERS, STE, Structure};
use passim_smmu::v3::{EventKind, Explanation, Step, Verdict};

use super::{Look, place};
use crate::recording::dump::Stream;
use crate::system::Explained;
use crate::walk::dumped_smmu::{Who, transaction};
use crate::walk::tell::tell;

/// The doubleword of a CD that contains only MAIR. IHI 0070 G.b 5.4.
const MAIR_WORD: usize = 3;

/// Bytes of a granule, as TG0 and S2TG encode it. IHI 0070 G.b 5.2, 5.4.
fn granule(field: u64) -> u64 {
    match field {
        0 => 1 << 12,
        1 => 1 << 16,
        2 => 1 << 14,
        _ => 0,
    }
}

/// A field of a structure by its name, in upper or lower case.
fn field(structure: &Structure, words: &[u64], name: &str) -> Option<u64> {
    let is_meant = |known: &str| known.replace('_', "").eq_ignore_ascii_case(name);
    let found = structure.fields().find(|field| is_meant(field.name))?;
    words.get(found.word).map(|word| found.field.said(*word))
}

/// Whether no STE could be fetched.
fn is_fetch(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Event(event) if event.kind == EventKind::SteFetch)
}

impl Look<'_> {
    /// Compares fields beside the words of a stream, and the addresses of its structures.
    pub(super) fn recorded(&mut self, stream: &Stream) {
        self.fields_said(stream);
        if !self.stand.is_off() {
            self.places_said(stream);
        }
    }

    fn fields_said(&mut self, stream: &Stream) {
        let mut found: Vec<(String, u64, Option<u64>)> = Vec::new();
        let mut said = |of: &str, name: &str, value: u64, held: Option<u64>| {
            found.push((format!("{of}.{name}"), value, held));
        };
        let config = self.stand.register("STRTAB_BASE_CFG");
        let in_ste = [
            ("CONFIG", stream.cfg),
            ("V", stream.valid),
            ("S1FMT", stream.s1fmt),
            ("S1CDMAX", stream.s1cdmax),
            ("S1CONTEXTPTR", stream.s1ctxptr),
        ];
        for (name, value) in in_ste.into_iter().filter_map(|(name, it)| Some((name, it?))) {
            said("STE", name, value, field(&STE, &stream.ste, name));
        }
        // A dump of a linear stream table lists absent fields as 0.
        if let (Some(value), false) = (stream.l2_span, stream.l1std.is_empty()) {
            said("L1STD", "SPAN", value, field(&L1STD, &stream.l1std, "SPAN"));
        }
        let register = REGISTERS.iter().find(|it| it.name == "STRTAB_BASE_CFG");
        let of_register = |name: &str| {
            let found = register?.fields.iter().find(|(known, _)| *known == name)?;
            Some(found.1.said(config))
        };
        let in_config =
            [("FMT", stream.strtab_fmt), ("SPLIT", stream.split), ("LOG2SIZE", stream.log2size)];
        for (name, value) in in_config.into_iter().filter_map(|(name, it)| Some((name, it?))) {
            said("STRTAB_BASE_CFG", name, value, of_register(name));
        }
        for (name, &value) in &stream.stage2_said {
            let held = match name.as_str() {
                "granule" => field(&STE, &stream.ste, "S2TG").map(granule),
                "VMID" => field(&STE, &stream.ste, "S2VMID"),
                _ => field(&STE, &stream.ste, name),
            };
            said("STE", name, value, held);
        }
        let cd = stream.cd.unwrap_or_default();
        for (name, &value) in stream.cd_said.iter().filter(|_| stream.cd.is_some()) {
            let held = match name.as_str() {
                "granule" => field(&CD, &cd, "TG0").map(granule),
                "MAIR" => Some(cd[MAIR_WORD]),
                _ => field(&CD, &cd, name),
            };
            said("CD", name, value, held);
        }
        for (name, value, held) in found {
            // A field with a name that is not known here cannot be compared.
            let Some(held) = held else {
                self.report.skip("a field beside the words has no such name");
                continue;
            };
            if held != value {
                let what = format!("{}: {name}", place(stream, Who::of(stream.stream)));
                self.report.differs(what, format!("{value:#x}"), format!("{held:#x}"));
            }
        }
    }

    fn places_said(&mut self, stream: &Stream) {
        let iova = stream.leaves.first().map_or(0, |leaf| leaf.iova.get());
        let asked = transaction(Who::of(stream.stream), iova, Access::READ);
        let explanation = self.stand.explain(&asked);
        let at = |is: fn(&Step) -> Option<u64>| explanation.steps.iter().find_map(is);
        let ste = at(|step| match step {
            Step::Ste { at, .. } => Some(at.get()),
            _ => None,
        });
        let cd = at(|step| match step {
            Step::Cd { at, .. } => Some(at.get()),
            _ => None,
        });
        let verdict = |explanation: Explanation| tell(&asked, &Explained::V3(explanation)).verdict;
        let of = |what: &str| format!("{}: {what}", place(stream, Who::of(stream.stream)));
        let shown = |at: u64| format!("it lies at {at:#x}");
        let mut differ = Vec::new();
        let ste_said = stream.ste_pa.map(|at| at.get());
        match (ste_said, ste) {
            (Some(said), Some(found)) if said != found => {
                differ.push((of("STE"), shown(said), shown(found)));
            }
            // The dump contains nothing where the SMMU looks for it.
            (Some(said), None) if is_fetch(&explanation.verdict) => {
                let found = format!("none is read: {}", verdict(explanation));
                differ.push((of("STE"), shown(said), found));
            }
            _ => {}
        }
        if let (Some(said), Some(found)) = (stream.cd_pa.map(|at| at.get()), cd)
            && said != found
        {
            differ.push((of("CD"), shown(said), shown(found)));
        }
        for (what, expected, found) in differ {
            self.report.differs(what, expected, found);
        }
    }
}
