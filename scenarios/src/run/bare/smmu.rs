//! An SMMUv3 programmed by hand: registers, structures in memory, commands.

use passim_model::{Abort, Host, PhysAddr, Width};
use passim_smmu::v3::names::{self, COMMANDS, REGISTERS, Register, Structure};

use super::super::{Answered, CommandError, Outcome, Unperformable};
use super::descriptor::{self, Output};
use super::fields::{self, Named};
use super::queue::QueueKind;
use super::{Bare, words};
use crate::input_error::nearest;
use crate::op::{Number, SmmuOp};
use crate::script::{FieldValues, number};

impl Bare {
    pub(super) fn on_smmu(&mut self, op: &SmmuOp) -> Outcome {
        match op {
            SmmuOp::Register { name, smmu, value, fields } => {
                let register = register_named(&name.0)?;
                let smmu = self.index(*smmu)?;
                self.register(smmu, register, *value, fields)
            }
            SmmuOp::L1Std { at, fields } => self.write(*at, &names::L1STD, fields),
            SmmuOp::Ste { at, fields } => self.write(*at, &names::STE, fields),
            SmmuOp::L1Cd { at, fields } => self.write(*at, &names::L1CD, fields),
            SmmuOp::Cd { at, fields } => self.write(*at, &names::CD, fields),
            SmmuOp::Descriptor { at, kind, oa, granule, ds, fields } => {
                let granule_lg2 = granule_lg2(*granule)?;
                let output = Output { oa: oa.get(), granule_lg2, ds: *ds };
                self.put(*at, &[descriptor::word(*kind, &output, fields)?])
            }
            SmmuOp::Command { name, smmu, fields } => {
                let smmu = self.index(*smmu)?;
                self.command(smmu, command_words(&name.0, fields)?)
            }
            SmmuOp::SkipCommand { smmu } => {
                let smmu = self.index(*smmu)?;
                self.skip_command(smmu)
            }
            _ => self.on_devices(op),
        }
    }

    /// Which SMMU is meant.
    pub(super) fn index(&self, smmu: Option<u32>) -> Result<usize, Unperformable> {
        let index = smmu.unwrap_or(0) as usize;
        if index < self.smmus.len() {
            return Ok(index);
        }
        let message = match self.smmus.len() {
            0 => "this machine has no SMMUv3".to_owned(),
            count => format!("this machine has {count} SMMUv3s, counted from 0"),
        };
        Err(Unperformable::new(message).at_key("smmu"))
    }

    pub(super) fn load(&mut self, smmu: usize, register: &Register) -> Result<u64, Unperformable> {
        let at = place(self.smmus[smmu], register.offset)?;
        self.board.load(at, register.width).map_err(silent)
    }

    pub(super) fn load_named(&mut self, smmu: usize, name: &str) -> Result<u64, Unperformable> {
        self.load(smmu, register_named(name)?)
    }

    pub(super) fn store_named(
        &mut self,
        smmu: usize,
        name: &str,
        value: u64,
    ) -> Result<(), Unperformable> {
        let at = place(self.smmus[smmu], register_named(name)?.offset)?;
        self.board.store(at, Width::W32, value).map_err(silent)
    }

    fn register(
        &mut self,
        smmu: usize,
        register: &Register,
        value: Option<Number>,
        fields: &FieldValues,
    ) -> Outcome {
        if value.is_none() && fields.0.is_empty() {
            return Ok(vec![words::register(self.load(smmu, register)?, register.fields)]);
        }
        let mut words = [value.map_or(0, |value| value.0)];
        if register.width == Width::W32 && words[0] >> 32 != 0 {
            let message = format!("{} has 32 bits", register.name);
            return Err(Unperformable::new(message).at_key("value"));
        }
        let known: Vec<Named> =
            register.fields.iter().map(|&(name, field)| (name, 0, field)).collect();
        fields::set(&mut words, &known, register.name, fields)?;
        let at = place(self.smmus[smmu], register.offset)?;
        self.board.store(at, register.width, words[0]).map_err(silent)?;
        Ok(Vec::new())
    }

    /// Writes a structure to memory.
    fn write(&mut self, at: PhysAddr, structure: &Structure, values: &FieldValues) -> Outcome {
        let mut words = vec![0; structure.words];
        fields::set(&mut words, &fields::of_structure(structure), structure.name, values)?;
        self.put(at, &words)
    }

    fn put(&mut self, at: PhysAddr, words: &[u64]) -> Outcome {
        for (index, word) in (0u64..).zip(words) {
            let stored = self.board.memory_mut().store_u64(place(at, 8 * index)?, *word);
            stored.map_err(silent)?;
        }
        Ok(Vec::new())
    }

    fn command(&mut self, smmu: usize, command: [u64; 2]) -> Outcome {
        let queue = self.queue(smmu, QueueKind::Command)?;
        let prod = self.load_named(smmu, "CMDQ_PROD")?;
        self.put(queue.entry(prod), &command)?;
        let prod = queue.next(prod);
        self.store_named(smmu, "CMDQ_PROD", prod)?;
        self.consumed(smmu, prod)
    }

    fn skip_command(&mut self, smmu: usize) -> Outcome {
        let queue = self.queue(smmu, QueueKind::Command)?;
        let cons = self.load_named(smmu, "CMDQ_CONS")?;
        self.put(queue.entry(cons), &command_words("SYNC", &FieldValues::default())?)?;
        let errors = self.load_named(smmu, "GERROR")?;
        self.store_named(smmu, "GERRORN", errors)?;
        let prod = self.load_named(smmu, "CMDQ_PROD")?;
        self.consumed(smmu, prod)
    }

    /// How far the queue was consumed, and why no farther.
    pub(super) fn consumed(&mut self, smmu: usize, prod: u64) -> Outcome {
        const WR: u64 = 0xf_ffff;
        let cons = self.load_named(smmu, "CMDQ_CONS")?;
        let active = self.load_named(smmu, "GERROR")? ^ self.load_named(smmu, "GERRORN")?;
        let rd = cons & WR;
        let error = CommandError::of(cons >> 24 & 0x7f).filter(|_| active & 1 != 0);
        self.heard.extend(error.map(Answered::Stopped));
        let what = match error {
            Some(error) => error.name(),
            None if active & 1 != 0 => "CMDQ_ERR",
            None if rd == prod & WR => "consumed",
            None => "not consumed",
        };
        Ok(vec![format!("{what}, CMDQ_CONS.RD={rd:#x}")])
    }
}

fn place(base: PhysAddr, offset: u64) -> Result<PhysAddr, Unperformable> {
    base.checked_add(offset)
        .ok_or_else(|| Unperformable::new("this leaves the address space").at_key("at"))
}

pub(super) fn silent(abort: Abort) -> Unperformable {
    Unperformable::new(abort.to_string()).hint("software keeps to memory there is")
}

pub(super) fn register_named(name: &str) -> Result<&'static Register, Unperformable> {
    Register::named(name).ok_or_else(|| {
        let known: Vec<_> = REGISTERS.iter().map(|register| register.name).collect();
        no_such("register", name, &known)
    })
}

fn no_such(what: &str, name: &str, known: &[&str]) -> Unperformable {
    let hint = match nearest(name, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("{what}s: {}", known.join(", ")),
    };
    Unperformable::new(format!("there is no {what} `{name}`")).hint(hint)
}

/// The words of a command, by its name or opcode.
fn command_words(name: &str, values: &FieldValues) -> Result<[u64; 2], Unperformable> {
    const OPCODES: u64 = 0xff;
    let plain = name.strip_prefix("CMD_").unwrap_or(name);
    if let Some(opcode) = number(plain).filter(|opcode| *opcode <= OPCODES) {
        let mut words = [opcode, 0];
        fields::set(&mut words, &[], "a command by its opcode", values)?;
        return Ok(words);
    }
    let command = COMMANDS.iter().find(|command| command.structure.name == plain);
    let command = command.ok_or_else(|| {
        let known: Vec<_> = COMMANDS.iter().map(|command| command.structure.name).collect();
        no_such("command", plain, &known)
    })?;
    let mut words = [command.opcode, 0];
    fields::set(&mut words, &fields::of_structure(&command.structure), name, values)?;
    Ok(words)
}

fn granule_lg2(granule: Option<Number>) -> Result<u32, Unperformable> {
    match granule.map_or(1 << 12, |granule| granule.0) {
        0x1000 => Ok(12),
        0x4000 => Ok(14),
        0x1_0000 => Ok(16),
        _ => Err(Unperformable::new("a granule is 4K, 16K or 64K").at_key("granule")),
    }
}
