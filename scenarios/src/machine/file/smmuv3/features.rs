//! The features of an SMMUv3: `features` in place of raw ID registers, and `choices`.
//!
//! `features` names a built-in description and the features that differ from it; the keys are the
//! fields of [`Description`]. `choices` settles what the architecture leaves open; the keys are the
//! fields of [`Choices`].

use std::collections::BTreeMap;
use std::ops::Range;

use passim_smmu::choice::{
    Acknowledge, Choices, Completion, ContiguousStes, OutOfRangeParameter, Overlap, Prefetch,
    ReservedCommandFields, StreamTableBeyondOas,
};
use passim_smmu::v3::{Caches, Description, FlagUpdate, IdRegisters, StallModel, TableEndian};
use toml::{Spanned, Value};

use crate::input_error::{InputError, SourceText, nearest};
use crate::machine::file::refuse;

/// A table whose keys are looked up by name.
pub(super) type Table = BTreeMap<Spanned<String>, Spanned<Value>>;

/// Every key of `features` but `preset`.
const FEATURES: [&str; 46] = [
    "minor",
    "iidr",
    "stage1",
    "stage2",
    "coherent",
    "flag_updates",
    "hyp",
    "ats",
    "split_stage_ats",
    "ats_errors",
    "pri",
    "asid16",
    "vmid16",
    "msi",
    "sev",
    "vmid_wildcards",
    "two_level_cd",
    "two_level_stream",
    "table_endian",
    "stall_model",
    "raz_wi",
    "stream_bits",
    "substream_bits",
    "command_queue_lg2",
    "event_queue_lg2",
    "pri_queue_lg2",
    "override_perms",
    "override_types",
    "hierarchical_disable",
    "xnx",
    "pasid_in_responses",
    "mpam",
    "partid_max",
    "pmg_max",
    "force_write_back",
    "small_tables",
    "range_invalidation",
    "bbm_level",
    "e0pd",
    "pasid_translated",
    "epan",
    "output_bits",
    "granules",
    "ds",
    "large_va",
    "stall_max",
];

/// The key that names a built-in description.
const PRESET: &str = "preset";

/// A description of the values that a key accepts.
type Wanted = String;

fn one_of<T: Copy>(known: &[(&str, T)], value: &Value) -> Result<T, Wanted> {
    let found = known.iter().find(|(name, _)| value.as_str() == Some(name));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|(name, _)| format!("{name:?}")).collect();
        format!("one of {}", names.join(", "))
    })
}

fn whole<T: TryFrom<i64>>(value: &Value) -> Result<T, Wanted> {
    let number = value.as_integer().and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| format!("a whole number of {} bits", 8 * size_of::<T>()))
}

fn switch(value: &Value) -> Result<bool, Wanted> {
    value.as_bool().ok_or_else(|| "true or false".to_owned())
}

fn granules(value: &Value) -> Result<[bool; 3], Wanted> {
    const NAMES: [&str; 3] = ["4K", "16K", "64K"];
    let wanted = || "a list of \"4K\", \"16K\" and \"64K\"".to_owned();
    let list = value.as_array().ok_or_else(wanted)?;
    let names: Vec<_> = list.iter().filter_map(Value::as_str).collect();
    if names.len() != list.len() || names.iter().any(|name| !NAMES.contains(name)) {
        return Err(wanted());
    }
    Ok(NAMES.map(|name| names.contains(&name)))
}

/// A boolean field.
fn flag<'a>(of: &'a mut Description, name: &str) -> Option<&'a mut bool> {
    Some(match name {
        "stage1" => &mut of.stage1,
        "stage2" => &mut of.stage2,
        "coherent" => &mut of.coherent,
        "hyp" => &mut of.hyp,
        "ats" => &mut of.ats,
        "split_stage_ats" => &mut of.split_stage_ats,
        "ats_errors" => &mut of.ats_errors,
        "pri" => &mut of.pri,
        "asid16" => &mut of.asid16,
        "vmid16" => &mut of.vmid16,
        "msi" => &mut of.msi,
        "sev" => &mut of.sev,
        "vmid_wildcards" => &mut of.vmid_wildcards,
        "two_level_cd" => &mut of.two_level_cd,
        "two_level_stream" => &mut of.two_level_stream,
        "raz_wi" => &mut of.raz_wi,
        "override_perms" => &mut of.override_perms,
        "override_types" => &mut of.override_types,
        "hierarchical_disable" => &mut of.hierarchical_disable,
        "xnx" => &mut of.xnx,
        "pasid_in_responses" => &mut of.pasid_in_responses,
        "mpam" => &mut of.mpam,
        "force_write_back" => &mut of.force_write_back,
        "small_tables" => &mut of.small_tables,
        "range_invalidation" => &mut of.range_invalidation,
        "e0pd" => &mut of.e0pd,
        "pasid_translated" => &mut of.pasid_translated,
        "epan" => &mut of.epan,
        "ds" => &mut of.ds,
        "large_va" => &mut of.large_va,
        _ => return None,
    })
}

/// A small number field.
fn number<'a>(of: &'a mut Description, name: &str) -> Option<&'a mut u8> {
    Some(match name {
        "minor" => &mut of.minor,
        "stream_bits" => &mut of.stream_bits,
        "substream_bits" => &mut of.substream_bits,
        "command_queue_lg2" => &mut of.command_queue_lg2,
        "event_queue_lg2" => &mut of.event_queue_lg2,
        "pri_queue_lg2" => &mut of.pri_queue_lg2,
        "bbm_level" => &mut of.bbm_level,
        "output_bits" => &mut of.output_bits,
        "pmg_max" => &mut of.pmg_max,
        _ => return None,
    })
}

/// Sets a field; `None` if no field has this name.
fn set_feature(of: &mut Description, name: &str, value: &Value) -> Option<Result<(), Wanted>> {
    const UPDATES: [(&str, FlagUpdate); 4] = [
        ("none", FlagUpdate::None),
        ("access", FlagUpdate::Access),
        ("dirty", FlagUpdate::Dirty),
        ("tables", FlagUpdate::Tables),
    ];
    const ORDERS: [(&str, TableEndian); 3] =
        [("mixed", TableEndian::Mixed), ("little", TableEndian::Little), ("big", TableEndian::Big)];
    const STALLS: [(&str, StallModel); 3] = [
        ("both", StallModel::Both),
        ("terminate-only", StallModel::TerminateOnly),
        ("forced", StallModel::Forced),
    ];
    if let Some(field) = flag(of, name) {
        return Some(switch(value).map(|value| *field = value));
    }
    if let Some(field) = number(of, name) {
        return Some(whole(value).map(|value| *field = value));
    }
    Some(match name {
        "iidr" => whole(value).map(|value| of.iidr = value),
        "partid_max" => whole(value).map(|value| of.partid_max = value),
        "stall_max" => whole(value).map(|value| of.stall_max = value),
        "granules" => granules(value).map(|value| of.granules = value),
        "flag_updates" => one_of(&UPDATES, value).map(|value| of.flag_updates = value),
        "table_endian" => one_of(&ORDERS, value).map(|value| of.table_endian = value),
        "stall_model" => one_of(&STALLS, value).map(|value| of.stall_model = value),
        _ => return None,
    })
}

/// The error for a key that is not in `known`.
fn unknown(source: &SourceText, key: &Spanned<String>, known: &[&str]) -> InputError {
    let name = key.get_ref();
    let hint = match nearest(name, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known: {}", known.join(", ")),
    };
    refuse(source, key.span(), format!("no key `{name}` here")).with_hint(hint)
}

fn wrong(source: &SourceText, key: &str, at: Range<usize>, wanted: &str) -> InputError {
    refuse(source, at, format!("`{key}` is {wanted}"))
}

/// The ID registers of a table `features`, and the caches of its preset.
pub(super) fn built(
    file: &Spanned<Table>,
    source: &SourceText,
) -> Result<(IdRegisters, Caches), InputError> {
    let names = Description::PRESETS.map(|(name, _)| name);
    let presets = || format!("presets: {}", names.join(", "));
    let table = file.get_ref();
    let preset = table.iter().find(|(key, _)| key.get_ref() == PRESET);
    let Some((_, name)) = preset else {
        let error = refuse(source, file.span(), "`features` starts from a `preset`");
        return Err(error.with_hint(presets()));
    };
    let known = name.get_ref().as_str();
    let known = known.and_then(|name| Description::preset(name).zip(Caches::preset(name)));
    let (mut description, caches) = known.ok_or_else(|| {
        let error = refuse(source, name.span(), "there is no such preset");
        error.with_hint(presets())
    })?;
    for (key, value) in table.iter().filter(|(key, _)| key.get_ref() != PRESET) {
        match set_feature(&mut description, key.get_ref(), value.get_ref()) {
            None => return Err(unknown(source, key, &FEATURES)),
            Some(Ok(())) => {}
            Some(Err(wanted)) => return Err(wrong(source, key.get_ref(), value.span(), &wanted)),
        }
    }
    let ids = description.id_registers().map_err(|contradiction| {
        // The contradictory key may come from the preset alone.
        let key = table.iter().find(|(key, _)| key.get_ref() == contradiction.field);
        let at = key.map_or_else(|| file.span(), |(_, value)| value.span());
        let field = contradiction.field;
        refuse(source, at, format!("`{field}` cannot be so: {}", contradiction.why))
    })?;
    Ok((ids, caches))
}

/// Every key of `choices`.
const CHOICES: [&str; 8] = [
    "acknowledge",
    "completion",
    "contiguous_stes",
    "out_of_range",
    "overlap",
    "prefetch",
    "reserved_command_fields",
    "stream_table_beyond_oas",
];

/// Sets a choice; `None` if no choice has this name.
fn set_choice(of: &mut Choices, name: &str, value: &Value) -> Option<Result<(), Wanted>> {
    const CONTROLS: [(&str, Acknowledge); 2] =
        [("at-once", Acknowledge::AtOnce), ("on-step", Acknowledge::OnStep)];
    const COMPLETIONS: [(&str, Completion); 2] =
        [("at-once", Completion::AtOnce), ("when-synchronised", Completion::WhenSynchronised)];
    const NUMBERS: [(&str, OutOfRangeParameter); 2] =
        [("no-effect", OutOfRangeParameter::NoEffect), ("truncate", OutOfRangeParameter::Truncate)];
    const OVERLAPS: [(&str, Overlap); 2] =
        [("smallest-wins", Overlap::SmallestWins), ("detected", Overlap::Detected)];
    const PREFETCHES: [(&str, Prefetch); 2] =
        [("ignored", Prefetch::Ignored), ("configuration", Prefetch::Configuration)];
    const FIELDS: [(&str, ReservedCommandFields); 2] =
        [("ignored", ReservedCommandFields::Ignored), ("illegal", ReservedCommandFields::Illegal)];
    const STES: [(&str, ContiguousStes); 3] = [
        ("apart", ContiguousStes::Apart),
        ("shared", ContiguousStes::Shared),
        ("detected", ContiguousStes::Detected),
    ];
    const TABLES: [(&str, StreamTableBeyondOas); 2] = [
        ("fetch-fault", StreamTableBeyondOas::FetchFault),
        ("truncate", StreamTableBeyondOas::Truncate),
    ];
    Some(match name {
        "acknowledge" => one_of(&CONTROLS, value).map(|value| of.acknowledge = value),
        "contiguous_stes" => one_of(&STES, value).map(|value| of.contiguous_stes = value),
        "completion" => one_of(&COMPLETIONS, value).map(|value| of.completion = value),
        "out_of_range" => one_of(&NUMBERS, value).map(|value| of.out_of_range = value),
        "overlap" => one_of(&OVERLAPS, value).map(|value| of.overlap = value),
        "prefetch" => one_of(&PREFETCHES, value).map(|value| of.prefetch = value),
        "reserved_command_fields" => {
            one_of(&FIELDS, value).map(|value| of.reserved_command_fields = value)
        }
        "stream_table_beyond_oas" => {
            one_of(&TABLES, value).map(|value| of.stream_table_beyond_oas = value)
        }
        _ => return None,
    })
}

/// Sets a choice to the value of that name.
///
/// # Errors
/// There is no such choice, or it has no such value.
pub(crate) fn set_smmu_choice(of: &mut Choices, name: &str, value: &str) -> Result<(), String> {
    match set_choice(of, name, &Value::String(value.to_owned())) {
        None => Err(format!("an SMMU has no choice `{name}`; known: {}", CHOICES.join(", "))),
        Some(set) => set.map_err(|wanted| format!("`{name}` is {wanted}")),
    }
}

/// The choices of a table `choices`.
pub(super) fn choices(table: &Table, source: &SourceText) -> Result<Choices, InputError> {
    let mut choices = Choices::default();
    for (key, value) in table {
        match set_choice(&mut choices, key.get_ref(), value.get_ref()) {
            None => return Err(unknown(source, key, &CHOICES)),
            Some(Ok(())) => {}
            Some(Err(wanted)) => return Err(wrong(source, key.get_ref(), value.span(), &wanted)),
        }
    }
    Ok(choices)
}

#[cfg(test)]
pub(super) mod testkit;
#[cfg(test)]
mod tests;
