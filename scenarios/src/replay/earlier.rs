//! State that earlier recordings of the same boot left.
//!
//! A topology names the suites of its boot in order, and their recordings are beside it. A group
//! keeps a domain that it got when it was claimed: a kernel that blocks groups by an empty domain
//! ([`BlockedState::EmptyDomain`](passim_vfio::policy::BlockedState)) allocates that domain at the
//! first claim, and writes its context descriptor only then. So whether a group was claimed before
//! is an input of a replay. Not here: mappings and files, which end with processes.

use std::collections::BTreeMap;
use std::path::Path;

use passim_vfio::call::{Arg, Call};
use passim_vfio::process::{Capabilities, Start};

use crate::input_error::InputError;
use crate::ioctl;
use crate::recording::line::IoctlLine;
use crate::recording::step::{ProcessNumber, Step};
use crate::recording::{Found, Line, Recording, Topology};
use crate::system::System;

/// Known state of the boot before a recording.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Earlier {
    /// Groups that were claimed, in the order of their first claim.
    pub(super) claimed: Vec<u32>,
    /// The suites that ran before, or may have, and have no recording here.
    pub(super) unrecorded: Vec<String>,
    /// Recordings of suites that cannot be read, and why.
    pub(super) notes: Vec<String>,
}

/// The state before a recording. An earlier recording that cannot be read counts as missing.
pub(super) fn earlier(found: &Found, topology: &Topology) -> Earlier {
    let mut earlier = Earlier::default();
    let name = found.name();
    let suites = &topology.board.suites;
    let place = suites.iter().position(|suite| *suite == name);
    // Before a recording that the list does not name, any suite may have run.
    let (before, is_listed) = (&suites[..place.unwrap_or(suites.len())], place.is_some());
    let folder = found.topology.parent().unwrap_or(Path::new(""));
    for suite in before {
        let files =
            ["jsonl", "jsonl.zst"].map(|extension| folder.join(format!("{suite}.{extension}")));
        match files.iter().find(|file| is_listed && file.is_file()) {
            Some(file) => match scan(file, &earlier.claimed) {
                Ok(claimed) => earlier.claimed = claimed,
                Err(error) => {
                    earlier.notes.push(unreadable(suite, file, &error));
                    earlier.unrecorded.push(suite.clone());
                }
            },
            None => earlier.unrecorded.push(suite.clone()),
        }
    }
    earlier
}

fn unreadable(suite: &str, file: &Path, error: &InputError) -> String {
    let line = error.line().map_or_else(String::new, |line| format!(":{line}"));
    let place = format!("{}{line}", file.display());
    format!("{suite}, which ran before, counts as not recorded: {place}: {}", error.message())
}

/// The groups claimed before and by this recording, which must be readable to its end.
fn scan(file: &Path, before: &[u32]) -> Result<Vec<u32>, InputError> {
    let mut claims = Claims::default();
    let mut claimed = before.to_vec();
    for record in Recording::open(file)? {
        claims.line(&record?.content, &mut claimed);
    }
    Ok(claimed)
}

/// Open files of groups, by process and descriptor.
#[derive(Default)]
struct Claims {
    current: ProcessNumber,
    groups: BTreeMap<(ProcessNumber, i32), u32>,
}

impl Claims {
    fn line(&mut self, line: &Line, claimed: &mut Vec<u32>) {
        match line {
            Line::Step(step) => self.step(step),
            Line::Ioctl(IoctlLine { nr: ioctl::GROUP_SET_CONTAINER, fd, ret: 0, .. }) => {
                let group = self.groups.get(&(self.current, *fd));
                if let Some(group) = group.filter(|group| !claimed.contains(group)) {
                    claimed.push(*group);
                }
            }
            _ => {}
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Start(start) => self.current = start.proc,
            Step::In { proc } => self.current = *proc,
            Step::Fork { child } => {
                let own = self.groups.range((self.current, i32::MIN)..=(self.current, i32::MAX));
                let copies: Vec<_> = own.map(|((_, fd), group)| ((*child, *fd), *group)).collect();
                self.groups.extend(copies);
            }
            Step::Exit { proc } => self.groups.retain(|(process, _), _| process != proc),
            Step::Open(open) if open.fd >= 0 => {
                let number = open.path.strip_prefix("/dev/vfio/").and_then(|it| it.parse().ok());
                if let Some(group) = number {
                    self.groups.insert((self.current, open.fd), group);
                }
            }
            Step::Close(close) => {
                self.groups.remove(&(self.current, close.fd));
            }
            _ => {}
        }
    }
}

impl Earlier {
    /// A process claims these groups one after the other, releases them, and exits.
    pub(super) fn perform(&self, system: &mut System) {
        if self.claimed.is_empty() {
            return;
        }
        let start = Start { fds: Vec::new(), capabilities: Capabilities::all(), memlock: 0 };
        let pid = system.kernel.spawn(&start);
        let open = |system: &mut System, path: String| {
            let fd = system.call(pid, Call::Open { path }).ret.ok()?;
            i32::try_from(fd).ok()
        };
        for group in &self.claimed {
            let Some(container) = open(system, "/dev/vfio/vfio".to_owned()) else { break };
            if let Some(fd) = open(system, format!("/dev/vfio/{group}")) {
                let arg = Arg::Bytes(container.to_le_bytes().to_vec());
                let request = ioctl::GROUP_SET_CONTAINER;
                // If the model refuses what the kernel did, the replay of that suite reports it.
                let _ = system.call(pid, Call::Ioctl { fd, request, arg });
                system.call(pid, Call::Close { fd });
            }
            system.call(pid, Call::Close { fd: container });
        }
        system.call(pid, Call::Exit);
    }
}

#[cfg(test)]
mod tests;
