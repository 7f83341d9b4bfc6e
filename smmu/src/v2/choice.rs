//! Every place where IHI 0062 leaves a choice, each with a name.
//!
//! A choice that can be made differently is a type here and a field of [`Choices`]. The others are
//! made once, in the code:
//!
//! | choice (IHI 0062 D.c) | made here |
//! | --- | --- |
//! | reset values said to be UNKNOWN (9.2, 16.2) | zero |
//! | unimplemented registers (3.9) | RAZ/WI; there are no configuration access faults |
//! | registers of the Secure state (table 9-1) | RAZ/WI: accesses are Non-secure, and IDR0.SES reads 0 |
//! | bits of reserved fields (9.5, 16.4) | not stored; fields of another format of the same register are |
//! | registers and fields that a bank of the other stage has (17.1) | read as zero and ignore stores; they keep their values while the bank has the format without them |
//! | NSCFG, MONC, IRPTNDX with one interrupt a bank | RAZ/WI |
//! | CBAR.TYPE of a bank with one stage (10.2.1) | writable; a TYPE the bank cannot do is an invalid context fault |
//! | granule that is reserved or not implemented (16.5.38) | the smallest that is implemented |
//! | T0SZ out of range with VA64 = 1 (2.6.4) | clamped to 16 to 39 |
//! | SL0 that is invalid for T0SZ (2.6.4) | translation fault |
//! | upstream addresses wider than UBS (1.6.4) | sign-compressed at 49 bits; an address that cannot be compressed is an unsupported upstream transaction fault of the bank |
//! | PLVL of an address out of range in a stage-2 bank (17.3.1) | as in a stage-1 bank: 0 with AArch64, 1 with AArch32 and in SMMUv1 |
//! | bits 11:0 of FAR, IPAFAR and GFAR (16.5.8) | those of the address |
//! | FSYNR1, GFSYNR2, CR2, ACTLR, ACR | zero, but for the bits an MMU-500 defines |
//! | external abort of data | reported to the bus master only: not recorded |
//! | external abort of a stage-1 walk with stage 2 (3.10) | recorded in the stage-2 bank, without S1PTWF |
//! | FSR.SS as a cause of the interrupt (3.6.3) | no: the fault bits are |
//! | retry on a write to CBAR or CBA2R (3.7.3) | no: RESUME alone |
//! | where a retried transaction starts again (16.5.28) | at stream mapping |
//! | global stall while banks are stalled (3.7.5) | transactions wait for the stalled bank of the lowest number, and then for the next |
//! | StreamIDs wider than the implemented bits | the bits do not exist; 16 bits only with EXIDENABLE |
//! | accesses of other sizes than the register's (9.1) | a 32-bit store to an operation of 64 bits is extended with zeros, one to its upper half ignored; a 64-bit access to two registers is two accesses |
//! | over-invalidation | never: what an operation need not remove stays |
//! | TLB entries of both stages and TLBIIPAS2 (17.3.4) | stay: they do not hold the IPA as a tag |
//! | second tables of short descriptors | not cached |
//! | address translation operations and the TLB (4.1) | they walk the tables and cache no leaf of stage 1 |
//! | broadcast TLB maintenance (5.3) | none: IDR0.BTM reads 0 |
//! | EPD0 of HYPC (1.5.2, 16.5.38) | disables walks, as 1.5.2 says; 16.5.38 calls the bit UNK/SBZ |
//! | multiple matches where detection is guaranteed | always detected; otherwise [`Conflict`] |
//! | S2CR.INSTCFG and writes (9.6.23) | writes are always data |
//! | an address beyond 40 bits in an AArch32 stage-2 bank that is off (table 3-2: translation fault; 3.8.4: address size fault) | address size fault |
//! | what SMMUv1 leaves open of attributes (2.4, 2.4.1): reserved values, allocation of two stages | as SMMUv2 |

/// When a TLB invalidation takes effect. IHI 0062 D.c 5.4.2: an accepted operation need not be
/// complete; only a synchronisation guarantees that it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Completion {
    /// With the store itself.
    #[default]
    AtOnce,
    /// By a later [`SmmuV2::step`](crate::v2::SmmuV2::step), one per step, in the order of the
    /// stores.
    OnStep,
    /// As late as possible: by a step, once a synchronisation waits for it. Without one, the
    /// translations that it names stay in use.
    WhenSynchronised,
}

/// Which entry serves a StreamID that several entries match, where the SMMU does not guarantee
/// detection. IHI 0062 D.c 2.3.7, IDR1.SMCD.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Conflict {
    /// The conflict is detected nevertheless.
    #[default]
    Detected,
    /// The first.
    First,
    /// The last.
    Last,
}

/// The choices that can be made differently.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Choices {
    /// When invalidations take effect.
    pub completion: Completion,
    /// Several stream match entries for one StreamID; applies where IDR1.SMCD is 0.
    pub conflict: Conflict,
    /// Several TLB entries for one address.
    pub overlap: crate::choice::Overlap,
}
