//! VFIO_IOMMU_GET_INFO: page sizes, and a chain of capabilities if the caller has room for it.
//!
//! Layout and capabilities differ between revisions: `info-layout` and `msi-info`. Not here: the
//! contents of the series' capabilities (`msi_info`).

use super::Type1;
use crate::kernel::Kernel;
use crate::policy::{InfoAlignment, InfoLayout, MsiInfo, Policy, ShortInfo};
use crate::rules;
use crate::uapi::{Buffer, Header, dirty, info_cap};
use passim_model::{Conflict, Errno, Refusal};

/// The field offsets of `struct vfio_iommu_type1_info` in one layout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Layout {
    /// Bytes of the structure; the chain follows.
    bytes: usize,
    /// Smallest argsz accepted.
    least: u32,
    /// Offset of `iova_pgsizes`.
    page_sizes: usize,
    /// Offset of `cap_offset`, if the layout has one.
    cap_offset: Option<usize>,
}

impl Layout {
    const fn of(layout: InfoLayout) -> Self {
        let (bytes, least, page_sizes, cap_offset) = match layout {
            InfoLayout::Base => (16, 16, 8, None),
            InfoLayout::CapOffsetFirst => (24, 24, 16, Some(8)),
            InfoLayout::CapOffsetLast => (24, 24, 8, Some(20)),
            InfoLayout::CapOffsetNeeded => (24, 20, 8, Some(16)),
            InfoLayout::Mainline => (24, 16, 8, Some(16)),
        };
        Self { bytes, least, page_sizes, cap_offset }
    }
}

/// The chain of capabilities, each with the offset of the next from the start of the structure.
struct Chain {
    /// Its offset in the structure.
    at: usize,
    alignment: InfoAlignment,
    bytes: Vec<u8>,
    last_at: Option<usize>,
}

impl Chain {
    fn new(at: usize, alignment: InfoAlignment) -> Self {
        Self { at, alignment, bytes: Vec::new(), last_at: None }
    }

    /// Adds a capability of version 1.
    fn add(&mut self, id: u16, payload: &[u8]) {
        let at = self.bytes.len();
        if let Some(last_at) = self.last_at {
            let next = (self.at + at) as u32;
            self.bytes[last_at + 4..last_at + 8].copy_from_slice(&next.to_le_bytes());
        }
        self.last_at = Some(at);
        self.bytes.extend(id.to_le_bytes());
        self.bytes.extend(1u16.to_le_bytes());
        self.bytes.extend(0u32.to_le_bytes());
        self.bytes.extend(payload);
        if self.alignment == InfoAlignment::Eight {
            self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        }
    }
}

/// How many bytes of a 24-byte structure are copied back to a caller with this argsz.
pub(crate) fn fixed_bytes_written(argsz: u32, policy: &Policy) -> usize {
    match policy.short_info {
        ShortInfo::Bytes => (argsz as usize).min(24),
        ShortInfo::WholeFields if argsz >= 20 => 20,
        ShortInfo::WholeFields => 16,
    }
}

impl Kernel {
    /// VFIO_IOMMU_GET_INFO.
    pub(crate) fn iommu_info(
        &mut self,
        container: usize,
        buffer: &mut Buffer,
    ) -> Result<i64, Refusal> {
        let layout = Layout::of(self.policy.info_layout);
        buffer.require(layout.least as usize)?;
        let argsz = Header::read(buffer)?.argsz;
        if argsz < layout.least {
            let conflict =
                Conflict::Short { got: u64::from(argsz), needs: u64::from(layout.least) };
            return Err(rules::ARGSZ_SHORT.refuse_for(Errno::EINVAL, conflict));
        }
        let chain = self.info_chain(container, layout);
        let backend = self.containers[container].type1();
        let needed = (layout.bytes + chain.len()) as u32;
        let fits = argsz >= needed;
        let cap_offset = if fits && !chain.is_empty() { layout.bytes as u32 } else { 0 };
        // measured on 6.1 and 6.12: CAPS is reported even if the chain is not; argsz then returns
        // the size needed. v12 and v14 read the same.
        let caps = if chain.is_empty() { 0 } else { info_cap::FLAG_CAPS };
        let flags = info_cap::FLAG_PGSIZES | caps | self.require_msi_map(container);
        let told = if fits || chain.is_empty() { argsz } else { needed };
        let mut fixed = vec![0; layout.bytes];
        fixed[0..4].copy_from_slice(&told.to_le_bytes());
        fixed[4..8].copy_from_slice(&flags.to_le_bytes());
        let sizes = backend.page_sizes.bits().to_le_bytes();
        fixed[layout.page_sizes..layout.page_sizes + 8].copy_from_slice(&sizes);
        if let Some(at) = layout.cap_offset {
            fixed[at..at + 4].copy_from_slice(&cap_offset.to_le_bytes());
        }
        if fits && !chain.is_empty() {
            buffer.copy_out(layout.bytes, &chain)?;
        }
        let written = match self.policy.info_layout {
            InfoLayout::Mainline => fixed_bytes_written(argsz, &self.policy),
            _ => layout.least as usize,
        };
        buffer.copy_out(0, &fixed[..written])?;
        Ok(0)
    }

    /// v8: the flag that requires a window.
    fn require_msi_map(&self, container: usize) -> u32 {
        let first = self.containers[container].backend.as_ref().and_then(Type1::reference_domain);
        let needed = self.policy.msi_info == MsiInfo::RequireMsiMap
            && first.is_some_and(|domain| self.iommu.msi_geometry(domain).supported);
        if needed { info_cap::FLAG_REQUIRE_MSI_MAP } else { 0 }
    }

    /// The chain of capabilities; empty where this kernel has none.
    fn info_chain(&self, container: usize, layout: Layout) -> Vec<u8> {
        let mut chain = Chain::new(layout.bytes, self.policy.info_alignment);
        match self.policy.msi_info {
            MsiInfo::Nothing | MsiInfo::RequireMsiMap => {}
            MsiInfo::Mainline => self.mainline_capabilities(container, &mut chain),
            MsiInfo::Geometry16Pages => {
                if let Some(payload) = self.geometry_16_pages(container) {
                    chain.add(info_cap::MSI_GEOMETRY, &payload);
                }
            }
            MsiInfo::GeometryOfDoorbells => {
                if let Some(payload) = self.geometry_of_doorbells(container) {
                    chain.add(info_cap::MSI_GEOMETRY, &payload);
                }
            }
            MsiInfo::Reserved => {
                if let Some(payload) = self.reserved_msi(container) {
                    chain.add(info_cap::MSI_RESV, &payload);
                }
            }
        }
        chain.bytes
    }

    fn mainline_capabilities(&self, container: usize, chain: &mut Chain) {
        let backend = self.containers[container].type1();
        let mut migration = Vec::with_capacity(24);
        migration.extend(0u64.to_le_bytes());
        migration.extend(backend.smallest_page().bytes().to_le_bytes());
        migration.extend(dirty::MAX_BITMAP_BYTES.to_le_bytes());
        chain.add(info_cap::MIGRATION, &migration);
        let left = backend.entries_left();
        chain.add(info_cap::DMA_AVAIL, &left.to_le_bytes());
        let windows: Vec<_> = backend.windows.iter().collect();
        if !windows.is_empty() {
            let mut ranges = Vec::with_capacity(8 + 16 * windows.len());
            ranges.extend((windows.len() as u32).to_le_bytes());
            ranges.extend(0u32.to_le_bytes());
            for window in windows {
                ranges.extend(window.start().get().to_le_bytes());
                ranges.extend(window.last().get().to_le_bytes());
            }
            chain.add(info_cap::IOVA_RANGE, &ranges);
        }
    }
}
