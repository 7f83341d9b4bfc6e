use super::super::command::Command;
use super::super::probe::SyncSignal;
use super::{CommandQueue, Ending, Submitted};
use crate::iommu::finding::Findings;
use crate::iommu::registers::Registers;
use passim_model::{Abort, Host, Memory, PhysAddr, Span, StreamId, Width};

/// Memory, and a CMDQ_CONS that moves by one whenever the CPU waits.
struct Slow {
    memory: Memory,
    prod: u64,
    cons: u64,
}

impl Host for Slow {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    fn load(&mut self, at: PhysAddr, _width: Width) -> Result<u64, Abort> {
        Ok(if at.get() == 0x9c { self.cons } else { 0 })
    }

    fn store(&mut self, at: PhysAddr, _width: Width, value: u64) -> Result<(), Abort> {
        assert_eq!(at.get(), 0x98);
        self.prod = value;
        Ok(())
    }

    fn relax(&mut self) {
        if self.cons != self.prod {
            self.cons = (self.cons + 1) & 0xf;
        }
    }
}

#[test]
fn a_full_queue_takes_nothing_until_there_is_room() {
    let mut memory = Memory::new();
    memory.add_bank(Span::from_size(PhysAddr::new(0), 0x1_0000).unwrap()).unwrap();
    let mut host = Slow { memory, prod: 0, cons: 0 };
    let mut queue = CommandQueue::new(PhysAddr::new(0x1000), 3, SyncSignal::Consumed);
    let registers = Registers::new(PhysAddr::new(0));
    let mut findings = Findings::default();
    let command = |n| Command::cfgi_ste(StreamId::new(n));
    let mut tickets = Vec::new();
    let mut waits = 0;
    for n in 0..40 {
        // Four commands a batch: two batches fill the queue.
        let batch = [command(3 * n), command(3 * n + 1), command(3 * n + 2)];
        loop {
            let before = host.prod;
            match queue.submit(registers, &batch, Ending::Sync, &mut findings, &mut host) {
                Submitted::Sync(ticket) => break tickets.push(ticket),
                Submitted::Full => {
                    assert_eq!(host.prod, before);
                    waits += 1;
                    host.relax();
                }
                Submitted::Open => unreachable!("a SYNC was asked for"),
            }
        }
        let slot = 0x1000 + u64::from(4 * n % 8) * 16;
        assert_eq!(host.memory.load_u64(PhysAddr::new(slot)), Ok(command(3 * n).0[0]));
    }
    assert_eq!(waits, 38 * 4);
    let last = tickets[39];
    assert!(queue.completed(registers, last, &mut findings, &mut host).is_none());
    for _ in 0..8 {
        host.relax();
    }
    for ticket in tickets {
        assert!(queue.completed(registers, ticket, &mut findings, &mut host).is_some());
    }
    assert!(findings.take().is_empty());
}
