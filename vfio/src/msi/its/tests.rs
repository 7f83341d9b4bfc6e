//! Commands are the recorded ones.

use super::Event;
use super::command::Command;
use passim_model::{DeviceId, EventId, IntId, PhysAddr};

/// The first commands of the recorded 6.12 board (`its`, dump `unsafe_0`): collections of two CPUs,
/// then one message of 00:05.0 and of 00:06.0; the ends of a message of 00:01.0 (dump `unsafe_1`).
#[test]
fn commands_are_those_of_the_dumps() {
    let event = |device, event| Event { device: DeviceId::new(device), event: EventId::new(event) };
    let (port, edu) = (event(0x28, 0), event(0x8, 0));
    let mapd = |device, itt, valid| {
        let (device, itt) = (DeviceId::new(device), PhysAddr::new(itt));
        Command::Mapd { device, bits: 1, itt, valid }
    };
    let recorded = [
        (Command::Mapc { collection: 0, target: 0 }, [0x9, 0, 1 << 63, 0]),
        (Command::Sync { target: 0 }, [0x5, 0, 0, 0]),
        (Command::Invall { collection: 0 }, [0xd, 0, 0, 0]),
        (Command::Mapc { collection: 1, target: 1 << 16 }, [0x9, 0, 0x8000_0000_0001_0001, 0]),
        (Command::Sync { target: 1 << 16 }, [0x5, 0, 0x1_0000, 0]),
        (Command::Invall { collection: 1 }, [0xd, 0, 1, 0]),
        (mapd(0x28, 0x44a5_8400, true), [0x28_0000_0008, 0, 0x8000_0000_44a5_8400, 0]),
        (
            Command::Mapti { event: port, lpi: IntId::new(8192), collection: 0 },
            [0x28_0000_000a, 0x2000_0000_0000, 0, 0],
        ),
        (Command::Inv { event: port }, [0x28_0000_000c, 0, 0, 0]),
        (Command::Discard { event: edu }, [0x8_0000_000f, 0, 0, 0]),
        (mapd(0x8, 0x44bd_d800, false), [0x8_0000_0008, 0, 0x44bd_d800, 0]),
    ];
    for (command, words) in recorded {
        assert_eq!(command.words(), words, "{command:?}");
    }
}
