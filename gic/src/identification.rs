//! Identification registers of a register block, in CoreSight's format. IHI 0069 H 12.1.4.

/// The registers at 0xFFD0 to 0xFFFC of a GICv3's block, one byte each: PIDR4 to PIDR7, PIDR0 to
/// PIDR3, CIDR0 to CIDR3. All but PIDR2.ArchRev are implementation defined.
pub type Identification = [u8; 12];

/// PIDR2 alone, of a GICv3: ArchRev 3 in bits 7 to 4.
pub(crate) const REVISION: Identification = [0, 0, 0, 0, 0, 0, 0x3b, 0, 0, 0, 0, 0];

/// KVM's ITS: `vgic_mmio_read_its_idregs`.
pub(crate) const KVM_ITS: Identification = arm(0x92, 0x40);

/// Arm's distributor, and QEMU's (`gicv3_internal.h`, `gicv3_idreg`); GIC-600's in the register
/// reference of Intel's Agilex 5.
pub(crate) const ARM_DISTRIBUTOR: Identification = arm(0x92, 0x44);
/// Arm's redistributor; same sources.
pub(crate) const ARM_REDISTRIBUTOR: Identification = arm(0x93, 0x44);
/// Arm's ITS; same sources.
pub(crate) const ARM_ITS: Identification = arm(0x94, 0x44);

const fn arm(part: u8, pidr4: u8) -> Identification {
    [pidr4, 0, 0, 0, part, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1]
}

/// The register at this distance in bytes from the first.
pub(crate) fn register(identification: &Identification, distance: u64) -> u64 {
    let n = usize::try_from(distance / 4).unwrap_or(usize::MAX);
    u64::from(identification.get(n).copied().unwrap_or(0))
}
