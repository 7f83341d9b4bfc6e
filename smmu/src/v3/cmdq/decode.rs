//! Decodes words into a command, or CERROR_ILL. IHI 0070 G.b chapter 4.

use super::CommandWords;
use crate::choice::ReservedCommandFields;
use crate::regime::Response;
use crate::tlb::Hint;
use crate::v3::SmmuV3;
use crate::v3::features::StallModel;
use crate::v3::wire::command::{
    AtcInv0, AtcInv1, Cfgi1, CfgiRange1, PriResp1, Resume0, Resume1, Stream0, Sync0, Sync1, Tlbi0,
    Tlbi1, TlbiIpa1, opcode,
};
use crate::v3::wire::regs::CommandError;
use passim_model::ats::ResponseCode;
use passim_model::bits::Field;
use passim_model::pgtable::vmsav8::Granule;
use passim_model::{Asid, StreamId, SubstreamId, Vmid};

/// How the completion of a CMD_SYNC is signalled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signal {
    /// By CONS alone.
    None,
    /// By an interrupt: a message if the address is not zero, and the wire.
    Interrupt {
        /// The address of the message.
        address: u64,
        /// Its data.
        data: u32,
    },
    /// By an event to the CPUs.
    Event,
}

/// The addresses of a TLB invalidation, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Addresses {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) hint: Hint,
}

/// A command that is legal here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Command {
    Prefetch {
        stream: StreamId,
        substream: Option<SubstreamId>,
    },
    CfgiStes {
        first: StreamId,
        last: StreamId,
        leaf: bool,
    },
    CfgiCd {
        stream: StreamId,
        substream: SubstreamId,
        leaf: bool,
    },
    CfgiCdAll {
        stream: StreamId,
    },
    CfgiVms {
        vmid: Vmid,
    },
    TlbiNhAll {
        vmid: Vmid,
    },
    TlbiNhAsid {
        vmid: Vmid,
        asid: Asid,
    },
    TlbiNhVa {
        vmid: Vmid,
        asid: Asid,
        at: Addresses,
    },
    TlbiNhVaa {
        vmid: Vmid,
        at: Addresses,
    },
    TlbiEl2All,
    TlbiEl2Asid {
        asid: Asid,
    },
    TlbiEl2Va {
        asid: Asid,
        at: Addresses,
    },
    TlbiEl2Vaa {
        at: Addresses,
    },
    TlbiS12Vmall {
        vmid: Vmid,
    },
    TlbiS2Ipa {
        vmid: Vmid,
        at: Addresses,
    },
    TlbiNsnhAll,
    AtcInv {
        stream: StreamId,
        substream: Option<SubstreamId>,
        global: bool,
        first: u64,
        last: u64,
    },
    PriResp {
        stream: StreamId,
        substream: Option<SubstreamId>,
        group: u16,
        code: ResponseCode,
    },
    /// `end`: the response that ends the transaction; `None`: it is retried.
    Resume {
        stream: StreamId,
        stag: u16,
        end: Option<Response>,
    },
    StallTerm {
        stream: StreamId,
    },
    Sync(Signal),
    /// Legal, and without effect.
    Nothing,
}

impl Command {
    /// Whether it invalidates the SMMU's own caches.
    pub(crate) const fn invalidates(&self) -> bool {
        match self {
            Self::CfgiStes { .. }
            | Self::CfgiCd { .. }
            | Self::CfgiCdAll { .. }
            | Self::CfgiVms { .. }
            | Self::TlbiNhAll { .. }
            | Self::TlbiNhAsid { .. }
            | Self::TlbiNhVa { .. }
            | Self::TlbiNhVaa { .. }
            | Self::TlbiEl2All
            | Self::TlbiEl2Asid { .. }
            | Self::TlbiEl2Va { .. }
            | Self::TlbiEl2Vaa { .. }
            | Self::TlbiS12Vmall { .. }
            | Self::TlbiS2Ipa { .. }
            | Self::TlbiNsnhAll => true,
            Self::Prefetch { .. }
            | Self::AtcInv { .. }
            | Self::PriResp { .. }
            | Self::Resume { .. }
            | Self::StallTerm { .. }
            | Self::Sync(_)
            | Self::Nothing => false,
        }
    }
}

type Decoded = Result<Command, CommandError>;

fn require(holds: bool) -> Result<(), CommandError> {
    if holds { Ok(()) } else { Err(CommandError::Illegal) }
}

impl SmmuV3 {
    /// Decodes a command.
    pub(super) fn decode(&self, words: &CommandWords) -> Decoded {
        let [w0, _] = *words;
        let code = Stream0::OPCODE.get(w0);
        self.check_reserved(code, words)?;
        match code {
            opcode::PREFETCH_CONFIG
            | opcode::PREFETCH_ADDR
            | opcode::CFGI_STE
            | opcode::CFGI_STE_RANGE
            | opcode::CFGI_CD
            | opcode::CFGI_CD_ALL => self.decode_configuration(code, words),
            0x10..=0x30 => self.decode_tlbi(code, words),
            _ => self.decode_rest(code, words),
        }
    }

    fn decode_configuration(&self, code: u64, words: &CommandWords) -> Decoded {
        let f = &self.features;
        let [w0, w1] = *words;
        // IHI 0070 G.b 4.1.6: a Secure StreamID on the Non-secure queue is illegal.
        require(!Stream0::SSEC.is_set(w0))?;
        let about_cd = matches!(code, opcode::CFGI_CD | opcode::CFGI_CD_ALL);
        require(!about_cd || f.stage1)?;
        if code == opcode::CFGI_STE_RANGE {
            // IHI 0070 G.b 4.3.2: an aligned range of 2^(Range+1); 4.3.6: 31 is all.
            let span = u32::MAX >> (31 - CfgiRange1::RANGE.get(w1) as u32);
            let stream = Stream0::STREAM_ID.get(w0) as u32;
            let (first, last) = (StreamId::new(stream & !span), StreamId::new(stream | span));
            // IHI 0070 G.b 4.3.2: level-1 descriptors are dropped too.
            return Ok(Command::CfgiStes { first, last, leaf: false });
        }
        let size = |value: u64, bits: u32| self.in_size(value, bits);
        let Some(stream) = size(Stream0::STREAM_ID.get(w0), f.stream_bits) else {
            return Ok(Command::Nothing);
        };
        let stream = StreamId::new(stream);
        let leaf = Cfgi1::LEAF.is_set(w1);
        let number = Stream0::SUBSTREAM_ID.get(w0);
        Ok(match code {
            opcode::CFGI_STE => Command::CfgiStes { first: stream, last: stream, leaf },
            opcode::CFGI_CD_ALL => Command::CfgiCdAll { stream },
            opcode::CFGI_CD => match size(number, f.substream_bits) {
                Some(substream) => {
                    Command::CfgiCd { stream, substream: SubstreamId::new(substream), leaf }
                }
                None => Command::Nothing,
            },
            _ if !Stream0::SSV.is_set(w0) => Command::Prefetch { stream, substream: None },
            _ => match size(number, f.substream_bits) {
                Some(substream) => {
                    Command::Prefetch { stream, substream: Some(SubstreamId::new(substream)) }
                }
                None => Command::Nothing,
            },
        })
    }

    fn decode_tlbi(&self, code: u64, words: &CommandWords) -> Decoded {
        let f = &self.features;
        let [w0, w1] = *words;
        let asid = self.tag(Tlbi0::ASID.get(w0), f.asid16).map(Asid::new);
        // IHI 0070 G.b 4.4.2: without stage 2 there is no VMID to match.
        let vmid = if f.stage2 { Tlbi0::VMID.get(w0) } else { 0 };
        let vmid = self.tag(vmid, f.vmid16).map(Vmid::new);
        let stage1 = code <= opcode::TLBI_EL2_VAA;
        let el2 = (opcode::TLBI_EL2_ALL..=opcode::TLBI_EL2_VAA).contains(&code);
        let stage2 = matches!(code, opcode::TLBI_S12_VMALL | opcode::TLBI_S2_IPA);
        require(!stage1 || f.stage1)?;
        require(!el2 || f.hyp)?;
        require(!stage2 || f.stage2)?;
        let by_address = |field: Field| self.addresses(w0, w1, field);
        let virtual_address = || by_address(Tlbi1::ADDRESS);
        // IHI 0070 G.b 4.4: a tag beyond the implemented size need not match anything.
        let of_tags = |command: Option<Command>| Ok(command.unwrap_or(Command::Nothing));
        match code {
            opcode::TLBI_NH_ALL => of_tags(vmid.map(|vmid| Command::TlbiNhAll { vmid })),
            opcode::TLBI_NH_ASID => {
                of_tags(vmid.zip(asid).map(|(vmid, asid)| Command::TlbiNhAsid { vmid, asid }))
            }
            opcode::TLBI_NH_VA => {
                let at = virtual_address()?;
                of_tags(vmid.zip(asid).map(|(vmid, asid)| Command::TlbiNhVa { vmid, asid, at }))
            }
            opcode::TLBI_NH_VAA => {
                let at = virtual_address()?;
                of_tags(vmid.map(|vmid| Command::TlbiNhVaa { vmid, at }))
            }
            opcode::TLBI_EL2_ALL => Ok(Command::TlbiEl2All),
            opcode::TLBI_EL2_ASID => of_tags(asid.map(|asid| Command::TlbiEl2Asid { asid })),
            opcode::TLBI_EL2_VA => {
                let at = virtual_address()?;
                of_tags(asid.map(|asid| Command::TlbiEl2Va { asid, at }))
            }
            opcode::TLBI_EL2_VAA => Ok(Command::TlbiEl2Vaa { at: virtual_address()? }),
            opcode::TLBI_S12_VMALL => of_tags(vmid.map(|vmid| Command::TlbiS12Vmall { vmid })),
            opcode::TLBI_S2_IPA => {
                let at = by_address(TlbiIpa1::ADDRESS)?;
                of_tags(vmid.map(|vmid| Command::TlbiS2Ipa { vmid, at }))
            }
            opcode::TLBI_NSNH_ALL => Ok(Command::TlbiNsnhAll),
            // IHI 0070 G.b 4.4.2.5: EL3 is for the Secure queue; the others are reserved.
            _ => Err(CommandError::Illegal),
        }
    }

    fn decode_rest(&self, code: u64, words: &CommandWords) -> Decoded {
        let f = &self.features;
        let [w0, w1] = *words;
        match code {
            opcode::CFGI_VMS_PIDM => {
                require(f.vms && !Stream0::SSEC.is_set(w0))?;
                let vmid = self.tag(Tlbi0::VMID.get(w0), f.vmid16).map(Vmid::new);
                Ok(vmid.map_or(Command::Nothing, |vmid| Command::CfgiVms { vmid }))
            }
            opcode::ATC_INV => self.decode_atc_inv(w0, w1),
            opcode::PRI_RESP => {
                let code = match PriResp1::RESP.get(w1) {
                    0 => ResponseCode::Failure,
                    1 => ResponseCode::InvalidRequest,
                    2 => ResponseCode::Success,
                    _ => return Err(CommandError::Illegal),
                };
                require(f.pri)?;
                let group = PriResp1::PRG_INDEX.get(w1) as u16;
                Ok(self.recipient(w0).map_or(Command::Nothing, |(stream, substream)| {
                    Command::PriResp { stream, substream, group, code }
                }))
            }
            opcode::RESUME | opcode::STALL_TERM => {
                // IHI 0070 G.b 4.7.1, 4.7.2: illegal where nothing can stall.
                let can_stall = f.stall_model != StallModel::TerminateOnly;
                require(can_stall && !Stream0::SSEC.is_set(w0))?;
                Ok(self.decode_stall(code, w0, w1))
            }
            opcode::SYNC => match Sync0::CS.get(w0) {
                0 => Ok(Command::Sync(Signal::None)),
                1 => Ok(Command::Sync(Signal::Interrupt {
                    address: Sync1::MSI_ADDRESS.in_place(w1),
                    data: Sync0::MSI_DATA.get(w0) as u32,
                })),
                2 => Ok(Command::Sync(Signal::Event)),
                _ => Err(CommandError::Illegal),
            },
            // IHI 0070 G.b 4.1.1, 4.1.3: reserved, Secure, DPT and implementation-defined ones.
            _ => Err(CommandError::Illegal),
        }
    }

    /// CMD_ATC_INV. IHI 0070 G.b 4.5.1: the span is aligned to its size.
    fn decode_atc_inv(&self, w0: u64, w1: u64) -> Decoded {
        let size = AtcInv1::SIZE.get(w1) as u32;
        require(self.features.ats && size <= 52)?;
        let span = u64::MAX >> (52 - size);
        let address = AtcInv1::ADDRESS.in_place(w1);
        Ok(self.recipient(w0).map_or(Command::Nothing, |(stream, substream)| Command::AtcInv {
            stream,
            substream,
            global: substream.is_some() && AtcInv0::GLOBAL.is_set(w0),
            first: address & !span,
            last: address | span,
        }))
    }

    /// The stream and the SubstreamID that CMD_ATC_INV and CMD_PRI_RESP address; `None` if one of
    /// them is out of range and the command has no effect.
    fn recipient(&self, w0: u64) -> Option<(StreamId, Option<SubstreamId>)> {
        let f = &self.features;
        let stream = self.in_size(Stream0::STREAM_ID.get(w0), f.stream_bits)?;
        // IHI 0070 G.b 4.5.1, 4.5.2: without SubstreamIDs SSV = 1 may behave as SSV = 0.
        let tagged = Stream0::SSV.is_set(w0) && f.substream_bits != 0;
        // IHI 0070 G.b 4.1.7: with a SubstreamID out of range the command has no effect, or names
        // one of the SMMU's choice; it never becomes a command without a SubstreamID.
        let substream = match tagged {
            true => Some(self.in_size(Stream0::SUBSTREAM_ID.get(w0), f.substream_bits)?),
            false => None,
        };
        Some((StreamId::new(stream), substream.map(SubstreamId::new)))
    }

    /// CMD_RESUME and CMD_STALL_TERM.
    fn decode_stall(&self, code: u64, w0: u64, w1: u64) -> Command {
        let bits = self.features.stream_bits;
        let Some(stream) = self.in_size(Stream0::STREAM_ID.get(w0), bits).map(StreamId::new) else {
            return Command::Nothing;
        };
        if code == opcode::STALL_TERM {
            return Command::StallTerm { stream };
        }
        // IHI 0070 G.b 4.7.1: Ab applies only to a termination, and where TERM_MODEL is 0.
        let abort = Resume0::AB.is_set(w0) || self.features.abort_only;
        let response = if abort { Response::Abort } else { Response::RazWi };
        let end = (!Resume0::AC.is_set(w0)).then_some(response);
        Command::Resume { stream, stag: Resume1::STAG.get(w1) as u16, end }
    }

    /// The addresses of a TLB invalidation by address. IHI 0070 G.b 4.4.1.1.
    fn addresses(&self, w0: u64, w1: u64, field: Field) -> Result<Addresses, CommandError> {
        let first = field.in_place(w1);
        let page_last = first | 0xfff;
        let leaves_only = Tlbi1::LEAF.is_set(w1);
        let hint = Hint { leaves_only, ..Hint::default() };
        let one_page = Addresses { first, last: page_last, hint };
        if !self.features.range_invalidation {
            return Ok(one_page);
        }
        let granule = match Tlbi1::TG.get(w1) {
            0 => return Ok(one_page),
            1 => Granule::K4,
            2 => Granule::K16,
            _ => Granule::K64,
        };
        let (num, scale) = (Tlbi0::NUM.get(w0), Tlbi0::SCALE.get(w0) as u32);
        let level = match Tlbi1::TTL.get(w1) {
            // Without 52-bit tables a 16K granule has no leaves at level 1: acts as 0.
            1 if granule == Granule::K16 && !self.features.ds => 0,
            level => level as u8,
        };
        require(!(num == 0 && scale == 0 && level == 0))?;
        let granules = u128::from(num + 1) << scale;
        let past = u128::from(first) + (granules << granule.page().lg2());
        // The range does not wrap, and one that starts in the lower half need not reach the
        // upper.
        let limit = if first >> 63 == 0 { u64::MAX >> 1 } else { u64::MAX };
        let last = u64::try_from(past - 1).map_or(limit, |last| last.min(limit));
        let level = (level != 0).then_some(level);
        let hint = Hint { granule: Some(granule), level, leaves_only };
        Ok(Addresses { first, last, hint })
    }

    /// An ASID or VMID, if it fits the implemented size.
    fn tag(&self, value: u64, sixteen: bool) -> Option<u16> {
        let value = value as u16;
        (sixteen || value >> 8 == 0).then_some(value)
    }

    /// A StreamID or SubstreamID, if it fits the implemented size or is truncated to it.
    fn in_size(&self, value: u64, bits: u32) -> Option<u32> {
        use crate::choice::OutOfRangeParameter;
        let cut = value & !(u64::MAX << bits);
        match self.implementation.choices.out_of_range {
            OutOfRangeParameter::Truncate => Some(cut as u32),
            OutOfRangeParameter::NoEffect => (cut == value).then_some(value as u32),
        }
    }

    /// IHI 0070 G.b 4.1.5: fields that must be zero may be checked.
    fn check_reserved(&self, code: u64, words: &CommandWords) -> Result<(), CommandError> {
        match self.implementation.choices.reserved_command_fields {
            ReservedCommandFields::Ignored => Ok(()),
            ReservedCommandFields::Illegal => {
                let defined = defined_fields(code, self.features.range_invalidation);
                let stray = |word: usize| words[word] & !defined[word] != 0;
                require(!stray(0) && !stray(1))
            }
        }
    }
}

/// The defined bits of a command; all bits of a command that is not listed.
fn defined_fields(code: u64, range_invalidation: bool) -> [u64; 2] {
    let or = |fields: &[Field]| fields.iter().fold(0, |bits, field| bits | field.mask());
    let stream = or(&[Stream0::OPCODE, Stream0::SSEC, Stream0::STREAM_ID]);
    let substream = or(&[Stream0::SUBSTREAM_ID]);
    let tags = |fields: &[Field]| or(&[Tlbi0::OPCODE]) | or(fields);
    let range = if range_invalidation { or(&[Tlbi0::NUM, Tlbi0::SCALE]) } else { 0 };
    let hints = if range_invalidation { or(&[Tlbi1::TTL, Tlbi1::TG]) } else { 0 };
    let virtual_address = or(&[Tlbi1::LEAF, Tlbi1::ADDRESS]) | hints;
    match code {
        opcode::PREFETCH_CONFIG => [stream | substream | or(&[Stream0::SSV]), 0],
        opcode::CFGI_STE => [stream, or(&[Cfgi1::LEAF])],
        opcode::CFGI_STE_RANGE => [stream, or(&[CfgiRange1::RANGE])],
        opcode::CFGI_CD => [stream | substream, or(&[Cfgi1::LEAF])],
        opcode::CFGI_CD_ALL => [stream, 0],
        opcode::TLBI_NH_ALL | opcode::TLBI_S12_VMALL => [tags(&[Tlbi0::VMID]), 0],
        opcode::TLBI_NH_ASID => [tags(&[Tlbi0::VMID, Tlbi0::ASID]), 0],
        opcode::TLBI_NH_VA => [tags(&[Tlbi0::VMID, Tlbi0::ASID]) | range, virtual_address],
        opcode::TLBI_NH_VAA => [tags(&[Tlbi0::VMID]) | range, virtual_address],
        opcode::TLBI_EL2_ALL | opcode::TLBI_NSNH_ALL => [tags(&[]), 0],
        opcode::TLBI_EL2_ASID => [tags(&[Tlbi0::ASID]), 0],
        opcode::TLBI_EL2_VA => [tags(&[Tlbi0::ASID]) | range, virtual_address],
        opcode::TLBI_EL2_VAA => [tags(&[]) | range, virtual_address],
        opcode::TLBI_S2_IPA => {
            let address = or(&[Tlbi1::LEAF, TlbiIpa1::ADDRESS]) | hints;
            [tags(&[Tlbi0::VMID]) | range, address]
        }
        opcode::ATC_INV => {
            let word0 = stream | substream | or(&[Stream0::SSV, AtcInv0::GLOBAL]);
            [word0 & !or(&[Stream0::SSEC]), or(&[AtcInv1::SIZE, AtcInv1::ADDRESS])]
        }
        opcode::PRI_RESP => {
            let word0 = stream | substream | or(&[Stream0::SSV]);
            [word0 & !or(&[Stream0::SSEC]), or(&[PriResp1::PRG_INDEX, PriResp1::RESP])]
        }
        opcode::RESUME => [stream | or(&[Resume0::AC, Resume0::AB]), or(&[Resume1::STAG])],
        opcode::STALL_TERM => [stream, 0],
        opcode::SYNC => {
            let fields = [Sync0::OPCODE, Sync0::CS, Sync0::MSH, Sync0::MSI_ATTR, Sync0::MSI_DATA];
            [or(&fields), or(&[Sync1::MSI_ADDRESS])]
        }
        _ => [u64::MAX; 2],
    }
}
