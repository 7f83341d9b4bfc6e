//! The GICv2m driver: SPIs by frame, Linux's `irq-gic-v2m.c`.

use super::message::Message;
use super::view::MessageSupply;
use super::wire::{MsiTyper, V2M_MSI_IIDR, V2M_MSI_SETSPI_NS, V2M_MSI_TYPER, iidr};
use crate::irq::FrameFacts;
use crate::policy::{AmazonFrames, IrqFreeing, Policy, V2mBlocks};
use passim_model::{Host, IntId, PhysAddr, Width};

/// First SPI. `V2M_MIN_SPI`.
const MIN_SPI: u32 = 32;
/// Frames end below this. `V2M_MAX_SPI`, which is one too low: 1019 is an SPI.
const MAX_SPI: u32 = 1019;

/// The data a frame expects in place of its SPI's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Erratum {
    None,
    /// X-Gene: the number counts from the frame's first SPI.
    FromFirst,
    /// NS2: the number counts from the first SPI of all.
    FromSpis,
    /// Graviton: none; the address encodes the SPI. `GICV2M_GRAVITON_ADDRESS_ONLY`.
    AddressOnly,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Frame {
    base: PhysAddr,
    first: u32,
    taken: Vec<bool>,
    erratum: Erratum,
}

/// The frames, in the order in which they were probed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct V2m {
    frames: Vec<Frame>,
    per_cpu: Vec<PhysAddr>,
    blocks: V2mBlocks,
    freeing: IrqFreeing,
}

/// Offset in a Graviton frame at which an SPI is raised.
fn offset_of(spi: IntId) -> u64 {
    u64::from(spi.get() - MIN_SPI) << 3
}

impl Frame {
    /// Probes the frame; `None` if it claims numbers that are no SPIs.
    fn probe(facts: &FrameFacts, amazon: AmazonFrames, host: &mut impl Host) -> Option<Self> {
        let mut register = |at| {
            let value = host.load(facts.base.checked_add(at)?, Width::W32).ok()?;
            Some(value & u64::from(u32::MAX))
        };
        let identity = register(V2M_MSI_IIDR)?;
        let (first, count) = match facts.spis {
            Some((first, count)) => (first.get(), count),
            None => {
                let typer = register(V2M_MSI_TYPER)?;
                (MsiTyper::BASE_SPI.get(typer) as u32, MsiTyper::NUM_SPI.get(typer) as u32)
            }
        };
        // 4.6 is_msi_spi_valid.
        let end = first.checked_add(count)?;
        if first < MIN_SPI || count == 0 || end > MAX_SPI {
            return None;
        }
        let erratum = match identity {
            _ if facts.amazon && amazon == AmazonFrames::ByAddress => Erratum::AddressOnly,
            iidr::XGENE_GICV2M => Erratum::FromFirst,
            iidr::BCM_NS2_GICV2M => Erratum::FromSpis,
            _ => Erratum::None,
        };
        Some(Self { base: facts.base, first, taken: vec![false; count as usize], erratum })
    }

    fn has(&self, spi: IntId) -> bool {
        spi.get().checked_sub(self.first).is_some_and(|bit| (bit as usize) < self.taken.len())
    }

    /// The lowest free block of `count` bits whose index plus `offset`, rounded up by `mask`, is
    /// itself. With a mask of one less than a power of two that is a multiple of the power; the kernel
    /// also passes other masks, whose indexes are not evenly spaced.
    // 6.12 bitmap_find_next_zero_area_off.
    fn find(&self, count: usize, mask: usize, offset: usize) -> Option<usize> {
        let mut at = 0_usize;
        loop {
            at = ((at + offset + mask) & !mask).wrapping_sub(offset);
            let block = self.taken.get(at..at.checked_add(count)?)?;
            match block.iter().position(|taken| *taken) {
                Some(taken) => at += taken + 1,
                None => return Some(at),
            }
        }
    }
}

impl V2m {
    /// Probes the frames in order. `Err` with the address of an invalid frame: the driver then
    /// abandons all of them.
    pub(super) fn boot(
        frames: &[FrameFacts],
        per_cpu: &[PhysAddr],
        policy: &Policy,
        host: &mut impl Host,
    ) -> Result<Self, PhysAddr> {
        let mut probed = Vec::with_capacity(frames.len());
        for facts in frames {
            probed.push(Frame::probe(facts, policy.amazon_frames, host).ok_or(facts.base)?);
        }
        // acpi_parse_madt_msi clears MSI_FLAG_MULTI_PCI_MSI in the domain of all frames.
        let alone = probed.iter().any(|frame: &Frame| frame.erratum == Erratum::AddressOnly);
        let blocks = if alone { V2mBlocks::Single } else { policy.v2m_blocks };
        let freeing = policy.irq_freeing;
        Ok(Self { frames: probed, per_cpu: per_cpu.to_vec(), blocks, freeing })
    }

    /// Whether there is any frame: without one there is no MSI domain.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The blocks that this driver allocates.
    pub(super) fn blocks(&self) -> V2mBlocks {
        self.blocks
    }

    /// Allocates SPIs for `count` messages of a device, from the first frame with room; `None` if
    /// none has.
    pub(super) fn alloc(&mut self, count: usize) -> Option<Vec<IntId>> {
        let blocks = self.blocks;
        self.frames.iter_mut().find_map(|frame| {
            let (taken, at) = match blocks {
                V2mBlocks::Single if count == 1 => (1, frame.find(1, 0, 0)?),
                V2mBlocks::Single => return None,
                // A region as large as its alignment.
                V2mBlocks::AlignedInFrame => {
                    let region = count.next_power_of_two();
                    (region, frame.find(region, region - 1, 0)?)
                }
                // 6.12 gicv2m_irq_domain_alloc: the mask is one less than the count, of three too.
                V2mBlocks::AlignedSpi => {
                    let mask = count.checked_sub(1)?;
                    (count, frame.find(count, mask, frame.first as usize & mask)?)
                }
            };
            frame.taken[at..at + taken].fill(true);
            let first = frame.first + at as u32;
            Some((first..first + count as u32).map(IntId::new).collect())
        })
    }

    /// Frees SPIs that [`V2m::alloc`] returned as one block. Returns how many of the block stay
    /// taken.
    // 4.6 frees nothing for a number outside every frame, and logs that.
    pub(super) fn free(&mut self, first: IntId, count: usize) -> usize {
        let (taken, left) = match (self.blocks, self.freeing) {
            (V2mBlocks::AlignedInFrame, IrqFreeing::Whole) => (count.next_power_of_two(), 0),
            (V2mBlocks::AlignedInFrame, IrqFreeing::Each) => {
                (count, count.next_power_of_two() - count)
            }
            (V2mBlocks::Single | V2mBlocks::AlignedSpi, _) => (count, 0),
        };
        let Some(frame) = self.frames.iter_mut().find(|frame| frame.has(first)) else { return 0 };
        let at = (first.get() - frame.first) as usize;
        let end = frame.taken.len().min(at + taken);
        frame.taken[at..end].fill(false);
        left
    }

    /// Number of SPIs in use.
    pub(super) fn in_use(&self) -> usize {
        self.frames.iter().flat_map(|frame| &frame.taken).filter(|taken| **taken).count()
    }

    /// SPIs in total, and those left.
    pub(super) fn supply(&self) -> MessageSupply {
        let runs =
            |frame: &Frame| frame.taken.split(|taken| *taken).map(<[bool]>::len).max().unwrap_or(0);
        let total: usize = self.frames.iter().map(|frame| frame.taken.len()).sum();
        let longest = self.frames.iter().map(runs).max().unwrap_or(0);
        // Frames have at most 987 SPIs each, and the distributor has no more in total.
        let free = total - self.in_use();
        MessageSupply {
            lpis: false,
            total: total as u32,
            free: free as u32,
            longest: longest as u32,
        }
    }

    /// The base of each doorbell for messages of this SPI: the frame's, or one per CPU.
    pub(super) fn doorbells(&self, spi: IntId) -> Vec<PhysAddr> {
        if !self.per_cpu.is_empty() {
            return self.per_cpu.clone();
        }
        self.frames
            .iter()
            .find(|frame| frame.has(spi))
            .map(|frame| match frame.erratum {
                // Each SPI has its own address, in the frame's page or the next.
                Erratum::AddressOnly => PhysAddr::new(frame.base.get() | offset_of(spi) & !0xfff),
                _ => frame.base,
            })
            .into_iter()
            .collect()
    }

    /// The message that raises this SPI at this CPU, with a physical address.
    pub(super) fn message(&self, spi: IntId, cpu: u16) -> Message {
        let Some(frame) = self.frames.iter().find(|frame| frame.has(spi)) else {
            return Message::LOST;
        };
        let base = self.per_cpu.get(usize::from(cpu)).copied().unwrap_or(frame.base);
        let data = match frame.erratum {
            Erratum::None => spi.get(),
            Erratum::FromFirst => spi.get() - frame.first,
            Erratum::FromSpis => spi.get() - MIN_SPI,
            // gicv2m_get_msi_addr.
            Erratum::AddressOnly => {
                return Message::to(PhysAddr::new(base.get() | offset_of(spi)), 0);
            }
        };
        base.checked_add(V2M_MSI_SETSPI_NS).map_or(Message::LOST, |at| Message::to(at, data))
    }
}
