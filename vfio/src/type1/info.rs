//! VFIO_IOMMU_GET_INFO: page sizes, and a chain of capabilities if there is room for it.

use crate::kernel::Kernel;
use crate::policy::{InfoAlignment, Policy, ShortInfo};
use crate::rules;
use crate::uapi::{Buffer, Header, dirty, info_cap};
use passim_model::{Conflict, Errno, Refusal};

/// Bytes a caller must have: argsz, flags and iova_pgsizes.
const LEAST_BYTES: u32 = 16;

/// Size of the structure up to and without the capabilities: `cap_offset` and padding to 8.
const fn struct_bytes() -> usize {
    24
}

/// The chain of capabilities, each with the offset of the next from the start of the structure.
struct Chain {
    bytes: Vec<u8>,
    last_at: Option<usize>,
}

impl Chain {
    fn new() -> Self {
        Self { bytes: Vec::new(), last_at: None }
    }

    /// Adds a capability of version 1.
    fn add(&mut self, id: u16, payload: &[u8], alignment: InfoAlignment) {
        let at = self.bytes.len();
        if let Some(last_at) = self.last_at {
            let next = (struct_bytes() + at) as u32;
            self.bytes[last_at + 4..last_at + 8].copy_from_slice(&next.to_le_bytes());
        }
        self.last_at = Some(at);
        self.bytes.extend(id.to_le_bytes());
        self.bytes.extend(1u16.to_le_bytes());
        self.bytes.extend(0u32.to_le_bytes());
        self.bytes.extend(payload);
        if alignment == InfoAlignment::Eight {
            self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        }
    }
}

/// How many bytes of the fixed part a caller with this argsz gets back.
pub(crate) fn fixed_bytes_written(argsz: u32, policy: &Policy) -> usize {
    match policy.short_info {
        ShortInfo::Bytes => (argsz as usize).min(struct_bytes()),
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
        buffer.copy_in::<{ LEAST_BYTES as usize }>(0)?;
        let argsz = Header::read(buffer)?.argsz;
        if argsz < LEAST_BYTES {
            let conflict = Conflict::Short { got: u64::from(argsz), needs: u64::from(LEAST_BYTES) };
            return Err(rules::ARGSZ_SHORT.refuse_for(Errno::EINVAL, conflict));
        }
        let chain = self.info_chain(container);
        let backend = self.containers[container].backend.as_ref().expect("a typed container");
        let needed = (struct_bytes() + chain.bytes.len()) as u32;
        let fits = argsz >= needed;
        let cap_offset = if fits { struct_bytes() as u32 } else { 0 };
        // measured on 6.1 and 6.12: CAPS is reported even if the chain is not; argsz then says
        // what it would take.
        let flags = info_cap::FLAG_PGSIZES | info_cap::FLAG_CAPS;
        let mut fixed = [0; struct_bytes()];
        fixed[0..4].copy_from_slice(&if fits { argsz } else { needed }.to_le_bytes());
        fixed[4..8].copy_from_slice(&flags.to_le_bytes());
        fixed[8..16].copy_from_slice(&backend.page_sizes.bits().to_le_bytes());
        fixed[16..20].copy_from_slice(&cap_offset.to_le_bytes());
        if fits {
            buffer.copy_out(struct_bytes(), &chain.bytes)?;
        }
        let written = fixed_bytes_written(argsz, &self.policy);
        buffer.copy_out(0, &fixed[..written])?;
        Ok(0)
    }

    fn info_chain(&self, container: usize) -> Chain {
        let alignment = self.policy.info_alignment;
        let backend = self.containers[container].backend.as_ref().expect("a typed container");
        let mut chain = Chain::new();
        let mut migration = Vec::with_capacity(24);
        migration.extend(0u64.to_le_bytes());
        migration.extend(backend.smallest_page().bytes().to_le_bytes());
        migration.extend(dirty::MAX_BITMAP_BYTES.to_le_bytes());
        chain.add(info_cap::MIGRATION, &migration, alignment);
        let left = backend.entries_left();
        chain.add(info_cap::DMA_AVAIL, &left.to_le_bytes(), alignment);
        let windows: Vec<_> = backend.windows.iter().collect();
        if !windows.is_empty() {
            let mut ranges = Vec::with_capacity(8 + 16 * windows.len());
            ranges.extend((windows.len() as u32).to_le_bytes());
            ranges.extend(0u32.to_le_bytes());
            for window in windows {
                ranges.extend(window.start().get().to_le_bytes());
                ranges.extend(window.last().get().to_le_bytes());
            }
            chain.add(info_cap::IOVA_RANGE, &ranges, alignment);
        }
        chain
    }
}
