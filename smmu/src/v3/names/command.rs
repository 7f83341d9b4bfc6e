//! Commands by name. IHI 0070 G.b chapter 4.

use super::{Fields, Structure};
use crate::v3::wire::command::{
    AtcInv0, AtcInv1, COMMAND_WORDS, Cfgi1, CfgiRange1, PriResp1, Resume0, Resume1, Stream0, Sync0,
    Sync1, Tlbi0, Tlbi1, TlbiIpa1, opcode,
};

/// A command.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Its opcode.
    pub opcode: u64,
    /// Its name, without `CMD_`, and its fields besides the opcode.
    pub structure: Structure,
}

const fn command(name: &'static str, opcode: u64, fields: &'static [&'static [Fields]]) -> Command {
    Command { opcode, structure: Structure { name, words: COMMAND_WORDS, fields } }
}

const SSEC: Fields = &[("SSEC", Stream0::SSEC)];
const STREAM: Fields = &[("SSEC", Stream0::SSEC), ("STREAM_ID", Stream0::STREAM_ID)];
const SUBSTREAM: Fields = &[("SUBSTREAM_ID", Stream0::SUBSTREAM_ID)];
const TAGGED: Fields = &[("SSV", Stream0::SSV), ("SUBSTREAM_ID", Stream0::SUBSTREAM_ID)];
const VMID: Fields = &[("VMID", Tlbi0::VMID)];
const ASID: Fields = &[("ASID", Tlbi0::ASID)];
const RANGE: Fields = &[("NUM", Tlbi0::NUM), ("SCALE", Tlbi0::SCALE)];
/// Without the address.
const HINTS: Fields =
    &[("LEAF", Tlbi1::LEAF), ("TTL128", Tlbi1::TTL128), ("TTL", Tlbi1::TTL), ("TG", Tlbi1::TG)];
const SYNC: Fields = &[
    ("CS", Sync0::CS),
    ("MSH", Sync0::MSH),
    ("MSI_ATTR", Sync0::MSI_ATTR),
    ("MSI_DATA", Sync0::MSI_DATA),
];

/// The commands of IHI 0070 G.b 4.1.1, by opcode. Commands of other security states, and of
/// features that are not modelled, are illegal on the modelled queue.
pub const COMMANDS: &[Command] = &[
    command("PREFETCH_CONFIG", opcode::PREFETCH_CONFIG, &[&[STREAM, TAGGED]]),
    command("PREFETCH_ADDR", opcode::PREFETCH_ADDR, &[&[STREAM, TAGGED]]),
    command("CFGI_STE", opcode::CFGI_STE, &[&[STREAM], &[Cfgi1::FIELDS]]),
    command("CFGI_STE_RANGE", opcode::CFGI_STE_RANGE, &[&[STREAM], &[CfgiRange1::FIELDS]]),
    command("CFGI_CD", opcode::CFGI_CD, &[&[STREAM, SUBSTREAM], &[Cfgi1::FIELDS]]),
    command("CFGI_CD_ALL", opcode::CFGI_CD_ALL, &[&[STREAM]]),
    command("CFGI_VMS_PIDM", opcode::CFGI_VMS_PIDM, &[&[SSEC, VMID]]),
    command("TLBI_NH_ALL", opcode::TLBI_NH_ALL, &[&[VMID]]),
    command("TLBI_NH_ASID", opcode::TLBI_NH_ASID, &[&[VMID, ASID]]),
    command("TLBI_NH_VA", opcode::TLBI_NH_VA, &[&[VMID, ASID, RANGE], &[Tlbi1::FIELDS]]),
    command("TLBI_NH_VAA", opcode::TLBI_NH_VAA, &[&[VMID, RANGE], &[Tlbi1::FIELDS]]),
    command("TLBI_EL3_ALL", opcode::TLBI_EL3_ALL, &[]),
    command("TLBI_EL3_VA", opcode::TLBI_EL3_VA, &[&[RANGE], &[Tlbi1::FIELDS]]),
    command("TLBI_EL2_ALL", opcode::TLBI_EL2_ALL, &[]),
    command("TLBI_EL2_ASID", opcode::TLBI_EL2_ASID, &[&[ASID]]),
    command("TLBI_EL2_VA", opcode::TLBI_EL2_VA, &[&[ASID, RANGE], &[Tlbi1::FIELDS]]),
    command("TLBI_EL2_VAA", opcode::TLBI_EL2_VAA, &[&[RANGE], &[Tlbi1::FIELDS]]),
    command("TLBI_S12_VMALL", opcode::TLBI_S12_VMALL, &[&[VMID]]),
    command("TLBI_S2_IPA", opcode::TLBI_S2_IPA, &[&[VMID, RANGE], &[HINTS, TlbiIpa1::FIELDS]]),
    command("TLBI_NSNH_ALL", opcode::TLBI_NSNH_ALL, &[]),
    command("ATC_INV", opcode::ATC_INV, &[&[STREAM, TAGGED, AtcInv0::FIELDS], &[AtcInv1::FIELDS]]),
    command("PRI_RESP", opcode::PRI_RESP, &[&[STREAM, TAGGED], &[PriResp1::FIELDS]]),
    command("RESUME", opcode::RESUME, &[&[STREAM, Resume0::FIELDS], &[Resume1::FIELDS]]),
    command("STALL_TERM", opcode::STALL_TERM, &[&[STREAM]]),
    command("SYNC", opcode::SYNC, &[&[SYNC], &[Sync1::FIELDS]]),
    command("TLBI_S_EL2_ALL", opcode::TLBI_S_EL2_ALL, &[]),
    command("TLBI_SNH_ALL", opcode::TLBI_SNH_ALL, &[]),
    command("DPTI_ALL", opcode::DPTI_ALL, &[]),
];
