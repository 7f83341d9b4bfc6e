//! Who translates for a group, and how that changes.
//!
//! What changes is decided here; that hardware follows is [`transition`](super::transition)'s.

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

/// Who translates for a group.
impl Iommu {
    /// Takes a group from the kernel's drivers: it is blocked until it is attached.
    ///
    /// # Errors
    /// ENODEV without such a group, EPERM if it is owned, and where blocking takes a domain, as
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

    /// Gives a group back to the kernel's drivers: its default domain translates again. Nothing
    /// happens if there is no such group.
    pub fn release(&mut self, group: u32) -> Transition {
        let Some(group) = self.groups.get_mut(&group) else { return Transition::new([]) };
        group.owner = Owner::Kernel;
        let target = Translation::Domain(group.default);
        move_group(&mut self.drivers, &mut self.devices, &mut self.domains, group, target)
    }

    /// Attaches a group to a domain.
    ///
    /// # Errors
    /// ENODEV without such a group, EBUSY if it is attached already, EINVAL if it is behind
    /// another IOMMU; for the first group of a domain of an SMMUv2 also ENOSPC without a context
    /// bank and ENOMEM, and for any of them ENOSPC without stream mapping entries, where those come
    /// with a domain.
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

    /// Gives a domain what it must have before devices come to it, and those of `group` what they
    /// must have before they go to it. Where addresses pass as they are, that is nothing.
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

    /// Detaches a group from its domain. A claimed group is blocked, another returns to its
    /// default domain. Nothing happens if there is no such group.
    pub fn detach_to_blocked(&mut self, group: u32) -> Transition {
        let Some(group) = self.groups.get_mut(&group) else { return Transition::new([]) };
        let target = at_rest(self.blocked, group);
        move_group(&mut self.drivers, &mut self.devices, &mut self.domains, group, target)
    }
}

/// What translates for a group that is attached to nothing.
fn at_rest(blocked: BlockedState, group: &Group) -> Translation {
    match (group.owner, blocked, group.blocking) {
        (Owner::Kernel, ..) | (_, BlockedState::DefaultDomain, _) => {
            Translation::Domain(group.default)
        }
        (Owner::User, _, Some(blocking)) => Translation::Domain(blocking),
        (Owner::User, _, None) => Translation::Blocked,
    }
}

/// Every device of `group` goes to `target`, one after the other. Nothing happens if the group is
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

/// What domains keep of a device that leaves the one it is in.
fn leave_domains(master: &Master, domains: &mut Slab<Domain>) {
    let Master::SmmuV3(master) = master else { return };
    for (_, domain) in domains.iter_mut() {
        if let Body::SmmuV3(body) = &mut domain.body {
            body.forget(master);
        }
    }
}

/// The acts after which a device that goes away reaches nothing.
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

/// The acts that move one device. A domain it goes to [has](Iommu::init_domain) what it must have.
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
