//! Commands of an ITS as 32 bytes. IHI 0069 H 5.3.

use super::super::super::Unperformable;
use crate::op::{CommandName, ItsOp, YesNo};

/// A field of a command, by its key in a scenario.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Device,
    Event,
    Intid,
    Icid,
    Cpu,
    To,
    Itt,
    Bits,
    Valid,
}

use Part::{Bits, Cpu, Device, Event, Icid, Intid, Itt, To, Valid};

impl Part {
    const ALL: [Self; 9] = [Device, Event, Intid, Icid, Cpu, To, Itt, Bits, Valid];

    const fn key(self) -> &'static str {
        match self {
            Device => "device",
            Event => "event",
            Intid => "intid",
            Icid => "icid",
            Cpu => "cpu",
            To => "to",
            Itt => "itt",
            Bits => "bits",
            Valid => "valid",
        }
    }
}

/// The number of a command, its required fields, and its optional ones.
fn form(name: CommandName) -> (u64, &'static [Part], &'static [Part]) {
    match name {
        CommandName::Movi => (0x01, &[Device, Event, Icid], &[]),
        CommandName::Int => (0x03, &[Device, Event], &[]),
        CommandName::Clear => (0x04, &[Device, Event], &[]),
        CommandName::Sync => (0x05, &[Cpu], &[]),
        CommandName::Mapd => (0x08, &[Device], &[Itt, Bits, Valid]),
        CommandName::Mapc => (0x09, &[Icid], &[Cpu, Valid]),
        CommandName::Mapti => (0x0a, &[Device, Event, Intid, Icid], &[]),
        CommandName::Mapi => (0x0b, &[Device, Event, Icid], &[]),
        CommandName::Inv => (0x0c, &[Device, Event], &[]),
        CommandName::Invall => (0x0d, &[Icid], &[]),
        CommandName::Movall => (0x0e, &[Cpu, To], &[]),
        CommandName::Discard => (0x0f, &[Device, Event], &[]),
    }
}

/// A command with its arguments.
pub(super) struct Given<'a> {
    op: &'a ItsOp,
}

impl<'a> Given<'a> {
    pub(super) fn of(op: &'a ItsOp) -> Self {
        Self { op }
    }

    fn part(&self, part: Part) -> Option<u64> {
        let ItsOp::ItsCommand { device, event, intid, icid, cpu, to, itt, bits, valid, .. } =
            self.op
        else {
            return None;
        };
        match part {
            Device => device.map(u64::from),
            Event => event.map(u64::from),
            Intid => intid.map(u64::from),
            Icid => icid.map(u64::from),
            Cpu => cpu.map(u64::from),
            To => to.map(u64::from),
            Itt => itt.map(passim_model::PhysAddr::get),
            Bits => bits.map(u64::from),
            Valid => valid.map(|valid| u64::from(valid == YesNo::Yes)),
        }
    }

    /// Its four doublewords. `rdbase` returns the RDbase of a CPU's redistributor, at its bit
    /// position.
    pub(super) fn words(
        &self,
        name: CommandName,
        mut rdbase: impl FnMut(u64) -> u64,
    ) -> Result<[u64; 4], Unperformable> {
        let (number, must, may) = form(name);
        for part in Part::ALL {
            let given = self.part(part).is_some();
            if must.contains(&part) && !given {
                return Err(Unperformable::new(format!("{name} needs `{}=`", part.key())));
            }
            if given && !must.contains(&part) && !may.contains(&part) {
                let keys: Vec<_> = must.iter().chain(may).map(|part| part.key()).collect();
                return Err(Unperformable::new(format!("{name} has no `{}`", part.key()))
                    .hint(format!("it takes {}", keys.join(", "))));
            }
        }
        if let Some(bits) = self.part(Bits).filter(|bits| !(1..=32).contains(bits)) {
            return Err(Unperformable::new(format!("an EventID cannot have {bits} bits"))
                .hint("1 to 32: the field Size is one less")
                .at_key("bits"));
        }
        let of = |part| self.part(part).unwrap_or(0);
        let valid = self.part(Valid).unwrap_or(1) << 63;
        let mut words = [number | of(Device) << 32, of(Event) | of(Intid) << 32, of(Icid), 0];
        match name {
            CommandName::Mapd => {
                words[1] = of(Bits).saturating_sub(1) & 0x1f;
                words[2] = of(Itt) & 0x000f_ffff_ffff_ff00 | valid;
            }
            CommandName::Mapc => words[2] |= rdbase(of(Cpu)) | valid,
            CommandName::Sync => words[2] |= rdbase(of(Cpu)),
            CommandName::Movall => {
                words[2] = rdbase(of(Cpu));
                words[3] = rdbase(of(To));
            }
            _ => {}
        }
        Ok(words)
    }
}
