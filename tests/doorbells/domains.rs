//! Random windows, doorbells and attached groups, behind one to three SMMUs: the records equal the
//! twin's, and every device reaches through its SMMU exactly what its domain maps.

use crate::rig::{DEVICES, Rig, Spec};
use passim_model::{PageSize, PhysAddr, Span};
use passim_oracle::doorbell::{Doorbells, Mapping};
use passim_vfio::Profile;
use passim_vfio::iommu::DomainId;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

/// A random step. Domains and groups are taken modulo their number.
#[derive(Clone, Copy, Debug)]
enum Step {
    Window { domain: usize, start: u64, pages: u64 },
    Get { domain: usize, at: u64, size: u64 },
    Put { domain: usize, at: u64 },
    Attach { domain: usize, group: u32 },
    Detach { group: u32 },
}

/// Doorbells close to one another, so that their pages overlap.
fn address() -> impl Strategy<Value = u64> {
    let page = prop_oneof![4 => 0u64..2, 1 => 0u64..6];
    let offset = prop_oneof![Just(0u64), Just(0x40), Just(0xffc), Just(0xff8)];
    (page, offset).prop_map(|(page, offset)| 0xf20_0000 + page * 0x1000 + offset)
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![5 => Just(4u64), 1 => Just(8), 1 => Just(0x1000), 1 => Just(0x2_8000)];
    let pages = prop_oneof![1u64..4, 4u64..20];
    let start = prop_oneof![Just(0u64), Just(0x800_0000), Just(0xc3_0000)];
    prop_oneof![
        1 => (0usize..4, start, pages)
            .prop_map(|(domain, start, pages)| Step::Window { domain, start, pages }),
        6 => (0usize..4, address(), size)
            .prop_map(|(domain, at, size)| Step::Get { domain, at, size }),
        5 => (0usize..4, address()).prop_map(|(domain, at)| Step::Put { domain, at }),
        2 => (0usize..4, 0u32..6).prop_map(|(domain, group)| Step::Attach { domain, group }),
        1 => (0u32..6).prop_map(|group| Step::Detach { group }),
    ]
}

fn spec() -> impl Strategy<Value = Spec> {
    let page =
        prop_oneof![3 => Just(PageSize::K4), 1 => Just(PageSize::K16), 1 => Just(PageSize::K64)];
    let profile = prop_oneof![Just(Profile::MsiV9), Just(Profile::MsiV10)];
    (1u32..4, page, any::<bool>(), profile).prop_map(|(smmus, page, second_stage, profile)| Spec {
        smmus,
        page,
        second_stage,
        policy: profile.policy(),
    })
}

/// A domain, its SMMU, and its twin.
struct Pair {
    domain: DomainId,
    smmu: u32,
    twin: Doorbells,
    groups: Vec<u32>,
}

struct World {
    rig: Rig,
    pairs: Vec<Pair>,
}

impl World {
    /// One domain behind each SMMU, and a second one behind the first.
    fn new(spec: Spec) -> Self {
        let mut rig = Rig::new(spec);
        let page = rig.spec.page.bytes();
        let behind = (0..rig.spec.smmus).chain([0]);
        let pairs = behind
            .map(|smmu| {
                let domain = rig.alloc(smmu * DEVICES);
                Pair { domain, smmu, twin: Doorbells::new(page), groups: Vec::new() }
            })
            .collect();
        Self { rig, pairs }
    }

    fn take(&mut self, step: Step) -> TestCaseResult {
        let (count, groups) = (self.pairs.len(), self.rig.spec.smmus * DEVICES);
        let page = self.rig.spec.page.bytes();
        match step {
            Step::Window { domain, start, pages } => {
                let pair = &mut self.pairs[domain % count];
                let (start, size) = (start / page * page, pages * page);
                let window = Span::from_size(passim_model::Iova::new(start), size).expect("small");
                let set = self.rig.iommu.set_msi_aperture(pair.domain, window);
                let set = set.map_err(|refusal| refusal.errno.number());
                prop_assert_eq!(set, pair.twin.set_window(start, size));
            }
            Step::Get { domain, at, size } => {
                let pair = &mut self.pairs[domain % count];
                let got = self.rig.get(pair.domain, at, size);
                let got = got.map_err(|refusal| refusal.errno.number());
                prop_assert_eq!(got, pair.twin.get(at, size), "{:#x} {:#x}", at, size);
            }
            Step::Put { domain, at } => {
                let pair = &mut self.pairs[domain % count];
                self.rig.put(pair.domain, at);
                pair.twin.put(at);
            }
            Step::Attach { domain, group } => {
                let (at, group) = (domain % count, group % groups);
                let attached = self.rig.attach(self.pairs[at].domain, group);
                let busy = self.pairs.iter().any(|pair| pair.groups.contains(&group));
                let other = self.pairs[at].smmu != group / DEVICES;
                let expected = if busy { Some("EBUSY") } else { other.then_some("EINVAL") };
                let errno = attached.err().map(|refusal| refusal.errno.name());
                prop_assert_eq!(errno, expected);
                if errno.is_none() {
                    self.pairs[at].groups.push(group);
                }
            }
            Step::Detach { group } => {
                let group = group % groups;
                self.rig.detach(group);
                for pair in &mut self.pairs {
                    pair.groups.retain(|&member| member != group);
                }
            }
        }
        Ok(())
    }

    /// Compares everything.
    fn check(&mut self) -> TestCaseResult {
        // A device of the kernel's own reaches the frame untranslated.
        for group in 0..self.rig.spec.smmus * DEVICES {
            if !self.pairs.iter().any(|pair| pair.groups.contains(&group)) {
                prop_assert_eq!(self.rig.iommu.msi_domain_of(Rig::rid(group)), None);
                prop_assert_eq!(self.rig.write(group, 0xf20_0040), Some(0xf20_0040));
            }
        }
        for pair in &self.pairs {
            let views = self.rig.iommu.doorbells(pair.domain);
            let list: Vec<_> = views
                .iter()
                .map(|view| Mapping {
                    pa: view.pa.get(),
                    iova: view.iova.get(),
                    size: view.size,
                    held: view.references,
                })
                .collect();
            prop_assert_eq!(&list[..], pair.twin.list());
            for at in [0xf1f_fffc, 0xf20_0000, 0xf20_0040, 0xf20_0ff8, 0xf20_0ffc, 0xf20_1040] {
                let found = self.rig.iommu.translate_message(pair.domain, PhysAddr::new(at));
                prop_assert_eq!(found.map(|iova| iova.get()), pair.twin.translate(at));
            }
            let size = self.rig.spec.page.bytes();
            for &group in &pair.groups {
                prop_assert_eq!(self.rig.iommu.msi_domain_of(Rig::rid(group)), Some(pair.domain));
                for mapping in &list {
                    for offset in (0..mapping.size).step_by(size as usize) {
                        let iova = mapping.iova + offset + 0x40;
                        let reached = self.rig.write(group, iova);
                        prop_assert_eq!(reached, Some(mapping.pa + offset + 0x40));
                    }
                }
                // No other page of the windows is mapped.
                for iova in (0..24).flat_map(|n| [n * size, 0x800_0000 + n * size]) {
                    let inside = |m: &Mapping| m.iova <= iova && iova < m.iova + m.size;
                    if !list.iter().any(inside) {
                        prop_assert_eq!(self.rig.write(group, iova), None);
                    }
                }
            }
        }
        Ok(())
    }
}

#[test]
fn records_tables_and_smmus_agree() {
    let steps = prop::collection::vec(step(), 1..40);
    super::explore(150, 5, &(spec(), steps), |(spec, steps)| {
        let mut world = World::new(spec);
        for step in steps {
            world.take(step)?;
            world.check()?;
        }
        // After cleaning up: doorbells still held cause one warning per domain, and no frame is
        // lost.
        let held = world.pairs.iter().filter(|pair| !pair.twin.list().is_empty()).count();
        for group in 0..world.rig.spec.smmus * DEVICES {
            world.rig.detach(group);
        }
        let domains: Vec<_> = world.pairs.iter().map(|pair| pair.domain).collect();
        for domain in domains {
            world.rig.free(domain);
        }
        prop_assert_eq!(world.rig.iommu.take_verdicts().len(), held);
        let fresh = Rig::new(world.rig.spec.clone());
        prop_assert_eq!(world.rig.frames.in_use(), fresh.frames.in_use());
        Ok(())
    });
}

/// Two domains use the same addresses for different doorbells: SMMUs share nothing.
#[test]
fn addresses_belong_to_a_domain() {
    let policy = Profile::MsiV9.policy();
    let mut rig = Rig::new(Spec { smmus: 2, page: PageSize::K4, second_stage: false, policy });
    let [first, second] = [0, DEVICES].map(|group| {
        let domain = rig.alloc(group);
        rig.attach(domain, group).expect("it is at rest");
        let window = Span::from_size(passim_model::Iova::new(0x800_0000), 0x1_0000);
        rig.iommu.set_msi_aperture(domain, window.expect("small")).expect("the first");
        domain
    });
    assert_eq!(rig.get(first, 0xf20_0000, 4).ok(), Some(0x800_f000));
    assert_eq!(rig.get(second, 0xf30_0000, 4).ok(), Some(0x800_f000));
    assert_eq!(rig.write(0, 0x800_f040), Some(0xf20_0040));
    assert_eq!(rig.write(DEVICES, 0x800_f040), Some(0xf30_0040));
    // Dropping the first domain's last reference does not affect the second one's.
    rig.put(first, 0xf20_0000);
    assert_eq!(
        (rig.write(0, 0x800_f040), rig.write(DEVICES, 0x800_f040)),
        (None, Some(0xf30_0040))
    );
}

/// Kernels that keep doorbells: each domain has its own mappings from its own base, and so have the
/// domains of host drivers; one to three SMMUs share nothing.
#[test]
fn kept_doorbells_belong_to_a_domain() {
    for profile in [Profile::Linux4_11, Profile::Linux6_1, Profile::Linux6_12] {
        let (policy, page) = (profile.policy(), PageSize::K4);
        let mut rig = Rig::new(Spec { smmus: 3, page, second_stage: false, policy });
        for smmu in 0..3 {
            let (user, host) = (smmu * DEVICES, smmu * DEVICES + 1);
            let frame = 0xf20_0000 + u64::from(smmu) * 0x1_0000;
            let own = rig.iommu.msi_domain_of(Rig::rid(host)).expect("it translates");
            assert_eq!(rig.get(own, frame + 0x40, 4).ok(), Some(0xffff_f040));
            assert_eq!(rig.write(host, 0xffff_f040), Some(frame + 0x40));
            let domain = rig.alloc(user);
            rig.attach(domain, user).expect("it is at rest");
            let base = passim_model::Iova::new(0x800_0000);
            rig.iommu.set_msi_base(domain, base).expect("the first");
            for n in [0, 1, 0, 2] {
                let iova = rig.get(domain, frame + n * 0x1000, 4).ok();
                assert_eq!(iova, Some(0x800_0000 + n * 0x1000));
            }
            rig.put(domain, frame);
            assert_eq!(rig.write(user, 0x800_2040), Some(frame + 0x2040));
            assert_eq!((rig.write(user, 0x800_3000), rig.write(host, 0x800_0000)), (None, None));
            let neighbour = (host + DEVICES) % (3 * DEVICES);
            let refused = rig.attach(domain, neighbour).expect_err("another SMMU");
            assert_eq!(refused.rule.name, "iommu-attach-other-smmu");
            assert_eq!(rig.iommu.driver_of(user), Some(smmu as usize));
        }
    }
}
