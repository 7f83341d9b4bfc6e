//! Virtual functions: expands a function's `sriov` table into functions.

use passim_model::pci::Sriov;
use passim_model::{Rid, StreamId};
use serde::Deserialize;

use super::super::quantity::{Quantity, narrow, optional_narrow};
use super::super::{Bar, CONFIG_BYTES, Function, Isolation};
use super::BarFile;

/// The SR-IOV capability of a function as software has set it, and the features of its virtual
/// functions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SriovFile {
    /// First VF Offset.
    #[serde(deserialize_with = "narrow")]
    offset: u16,
    /// VF Stride.
    #[serde(deserialize_with = "narrow")]
    stride: u16,
    /// TotalVFs; by default as many as are enabled.
    #[serde(default, deserialize_with = "optional_narrow")]
    total: Option<u16>,
    /// Most of them that the driver of the physical function enables.
    #[serde(default, deserialize_with = "optional_narrow")]
    allowed: Option<u16>,
    /// NumVFs: number enabled at boot.
    #[serde(default, deserialize_with = "narrow")]
    enabled: u16,
    /// Offset of the capability in extended configuration space.
    #[serde(default, deserialize_with = "optional_narrow")]
    at: Option<u16>,
    /// VF Device ID.
    #[serde(deserialize_with = "narrow")]
    device: u16,
    /// BARs of the first virtual function; the others' follow.
    #[serde(default)]
    bars: Vec<BarFile>,
    /// MSI-X of each virtual function.
    msix: Option<MsixFile>,
    /// The driver bound to each at boot.
    driver: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct MsixFile {
    vectors: u16,
    bar: u8,
    table: Quantity,
    pba: Quantity,
}

/// Offsets of the capabilities of a virtual function.
const MSIX_AT: u8 = 0x70;
const PCIE_AT: u8 = 0xa0;

/// Most virtual functions that are created: those of one bus and the next.
const MOST: u16 = 511;

impl SriovFile {
    /// TotalVFs.
    fn total(&self) -> u16 {
        self.total.unwrap_or(self.enabled)
    }

    /// Most virtual functions that can exist while this machine runs.
    fn most(&self) -> u16 {
        self.allowed.unwrap_or(self.total())
    }

    /// The capability of `physical`.
    ///
    /// # Errors
    /// A description of the mistake.
    pub(super) fn capability(&self, physical: &Function) -> Result<Sriov, String> {
        let (total, most) = (self.total(), self.most());
        if total > MOST || (total > 1 && self.stride == 0) || self.offset == 0 {
            return Err(format!(
                "sriov: {total} virtual functions from offset {} with stride {} cannot be",
                self.offset, self.stride
            ));
        }
        if self.enabled > most || most > total {
            let enabled = self.enabled;
            return Err(format!("sriov: {enabled} enabled, {most} allowed, {total} in total"));
        }
        let mut bars = [(0, 0); 6];
        for bar in self.bars.iter().map(BarFile::to_bar) {
            let Some(register) = bars.get_mut(usize::from(bar.index)) else {
                return Err(format!("sriov: there is no VF BAR {}", bar.index));
            };
            let writable = !bar.size.wrapping_sub(1);
            // PCI 3.0 6.2.5.1: the low four bits encode the type.
            let kind = bar.flags & 0xf;
            *register = ((bar.start | kind) as u32, writable as u32 & !0xf);
            if kind & 0b110 == 0b100
                && let Some(upper) = bars.get_mut(usize::from(bar.index) + 1)
            {
                *upper = ((bar.start >> 32) as u32, (writable >> 32) as u32);
            }
        }
        // After the capability that exists, or first in the list.
        let first = if physical.extended.is_empty() { 0x100 } else { 0x160 };
        let at = self.at.unwrap_or(first);
        let (offset, stride, device) = (self.offset, self.stride, self.device);
        // PCI Express 5.0 9.3.3.8: each function of these cards is independent.
        let dependency = physical.rid.function();
        Ok(Sriov { at, total, enabled: self.enabled, offset, stride, dependency, device, bars })
    }

    /// The virtual functions of `physical`.
    ///
    /// # Errors
    /// A description of the mistake.
    pub(super) fn functions(self, physical: &Function) -> Result<Vec<Function>, String> {
        if let Some(msix) = self.msix
            && (msix.vectors == 0 || msix.vectors > 2048 || msix.bar > 5)
        {
            return Err("sriov: an MSI-X table has 1 to 2048 vectors, in BAR 0 to 5".to_owned());
        }
        (0..self.most()).map(|index| self.function(physical, index)).collect()
    }

    fn function(&self, physical: &Function, index: u16) -> Result<Function, String> {
        // PCI Express Base Specification, 9.2.1.2: offset and stride are added to the physical
        // function's requester ID.
        let distance = u32::from(self.offset) + u32::from(self.stride) * u32::from(index);
        let rid = u16::try_from(u32::from(physical.rid.get()) + distance)
            .map_err(|_| format!("sriov: virtual function {index} lies beyond bus 0xff"))?;
        let rid = Rid::new(rid);
        let bars: Option<Vec<_>> = self
            .bars
            .iter()
            .map(|bar| {
                let bar = bar.to_bar();
                let distance = bar.size.checked_mul(index.into())?;
                Some(Bar { start: bar.start.checked_add(distance)?, ..bar })
            })
            .collect();
        let mut bars =
            bars.ok_or_else(|| format!("sriov: BARs of virtual function {index} lie nowhere"))?;
        bars.sort_by_key(|bar| bar.index);
        Ok(Function {
            rid,
            vendor: physical.vendor,
            device: self.device,
            class: physical.class,
            group: None,
            driver: self.driver.clone(),
            bars,
            config_size: 4096,
            config: Some(self.config(physical)),
            msi: None,
            msix: self.msix.map(|_| MSIX_AT),
            pcie: Some(PCIE_AT),
            // PCI Express Base Specification, 9.3.4: every virtual function has FLR.
            reset_method: Some("flr".to_owned()),
            smmu: physical.smmu,
            streams: vec![StreamId::new(rid.get().into())],
            stream: StreamId::new(rid.get().into()),
            device_id: physical.device_id,
            its: physical.its,
            last_alias: physical.last_alias,
            reserved: physical.reserved.clone(),
            held: Vec::new(),
            isolation: Isolation { physical: Some(physical.rid), ..Isolation::default() },
            ats: physical.ats,
            extended: Vec::new(),
            sriov: None,
            off: index >= self.enabled,
        })
    }

    /// The registers of a virtual function. PCI Express Base Specification, 9.3.4.1: vendor and
    /// device read 0xffff, BARs and the interrupt pin 0; the class is the physical function's.
    fn config(&self, physical: &Function) -> Box<[u8; CONFIG_BYTES]> {
        let mut config = Box::new([0; CONFIG_BYTES]);
        let mut put = |at: usize, bytes: &[u8]| config[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &[0xff; 4]);
        put(0x06, &[0x10]);
        put(0x09, &physical.class.to_le_bytes()[..3]);
        let first = if self.msix.is_some() { MSIX_AT } else { PCIE_AT };
        put(0x34, &[first]);
        if let Some(MsixFile { vectors, bar, table, pba }) = self.msix {
            let at = usize::from(MSIX_AT);
            put(at, &[0x11, PCIE_AT]);
            put(at + 2, &(vectors - 1).to_le_bytes());
            // PCI 3.0 6.8.2.4: the BAR indicator is 2..0, the offset the rest.
            let place = |offset: u64| (offset as u32 & !7 | u32::from(bar)).to_le_bytes();
            put(at + 4, &place(table.0));
            put(at + 8, &place(pba.0));
        }
        // Version 2, endpoint; device capabilities: 16 outstanding bits as 0, FLR at bit 28.
        put(usize::from(PCIE_AT), &[0x10, 0, 0x02, 0, 0, 0, 0, 0x10]);
        config
    }
}
