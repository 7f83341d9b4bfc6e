//! `passim walk ... --iova`: one translation, explained.

use std::path::{Path, PathBuf};

use passim_model::access::{Access as Asked, Direction, Privilege};
use passim_model::{DeviceId, Iova, Requester, StreamId, SubstreamId};
use passim_smmu::v3::Transaction;

use crate::chosen::Chosen;
use crate::draw::Asked as Drawn;
use crate::input_error::{InputError, InputKind, SourceText};
use crate::op::DeviceName;
use crate::script::{FromValue, Script, number};
use crate::system::Explained;
use crate::walk::{
    DumpedSmmu, Narration, explain_in_scenario, explain_transaction_in_scenario, tell,
};

/// The access to explain.
#[derive(clap::Args)]
pub(in crate::cli) struct Access {
    /// Its address, such as 0x1000 or 4K
    #[arg(long, value_parser = numeric)]
    iova: Option<u64>,
    /// StreamID, of a dump or of the first SMMU of a scenario's machine
    #[arg(long, value_parser = identifier, conflicts_with = "dev", requires = "iova")]
    sid: Option<u32>,
    /// The device
    #[arg(long, value_name = "DEVICE", value_parser = device, requires = "iova")]
    dev: Option<DeviceName>,
    /// SubstreamID
    #[arg(long, value_parser = identifier, requires = "iova")]
    ssid: Option<u32>,
    /// A write, not a read
    #[arg(long, requires = "iova", conflicts_with = "exec")]
    write: bool,
    /// A fetch of instructions
    #[arg(long, requires = "iova")]
    exec: bool,
    /// A privileged access
    #[arg(long = "priv", requires = "iova")]
    privileged: bool,
}

fn numeric(text: &str) -> Result<u64, String> {
    number(text).ok_or_else(|| "say a number such as 4096, 0x1000 or 4K".to_owned())
}

fn identifier(text: &str) -> Result<u32, String> {
    let number = number(text).and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| "say a number of at most 32 bits, such as 8 or 0x8".to_owned())
}

fn device(text: &str) -> Result<DeviceName, String> {
    DeviceName::from_value(text).ok_or_else(|| format!("say {}", DeviceName::FORM))
}

impl Access {
    /// Whether one translation is asked for.
    pub(super) fn is_asked(&self) -> bool {
        self.iova.is_some()
    }

    /// The access of a device of a scenario, if one is asked for.
    pub(in crate::cli) fn of_device(&self) -> Result<Option<Drawn>, InputError> {
        let (Some(iova), Some(device)) = (self.iova, self.dev.clone()) else {
            if self.iova.is_none() && self.sid.is_none() {
                return Ok(None);
            }
            let message = "an access of a scenario is one of a device";
            return Err(InputError::in_file(InputKind::Argument, Path::new("--iova"), message)
                .with_hint("say `--dev 00:01.0 --iova 0x1000`, with what the scenario has"));
        };
        let (substream, access) = (self.substream(), self.asked());
        Ok(Some(Drawn { device, substream, iova: Iova::new(iova), access }))
    }

    fn asked(&self) -> Asked {
        Asked {
            direction: if self.write { Direction::Write } else { Direction::Read },
            privilege: if self.privileged {
                Privilege::Privileged
            } else {
                Privilege::Unprivileged
            },
            instruction: self.exec,
        }
    }

    fn transaction(&self, stream: StreamId) -> Transaction {
        let device = DeviceId::new(stream.get());
        Transaction {
            requester: Requester { stream, substream: self.substream(), device },
            iova: Iova::new(self.iova.unwrap_or_default()),
            access: self.asked(),
        }
    }

    fn substream(&self) -> Option<SubstreamId> {
        self.ssid.map(SubstreamId::new)
    }
}

/// One translation of a dump.
pub(super) fn in_dump(dumps: &[PathBuf], access: &Access) -> Result<Narration, InputError> {
    let [path] = dumps else {
        let message = "--iova explains a translation of one dump";
        return Err(InputError::in_file(InputKind::Argument, Path::new("--dump"), message)
            .with_hint("name one dump"));
    };
    let (asked, explanation) = of_dump(path, access)?;
    Ok(tell(&asked, &explanation))
}

/// The same as it was found.
pub(in crate::cli) fn of_dump(
    path: &Path,
    access: &Access,
) -> Result<(Transaction, Explained), InputError> {
    let stand = DumpedSmmu::read(path)?;
    let missing = |message: String| {
        let streams = stand.dump.streams.iter();
        let known: Vec<_> =
            streams.map(|it| format!("{:#x} ({})", it.stream.get(), it.dev)).collect();
        InputError::in_file(InputKind::Argument, path, message)
            .with_hint(format!("say --sid or --dev; the dump has {}", known.join(", ")))
    };
    let stream = match (access.sid, &access.dev) {
        (Some(sid), _) => StreamId::new(sid),
        (None, Some(DeviceName::Function(dev))) => stand
            .stream_of(*dev)
            .ok_or_else(|| missing(format!("the dump has no stream of {dev}")))?,
        (None, Some(other)) => return Err(missing(format!("the dump has no stream of {other}"))),
        (None, None) => return Err(missing("whose translation is meant?".to_owned())),
    };
    let asked = access.transaction(stream);
    let explanation = stand.explain(&asked);
    if let Some((what, at)) = stand.not_held(&explanation) {
        let at = at.map_or_else(String::new, |at| format!(" at {at}"));
        let (stream, iova) = (stream.get(), asked.iova);
        let message = format!("stream {stream:#x}, {iova}: not in the dump: the {what}{at}");
        return Err(missing(message));
    }
    Ok((asked, Explained::V3(explanation)))
}

/// One translation on the machine of a scenario.
pub(super) fn in_scenario(
    place: &str,
    access: &Access,
    chosen: &Chosen,
) -> Result<Narration, InputError> {
    let line = place.rsplit_once(':');
    let line = line.and_then(|(path, line)| Some((path, line.parse::<u64>().ok()?)));
    let (path, line) = match line {
        Some((path, line)) => (Path::new(path), Some(line)),
        None => (Path::new(place), None),
    };
    if let (Some(_), Some(sid)) = (access.iova, access.sid) {
        let script = Script::parse(SourceText::read(path)?)?;
        let transaction = access.transaction(StreamId::new(sid));
        return explain_transaction_in_scenario(&script, line, chosen, &transaction);
    }
    let (Some(iova), Some(dev)) = (access.iova, &access.dev) else {
        let message = "a translation needs --iova, and --dev or --sid";
        return Err(InputError::in_file(InputKind::Argument, path, message)
            .with_hint("say `--dev 00:01.0 --iova 0x1000`, with what the scenario has"));
    };
    let script = Script::parse(SourceText::read(path)?)?;
    let asked = (access.substream(), Iova::new(iova), access.asked());
    explain_in_scenario(&script, line, chosen, dev, asked)
}
