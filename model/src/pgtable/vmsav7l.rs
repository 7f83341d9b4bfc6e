//! VMSAv8-32 long descriptors (LPAE): the shapes their tables have.
//!
//! The descriptors are those of VMSAv8-64 with the 4K granule ([`vmsav8`](super::vmsav8)), walked
//! with [`Format::Long`](super::walk::Format): addresses have 40 bits at most, there are levels 1
//! to 3, and execution follows the rules of AArch32. This room adds the possible input sizes and
//! the start level (DDI 0487 G5.5, IHI 0062 2.6.4).

use super::table::Geometry;
use super::vmsav8::{Granule, Stage};
use super::walk::Config;

/// Widest address on either side of any stage.
pub const MAX_BITS: u32 = 40;

/// Widest input of stage 1.
pub const STAGE1_INPUT_BITS: u32 = 32;

/// Smallest input of either stage: TxSZ is at most 7.
pub const MIN_INPUT_BITS: u32 = 25;

/// Level at which a stage-1 walk of this many input bits starts: 1, or 2 for a gigabyte or less.
pub const fn stage1_start_level(input_bits: u32) -> u8 {
    Config::start_level_for(Granule::K4, input_bits)
}

/// The shape Linux gives such tables (`ARM_32_LPAE_S1` and `_S2`): that of VMSAv8-64 with the 4K
/// granule.
///
/// `None` for more than 32 bits of input at stage 1 or 40 bits of anything, and where VMSAv8-64 has
/// no such shape.
pub const fn linux(stage: Stage, input_bits: u32, output_bits: u32) -> Option<Geometry> {
    let widest = match stage {
        Stage::One => STAGE1_INPUT_BITS,
        Stage::Two => MAX_BITS,
    };
    if input_bits > widest || output_bits > MAX_BITS {
        return None;
    }
    Geometry::linux(stage, Granule::K4, input_bits, output_bits)
}
