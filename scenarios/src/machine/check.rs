//! Rules for every machine, whatever its source.
//!
//! Not here: the form of a machine file, which is in [`file`](super::file). These rules hold for
//! built-in and recorded machines as well.

use std::collections::BTreeSet;

use passim_model::{PhysAddr, Span};

use super::{Bar, CONFIG_BYTES, Function, Iommu};

/// What is wrong with one of a machine's functions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Flaw {
    /// Index of the function.
    pub(super) function: usize,
    /// What is wrong with it, in words.
    pub(super) message: String,
    /// What to do.
    pub(super) hint: Option<&'static str>,
}

/// Capability identifiers. PCI Code and ID Assignment Specification 1.11, 2.
const CAP_MSI: u8 = 0x05;
const CAP_PCIE: u8 = 0x10;
const CAP_MSIX: u8 = 0x11;

/// Bytes of the shortest form of each capability that is read.
const MSI_BYTES: usize = 10;
const MSIX_BYTES: usize = 12;
const PCIE_BYTES: usize = 12;

/// The first flaw of any function.
pub(super) fn functions(functions: &[Function], iommu: &Iommu) -> Result<(), Flaw> {
    let mut seen = BTreeSet::new();
    for (index, function) in functions.iter().enumerate() {
        let flaw = |(message, hint)| Flaw { function: index, message, hint };
        if !seen.insert(function.rid) {
            return Err(flaw((format!("two functions at {}", function.rid), None)));
        }
        function_alone(function).map_err(flaw)?;
        let smmus = iommu.count();
        if function.smmu.is_some_and(|smmu| smmu >= smmus) {
            let message = format!("there is no SMMU number {}", function.smmu.unwrap_or(0));
            return Err(flaw((message, Some("SMMUs are counted from 0 in the file's order"))));
        }
    }
    Ok(())
}

type Complaint = (String, Option<&'static str>);

fn function_alone(function: &Function) -> Result<(), Complaint> {
    if function.class >> 24 != 0 {
        return Err((format!("class {:#x} has more than 24 bits", function.class), None));
    }
    if !matches!(function.config_size, 256 | 4096) {
        let message = format!("config_size {} is neither 256 nor 4096", function.config_size);
        return Err((message, None));
    }
    capability(function, "msi", function.msi, CAP_MSI, MSI_BYTES)?;
    capability(function, "msix", function.msix, CAP_MSIX, MSIX_BYTES)?;
    capability(function, "pcie", function.pcie, CAP_PCIE, PCIE_BYTES)?;
    if function.streams.is_empty() {
        return Err(("a function has at least one stream".to_owned(), None));
    }
    bars(&function.bars)
}

fn capability(
    function: &Function,
    name: &str,
    at: Option<u8>,
    identifier: u8,
    bytes: usize,
) -> Result<(), Complaint> {
    let Some(at) = at else { return Ok(()) };
    let at = usize::from(at);
    let Some(config) = &function.config else {
        let message = format!("{name} = {at:#x} points into a configuration space not given");
        return Err((message, Some("add `config`, the first bytes of it in hexadecimal")));
    };
    if at < 0x40 || !at.is_multiple_of(4) || at + bytes > CONFIG_BYTES {
        return Err((format!("{name} = {at:#x} is no place for a capability"), None));
    }
    if config[at] != identifier {
        let found = config[at];
        let message =
            format!("{name} = {at:#x}: capability {found:#04x} is there, not {identifier:#04x}");
        return Err((message, None));
    }
    Ok(())
}

fn bars(bars: &[Bar]) -> Result<(), Complaint> {
    let mut seen = BTreeSet::new();
    for bar in bars {
        let Bar { index, start, size, .. } = *bar;
        if !seen.insert(index) {
            return Err((format!("two BARs with index {index}"), None));
        }
        if Span::from_size(PhysAddr::new(start), size).is_none() {
            return Err((
                format!("BAR {index}: {size:#x} bytes from {start:#x} is no range"),
                None,
            ));
        }
        if index <= 6 && !size.is_power_of_two() {
            return Err((format!("BAR {index}: size {size:#x} is not a power of two"), None));
        }
        if index <= 6 && start & (size - 1) != 0 {
            return Err((format!("BAR {index}: {start:#x} is no multiple of its size"), None));
        }
    }
    Ok(())
}
