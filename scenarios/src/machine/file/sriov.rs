//! Virtual functions: a `sriov` table of a function becomes functions of their own.

use passim_model::{Rid, StreamId};
use serde::Deserialize;

use super::super::quantity::{Quantity, narrow};
use super::super::{Bar, CONFIG_BYTES, Function, Isolation};
use super::BarFile;

/// The SR-IOV capability of a function as software has set it, and what its virtual functions have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SriovFile {
    /// First VF Offset.
    #[serde(deserialize_with = "narrow")]
    offset: u16,
    /// VF Stride.
    #[serde(deserialize_with = "narrow")]
    stride: u16,
    /// NumVFs: how many are enabled.
    #[serde(deserialize_with = "narrow")]
    enabled: u16,
    /// VF Device ID.
    #[serde(deserialize_with = "narrow")]
    device: u16,
    /// Those of the first; the others' follow.
    #[serde(default)]
    bars: Vec<BarFile>,
    /// Their MSI-X.
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

/// Where the capabilities of a virtual function lie.
const MSIX_AT: u8 = 0x70;
const PCIE_AT: u8 = 0xa0;

/// Most virtual functions that are made: those of one bus and the next.
const MOST: u16 = 511;

impl SriovFile {
    /// The virtual functions of `physical`.
    ///
    /// # Errors
    /// Words for what is wrong.
    pub(super) fn functions(self, physical: &Function) -> Result<Vec<Function>, String> {
        if self.enabled > MOST || (self.enabled > 1 && self.stride == 0) || self.offset == 0 {
            return Err(format!(
                "sriov: {} virtual functions from offset {} with stride {} cannot be",
                self.enabled, self.offset, self.stride
            ));
        }
        if let Some(msix) = self.msix
            && (msix.vectors == 0 || msix.vectors > 2048 || msix.bar > 5)
        {
            return Err("sriov: an MSI-X table has 1 to 2048 vectors, in BAR 0 to 5".to_owned());
        }
        (0..self.enabled).map(|index| self.function(physical, index)).collect()
    }

    fn function(&self, physical: &Function, index: u16) -> Result<Function, String> {
        // PCI Express Base Specification, 9.2.1.2: both are added to the physical function's own.
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
            reserved: physical.reserved.clone(),
            held: Vec::new(),
            isolation: Isolation { physical: Some(physical.rid), ..Isolation::default() },
            ats: physical.ats,
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
