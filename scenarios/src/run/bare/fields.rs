//! Fields by name, as a scenario gives them: stored into words, or an error that names the wrong
//! one.

use passim_model::bits::Field;
use passim_smmu::v3::names::Structure;

use super::super::Unperformable;
use crate::input_error::nearest;
use crate::script::FieldValues;

/// A field: its name, the index of its word, its bits.
pub(super) type Named = (&'static str, usize, Field);

/// The fields of a structure.
pub(super) fn of_structure(structure: &Structure) -> Vec<Named> {
    let fields = structure.fields().map(|field| (field.name, field.word, field.field));
    fields.filter(|(name, ..)| *name != "OPCODE").collect()
}

/// The key of a field in a scenario.
fn key_of(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "")
}

/// Sets each field that `values` name in `words`.
///
/// # Errors
/// No such field, or one too narrow for the value.
pub(super) fn set(
    words: &mut [u64],
    known: &[Named],
    owner: &str,
    values: &FieldValues,
) -> Result<(), Unperformable> {
    for (key, value) in &values.0 {
        let &(_, word, field) = find(known, owner, key)?;
        let part = field.of_said(*value).ok_or_else(|| {
            let bits = match field.is_address() {
                true => format!(
                    "it holds bits {} to {} of an address",
                    field.low(),
                    field.low() + field.width() - 1
                ),
                false => format!("it has {} bits", field.width()),
            };
            let message = format!("`{key}` does not hold {value:#x}");
            Unperformable::new(message).hint(bits).at_key(key)
        })?;
        words[word] = words[word] & !field.mask() | part;
    }
    Ok(())
}

fn find<'a>(known: &'a [Named], owner: &str, key: &str) -> Result<&'a Named, Unperformable> {
    let plain = key.replace(['_', '-'], "");
    let found = known.iter().find(|(name, ..)| key_of(name) == plain);
    found.ok_or_else(|| {
        let keys: Vec<_> = known.iter().map(|(name, ..)| key_of(name)).collect();
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let hint = match nearest(&plain, &keys) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if keys.is_empty() => "it has none".to_owned(),
            None => format!("fields: {}", keys.join(", ")),
        };
        Unperformable::new(format!("{owner} has no field `{key}`")).hint(hint).at_key(key)
    })
}
