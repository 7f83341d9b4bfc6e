//! The result of IOMMU_GET_INFO, in the running kernel's layout.
//!
//! Layouts differ between revisions of the series, and the same capability number means different
//! things. A user-space program is built against one header; here the policy selects the layout.

use passim_model::PageSizes;
use passim_vfio::call::Arg;
use passim_vfio::policy::{InfoLayout, MsiInfo, Policy};

use super::{Outcome, Running, outcome};
use crate::ioctl::{self, long, word};

/// Most entries of a capability chain that are followed.
const MAX_CAPABILITIES: usize = 16;

/// Bytes of the caller's buffer, whatever argsz is.
const BUFFER_BYTES: usize = 4096;

/// `VFIO_IOMMU_INFO_PGSIZES`, and the bit that is `_REQUIRE_MSI_MAP` in v8 and `_CAPS` later.
const FLAG_PGSIZES: u32 = 1;
const FLAG_SECOND: u32 = 2;

/// Offsets of `iova_pgsizes` and `cap_offset`.
fn fields(policy: &Policy) -> (usize, Option<usize>) {
    match policy.info_layout {
        InfoLayout::Base => (8, None),
        InfoLayout::CapOffsetFirst => (16, Some(8)),
        InfoLayout::CapOffsetLast => (8, Some(20)),
        InfoLayout::CapOffsetNeeded | InfoLayout::Mainline => (8, Some(16)),
    }
}

impl Running {
    /// Calls IOMMU_GET_INFO with `argsz`, or with the whole buffer. The structure's own fields are
    /// shown only if `argsz` is given.
    pub(super) fn info(&mut self, fd: i32, argsz: Option<u32>) -> Outcome {
        let mut bytes = vec![0; BUFFER_BYTES];
        let asked = argsz.unwrap_or(BUFFER_BYTES as u32);
        bytes[..4].copy_from_slice(&asked.to_le_bytes());
        let answer = self.ioctl(fd, ioctl::IOMMU_GET_INFO, Arg::Bytes(bytes))?;
        if let Err(refusal) = &answer.ret {
            return Ok(vec![outcome::refusal(refusal)]);
        }
        Ok(info_text(self.system.kernel.policy(), &answer.bytes, argsz.is_some()))
    }
}

/// The text of what a kernel with this policy has written; `whole` includes the structure's own
/// fields.
pub(crate) fn info_text(policy: &Policy, bytes: &[u8], whole: bool) -> Vec<String> {
    let (page_sizes, cap_offset) = fields(policy);
    let chain = cap_offset.and_then(|at| word(bytes, at));
    let mut lines = Vec::new();
    if whole {
        let told = word(bytes, 0).unwrap_or(0);
        let offset = chain.map_or_else(|| "none".to_owned(), |at| at.to_string());
        lines.push(format!("argsz {told}, flags {}, cap_offset {offset}", flags(policy, bytes)));
    }
    if let Some(sizes) = long(bytes, page_sizes) {
        lines.push(format!("page sizes {}", PageSizes::from_bits(sizes)));
    }
    if !whole && policy.msi_info == MsiInfo::RequireMsiMap {
        lines.push(format!("flags {}", flags(policy, bytes)));
    }
    let mut at = chain.unwrap_or(0) as usize;
    for _ in 0..MAX_CAPABILITIES {
        let (true, Some(header), Some(next)) = (at != 0, word(bytes, at), word(bytes, at + 4))
        else {
            break;
        };
        lines.extend(capability(policy.msi_info, bytes, at, header & 0xffff));
        at = next as usize;
    }
    lines
}

/// The flags, by name.
fn flags(policy: &Policy, bytes: &[u8]) -> String {
    let flags = word(bytes, 4).unwrap_or(0);
    let second = match policy.msi_info {
        MsiInfo::RequireMsiMap => "REQUIRE_MSI_MAP",
        _ => "CAPS",
    };
    let named = [(FLAG_PGSIZES, "PGSIZES"), (FLAG_SECOND, second)];
    let set = named.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name);
    let rest = flags & !(FLAG_PGSIZES | FLAG_SECOND);
    let rest = (rest != 0).then(|| format!("{rest:#x}"));
    let all: Vec<_> = set.map(str::to_owned).chain(rest).collect();
    if all.is_empty() { "none".to_owned() } else { all.join("|") }
}

/// One capability, by its number in the `linux/vfio.h` of the revision.
fn capability(msi: MsiInfo, bytes: &[u8], at: usize, id: u32) -> Vec<String> {
    const FIRST: u32 = 1;
    const MIGRATION: u32 = 2;
    const DMA_AVAIL: u32 = 3;
    match (id, msi) {
        (FIRST, MsiInfo::Mainline) => iova_ranges(bytes, at),
        (FIRST, MsiInfo::Geometry16Pages) => {
            let reserved = long(bytes, at + 8).map(|word| word & 0xff);
            let (start, end) = (long(bytes, at + 16), long(bytes, at + 24));
            let (size, alignment) = (long(bytes, at + 32), long(bytes, at + 40));
            vec![match reserved {
                Some(0) => format!(
                    "MSI geometry: not reserved, size {}, alignment {}",
                    hex(size),
                    hex(alignment)
                ),
                _ => taken_by_hardware(start, end),
            }]
        }
        (FIRST, MsiInfo::GeometryOfDoorbells) => {
            let (flags, order) = (word(bytes, at + 8), word(bytes, at + 12));
            let (start, end) = (long(bytes, at + 24), long(bytes, at + 32));
            vec![match flags {
                Some(0) => format!(
                    "MSI geometry: not reserved, size {}, order {}",
                    hex(long(bytes, at + 16)),
                    order.unwrap_or(0)
                ),
                _ => taken_by_hardware(start, end),
            }]
        }
        (FIRST, MsiInfo::Reserved) => {
            let (size, alignment) = (long(bytes, at + 8), long(bytes, at + 16));
            vec![format!("MSI reservation: size {}, alignment {}", hex(size), hex(alignment))]
        }
        (MIGRATION, _) => {
            let sizes = PageSizes::from_bits(long(bytes, at + 16).unwrap_or(0));
            let most = hex(long(bytes, at + 24));
            vec![format!("migration: page sizes {sizes}, bitmap of at most {most} bytes")]
        }
        (DMA_AVAIL, _) => {
            let left = word(bytes, at + 8).map_or_else(|| "?".to_owned(), |n| n.to_string());
            vec![format!("room for {left} mappings")]
        }
        (other, _) => vec![format!("capability {other}")],
    }
}

/// The range in which hardware takes messages. A kernel that has no such range reports 0 twice,
/// which is no range.
fn taken_by_hardware(start: Option<u64>, end: Option<u64>) -> String {
    match (start, end) {
        (Some(0), Some(0)) => "MSI geometry: reserved, without saying where".to_owned(),
        _ => format!("MSI geometry: reserved [{}, {}]", hex(start), hex(end)),
    }
}

fn iova_ranges(bytes: &[u8], at: usize) -> Vec<String> {
    let count = word(bytes, at + 8).unwrap_or(0).min(64) as usize;
    let range = |index: usize| {
        let start = long(bytes, at + 16 + 16 * index);
        let last = long(bytes, at + 24 + 16 * index);
        format!("IOVA range [{}, {}]", hex(start), hex(last))
    };
    (0..count).map(range).collect()
}

fn hex(value: Option<u64>) -> String {
    value.map_or_else(|| "?".to_owned(), |value| format!("{value:#x}"))
}
