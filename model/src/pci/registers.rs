//! All registers of a function: what follows from a store, which BARs answer, what is sent.
//!
//! Messages are returned to the caller, who carries them. Not here: who may reach the registers,
//! which the machine's address map and the kernel's VFIO decide.

use super::wire::{
    Command, DeviceControl, PowerCapabilities, PowerControl, Status, capability, express, header,
    power,
};
use super::{Config, Lost, Message, Msi, Msix, Raised, Sriov};
use crate::topology::{BarKind, Function};
use crate::{Requester, Width};

/// The placement of a BAR.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Decoder {
    index: u8,
    register: u32,
    start: u64,
    kind: BarKind,
}

/// A function's registers. See the [module](self).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registers {
    requester: Requester,
    config: Config,
    decoders: Vec<Decoder>,
    msi: Option<Msi>,
    msix: Option<Msix>,
    /// Offset of the power management capability.
    power: Option<u32>,
    /// Offset of the PCI Express capability.
    express: Option<u32>,
    /// Offset of the ATS control register.
    ats: Option<u32>,
    /// Offset of the SR-IOV capability.
    sriov: Option<u32>,
    is_virtual: bool,
}

impl Registers {
    /// The registers of `function` as the machine boots: configuration space as described, the
    /// MSI-X table as after reset.
    pub fn new(function: &Function) -> Self {
        let config = Config::new(function);
        let bars = function.bars.iter().filter(|bar| bar.index < 6);
        let decoders = bars.filter_map(|bar| {
            let register = config.bar_register(bar.index)?;
            let (index, start, kind) = (bar.index, bar.span.start().get(), bar.kind);
            Some(Decoder { index, register, start, kind })
        });
        Self {
            requester: function.requester(),
            decoders: decoders.collect(),
            msi: function.msi.map(|at| Msi::new(&config, at.into())),
            msix: function.msix.map(|at| Msix::new(&config, at.into())),
            power: config.capability(capability::POWER_MANAGEMENT),
            express: function.pcie.map(u32::from),
            ats: None,
            sriov: None,
            is_virtual: false,
            config,
        }
    }

    /// The registers of a virtual function that its physical function has enabled: the physical
    /// function's SR-IOV capability holds its BARs, and its own BAR registers and Memory Space
    /// Enable read zero. PCI Express 5.0 9.3.4.1.2, 9.3.4.1.11.
    pub fn of_virtual(function: &Function) -> Self {
        Self { is_virtual: true, ..Self::new(function) }
    }

    /// The same registers with the capability of Address Translation Services, if configuration
    /// space has room for one.
    pub fn with_ats(mut self) -> Self {
        self.ats = self.config.give_ats();
        self
    }

    /// The same registers with the SR-IOV capability, if configuration space has room for it.
    pub fn with_virtual(mut self, facts: &Sriov) -> Self {
        self.sriov = self.config.give_virtual(facts);
        self
    }

    /// How many virtual functions software has turned on, the first ones, at most TotalVFs; `None`
    /// without the capability.
    pub fn virtual_functions(&self) -> Option<u16> {
        Some(self.config.virtual_functions(self.sriov?))
    }

    /// Whether software lets the function request translations.
    pub fn ats_is_enabled(&self) -> bool {
        self.ats.is_some_and(|control| self.config.ats_is_enabled(control))
    }

    /// The requester of its transactions.
    pub fn requester(&self) -> Requester {
        self.requester
    }

    /// Configuration space.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The MSI capability, where there is one.
    pub fn msi(&self) -> Option<&Msi> {
        self.msi.as_ref()
    }

    /// The MSI-X table and pending bits, where there are any.
    pub fn msix(&self) -> Option<&Msix> {
        self.msix.as_ref()
    }

    /// Whether MSI is enabled.
    pub fn is_msi_enabled(&self) -> bool {
        self.msi.is_some_and(|msi| msi.is_enabled(&self.config))
    }

    /// Whether MSI-X is enabled.
    pub fn is_msix_enabled(&self) -> bool {
        self.msix.as_ref().is_some_and(|msix| msix.is_enabled(&self.config))
    }

    /// Whether the function masks every vector of MSI-X at once.
    pub fn masks_all(&self) -> bool {
        self.msix.as_ref().is_some_and(|msix| msix.masks_all(&self.config))
    }

    /// Whether the function may make transactions of its own: Bus Master Enable is set, and it is
    /// in D0. PCI 3.0 6.2.2; PCI PM 1.2 5.4.
    pub fn is_bus_master(&self) -> bool {
        Command::BUS_MASTER.is_set(self.config.u16(header::COMMAND)) && self.is_awake()
    }

    fn is_awake(&self) -> bool {
        self.power.is_none_or(|at| self.power_state(at) == power::D0)
    }

    fn power_state(&self, at: u32) -> u64 {
        PowerControl::STATE.get(self.config.u16(at + power::CONTROL))
    }

    /// Whether a BAR (0 to 5) answers where the machine placed it: its space is enabled, the
    /// function is in D0, and the register still holds that address. A virtual function has no such
    /// register: it answers while it is in D0.
    pub fn answers(&self, bar: u8) -> bool {
        let Some(decoder) = self.decoders.iter().find(|decoder| decoder.index == bar) else {
            return false;
        };
        if self.is_virtual {
            return self.is_awake();
        }
        let enable = match decoder.kind {
            BarKind::Io => Command::IO,
            BarKind::Memory => Command::MEMORY,
        };
        enable.is_set(self.config.u16(header::COMMAND))
            && self.is_awake()
            && self.config.bar_address(decoder.register) == decoder.start
    }

    /// Loads from configuration space, `at` bytes from its start, as [`Config::load`].
    pub fn load(&self, at: u32, width: Width) -> u64 {
        self.config.load(at, width)
    }

    /// Stores to configuration space, `at` bytes from its start, and performs what follows: a
    /// change of the power state (PCI PM 1.2 3.2.4), a reset (PCI Express 3.0 7.8.4). Returns the
    /// pending messages that nothing holds back any more, by ascending vector.
    pub fn store(&mut self, at: u32, width: Width, value: u64) -> Vec<Message> {
        let state = self.power.map(|at| self.power_state(at));
        self.config.store(at, width, value);
        if let (Some(power), Some(state)) = (self.power, state) {
            self.judge_power(power, state);
        }
        if self.is_reset_by(at, width, value) {
            self.reset();
        }
        self.release()
    }

    /// Restores the power state if the function lacks the new one. PCI PM 1.2 3.2.4.
    fn judge_power(&mut self, at: u32, before: u64) {
        let has = self.config.u16(at + power::CAPABILITIES);
        let exists = match self.power_state(at) {
            power::D1 => PowerCapabilities::D1.is_set(has),
            power::D2 => PowerCapabilities::D2.is_set(has),
            _ => true,
        };
        if !exists {
            let control = self.config.u16(at + power::CONTROL);
            let control = PowerControl::STATE.set(control, before);
            self.config.set(at + power::CONTROL, Width::W16, control);
        }
    }

    /// Whether a store initiates a function level reset. PCI Express 3.0 7.8.4.
    fn is_reset_by(&self, at: u32, width: Width, value: u64) -> bool {
        let Some(express) = self.express.filter(|at| self.config.can_reset(*at)) else {
            return false;
        };
        let control = express + express::DEVICE_CONTROL;
        // The bit is in the upper of the register's two bytes.
        let Some(byte) = (control + 1).checked_sub(at).filter(|n| u64::from(*n) < width.bytes())
        else {
            return false;
        };
        let upper = value >> (8 * byte) & 0xff;
        DeviceControl::INITIATE_RESET.is_set(upper << 8)
    }

    /// Performs a function level reset. PCI Express 3.0 6.6.2: what software may change is as after
    /// power on, and nothing is pending.
    pub fn reset(&mut self) {
        self.config.reset();
        if let Some(at) = self.sriov {
            self.config.reset_virtual(at);
        }
        self.set_wants_service(false);
        if let Some(msi) = &self.msi {
            msi.reset(&mut self.config);
        }
        if let Some(msix) = &mut self.msix {
            msix.reset();
        }
    }

    /// Loads from a BAR (0 to 5), `offset` bytes from its start; `None` where neither the MSI-X
    /// table nor its pending bits lie. Does not check whether the BAR [answers](Self::answers).
    pub fn load_bar(&self, bar: u8, offset: u64, width: Width) -> Option<u64> {
        self.msix.as_ref()?.load(bar, offset, width)
    }

    /// Stores to a BAR (0 to 5), `offset` bytes from its start; `None` where neither the MSI-X
    /// table nor its pending bits lie. Returns messages as [`Self::store`] does. Does not check
    /// whether the BAR [answers](Self::answers).
    pub fn store_bar(
        &mut self,
        bar: u8,
        offset: u64,
        width: Width,
        value: u64,
    ) -> Option<Vec<Message>> {
        self.msix.as_mut()?.store(bar, offset, width, value).then(|| self.release())
    }

    /// Raises a vector, counted from 0: of MSI-X where that is enabled, of MSI otherwise.
    pub fn raise(&mut self, vector: u16) -> Raised {
        let is_bus_master = self.is_bus_master();
        let Self { requester, config, msi, msix, .. } = self;
        if let Some(msix) = msix
            && msix.is_enabled(config)
        {
            return msix.raise(config, *requester, vector, is_bus_master);
        }
        match msi {
            Some(msi) if msi.is_enabled(config) => {
                msi.raise(config, *requester, vector, is_bus_master)
            }
            _ => Raised::Lost(Lost::Disabled),
        }
    }

    /// Sets whether the function requests service by its pin.
    pub fn set_wants_service(&mut self, wants: bool) {
        let status = Status::INTERRUPT.set(self.config.u16(header::STATUS), u64::from(wants));
        self.config.set(header::STATUS, Width::W16, status);
    }

    /// Whether the function asserts its pin. PCI 3.0 6.2.2, 6.2.3: Interrupt Disable suppresses it,
    /// whatever the status is; so do messages, which replace the pin (6.8.1.3).
    pub fn asserts_pin(&self) -> bool {
        Status::INTERRUPT.is_set(self.config.u16(header::STATUS))
            && !Command::INTERRUPT_DISABLE.is_set(self.config.u16(header::COMMAND))
            && !self.is_msi_enabled()
            && !self.is_msix_enabled()
    }

    /// The pending messages that nothing holds back any more.
    fn release(&mut self) -> Vec<Message> {
        if !self.is_bus_master() {
            return Vec::new();
        }
        let Self { requester, config, msi, msix, .. } = self;
        if let Some(msix) = msix
            && msix.is_enabled(config)
        {
            return msix.release(config, *requester);
        }
        match msi {
            Some(msi) if msi.is_enabled(config) => msi.release(config, *requester),
            _ => Vec::new(),
        }
    }
}
