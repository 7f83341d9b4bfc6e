//! Calls that stop where the kernel has dropped a lock, and continue after other calls.

use passim_model::Rid;
use passim_vfio::call::{Answer, Call};
use passim_vfio::operation::Operation;
use passim_vfio::step::{Queue, SUSPENSION_POINTS, Step};

use super::{Outcome, Running, Unperformable};
use crate::script::Text;

/// Most times hardware works before a call is abandoned.
const MOST_WAITS: u32 = 1 << 18;

/// A call that stopped.
pub(super) struct UnderWay {
    operation: Operation,
    /// The vectors of the call: the first, and their number.
    block: (u32, u32),
}

/// The suspension point of this name: its name, and its meaning.
fn place(until: &Text) -> Result<(&'static str, &'static str), Unperformable> {
    let found = SUSPENSION_POINTS.iter().find(|point| point.name == until.0);
    found.map(|point| (point.name, point.meaning)).ok_or_else(|| {
        let doorbells = SUSPENSION_POINTS.iter().map(|point| point.name);
        let doorbells: Vec<_> = doorbells.filter(|name| name.starts_with("doorbell")).collect();
        Unperformable::new(format!("no call stops at `{}`", until.0))
            .hint(format!("places: {}", doorbells.join(", ")))
    })
}

impl Running {
    /// Begins a call about vectors of a device, and runs it to a suspension point.
    pub(super) fn begin(
        &mut self,
        dev: Rid,
        call: Call,
        block: (u32, u32),
        until: &Text,
    ) -> Outcome {
        let place = place(until)?;
        if self.under_way.contains_key(&dev) {
            return Err(Unperformable::new(format!("a call about {dev} has stopped already"))
                .hint(format!("`go-on dev={dev}` goes on with it")));
        }
        let operation = self.system.kernel.begin(self.pid()?, call);
        self.proceed(dev, UnderWay { operation, block }, Some(place))
    }

    /// Continues a stopped call, to its end or to another suspension point.
    pub(super) fn go_on(&mut self, dev: Rid, until: Option<&Text>) -> Outcome {
        let until = until.map(place).transpose()?;
        let under_way = self.under_way.remove(&dev).ok_or_else(|| {
            Unperformable::new(format!("no call about {dev} has stopped"))
                .hint("`enable dev=... vectors=... until=...` stops one")
        })?;
        self.proceed(dev, under_way, until)
    }

    fn proceed(
        &mut self,
        dev: Rid,
        mut under_way: UnderWay,
        until: Option<(&str, &str)>,
    ) -> Outcome {
        for _ in 0..MOST_WAITS {
            let (kernel, board) = (&mut self.system.kernel, &mut self.system.board);
            match kernel.step(&mut under_way.operation, board) {
                Step::Done(answer) => return Ok(self.ended(dev, under_way.block, &answer)),
                Step::Waiting(queue @ (Queue::DeviceLock(_) | Queue::ContainerLock(_))) => {
                    self.under_way.insert(dev, under_way);
                    let what = match queue {
                        Queue::DeviceLock(_) => "a call about this device that has stopped",
                        _ => "a call about its container that has stopped",
                    };
                    return Ok(vec![format!("waits for {what}")]);
                }
                Step::Waiting(Queue::SmmuCommands(_) | Queue::SmmuInvalidations(_)) => {
                    passim_model::Host::relax(board);
                }
                Step::Unlocked => {
                    if let Some((name, meaning)) = until
                        && under_way.operation.point() == Some(name)
                    {
                        self.under_way.insert(dev, under_way);
                        return Ok(vec![format!("stopped at {name}: {meaning}")]);
                    }
                }
            }
        }
        let answer = self.system.kernel.abandon(under_way.operation);
        Ok(self.ended(dev, under_way.block, &answer))
    }

    fn ended(&mut self, dev: Rid, block: (u32, u32), answer: &Answer) -> Vec<String> {
        self.account.refused.extend(answer.ret.as_ref().err());
        self.enabled(dev, block, answer)
    }
}
