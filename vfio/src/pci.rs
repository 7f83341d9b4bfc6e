//! The driver of each PCI function, and which drivers do DMA.
//!
//! The driver core here knows names only. Host drivers are not modelled, except that most of them
//! do DMA of their own and so may not share a group with VFIO.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `space` | how is configuration space accessed? |
//! | `wire` | which fields does it have? |

mod space;
pub(crate) mod wire;

pub(crate) use space::Space;

use crate::rules;
use passim_model::topology::Function;
use passim_model::{Conflict, Errno, Refusal, Rid, Topology};
use std::collections::{BTreeMap, BTreeSet};

/// Drivers that leave DMA to the group's owner (`driver_managed_dma`).
///
/// measured on 6.1 and 6.12: vfio-pci and pcieport leave a group viable; e1000 and shpchp do not.
const LEAVE_DMA_ALONE: [&str; 2] = ["vfio-pci", "pcieport"];

/// The driver whose devices VFIO serves.
pub(crate) const VFIO_PCI: &str = "vfio-pci";

struct Binding {
    group: Option<u32>,
    driver: Option<String>,
    driver_override: Option<String>,
    /// The driver that a probe selects without an override.
    native: Option<String>,
}

/// Driver bindings of every function.
pub(crate) struct Pci {
    bindings: BTreeMap<Rid, Binding>,
    loaded: BTreeSet<String>,
}

impl Pci {
    /// Bindings as the machine boots, with these modules loaded besides the bound drivers.
    pub(crate) fn boot(topology: &Topology, modules: &[String]) -> Self {
        let mut loaded: BTreeSet<String> =
            modules.iter().map(|name| name.replace('_', "-")).collect();
        loaded.insert(VFIO_PCI.to_owned());
        let mut bindings = BTreeMap::new();
        let there = |function: &&Function| topology.is_there_at_boot(function.rid);
        for function in topology.functions().iter().filter(there) {
            let driver = function.boot_driver.clone();
            loaded.extend(driver.clone());
            let native = driver.clone().filter(|name| name != VFIO_PCI);
            let driver_override = driver.clone().filter(|name| name == VFIO_PCI);
            let group = function.group;
            bindings.insert(function.rid, Binding { group, driver, driver_override, native });
        }
        Self { bindings, loaded }
    }

    /// Loads a module.
    pub(crate) fn load(&mut self, module: &str) {
        self.loaded.insert(module.replace('_', "-"));
    }

    /// Whether the function exists.
    pub(crate) fn exists(&self, rid: Rid) -> bool {
        self.bindings.contains_key(&rid)
    }

    /// The driver the function is bound to.
    pub(crate) fn driver(&self, rid: Rid) -> Option<&str> {
        self.bindings.get(&rid)?.driver.as_deref()
    }

    /// Members of a group that are bound to VFIO, ascending.
    pub(crate) fn vfio_members(&self, group: u32) -> impl Iterator<Item = Rid> + '_ {
        let members = self.bindings.iter().filter(move |(_, b)| b.group == Some(group));
        members.filter(|(_, b)| b.driver.as_deref() == Some(VFIO_PCI)).map(|(&rid, _)| rid)
    }

    /// A member of the group whose driver does its own DMA, if any.
    pub(crate) fn dma_driver_in(&self, group: u32) -> Option<Rid> {
        let mut members = self.bindings.iter().filter(|(_, b)| b.group == Some(group));
        let claims = |name: &str| !LEAVE_DMA_ALONE.contains(&name);
        members.find(|(_, b)| b.driver.as_deref().is_some_and(claims)).map(|(&rid, _)| rid)
    }

    /// Sets the driver that the next probe selects; an empty text clears it.
    pub(crate) fn override_driver(&mut self, rid: Rid, driver: &str) {
        if let Some(binding) = self.bindings.get_mut(&rid) {
            let driver = driver.trim_end_matches('\n');
            binding.driver_override = (!driver.is_empty()).then(|| driver.to_owned());
        }
    }

    /// Adds a function, in a group and without a driver. Of an earlier function there only the
    /// kernel's native driver is kept.
    pub(crate) fn add(&mut self, function: &Function) {
        let native = function.boot_driver.clone().filter(|name| name != VFIO_PCI);
        let (group, driver, driver_override) = (function.group, None, None);
        self.bindings.insert(function.rid, Binding { group, driver, driver_override, native });
    }

    /// Removes a function.
    pub(crate) fn remove(&mut self, rid: Rid) {
        self.bindings.remove(&rid);
    }

    /// Unbinds the function's driver.
    pub(crate) fn unbind(&mut self, rid: Rid) {
        if let Some(binding) = self.bindings.get_mut(&rid) {
            binding.driver = None;
        }
    }

    /// Finds a driver for the function, as a write to `drivers_probe` does. A function that has one
    /// keeps it; finding none is no failure.
    ///
    /// # Errors
    /// EINVAL by `probe-dma-owned` if the driver found does its own DMA and the group belongs to a
    /// user (`owned`).
    pub(crate) fn probe(&mut self, rid: Rid, owned: bool) -> Result<(), Refusal> {
        let Some(binding) = self.bindings.get_mut(&rid) else { return Ok(()) };
        if binding.driver.is_some() {
            return Ok(());
        }
        let wanted = binding.driver_override.as_ref().or(binding.native.as_ref());
        let Some(driver) = wanted.filter(|name| self.loaded.contains(*name)) else {
            return Ok(());
        };
        if owned && !LEAVE_DMA_ALONE.contains(&driver.as_str()) {
            return Err(rules::PROBE_DMA_OWNED.refuse_for(Errno::EINVAL, Conflict::Device(rid)));
        }
        binding.driver = Some(driver.clone());
        Ok(())
    }
}
