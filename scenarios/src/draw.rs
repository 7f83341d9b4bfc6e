//! Drawings of a machine's state: one page, or one picture, that needs no other file and no
//! network.
//!
//! A page shows the lines of a scenario with their outcomes, and the machine's state after them:
//! devices, groups and the SMMUs they pass; each container's device addresses, beside the memory
//! they map to; where messages go; and one access, from the stream table to its end. All text comes
//! from the same code as that of the text commands.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `page` | how do figures become a page? |
//! | `figure` | which elements are pictures drawn with? |
//! | `board` | which devices are behind which SMMU, in which group? |
//! | `segments` | what does each part of an address space belong to? |
//! | `space` | how is an address space drawn? |
//! | `messages` | where does each vector's message go? |
//! | `chain` | how is a translation drawn? |

mod board;
mod chain;
mod figure;
mod messages;
mod page;
mod segments;
mod space;

use passim_model::{Access, Iova, SubstreamId};
use passim_smmu::v3::Transaction;

use crate::chosen::Chosen;
use crate::input_error::{InputError, InputKind};
use crate::machine::Machine;
use crate::op::{DeviceName, Op};
use crate::replay::machine_named;
use crate::run::{Answered, Runner, Surroundings};
use crate::script::Script;
use crate::system;
use messages::Translations;
use page::{Line, Page};

/// The format of a drawing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// A page: the figures, and beside them the scenario's lines.
    Html,
    /// A picture: the figures alone.
    Svg,
}

/// An access to draw.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// The device.
    pub device: DeviceName,
    /// Its SubstreamID.
    pub substream: Option<SubstreamId>,
    /// Its address.
    pub iova: Iova,
    /// The kind of access.
    pub access: Access,
}

/// A page about a machine without a kernel.
pub fn machine(machine: &Machine, form: Form) -> String {
    let mut page = Page::new(&machine.name);
    page.figure("The machine", board::figure(machine, None));
    page.finish(form)
}

/// A page about one translation, of a dump or elsewhere.
pub fn translation(
    title: &str,
    asked: &Transaction,
    explanation: &system::Explained,
    form: Form,
) -> String {
    let mut page = Page::new(title);
    page.figure("The access", chain::figure(asked, explanation, None));
    page.finish(form)
}

/// A page about a scenario in its state after `line` (or the operation above it, if `line` is part
/// of an outcome), or after the last line. A requested access is drawn as the machine then
/// translates it; without one, the access of the last operation, if it is a device's, as it was
/// translated.
///
/// # Errors
/// A scenario that cannot be run to the line, or an access of a device that does not exist or
/// passes no SMMU.
pub fn scenario(
    script: &Script,
    line: Option<u64>,
    chosen: &Chosen,
    asked: Option<&Asked>,
    form: Form,
) -> Result<String, InputError> {
    line.map_or(Ok(()), |line| script.reaches(line))?;
    let mut runner = Runner::with(chosen.clone());
    let path = script.source().path().display();
    let mut page = Page::new(&match line {
        Some(line) => format!("{path}, as it stands after line {line}"),
        None => path.to_string(),
    });
    let mut last = None;
    let mut own = None;
    let mut stands_on = None;
    for block in script.blocks() {
        let at = script.line_of(block);
        if line.is_some_and(|line| at > line) {
            break;
        }
        let op = Op::read(script.source(), &block.invocation)?;
        if let Op::Machine { name, .. } | Op::Bare { name, .. } = &op {
            stands_on = machine_named(&name.0).ok();
        }
        own = access_of(&op, runner.surroundings().as_ref())
            .and_then(|asked| explained(&runner, &asked).ok());
        let outcome = runner.perform(&op).map_err(|error| error.at(script, block))?;
        page.line(Line { number: at, operation: op.to_string(), outcome });
        last = Some(block);
    }
    if last.is_none() {
        let path = script.source().path();
        let message = "no operation stands up to that line";
        return Err(InputError::in_file(InputKind::Scenario, path, message));
    }
    let drawn = match (asked, last) {
        (Some(asked), Some(block)) => {
            Some(explained(&runner, asked).map_err(|error| error.at(script, block))?)
        }
        _ => own,
    };
    if let Some((access, explanation)) = &drawn {
        let of_last = asked.is_none().then(|| runner.account().hardware);
        let arrival = of_last.into_iter().flatten().find_map(|answered| match answered {
            Answered::Message(arrival) => Some(arrival),
            _ => None,
        });
        page.figure("The access", chain::figure(access, explanation, arrival));
    }
    let around = runner.surroundings();
    if let Some(around) = &around {
        for (number, here) in &around.containers {
            let title = format!("Device addresses of container {number}");
            page.figure(&title, space::figure(around, *number, here));
        }
        let its = Translations { machine: stands_on.as_ref(), its: runner.its_mappings() };
        if let Some(figure) = messages::figure(around, &its) {
            page.figure("Messages", figure);
        }
    }
    if let Some(machine) = &stands_on {
        page.figure("The machine", board::figure(machine, around.as_ref()));
    }
    Ok(page.finish(form))
}

type Explained = (Transaction, system::Explained);

fn explained(runner: &Runner, asked: &Asked) -> Result<Explained, crate::run::Unperformable> {
    let Asked { device, substream, iova, access } = asked;
    runner.explain_access(device, *substream, *iova, *access)
}

/// The access of an operation, if it is a device's.
fn access_of(op: &Op, around: Option<&Surroundings>) -> Option<Asked> {
    let asked = |device: &DeviceName, iova, access| Asked {
        device: device.clone(),
        substream: None,
        iova,
        access,
    };
    match op {
        Op::Read { dev, iova, .. } => Some(asked(dev, *iova, Access::READ)),
        Op::Write { dev, iova, .. } => Some(asked(dev, *iova, Access::WRITE)),
        Op::Raise { dev, vector } => {
            let DeviceName::Function(rid) = dev else { return None };
            let function = around?.functions.get(rid)?;
            let wanted = vector.unwrap_or(0);
            let found = function.vectors.iter().find(|it| u32::from(it.vector) == wanted)?;
            Some(asked(dev, Iova::new(found.message.address), Access::WRITE))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
