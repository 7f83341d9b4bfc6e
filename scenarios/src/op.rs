//! Operations: the lines of a scenario, as a type.
//!
//! One declaration both reads and prints an [`Op`]. Not here: its effect, which is in `run`.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `declare`, `line` | how does a line become an operation, and back? |
//! | `hardware`, `its`, `smmu`, `transfers`, `translations` | which verbs does a family have? |
//! | `value` | what types do values have? |

#[macro_use]
mod declare;
mod hardware;
mod its;
mod line;
mod smmu;
mod transfers;
mod translations;
mod value;

pub use declare::{Argument, Form, Verb};
pub use hardware::HardwareOp;
pub use its::ItsOp;
pub use smmu::SmmuOp;
pub use transfers::TransferOp;
pub use translations::TranslationOp;
pub use value::{
    AccessKind, AreaKind, AtcEnd, AtsName, CommandName, ContainerType, DescriptorKind, DeviceName,
    DirtyAction, Hex, IrqIndex, Number, PaceName, Protection, Setting, WireLevel, YesNo,
};

use passim_model::{Iova, Perms, Rid};

use crate::input_error::{InputError, SourceText};
use crate::script::{Args, Invocation, Place, Signed, Text, unknown_verb};

operations! {
    /// One operation of a scenario. See the [module](self).
    enum Op;
    families {
        /// Below any kernel: registers and memory.
        Hardware(HardwareOp),
        /// The GICv3 of a bare machine.
        Its(ItsOp),
        /// Regions of devices, and registers in sysfs.
        Transfer(TransferOp),
        /// Devices that keep translations.
        Translation(TranslationOp),
        /// On an SMMUv3 that the scenario programs.
        Smmu(SmmuOp),
    }
    /// Builds a machine and boots it, in place of the one before; process 1 runs then.
    Machine = "machine" {
        /// A built-in machine, or a machine file.
        word name: Text = "a machine",
        /// The kernel's profile; without it the machine's own.
        opt profile: Text = "profile",
        /// Module parameter of that name.
        opt allow_unsafe_interrupts: YesNo = "allow_unsafe_interrupts",
        /// Module parameter of that name.
        opt disable_hugepages: YesNo = "disable_hugepages",
        /// Module parameter of that name.
        opt dma_entry_limit: u32 = "dma_entry_limit",
        /// Single choices of the policy: `"name=value,name=value"`.
        opt set: Setting = "set",
        /// When hardware works: `eager` or `stepped`.
        opt pace: PaceName = "pace",
        /// A GICv3's choices where the architecture leaves them open: the name of a preset.
        opt gic: Text = "gic",
        /// The seed of the preset `adversarial`.
        opt seed: Number = "seed",
        /// How it and its ITSs are built, by the keys of docs/its.md: `"targets=address,event-bits=5"`.
        opt built: Setting = "built",
    }
    /// Builds a machine that nothing boots, in place of the one before: the scenario is its software.
    Bare = "bare" {
        /// A built-in machine, or a machine file.
        word name: Text = "a machine",
        /// The features of its SMMUs, in place of the machine's own: a built-in description.
        opt smmu: Text = "smmu",
        /// What its SMMUs choose where they may, as in a machine file: `"overlap=detected"`.
        opt choices: Setting = "choices",
        /// When hardware works: `eager` or `stepped`.
        opt pace: PaceName = "pace",
        /// A GICv3's choices where the architecture leaves them open: the name of a preset.
        opt gic: Text = "gic",
        /// The seed of the preset `adversarial`.
        opt seed: Number = "seed",
        /// How it and its ITSs are built, by the keys of docs/its.md: `"targets=address,event-bits=5"`.
        opt built: Setting = "built",
    }
    /// Starts a process; what follows is done by it.
    Process = "process" {
        /// RLIMIT_MEMLOCK in bytes; 8M without it.
        opt memlock: Number = "memlock",
    }
    /// What follows is done by this process.
    In = "in" {
        /// Its number.
        word process: u32 = "a process number",
    }
    /// Copies the process; what follows is still done by the parent.
    Fork = "fork" {}
    /// The process ends.
    Exit = "exit" {}
    /// Sets RLIMIT_MEMLOCK.
    SetRlimit = "setrlimit" {
        /// Bytes.
        key memlock: Number = "memlock",
    }
    /// Gives up CAP_IPC_LOCK.
    DropCap = "drop-cap" {}
    /// Maps memory at an address of its own and gives it a name.
    Area = "area" {
        /// Letters, digits and underscores.
        word name: Text = "a name",
        /// Bytes.
        key size: Number = "size",
        /// What backs it; `anon` without it.
        opt kind: AreaKind = "kind",
        /// Protection; `r|w` without it.
        opt prot: Protection = "prot",
        /// Descriptor of the file behind it, for kind `file`.
        opt fd: Signed = "fd",
        /// Offset in that file.
        opt offset: Number = "offset",
    }
    /// Unmaps memory.
    Munmap = "munmap" {
        /// First address.
        key va: Place = "va",
        /// Bytes.
        key size: Number = "size",
    }
    /// Changes the protection of memory.
    Mprotect = "mprotect" {
        /// First address.
        key va: Place = "va",
        /// Bytes.
        key size: Number = "size",
        /// The new protection.
        key prot: Protection = "prot",
    }
    /// Writes its own address into every page.
    Touch = "touch" {
        /// First address.
        key va: Place = "va",
        /// Bytes.
        key size: Number = "size",
    }
    /// Writes bytes into memory.
    Fill = "fill" {
        /// First address.
        key va: Place = "va",
        /// What to write.
        key bytes: Hex = "bytes",
    }
    /// Reads memory.
    Peek = "peek" {
        /// First address.
        key va: Place = "va",
        /// Bytes; 8 without it.
        opt size: Number = "size",
    }
    /// Locks memory.
    Mlock = "mlock" {
        /// First address.
        key va: Place = "va",
        /// Bytes.
        key size: Number = "size",
    }
    /// Unlocks memory.
    Munlock = "munlock" {
        /// First address.
        key va: Place = "va",
        /// Bytes.
        key size: Number = "size",
    }
    /// Shows what the process has locked: VmLck.
    Locked = "locked" {}
    /// Opens a file.
    Open = "open" {
        /// Absolute path.
        word path: Text = "a path",
    }
    /// Closes a descriptor.
    Close = "close" {
        /// The descriptor.
        key fd: Signed = "fd",
    }
    /// Sets the length of a plain file.
    Truncate = "ftruncate" {
        /// Descriptor.
        key fd: Signed = "fd",
        /// Bytes.
        key size: Number = "size",
    }
    /// Any ioctl, by number.
    Ioctl = "ioctl" {
        /// Descriptor.
        key fd: Signed = "fd",
        /// Request, `';' << 8 | number`.
        key nr: Number = "nr",
        /// The argument by value.
        opt arg: Signed = "arg",
        /// A structure, by its bytes.
        opt bytes: Hex = "bytes",
    }
    /// Opens the group of a device, puts it into a container that gets a type, opens the device.
    Attach = "attach" {
        /// The device.
        key dev: Rid = "dev",
        /// The type for SET_IOMMU; `v2` without it.
        opt kind: ContainerType = "type",
        /// Descriptor of a container that exists; a new one without it.
        opt container: Signed = "container",
        /// Descriptor of its group, where a neighbour was attached: only the device is opened.
        opt group: Signed = "group",
    }
    /// Attaches a device's group to another device's domain inside the kernel, and detaches it
    /// again: what VFIO tries for each domain of a container, and does not report.
    TryDomain = "try-domain" {
        /// The device.
        key dev: DeviceName = "dev",
        /// The other.
        key of: DeviceName = "of",
    }
    /// Closes what `attach` opened for a device: the device, then its group.
    Detach = "detach" {
        /// The device.
        key dev: Rid = "dev",
    }
    /// GROUP_SET_CONTAINER.
    SetContainer = "set-container" {
        /// Descriptor of the group.
        key group: Signed = "group",
        /// Descriptor of the container.
        key container: Signed = "container",
    }
    /// GROUP_UNSET_CONTAINER.
    UnsetContainer = "unset-container" {
        /// Descriptor of the group.
        key group: Signed = "group",
    }
    /// SET_IOMMU.
    SetIommu = "set-iommu" {
        /// Descriptor of the container.
        opt fd: Signed = "fd",
        /// The type.
        key kind: ContainerType = "type",
    }
    /// GROUP_GET_DEVICE_FD.
    GetDevice = "get-device" {
        /// Descriptor of the group.
        key group: Signed = "group",
        /// Name of the device, `0000:00:01.0`.
        key name: Text = "name",
    }
    /// GROUP_GET_STATUS.
    Status = "status" {
        /// Descriptor of the group.
        key group: Signed = "group",
    }
    /// CHECK_EXTENSION.
    CheckExtension = "check-extension" {
        /// The extension.
        word number: Signed = "an extension number",
        /// Descriptor of the container.
        opt fd: Signed = "fd",
    }
    /// IOMMU_GET_INFO.
    Info = "info" {
        /// Descriptor of the container.
        opt fd: Signed = "fd",
        /// argsz; without it, room for everything.
        opt argsz: u32 = "argsz",
    }
    /// IOMMU_MAP_DMA.
    Map = "map" {
        /// First IOVA.
        key iova: Iova = "iova",
        /// First user address.
        key va: Place = "va",
        /// Bytes.
        key size: Number = "size",
        /// What the device may do; `-` for neither.
        key prot: Perms = "prot",
        /// Descriptor of the container.
        opt fd: Signed = "fd",
        /// Flags in place of those of `prot`.
        opt flags: Number = "flags",
        /// argsz; 32 without it.
        opt argsz: u32 = "argsz",
    }
    /// IOMMU_MAP_DMA of a window for doorbells: VFIO_DMA_MAP_FLAG_RESERVED_MSI_IOVA.
    MsiWindow = "msi-window" {
        /// First IOVA.
        key iova: Iova = "iova",
        /// Bytes.
        key size: Number = "size",
        /// Descriptor of the container.
        opt fd: Signed = "fd",
    }
    /// IOMMU_UNMAP_DMA of a range.
    Unmap = "unmap" {
        /// First IOVA.
        key iova: Iova = "iova",
        /// Bytes.
        key size: Number = "size",
        /// Descriptor of the container.
        opt fd: Signed = "fd",
        /// Flags; 0 without it.
        opt flags: Number = "flags",
        /// argsz; 24 without it.
        opt argsz: u32 = "argsz",
    }
    /// IOMMU_UNMAP_DMA of everything.
    UnmapAll = "unmap-all" {
        /// Descriptor of the container.
        opt fd: Signed = "fd",
    }
    /// IOMMU_DIRTY_PAGES: `start`, `stop`, or `get` of a range.
    Dirty = "dirty" {
        /// The action.
        word action: DirtyAction = "start, stop or get",
        /// First IOVA, for `get`.
        opt iova: Iova = "iova",
        /// Bytes, for `get`.
        opt size: Number = "size",
        /// Descriptor of the container.
        opt fd: Signed = "fd",
    }
    /// DEVICE_GET_INFO.
    DeviceInfo = "device-info" {
        /// Descriptor of the device.
        key fd: Signed = "fd",
    }
    /// Shows the doorbells mapped in a device's domain, and how many vectors use each.
    Doorbells = "doorbells" {
        /// The device.
        key dev: DeviceName = "dev",
    }
    /// SET_IRQS: makes an eventfd for each vector of a device and enables messages, or adds these
    /// vectors. Sets Bus Master Enable.
    Enable = "enable" {
        /// The device.
        key dev: Rid = "dev",
        /// How many vectors.
        key vectors: u32 = "vectors",
        /// msi or msix; msix without it.
        opt index: IrqIndex = "index",
        /// First vector; 0 without it.
        opt start: u32 = "start",
        /// Stops the call where it has dropped a lock: the name of the place.
        opt until: Text = "until",
    }
    /// Continues what `enable until=` stopped for a device, as the process that began it.
    GoOn = "go-on" {
        /// The device.
        key dev: Rid = "dev",
        /// Stops again at this place.
        opt until: Text = "until",
    }
    /// SET_IRQS: turns messages, or another interrupt, off.
    Disable = "disable" {
        /// The device.
        key dev: Rid = "dev",
        /// Which; msix without it.
        opt index: IrqIndex = "index",
    }
    /// SET_IRQS in raw form.
    SetIrqs = "set-irqs" {
        /// The device, if `attach` opened it.
        opt dev: Rid = "dev",
        /// Descriptor of the device, if not.
        opt fd: Signed = "fd",
        /// Which interrupt.
        key index: IrqIndex = "index",
        /// Data type and action.
        key flags: Number = "flags",
        /// First vector; 0 without it.
        opt start: u32 = "start",
        /// How many; 1 without it.
        opt count: u32 = "count",
        /// What follows the structure.
        opt data: Hex = "data",
    }
    /// Reads the counter of an eventfd: by its descriptor, or as the one of a vector.
    Eventfd = "eventfd" {
        /// The descriptor.
        opt fd: Signed = "fd",
        /// The device.
        opt dev: Rid = "dev",
        /// Which vector; 0 without it.
        opt vector: u32 = "vector",
    }
    /// Makes an eventfd.
    NewEventfd = "new-eventfd" {}
    /// Adds to the counter of an eventfd, which wakes its waiters.
    Signal = "signal" {
        /// The descriptor.
        key fd: Signed = "fd",
        /// What is added; 1 without it.
        opt value: Number = "value",
    }
    /// A device asserts or deasserts one of its wires: its pin, if it is a function.
    Wire = "wire" {
        /// The device.
        key dev: DeviceName = "dev",
        /// `high`, `low`, or `pulse`.
        key level: WireLevel = "level",
        /// Which of its wires; 0 without it.
        opt index: u32 = "index",
    }
    /// Sends an interrupt to a CPU, as a write to its `smp_affinity_list` does.
    Affinity = "affinity" {
        /// Linux interrupt number.
        key irq: u32 = "irq",
        /// Which CPU.
        key cpu: u32 = "cpu",
    }
    /// Shows `/proc/interrupts`, as far as messages go.
    Interrupts = "interrupts" {}
    /// A device reads.
    Read = "read" {
        /// The device.
        key dev: DeviceName = "dev",
        /// First bus address.
        key iova: Iova = "iova",
        /// Bytes; 8 without it.
        opt size: Number = "size",
    }
    /// A device writes.
    Write = "write" {
        /// The device.
        key dev: DeviceName = "dev",
        /// First bus address.
        key iova: Iova = "iova",
        /// What is written, as a number.
        key value: Number = "value",
        /// Bytes, 1 to 8; 8 without it.
        opt size: Number = "size",
    }
    /// Binds a device to a driver.
    Bind = "bind" {
        /// The device.
        key dev: Rid = "dev",
        /// The driver.
        key driver: Text = "driver",
    }
    /// Unbinds a device from its driver.
    Unbind = "unbind" {
        /// The device.
        key dev: Rid = "dev",
    }
    /// Removes a function from the machine, once the kernel has released it.
    Unplug = "unplug" {
        /// The function.
        key dev: Rid = "dev",
    }
    /// Loads a module.
    Module = "module" {
        /// Its name.
        word name: Text = "a module",
    }
    /// Writes a sysfs attribute.
    Sysfs = "write-attribute" {
        /// Absolute path.
        word path: Text = "a path",
        /// What is written.
        key value: Text = "value",
    }
    /// A device signals an interrupt, by the message in its registers.
    Raise = "raise" {
        /// The device.
        key dev: DeviceName = "dev",
        /// Which; 0 without it.
        opt vector: u32 = "vector",
    }
    /// Shows the MSI capability of a device, as the registers hold it.
    Msi = "msi" {
        /// The device.
        key dev: Rid = "dev",
    }
    /// Shows the MSI-X table of a device, as the hardware holds it: the entries in use.
    Msix = "msix" {
        /// The device.
        key dev: Rid = "dev",
    }
    /// Shows the interrupts that are pending or active in the interrupt controller.
    Pending = "pending" {}
    /// Shows what the kernel has found at the machine's SMMUs since the last time: faults in
    /// interrupt handlers, refused commands, errors.
    Findings = "findings" {}
}

#[cfg(test)]
#[path = "op/tests.rs"]
mod tests;
