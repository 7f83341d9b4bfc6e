//! A small machine whose SMMUv3 is described by these lines.

use crate::input_error::{InputError, SourceText};
use crate::machine::{Iommu, Machine, SmmuV3};

const REST: &str = r#"
cpus = 1
page_size = "4K"
name = "small"
[[ram]]
base = 0x4000_0000
size = "1G"
[gic.its]
distributor = 0x0800_0000
redistributors = 0x080a_0000
its = 0x0808_0000
[[iommu.smmuv3]]
base = 0x0905_0000
"#;

pub(in crate::machine::file::smmuv3) fn smmu(lines: &str) -> Result<SmmuV3, InputError> {
    let machine = Machine::parse(&SourceText::new("m.toml", format!("{REST}{lines}\n")))?;
    let Iommu::SmmuV3(mut smmus) = machine.iommu else { panic!("{:?}", machine.iommu) };
    Ok(smmus.remove(0))
}

pub(in crate::machine::file::smmuv3) fn refused(lines: &str) -> String {
    let error = smmu(lines).unwrap_err();
    format!("{error}, {}", error.hint())
}
