//! The isolation facts of a function in a machine file.

use passim_model::topology::hierarchy::{ACS_BITS, Acs};

/// Bits by their abbreviations, separated by white space.
fn bits(text: &str) -> Result<u8, String> {
    text.split_whitespace().try_fold(0, |bits, word| {
        let found = ACS_BITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        let names: Vec<_> = ACS_BITS.iter().map(|(name, _)| *name).collect();
        let unknown =
            || format!("ACS has no bit `{word}`: it has {}, or say `quirk`", names.join(" "));
        Ok(bits | found.ok_or_else(unknown)?.1)
    })
}

/// ACS: the enabled and the supported controls. Without the latter, the controls that isolation
/// requires and those that are enabled are supported.
pub(super) fn acs(enabled: Option<&str>, capable: Option<&str>) -> Result<Acs, String> {
    if enabled == Some("quirk") {
        return match capable {
            None => Ok(Acs::Quirk),
            Some(_) => Err("a function known by quirk has no `acs_capable`".to_owned()),
        };
    }
    if enabled.is_none() && capable.is_none() {
        return Ok(Acs::Absent);
    }
    let enabled = enabled.map_or(Ok(0), bits)?;
    let capable = capable.map_or(Ok(Acs::REQUIRED | enabled), bits)?;
    if enabled & !capable != 0 {
        return Err("`acs` turns on what `acs_capable` does not have".to_owned());
    }
    Ok(Acs::Present { capable, enabled })
}

/// `04.1`: device and function on the same bus.
pub(super) fn alias(text: &str) -> Result<u8, String> {
    let wrong = || format!("`{text}` is no device and function of a bus, such as `04.1`");
    let (device, function) = text.split_once('.').ok_or_else(wrong)?;
    let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if device.len() != 2 || function.len() != 1 || !plain(device) || !plain(function) {
        return Err(wrong());
    }
    let device = u8::from_str_radix(device, 16).map_err(|_| wrong())?;
    let function = u8::from_str_radix(function, 16).map_err(|_| wrong())?;
    if device > 31 || function > 7 { Err(wrong()) } else { Ok(device << 3 | function) }
}
