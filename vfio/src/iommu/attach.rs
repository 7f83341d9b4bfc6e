//! Which domain translates for a group, and how that changes.
//!
//! Not here: how hardware follows the change ([`transition`](super::transition)).

use super::domain::{Body, Domain};
use super::group::Group;
use super::transition::{Part, Worklist};
use super::{
    Device, DomainId, DomainKind, Driver, Iommu, KNOWN, Master, Owner, Purpose, SAME_DRIVER,
    Transition, Translation, rules, v2, v3,
};
use crate::policy::BlockedState;
use passim_model::{Conflict, Errno, Frames, Host, Refusal};
use slab::Slab;

/// Attaching and detaching groups.
impl Iommu {
    /// Claims a group for a user: it is blocked until it is attached.
    ///
    /// # Errors
    /// ENODEV without such a group, EPERM if it is owned, and, where blocking needs a domain, as
    /// [`Iommu::alloc_domain`].
    pub fn claim(
        &mut self,
        group: u32,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<Transition, Refusal> {
        let known = self.group(group)?;
        let (driver, blocking) = (known.driver, known.blocking);
        if known.owner == Owner::User {
            let conflict = Conflict::Group(group);
            return Err(rules::CLAIM_OWNED.refuse_for(Errno::EPERM, conflict));
        }
        let blocking = match (self.blocked, blocking) {
            (BlockedState::EmptyDomain, None) => {
                let purpose = Purpose::Blocking;
                Some(self.domain_of_driver(driver, DomainKind::Paging, purpose, frames, host)?)
            }
            (_, blocking) => blocking,
        };
        if let Some(blocking) = blocking {
            self.init_domain(blocking, group, frames, host)?;
        }
        let group = self.groups.get_mut(&group).expect("it was found above");
        group.owner = Owner::User;
        group.blocking = blocking;
        let target = at_rest(self.blocked, group);
        Ok(move_group(&mut self.drivers, &mut self.devices, &mut self.domains, group, target))
    }

    /// Returns a group to the kernel's drivers: its default domain translates again. Does nothing
    /// if there is no such group.
    pub fn release(&mut self, group: u32) -> Transition {
        let Some(group) = self.groups.get_mut(&group) else { return Transition::new([]) };
        group.owner = Owner::Kernel;
        let target = Translation::Domain(group.default);
        move_group(&mut self.drivers, &mut self.devices, &mut self.domains, group, target)
    }

    /// Attaches a group to a domain.
    ///
    /// ENODEV without such a group, EBUSY if it is attached already, EINVAL if it is behind another
    /// IOMMU; for the first group of a domain of an SMMUv2 also ENOSPC without a free context bank
    /// and ENOMEM, and for any group ENOSPC without free stream mapping entries, where attaching
    /// allocates those.
    pub fn attach(
        &mut self,
        domain: DomainId,
        group: u32,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<Transition, Refusal> {
        let conflict = Conflict::Group(group);
        let known = self.group(group)?;
        let resting = [
            Some(Translation::Blocked),
            Some(Translation::Domain(known.default)),
            known.blocking.map(Translation::Domain),
        ];
        if !resting.contains(&Some(known.translation)) {
            return Err(rules::ATTACH_BUSY.refuse_for(Errno::EBUSY, conflict));
        }
        if !self.same_driver(domain, group) {
            return Err(rules::ATTACH_OTHER_SMMU.refuse_for(Errno::EINVAL, conflict));
        }
        self.init_domain(domain, group, frames, host)?;
        let group = self.groups.get_mut(&group).expect("it was found above");
        let target = Translation::Domain(domain);
        Ok(move_group(&mut self.drivers, &mut self.devices, &mut self.domains, group, target))
    }

    /// Prepares a domain for its devices, and the devices of `group` for the domain. Does nothing
    /// for a domain that bypasses translation.
    pub(super) fn init_domain(
        &mut self,
        domain: DomainId,
        group: u32,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let domain = self.domains.get_mut(domain.0).expect(KNOWN);
        let (Driver::SmmuV2(smmu), Body::SmmuV2(body), false) =
            (&mut self.drivers[domain.driver], &mut domain.body, domain.bypasses)
        else {
            return Ok(());
        };
        smmu.init_domain(body, frames, host)?;
        let devices = self.groups.get(&group).map_or(&[][..], |group| &group.devices);
        for device in devices {
            if let Master::SmmuV2(master) = &mut self.devices[*device].master {
                smmu.take_entries(master)?;
            }
        }
        Ok(())
    }

    /// Detaches a group from its domain. A claimed group becomes blocked, any other returns to its
    /// default domain. Does nothing if there is no such group.
    pub fn detach_to_blocked(&mut self, group: u32) -> Transition {
        let Some(group) = self.groups.get_mut(&group) else { return Transition::new([]) };
        let target = at_rest(self.blocked, group);
        move_group(&mut self.drivers, &mut self.devices, &mut self.domains, group, target)
    }
}

/// The translation of a group that is not attached.
fn at_rest(blocked: BlockedState, group: &Group) -> Translation {
    match (group.owner, blocked, group.blocking) {
        (Owner::Kernel, ..) | (_, BlockedState::DefaultDomain, _) => {
            Translation::Domain(group.default)
        }
        (Owner::User, _, Some(blocking)) => Translation::Domain(blocking),
        (Owner::User, _, None) => Translation::Blocked,
    }
}

/// Moves every device of `group` to `target`, one after the other. Does nothing if the group is
/// there already.
fn move_group(
    drivers: &mut [Driver],
    devices: &mut [Device],
    domains: &mut Slab<Domain>,
    group: &mut Group,
    target: Translation,
) -> Transition {
    if group.translation == target {
        return Transition::new([]);
    }
    group.translation = target;
    let driver = &mut drivers[group.driver];
    let works = group.devices.iter().map(|device| {
        let master = &mut devices[*device].master;
        Part::Acts(group.driver, move_device(driver, master, domains, target))
    });
    Transition::new(works)
}

/// Drops the records that domains keep of a device that leaves its domain.
fn leave_domains(master: &Master, domains: &mut Slab<Domain>) {
    let Master::SmmuV3(master) = master else { return };
    for (_, domain) in domains.iter_mut() {
        if let Body::SmmuV3(body) = &mut domain.body {
            body.forget(master);
        }
    }
}

/// The acts after which a removed device reaches nothing.
pub(super) fn forget_device(
    driver: &mut Driver,
    master: &mut Master,
    domains: &mut Slab<Domain>,
) -> Worklist {
    leave_domains(master, domains);
    match (driver, master) {
        (Driver::SmmuV3(smmu), Master::SmmuV3(master)) => {
            v3::Worklist::new(smmu.block(master)).into()
        }
        (Driver::SmmuV2(smmu), Master::SmmuV2(master)) => {
            v2::Worklist::new(smmu.release(master)).into()
        }
        (Driver::X86(x86), Master::X86(master)) => Worklist::X86(x86.block(master)),
        _ => Worklist::Nothing,
    }
}

/// The acts that move one device. The target domain is [prepared](Iommu::init_domain) already.
pub(super) fn move_device(
    driver: &mut Driver,
    master: &mut Master,
    domains: &mut Slab<Domain>,
    target: Translation,
) -> Worklist {
    leave_domains(master, domains);
    let domain = match target {
        Translation::Domain(domain) => Some(domains.get_mut(domain.0).expect(KNOWN)),
        Translation::Blocked => None,
    };
    match (driver, master) {
        (Driver::SmmuV3(smmu), Master::SmmuV3(master)) => {
            let acts = match domain.map(|domain| (domain.bypasses, &mut domain.body)) {
                None => smmu.block(master),
                Some((true, _)) => smmu.bypass(master),
                Some((false, Body::SmmuV3(body))) => smmu.attach(master, body),
                Some((false, _)) => unreachable!("{SAME_DRIVER}"),
            };
            v3::Worklist::new(acts).into()
        }
        (Driver::SmmuV2(smmu), Master::SmmuV2(master)) => {
            let acts = match domain.map(|domain| (domain.bypasses, &mut domain.body)) {
                None => smmu.block(master),
                Some((true, _)) => smmu.bypass(master),
                Some((false, Body::SmmuV2(body))) => smmu.attach(master, body),
                Some((false, _)) => unreachable!("{SAME_DRIVER}"),
            };
            v2::Worklist::new(acts).into()
        }
        (Driver::X86(x86), Master::X86(master)) => Worklist::X86(match domain {
            None => x86.block(master),
            Some(Domain { bypasses: true, .. }) => x86.bypass(master),
            Some(Domain { body: Body::X86(body), .. }) => x86.attach(master, body),
            Some(_) => unreachable!("{SAME_DRIVER}"),
        }),
        _ => Worklist::Nothing,
    }
}
