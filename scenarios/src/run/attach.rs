//! `attach` and `detach`: the calls that give a device to a process, in one operation.

use passim_model::Rid;
use passim_vfio::call::{Answer, Arg, Call};

use super::{Attached, Outcome, Running, Unperformable, outcome};
use crate::ioctl;
use crate::op::{ContainerType, Op};

/// A call answered, or refused: then the refusal is what happened, and nothing more is done.
enum Went {
    On(i32),
    No(String),
}

impl Running {
    pub(super) fn attachment(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Attach { dev, kind, container } => {
                let container = container.map(|fd| Self::fd(fd.0)).transpose()?;
                self.attach(*dev, kind.unwrap_or(ContainerType::V2), container)
            }
            Op::Detach { dev } => self.detach(*dev),
            _ => unreachable!("only `attach` and `detach` come here"),
        }
    }

    fn attach(&mut self, dev: Rid, kind: ContainerType, container: Option<i32>) -> Outcome {
        let function = self.system.topology().function(dev);
        let function = function
            .ok_or_else(|| Unperformable::new(format!("the machine has no function at {dev}")))?;
        let Some(group) = function.group else {
            return Err(Unperformable::new(format!("{dev} has no IOMMU group")));
        };
        let (container, is_new) = match container {
            Some(fd) => (fd, false),
            None => match self.opened("/dev/vfio/vfio".to_owned())? {
                Went::On(fd) => (fd, true),
                Went::No(refusal) => return Ok(vec![format!("container: {refusal}")]),
            },
        };
        self.container.insert(self.current, container);
        let group = match self.opened(format!("/dev/vfio/{group}"))? {
            Went::On(fd) => fd,
            Went::No(refusal) => return Ok(vec![format!("group: {refusal}")]),
        };
        let arg = Arg::Bytes(container.to_le_bytes().to_vec());
        let joined = self.ioctl(group, ioctl::GROUP_SET_CONTAINER, arg)?;
        if let Err(refusal) = &joined.ret {
            return Ok(vec![format!("SET_CONTAINER: {}", outcome::refusal(refusal))]);
        }
        if is_new {
            let arg = Arg::Value(kind.number());
            let typed = self.ioctl(container, ioctl::SET_IOMMU, arg)?;
            if let Err(refusal) = &typed.ret {
                return Ok(vec![format!("SET_IOMMU: {}", outcome::refusal(refusal))]);
            }
        }
        let arg = Arg::Bytes(format!("0000:{dev}\0").into_bytes());
        let device = match went(&self.ioctl(group, ioctl::GROUP_GET_DEVICE_FD, arg)?) {
            Went::On(fd) => fd,
            Went::No(refusal) => return Ok(vec![format!("GET_DEVICE_FD: {refusal}")]),
        };
        self.attached.insert(dev, Attached { process: self.current, group, device });
        Ok(vec![format!("container {container}, group {group}, device {device}")])
    }

    fn detach(&mut self, dev: Rid) -> Outcome {
        let attached = self.attached.get(&dev).copied();
        let attached = attached.filter(|attached| attached.process == self.current);
        let Attached { group, device, .. } = attached.ok_or_else(|| {
            Unperformable::new(format!("this process did not attach {dev}"))
        })?;
        self.attached.remove(&dev);
        let closed = self.call(Call::Close { fd: device })?;
        if closed.ret.is_err() {
            return Ok(vec![outcome::plain(&closed)]);
        }
        self.plain(Call::Close { fd: group })
    }

    fn opened(&mut self, path: String) -> Result<Went, Unperformable> {
        Ok(went(&self.call(Call::Open { path })?))
    }
}

fn went(answer: &Answer) -> Went {
    match &answer.ret {
        Ok(fd) => i32::try_from(*fd).map_or_else(|_| Went::No(format!("fd {fd}")), Went::On),
        Err(refusal) => Went::No(outcome::refusal(refusal)),
    }
}
