//! An independent reading of the translation tables of AArch32: short descriptors, and long ones.
//!
//! For: what a table in memory means, independently of the walker under test. Written from the
//! descriptor figures and permission tables of the ARMv7-A manual (DDI 0406, B3.5 to B3.7).
//! Not for: choosing between TTBR0 and TTBR1, nesting, memory attributes.

/// Permissions of accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Rights {
    /// Data may be read.
    pub read: bool,
    /// Data may be written.
    pub write: bool,
    /// Instructions may be fetched.
    pub fetch: bool,
}

/// The outcome of a walk that found a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Output address of the input address.
    pub pa: u64,
    /// Bytes the leaf maps.
    pub size: u64,
    /// Permissions of PL0.
    pub user: Rights,
    /// Permissions of PL1.
    pub kernel: Rights,
    /// Belongs to every address space.
    pub global: bool,
}

/// Why a walk found no leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nothing is mapped.
    Translation(u8),
    /// The access flag is 0.
    AccessFlag(u8),
    /// An address has too many bits.
    AddressSize(u8),
    /// Memory did not answer.
    Abort(u64),
}

/// A first table of short descriptors.
#[derive(Clone, Copy, Debug)]
pub struct Short {
    /// TTBR0, its low bits included.
    pub ttbr: u64,
    /// TTBCR.N: 32 less the input bits.
    pub n: u32,
    /// SCTLR.AFE: AP\[0\] is an access flag.
    pub afe: bool,
    /// Whether a clear access flag faults.
    pub flag_faults: bool,
    /// Physical address bits.
    pub output_bits: u32,
}

/// AP\[2:0\] as the manual's table lists it: user read, user write, kernel read, kernel write.
fn full_model(ap: u32) -> [bool; 4] {
    match ap {
        0 => [false, false, false, false],
        1 => [false, false, true, true],
        2 => [true, false, true, true],
        3 => [true, true, true, true],
        4 => [false, false, false, false],
        5 => [false, false, true, false],
        6 => [true, false, true, false],
        7 => [true, false, true, false],
        _ => panic!("AP has three bits"),
    }
}

/// AP\[2:1\]: the model without AP\[0\].
fn simple_model(ap: u32) -> [bool; 4] {
    match ap >> 1 {
        0 => [false, false, true, true],
        1 => [true, true, true, true],
        2 => [false, false, true, false],
        3 => [true, false, true, false],
        _ => panic!("AP has three bits"),
    }
}

impl Short {
    /// Reads the tables for `input`, of which only the bits below 32 - N are used.
    ///
    /// # Errors
    /// See [`Stop`].
    pub fn walk(&self, word: impl Fn(u64) -> Option<u32>, input: u64) -> Result<Mapped, Stop> {
        let va = (input % (1 << (32 - self.n))) as u32;
        let table_bytes = 16384u64 >> self.n;
        let table = self.ttbr / table_bytes * table_bytes;
        if table >> self.output_bits != 0 {
            return Err(Stop::AddressSize(0));
        }
        let at = table + 4 * u64::from(va / 0x10_0000);
        let first = word(at).ok_or(Stop::Abort(at))?;
        match first % 4 {
            0 => return Err(Stop::Translation(1)),
            1 => {}
            _ => return self.section(first, va),
        }
        let table = u64::from(first & 0xffff_fc00);
        if table >> self.output_bits != 0 {
            return Err(Stop::AddressSize(1));
        }
        let at = table + 4 * u64::from(va / 0x1000 % 256);
        let second = word(at).ok_or(Stop::Abort(at))?;
        let ap = second >> 4 & 3 | (second >> 9 & 1) << 2;
        let table_pxn = first & 4 != 0;
        let (pa, size, xn) = match second % 4 {
            0 => return Err(Stop::Translation(2)),
            1 => ((second & 0xffff_0000) | va & 0xffff, 0x1_0000, second & 0x8000 != 0),
            _ => ((second & 0xffff_f000) | va & 0xfff, 0x1000, second & 1 != 0),
        };
        let global = second & 0x800 == 0;
        self.finish(2, u64::from(pa), size, ap, (xn, table_pxn), global)
    }

    fn section(&self, first: u32, va: u32) -> Result<Mapped, Stop> {
        let ap = first >> 10 & 3 | (first >> 15 & 1) << 2;
        let execute = (first & 0x10 != 0, first & 1 != 0);
        let global = first & 0x2_0000 == 0;
        if first & 0x4_0000 == 0 {
            let pa = u64::from(first & 0xfff0_0000 | va & 0xf_ffff);
            return self.finish(1, pa, 0x10_0000, ap, execute, global);
        }
        let low = u64::from(first & 0xff00_0000 | va & 0xff_ffff);
        let bits_35_32 = u64::from(first >> 20 & 0xf);
        let bits_39_36 = u64::from(first >> 5 & 0xf);
        let pa = low + (bits_35_32 << 32) + (bits_39_36 << 36);
        self.finish(1, pa, 0x100_0000, ap, execute, global)
    }

    fn finish(
        &self,
        level: u8,
        pa: u64,
        size: u64,
        ap: u32,
        (xn, pxn): (bool, bool),
        global: bool,
    ) -> Result<Mapped, Stop> {
        if pa >> self.output_bits != 0 {
            return Err(Stop::AddressSize(level));
        }
        if self.afe && self.flag_faults && ap & 1 == 0 {
            return Err(Stop::AccessFlag(level));
        }
        let [ur, uw, kr, kw] = if self.afe { simple_model(ap) } else { full_model(ap) };
        let user = Rights { read: ur, write: uw, fetch: ur && !xn };
        let kernel = Rights { read: kr, write: kw, fetch: kr && !xn && !pxn };
        Ok(Mapped { pa, size, user, kernel, global })
    }
}

/// A first table of long descriptors, stage 1 or 2.
#[derive(Clone, Copy, Debug)]
pub struct Long {
    /// Address of the first table.
    pub base: u64,
    /// Bits of the input.
    pub input_bits: u32,
    /// Level of the first lookup, 1 or 2. At stage 1 it follows from the input size.
    pub start_level: u8,
    /// Stage 2 rather than 1.
    pub second_stage: bool,
    /// Whether a clear access flag faults.
    pub flag_faults: bool,
    /// Output address bits, at most 40.
    pub output_bits: u32,
}

impl Long {
    /// Stage 1: two lookups where T0SZ is 2 or more, three where it is less.
    pub fn stage1(base: u64, t0sz: u32, output_bits: u32) -> Self {
        let start_level = if t0sz < 2 { 1 } else { 2 };
        let input_bits = 32 - t0sz;
        let (second_stage, flag_faults) = (false, true);
        Long { base, input_bits, start_level, second_stage, flag_faults, output_bits }
    }

    /// Reads the tables for `input`, which must be inside the input size.
    ///
    /// # Errors
    /// See [`Stop`].
    pub fn walk(&self, dword: impl Fn(u64) -> Option<u64>, input: u64) -> Result<Mapped, Stop> {
        let mut table = self.base;
        if table >> self.output_bits != 0 {
            return Err(Stop::AddressSize(0));
        }
        // Limits collected on the way: no user access, no writes, no fetches, no kernel fetches.
        let mut limits = [false; 4];
        for level in self.start_level..=3 {
            let shift = [39, 30, 21, 12][usize::from(level)];
            let mut index = input >> shift;
            if level != self.start_level {
                index %= 512;
            }
            let at = table + index * 8;
            let descriptor = dword(at).ok_or(Stop::Abort(at))?;
            let kind = descriptor % 4;
            let block = kind == 1 && level < 3;
            let page = kind == 3 && level == 3;
            let below = kind == 3 && level < 3;
            if !(block || page || below) {
                return Err(Stop::Translation(level));
            }
            let address = descriptor & 0xffff_ffff_f000;
            if block || page {
                let size = 1u64 << shift;
                let start = address / size * size;
                if start >> self.output_bits != 0 {
                    return Err(Stop::AddressSize(level));
                }
                return self.leaf(level, descriptor, start + input % size, size, limits);
            }
            if address >> self.output_bits != 0 {
                return Err(Stop::AddressSize(level));
            }
            if !self.second_stage {
                for (limit, bit) in limits.iter_mut().zip([61, 62, 60, 59]) {
                    *limit |= descriptor >> bit & 1 == 1;
                }
            }
            table = address;
        }
        unreachable!("level 3 has no tables")
    }

    fn leaf(
        &self,
        level: u8,
        descriptor: u64,
        pa: u64,
        size: u64,
        [no_user, no_write, no_fetch, no_kernel_fetch]: [bool; 4],
    ) -> Result<Mapped, Stop> {
        let bit = |n: u32| descriptor >> n & 1 == 1;
        if self.flag_faults && !bit(10) {
            return Err(Stop::AccessFlag(level));
        }
        if self.second_stage {
            let rights = Rights { read: bit(6), write: bit(7), fetch: !bit(54) };
            return Ok(Mapped { pa, size, user: rights, kernel: rights, global: true });
        }
        let user_access = bit(6) && !no_user;
        let write = !bit(7) && !no_write;
        let fetch = !bit(54) && !no_fetch;
        let user =
            Rights { read: user_access, write: user_access && write, fetch: user_access && fetch };
        let kernel_fetch = fetch && !bit(53) && !no_kernel_fetch;
        let kernel = Rights { read: true, write, fetch: kernel_fetch };
        Ok(Mapped { pa, size, user, kernel, global: !bit(11) })
    }
}

#[cfg(test)]
mod tests;
