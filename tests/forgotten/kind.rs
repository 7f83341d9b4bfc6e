//! The kinds of invalidation, and the flaws a driver may have with each.

use crate::world::Setup;

/// An invalidation command. IHI 0070 G.b 4.3, 4.4; CMD_SYNC completes it (4.7.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Ste,
    /// CMD_CFGI_STE_RANGE of the streams that changed.
    SteRange,
    /// CMD_CFGI_STE_RANGE with Range 31: CMD_CFGI_ALL.
    Everything,
    Cd,
    CdAll,
    VmsPidm,
    NhAll,
    NhAsid,
    NhVa,
    NhVaa,
    El2All,
    El2Asid,
    El2Va,
    El2Vaa,
    S12Vmall,
    S2Ipa,
    NsnhAll,
    Sync,
}

impl Kind {
    pub(crate) const ALL: [Self; 18] = [
        Self::Ste,
        Self::SteRange,
        Self::Everything,
        Self::Cd,
        Self::CdAll,
        Self::VmsPidm,
        Self::NhAll,
        Self::NhAsid,
        Self::NhVa,
        Self::NhVaa,
        Self::El2All,
        Self::El2Asid,
        Self::El2Va,
        Self::El2Vaa,
        Self::S12Vmall,
        Self::S2Ipa,
        Self::NsnhAll,
        Self::Sync,
    ];

    /// The command's name, without `CMD_`.
    pub(crate) fn command(self) -> &'static str {
        match self {
            Self::Ste => "CFGI_STE",
            Self::SteRange | Self::Everything => "CFGI_STE_RANGE",
            Self::Cd => "CFGI_CD",
            Self::CdAll => "CFGI_CD_ALL",
            Self::VmsPidm => "CFGI_VMS_PIDM",
            Self::NhAll => "TLBI_NH_ALL",
            Self::NhAsid => "TLBI_NH_ASID",
            Self::NhVa => "TLBI_NH_VA",
            Self::NhVaa => "TLBI_NH_VAA",
            Self::El2All => "TLBI_EL2_ALL",
            Self::El2Asid => "TLBI_EL2_ASID",
            Self::El2Va => "TLBI_EL2_VA",
            Self::El2Vaa => "TLBI_EL2_VAA",
            Self::S12Vmall => "TLBI_S12_VMALL",
            Self::S2Ipa => "TLBI_S2_IPA",
            Self::NsnhAll => "TLBI_NSNH_ALL",
            Self::Sync => "SYNC",
        }
    }

    pub(crate) fn opcode(self) -> u64 {
        match self {
            Self::Ste => 0x03,
            Self::SteRange | Self::Everything => 0x04,
            Self::Cd => 0x05,
            Self::CdAll => 0x06,
            Self::VmsPidm => 0x07,
            Self::NhAll => 0x10,
            Self::NhAsid => 0x11,
            Self::NhVa => 0x12,
            Self::NhVaa => 0x13,
            Self::El2All => 0x20,
            Self::El2Asid => 0x21,
            Self::El2Va => 0x22,
            Self::El2Vaa => 0x23,
            Self::S12Vmall => 0x28,
            Self::S2Ipa => 0x2a,
            Self::NsnhAll => 0x30,
            Self::Sync => 0x46,
        }
    }

    /// Whether a driver of this setup uses it.
    pub(crate) fn concerns(self, setup: Setup) -> bool {
        match self {
            Self::Ste | Self::SteRange | Self::Everything | Self::Sync => true,
            Self::Cd | Self::CdAll => setup != Setup::Stage2,
            Self::VmsPidm => setup == Setup::Labelled,
            Self::NhAll | Self::NhAsid | Self::NhVa | Self::NhVaa => {
                matches!(setup, Setup::El1 | Setup::Labelled)
            }
            Self::El2All | Self::El2Va | Self::El2Vaa => setup.is_el2(),
            // IHI 0070 G.b 3.17: EL2 without E2H has no ASIDs.
            Self::El2Asid => setup == Setup::El2Host,
            Self::S12Vmall | Self::NsnhAll => !setup.is_el2(),
            Self::S2Ipa => setup == Setup::Stage2,
        }
    }

    pub(crate) fn is_by_address(self) -> bool {
        matches!(self, Self::NhVa | Self::NhVaa | Self::El2Va | Self::El2Vaa | Self::S2Ipa)
    }

    fn has_asid(self, setup: Setup) -> bool {
        match self {
            Self::NhAsid | Self::NhVa => true,
            Self::El2Asid | Self::El2Va => setup == Setup::El2Host,
            _ => false,
        }
    }

    fn has_vmid(self) -> bool {
        let stage1 = matches!(self, Self::NhAll | Self::NhAsid | Self::NhVa | Self::NhVaa);
        stage1 || matches!(self, Self::S12Vmall | Self::S2Ipa | Self::VmsPidm)
    }

    fn has_regime(self) -> bool {
        matches!(self, Self::El2All | Self::El2Asid | Self::El2Va | Self::El2Vaa)
    }
}

/// A driver's flaw with a command of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flaw {
    /// Leaves it out.
    Forgets,
    /// Names one page less, half of the streams, or leaves out the last of several commands.
    Shortens,
    /// Names another stream.
    WrongStream,
    /// Names another SubstreamID.
    WrongSubstream,
    /// Names another ASID.
    WrongAsid,
    /// Names another VMID.
    WrongVmid,
    /// Names leaves only where a table changed, or the structure above one: L1STD, L1CD, or a table
    /// descriptor.
    LeavesOnly,
    /// Names level 2 for pages.
    WrongLevel,
    /// Names another granule.
    WrongGranule,
    /// Names the EL1 regime for addresses of EL2.
    WrongRegime,
}

impl Flaw {
    pub(crate) const ALL: [Self; 10] = [
        Self::Forgets,
        Self::Shortens,
        Self::WrongStream,
        Self::WrongSubstream,
        Self::WrongAsid,
        Self::WrongVmid,
        Self::LeavesOnly,
        Self::WrongLevel,
        Self::WrongGranule,
        Self::WrongRegime,
    ];

    /// Whether a driver of this setup can have the flaw with commands of this kind.
    pub(crate) fn concerns(self, kind: Kind, setup: Setup) -> bool {
        kind.concerns(setup)
            && match self {
                Self::Forgets => true,
                Self::Shortens => {
                    matches!(kind, Kind::Ste | Kind::SteRange | Kind::Cd) || kind.is_by_address()
                }
                Self::WrongStream => matches!(kind, Kind::Ste | Kind::Cd | Kind::CdAll),
                Self::WrongSubstream => kind == Kind::Cd,
                Self::WrongAsid => kind.has_asid(setup),
                Self::WrongVmid => kind.has_vmid(),
                Self::LeavesOnly => matches!(kind, Kind::Ste | Kind::Cd) || kind.is_by_address(),
                Self::WrongLevel | Self::WrongGranule => kind.is_by_address(),
                Self::WrongRegime => kind.has_regime(),
            }
    }
}

/// Commands that are in no row here, and why.
pub(crate) const ELSEWHERE: [(&str, &str); 11] = [
    ("PREFETCH_CONFIG", "makes nothing forgotten"),
    ("PREFETCH_ADDR", "makes nothing forgotten"),
    ("TLBI_EL3_ALL", "of another security state: CERROR_ILL"),
    ("TLBI_EL3_VA", "of another security state: CERROR_ILL"),
    ("TLBI_S_EL2_ALL", "of another security state: CERROR_ILL"),
    ("TLBI_SNH_ALL", "of another security state: CERROR_ILL"),
    ("DPTI_ALL", "of device permission tables, which are not modelled: CERROR_ILL"),
    ("ATC_INV", "the cache is the device's: the property of Linux's driver has it"),
    ("PRI_RESP", "answers a device, and makes nothing forgotten"),
    ("RESUME", "answers a transaction, and makes nothing forgotten"),
    ("STALL_TERM", "answers transactions, and makes nothing forgotten"),
];
