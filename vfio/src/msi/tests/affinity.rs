//! Delivery and routing to CPUs.

use super::board::{Build, Machine, USERS};
use crate::call::Call;
use crate::policy::Profile;
use crate::uapi::irq;
use passim_model::{Errno, Rid};

const DEVICE: u16 = USERS[0];

fn move_to(machine: &mut Machine, irq: u32, cpu: &str) -> Result<i64, Errno> {
    let path = format!("/proc/irq/{irq}/smp_affinity_list");
    machine.call(Call::WriteAttribute { path, value: cpu.to_owned() })
}

#[test]
fn a_message_is_counted_where_it_goes() {
    let mut machine = Machine::boot(Build::new(Profile::Linux6_12.policy()));
    let (_, groups) = machine.container(&[DEVICE]);
    let device = machine.device(groups[0], DEVICE);
    // Messages are writes: the function needs bus mastering.
    let command = Call::Pwrite { fd: device as i32, offset: 7 << 40 | 4, bytes: vec![6, 0] };
    machine.call(command).unwrap();
    let fds = machine.eventfds(2);
    assert_eq!(machine.enable(device, 0, &fds), Ok(0));
    assert_eq!(machine.board.raise(DEVICE, 1), Some((0x800_0040, 66)));
    machine.kernel.interrupt(1, &mut machine.board);
    assert_eq!(machine.count(fds[1]), 0, "it goes to CPU 0");
    machine.kernel.interrupt(0, &mut machine.board);
    assert_eq!((machine.count(fds[0]), machine.count(fds[1])), (0, 1));
    let vectors = machine.kernel.vectors(Rid::new(DEVICE));
    // Numbers 1, 2, 3 and 5 are in use.
    assert_eq!((vectors[0].irq, vectors[1].irq), (4, 6));
    assert_eq!(move_to(&mut machine, 6, "1"), Ok(0));
    assert_eq!(machine.board.target(66), 2);
    machine.board.raise(DEVICE, 1);
    machine.kernel.interrupt(1, &mut machine.board);
    assert_eq!(machine.count(fds[1]), 1);
    let lines = machine.kernel.interrupts();
    let line = lines.iter().find(|line| line.irq == 6).unwrap();
    assert_eq!(line.counts, [1, 1]);
    assert_eq!(move_to(&mut machine, 6, "2"), Err(Errno::ERANGE));
    assert_eq!(move_to(&mut machine, 99, "0"), Err(Errno::ENOENT));
}

#[test]
fn a_doorbell_for_each_cpu_is_held_by_every_vector_wherever_it_goes() {
    let per_cpu = vec![0x0f20_0000, 0x0f21_0000, 0x0f22_0000];
    let build = Build { per_cpu, cpus: 3, ..Build::new(Profile::MsiV9.policy()) };
    let mut machine = Machine::boot(build);
    let (container, groups) = machine.container(&USERS);
    machine.window(container, 0x800_0000, 0x1_0000).unwrap();
    let devices: Vec<_> =
        groups.iter().zip(USERS).map(|(group, rid)| machine.device(*group, rid)).collect();
    let fds = machine.eventfds(2);
    for device in &devices {
        machine.enable(*device, 0, &fds).unwrap();
    }
    assert_eq!(machine.references(DEVICE), [4, 4, 4]);
    let irq = machine.kernel.vectors(Rid::new(DEVICE))[0].irq;
    for (cpu, iova) in [(2, 0x800_d040), (1, 0x800_e040), (0, 0x800_f040), (2, 0x800_d040)] {
        move_to(&mut machine, irq, &cpu.to_string()).unwrap();
        assert_eq!(machine.board.entry(DEVICE, 0), (iova, 65, 0));
        assert_eq!(machine.references(DEVICE), [4, 4, 4]);
    }
    machine.disable(devices[0], irq::MSIX).unwrap();
    assert_eq!(machine.references(DEVICE), [2, 2, 2]);
    machine.call(Call::Close { fd: devices[1] as i32 }).unwrap();
    assert_eq!(machine.references(DEVICE), []);
    assert!(machine.kernel.take_verdicts().is_empty());
}

#[test]
fn doorbells_that_do_not_all_fit_are_given_back() {
    let per_cpu = vec![0x0f20_0000, 0x0f21_0000, 0x0f22_0000];
    let build = Build { per_cpu, cpus: 3, ..Build::new(Profile::MsiV9.policy()) };
    let mut machine = Machine::boot(build);
    let (container, groups) = machine.container(&[DEVICE]);
    // Three pages; the lowest is never allocated.
    machine.window(container, 0x800_0000, 0x3000).unwrap();
    let device = machine.device(groups[0], DEVICE);
    let fds = machine.eventfds(1);
    for _ in 0..2 {
        assert_eq!(machine.enable(device, 0, &fds), Err(Errno::ENOMEM));
        assert_eq!(machine.references(DEVICE), []);
        assert_eq!(machine.kernel.messages_in_use(), 1);
    }
}
