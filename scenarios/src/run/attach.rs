//! `attach` and `detach`: the calls that give a device to a process, in one operation.

use passim_model::{Endpoint, Rid};
use passim_vfio::Pid;
use passim_vfio::call::{Answer, Arg, Call};
use passim_vfio::view::OpenFile;

use super::{Attached, Outcome, Running, Unperformable, outcome};
use crate::ioctl;
use crate::op::{ContainerType, Op};

/// A call answered, or refused: then the refusal is what happened, and nothing more is done.
enum Went<T> {
    On(T),
    No(String),
}

impl Running {
    pub(super) fn attachment(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Attach { dev, group: Some(group), .. } => {
                let group = Self::fd(group.0)?;
                self.attach_neighbour(*dev, group)
            }
            Op::Attach { dev, kind, container, group: None } => {
                let container = container.map(|fd| Self::fd(fd.0)).transpose()?;
                self.attach(*dev, kind.unwrap_or(ContainerType::V2), container)
            }
            Op::Detach { dev } => self.detach(*dev),
            Op::TryDomain { dev, of } => {
                let (dev, of) = (self.device_named(dev)?, self.device_named(of)?);
                match self.system.try_domain_of(dev, of) {
                    None => Err(Unperformable::new("the other device is in no domain")),
                    Some(Ok(())) => Ok(vec!["attached, and detached again".to_owned()]),
                    Some(Err(refusal)) => Ok(vec![self.account.refuse(&refusal)]),
                }
            }
            _ => unreachable!("only `attach`, `detach` and `try-domain` come here"),
        }
    }

    fn attach(&mut self, dev: Rid, kind: ContainerType, container: Option<i32>) -> Outcome {
        if self.system.topology().function(dev).is_none() {
            return Err(Unperformable::new(format!("the machine has no function at {dev}")));
        }
        let Some(group) = self.system.kernel.group_of_function(dev) else {
            return Err(Unperformable::new(format!("{dev} has no IOMMU group")));
        };
        let mut opened = Vec::new();
        let outcome = self.open_all(dev, group, kind, container, &mut opened)?;
        let line = match outcome {
            Went::On(line) => line,
            Went::No(line) => {
                // As a program does that gives up: what was opened last is closed first.
                for fd in opened.into_iter().rev() {
                    self.call(Call::Close { fd })?;
                }
                line
            }
        };
        Ok(vec![line])
    }

    /// Opens container, group and device, and puts one into the other. Every descriptor goes to
    /// `opened`, however far it gets.
    fn open_all(
        &mut self,
        dev: Rid,
        group: u32,
        kind: ContainerType,
        container: Option<i32>,
        opened: &mut Vec<i32>,
    ) -> Result<Went<String>, Unperformable> {
        let is_new = container.is_none();
        let container = match container {
            Some(fd) => Went::On(fd),
            None => self.opened("/dev/vfio/vfio", "container", opened)?,
        };
        let container = match container {
            Went::On(fd) => fd,
            Went::No(line) => return Ok(Went::No(line)),
        };
        let group = match self.opened(&format!("/dev/vfio/{group}"), "group", opened)? {
            Went::On(fd) => fd,
            Went::No(line) => return Ok(Went::No(line)),
        };
        let mut calls = vec![("SET_CONTAINER", group, ioctl::GROUP_SET_CONTAINER, {
            Arg::Bytes(container.to_le_bytes().to_vec())
        })];
        if is_new {
            let arg = Arg::Value(kind.number());
            calls.push(("SET_IOMMU", container, ioctl::SET_IOMMU, arg));
        }
        for (name, fd, request, arg) in calls {
            if let Went::No(line) = went(name, &self.ioctl(fd, request, arg)?) {
                return Ok(Went::No(line));
            }
        }
        Ok(match self.device_of(dev, group)? {
            Went::No(line) => Went::No(line),
            Went::On(device) => {
                self.container.insert(self.current, container);
                Went::On(format!("container {container}, group {group}, device {device}"))
            }
        })
    }

    /// Opens a device by its group's descriptor, through which a neighbour was opened.
    fn attach_neighbour(&mut self, dev: Rid, group: i32) -> Outcome {
        Ok(vec![match self.device_of(dev, group)? {
            Went::No(line) => line,
            Went::On(device) => format!("group {group}, device {device}"),
        }])
    }

    fn device_of(&mut self, dev: Rid, group: i32) -> Result<Went<i32>, Unperformable> {
        let arg = Arg::Bytes(format!("0000:{dev}\0").into_bytes());
        let went = went("GET_DEVICE_FD", &self.ioctl(group, ioctl::GROUP_GET_DEVICE_FD, arg)?);
        if let Went::On(device) = went {
            let attached = Attached { process: self.current, group, device };
            self.attached.insert(dev, attached);
        }
        Ok(went)
    }

    /// Takes descriptors that somebody else opened for what `attach` would have opened.
    pub(super) fn adopt_files(&mut self, pid: Pid) {
        let files = self.system.kernel.open_files(pid);
        let containers = files.iter().filter(|(_, file)| matches!(file, OpenFile::Container(_)));
        self.container.extend(containers.map(|(fd, _)| (self.current, *fd)).next());
        for (device, file) in &files {
            let OpenFile::Device(Endpoint::Pci(rid)) = file else { continue };
            let of = self.system.kernel.group_of_function(*rid);
            let group = files.iter().find(|(_, file)| match file {
                OpenFile::Group(number) => Some(*number) == of,
                _ => false,
            });
            let (process, device) = (self.current, *device);
            // A group that was closed is no descriptor any more.
            let group = group.map_or(-1, |(fd, _)| *fd);
            self.attached.insert(*rid, Attached { process, group, device });
        }
    }

    fn detach(&mut self, dev: Rid) -> Outcome {
        let attached = self.attached.get(&dev).copied();
        let attached = attached.filter(|attached| attached.process == self.current);
        let Attached { group, device, .. } = attached
            .ok_or_else(|| Unperformable::new(format!("this process did not attach {dev}")))?;
        self.attached.remove(&dev);
        let closed = self.call(Call::Close { fd: device })?;
        if closed.ret.is_err() {
            return Ok(vec![outcome::plain(&closed)]);
        }
        let mut others = self.attached.values();
        if others.any(|other| other.process == self.current && other.group == group) {
            // A neighbour was opened through it.
            return Ok(vec![outcome::plain(&closed)]);
        }
        self.plain(Call::Close { fd: group })
    }

    fn opened(
        &mut self,
        path: &str,
        what: &str,
        opened: &mut Vec<i32>,
    ) -> Result<Went<i32>, Unperformable> {
        let went = went(what, &self.call(Call::Open { path: path.to_owned() })?);
        if let Went::On(fd) = went {
            opened.push(fd);
        }
        Ok(went)
    }
}

fn went(what: &str, answer: &Answer) -> Went<i32> {
    match &answer.ret {
        Ok(value) => i32::try_from(*value)
            .map_or_else(|_| Went::No(format!("{what}: returned {value}")), Went::On),
        Err(refusal) => Went::No(format!("{what}: {}", outcome::refusal(refusal))),
    }
}
