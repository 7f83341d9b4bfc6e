//! What a GICv3 is built as that chooses as somebody's does.

use super::{
    DistributorFeatures, Groups, Implementation, OneOfN, RedistributorFeatures, SgiGroups, Sleep,
};
use crate::choice::Preset;
use crate::identification;
use crate::its;

impl Implementation {
    /// A GICv3 with one ITS that chooses as `preset` does, with affinities 0.0.0.0 to 0.0.0.15,
    /// 0.0.1.0 and so on.
    pub fn of(preset: Preset, cpus: u16, spis: u16) -> Self {
        // KVM's distributor tells its revision, its redistributors do not (`vgic-mmio-v3.c`); QEMU and
        // the others name Arm and no product.
        let (iidr, of_redistributors) = match preset {
            Preset::KvmAbi0 => (0x4b00_343b, 0x4b00_043b),
            // As GITS_IIDR: product 2, r1p6 (100336, GICD_IIDR, GICR_IIDR).
            Preset::Gic600 => (0x0201_743b, 0x0201_743b),
            _ => (0x0000_043b, 0x0000_043b),
        };
        let kvm = preset == Preset::KvmAbi0;
        let arm = matches!(preset, Preset::Qemu | Preset::Gic600);
        let identification = |ours| if arm { ours } else { identification::REVISION };
        // QEMU's redistributors have none, and GIC-600's none unless they have DirectLPI (GIC-600AE TRM
        // 101206_0003_04, page 125). Without them the preset with chance is the one where every INV that
        // software needs shows.
        let registers = matches!(preset, Preset::ArchStrict | Preset::KvmAbi0);
        Self {
            affinities: (0..u32::from(cpus)).map(|n| n >> 4 << 8 | n & 0xf).collect(),
            distributor: DistributorFeatures {
                spis,
                iidr,
                message_spis: matches!(preset, Preset::ArchStrict | Preset::Gic600),
                intid_bits: 16,
                num_lpis: 0,
                // KVM's vgic_mmio_read_v3_misc; vgic_mmio_write_irouter drops all but 24 bits.
                affinity3: !kvm,
                one_of_n: match preset {
                    Preset::Qemu => OneOfN::Denied,
                    Preset::KvmAbi0 => OneOfN::Absent,
                    _ => OneOfN::Offered,
                },
                groups: if kvm { Groups::Together } else { Groups::Apart },
                // vgic_v3_dist_registers: vgic_mmio_read_rao.
                statusr: if kvm { u32::MAX } else { 0 },
                sgi1r: match preset {
                    Preset::Qemu => SgiGroups::Own,
                    _ => SgiGroups::Either,
                },
                range_selector: false,
                identification: identification(identification::ARM_DISTRIBUTOR),
            },
            redistributors: RedistributorFeatures {
                iidr: of_redistributors,
                lpis: true,
                direct_lpi: false,
                invalidation_registers: registers,
                dpgs: matches!(preset, Preset::ArchStrict | Preset::Gic600),
                // Under KVM, and in Rockchip's RK3588 (GICR_TYPER is 0x21), all share a table.
                common_lpi_affinity: match preset {
                    Preset::KvmAbi0 | Preset::Gic600 => 0,
                    _ => 1,
                },
                // QEMU keeps gicr_waker and does not look at it.
                sleep: match preset {
                    Preset::Qemu => Sleep::Stored,
                    Preset::KvmAbi0 => Sleep::Absent,
                    _ => Sleep::Obeyed,
                },
                // vgic_mmio_write_config.
                fixed_triggers: kvm,
                identification: identification(identification::ARM_REDISTRIBUTOR),
            },
            choices: preset.lpi(),
            its: vec![its::Implementation::of(preset).for_cpus(cpus)],
        }
    }
}
