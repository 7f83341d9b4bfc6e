//! Which features of the ID registers are modelled, and why the others are not.

use super::Description;
use crate::v3::wire::regs::{Idr0, Idr1, Idr3, Idr5};
use passim_model::bits::Field;

/// Whether a feature is modelled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Support {
    /// Yes, up to this value of the field.
    Implemented {
        /// The largest value.
        most: u32,
    },
    /// No, and why.
    Omitted {
        /// The reason.
        why: &'static str,
    },
}

/// One feature of SMMUv3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capability {
    /// The field of the ID registers, as the specification names it.
    pub field: &'static str,
    /// The feature that the field promises.
    pub feature: &'static str,
    /// Index of the IDR and place of the field.
    place: (usize, Field),
    /// Whether it is modelled.
    pub support: Support,
}

impl Capability {
    /// The field's value in a set of ID registers.
    pub fn value(&self, ids: &super::IdRegisters) -> u32 {
        let (register, field) = self.place;
        field.get(u64::from(ids.idr[register])) as u32
    }

    /// The largest value that is modelled.
    pub fn most(&self) -> u32 {
        match self.support {
            Support::Implemented { most } => most,
            Support::Omitted { .. } => 0,
        }
    }
}

const fn has(
    field: &'static str,
    feature: &'static str,
    place: (usize, Field),
    most: u32,
) -> Capability {
    Capability { field, feature, place, support: Support::Implemented { most } }
}

const fn lacks(
    field: &'static str,
    feature: &'static str,
    place: (usize, Field),
    why: &'static str,
) -> Capability {
    Capability { field, feature, place, support: Support::Omitted { why } }
}

const NO_PE: &str = "no processing element is modelled that would broadcast";
const NO_LPAE: &str = "no driver of the model writes AArch32 tables for an SMMUv3";
const NO_USER: &str = "neither the drivers of the model nor a recording use it";
const NO_STORE: &str = "queues and tables lie in memory, as on every board known here";

/// The features of SMMUv3 that the ID registers show, in their order. IHI 0070 G.b 6.3.1 to 6.3.6.
pub const CAPABILITIES: [Capability; 61] = [
    has("IDR0.S2P", "stage 2", (0, Idr0::S2P), 1),
    has("IDR0.S1P", "stage 1", (0, Idr0::S1P), 1),
    lacks("IDR0.TTF[0]", "AArch32 tables", (0, Idr0::TTF_AARCH32), NO_LPAE),
    has("IDR0.TTF[1]", "AArch64 tables", (0, Idr0::TTF_AARCH64), 1),
    has("IDR0.COHACC", "coherent access: memory is always coherent here", (0, Idr0::COHACC), 1),
    lacks("IDR0.BTM", "broadcast TLB maintenance", (0, Idr0::BTM), NO_PE),
    has("IDR0.HTTU", "hardware update of access flag and dirty state", (0, Idr0::HTTU), 3),
    lacks("IDR0.DORMHINT", "dormant hint", (0, Idr0::DORMHINT), "nothing sleeps"),
    has("IDR0.HYP", "EL2 and EL2-E2H regimes", (0, Idr0::HYP), 1),
    has("IDR0.ATS", "PCIe address translation services", (0, Idr0::ATS), 1),
    has("IDR0.NS1ATS", "no split-stage ATS", (0, Idr0::NS1ATS), 1),
    has("IDR0.ASID16", "16-bit ASIDs", (0, Idr0::ASID16), 1),
    has("IDR0.MSI", "messages of the SMMU itself", (0, Idr0::MSI), 1),
    has("IDR0.SEV", "events to CPUs", (0, Idr0::SEV), 1),
    lacks("IDR0.ATOS", "address translation by register", (0, Idr0::ATOS), NO_USER),
    has("IDR0.PRI", "page requests", (0, Idr0::PRI), 1),
    has("IDR0.VMW", "VMID wildcards", (0, Idr0::VMW), 1),
    has("IDR0.VMID16", "16-bit VMIDs", (0, Idr0::VMID16), 1),
    has("IDR0.CD2L", "two-level CD tables", (0, Idr0::CD2L), 1),
    lacks("IDR0.VATOS", "address translation for guests", (0, Idr0::VATOS), NO_USER),
    has("IDR0.TTENDIAN", "byte order of tables", (0, Idr0::TTENDIAN), 3),
    has("IDR0.ATSRECERR", "records of errors of ATS", (0, Idr0::ATSRECERR), 1),
    has("IDR0.STALL_MODEL", "stall fault model", (0, Idr0::STALL_MODEL), 2),
    has("IDR0.TERM_MODEL", "termination always aborts", (0, Idr0::TERM_MODEL), 1),
    has("IDR0.ST_LEVEL", "two-level Stream tables", (0, Idr0::ST_LEVEL), 1),
    lacks("IDR0.RME_IMPL", "Realm Management Extension", (0, Idr0::RME_IMPL), NO_USER),
    has("IDR1.SIDSIZE", "StreamID bits", (1, Idr1::SIDSIZE), 32),
    has("IDR1.SSIDSIZE", "SubstreamID bits", (1, Idr1::SSIDSIZE), 20),
    has("IDR1.PRIQS", "PRI queue size", (1, Idr1::PRIQS), 19),
    has("IDR1.EVENTQS", "Event queue size", (1, Idr1::EVENTQS), 19),
    has("IDR1.CMDQS", "Command queue size", (1, Idr1::CMDQS), 19),
    has("IDR1.ATTR_PERMS_OVR", "overrides of privilege and kind", (1, Idr1::ATTR_PERMS_OVR), 1),
    has("IDR1.ATTR_TYPES_OVR", "overrides of memory attributes", (1, Idr1::ATTR_TYPES_OVR), 1),
    lacks("IDR1.REL", "relative base addresses", (1, Idr1::REL), NO_STORE),
    lacks("IDR1.QUEUES_PRESET", "queues in the SMMU", (1, Idr1::QUEUES_PRESET), NO_STORE),
    lacks("IDR1.TABLES_PRESET", "tables in the SMMU", (1, Idr1::TABLES_PRESET), NO_STORE),
    lacks("IDR1.ECMDQ", "enhanced command queues", (1, Idr1::ECMDQ), NO_USER),
    has("IDR3.HAD", "disabling hierarchical permissions", (3, Idr3::HAD), 1),
    lacks("IDR3.PBHA", "page-based hardware attributes", (3, Idr3::PBHA), "nothing reads them"),
    has("IDR3.XNX", "execution at stage 2 by privilege", (3, Idr3::XNX), 1),
    has("IDR3.PPS", "PASID in automatic responses", (3, Idr3::PPS), 1),
    has("IDR3.MPAM", "PARTID and PMG, as far as `passim walk`", (3, Idr3::MPAM), 1),
    has("IDR3.FWB", "forced write-back at stage 2", (3, Idr3::FWB), 1),
    has("IDR3.STT", "small translation tables", (3, Idr3::STT), 1),
    has("IDR3.RIL", "range invalidation, level hints", (3, Idr3::RIL), 1),
    has("IDR3.BBML", "change of block size without break", (3, Idr3::BBML), 2),
    has("IDR3.E0PD", "E0PD", (3, Idr3::E0PD), 1),
    has("IDR3.PTWNNC", "walks to Device memory are not refused", (3, Idr3::PTWNNC), 1),
    lacks("IDR3.DPT", "device permission table", (3, Idr3::DPT), NO_USER),
    has("IDR3.PASIDTT", "PASID with translated transactions", (3, Idr3::PASIDTT), 1),
    has("IDR3.EPAN", "EPAN", (3, Idr3::EPAN), 1),
    lacks("IDR3.S1PI, S2PI, S2PO", "permission indirection", (3, Idr3::INDIRECTION), NO_USER),
    lacks("IDR3.THE", "translation hardening", (3, Idr3::THE), NO_USER),
    has(
        "IDR3.MTEPERM",
        "NoTagAccess at stage 2, which no tags make different",
        (3, Idr3::MTEPERM),
        1,
    ),
    lacks("IDR3.AIE", "more MAIRs", (3, Idr3::AIE), NO_USER),
    has("IDR5.OAS", "output address size", (5, Idr5::OAS), 6),
    has("IDR5.GRAN4K, 16K, 64K", "granules", (5, Idr5::GRANULES), 7),
    has("IDR5.DS", "52-bit descriptors of small granules", (5, Idr5::DS), 1),
    lacks("IDR5.D128", "128-bit descriptors", (5, Idr5::D128), NO_USER),
    has("IDR5.VAX", "52-bit virtual addresses", (5, Idr5::VAX), 1),
    has("IDR5.STALL_MAX", "stalls at a time", (5, Idr5::STALL_MAX), 0xffff),
];

impl Description {
    /// The capability table, as Markdown: what is modelled, what is omitted and why, and what each
    /// built-in description has of it.
    pub fn capability_table() -> String {
        let mut text = String::from("| field | feature | modelled |");
        for (name, _) in Self::PRESETS {
            text.push_str(&format!(" {name} |"));
        }
        text.push_str("\n| --- | --- | --- |");
        text.push_str(&" --- |".repeat(Self::PRESETS.len()));
        text.push('\n');
        for capability in &CAPABILITIES {
            let support = match capability.support {
                Support::Implemented { most: 1 } => "yes".to_owned(),
                Support::Implemented { most } => format!("up to {most}"),
                Support::Omitted { why } => format!("no: {why}"),
            };
            text.push_str(&format!(
                "| {} | {} | {support} |",
                capability.field, capability.feature
            ));
            for (_, preset) in Self::PRESETS {
                let value = preset.id_registers().map(|ids| capability.value(&ids));
                text.push_str(&format!(" {} |", value.unwrap_or(0)));
            }
            text.push('\n');
        }
        text
    }
}
