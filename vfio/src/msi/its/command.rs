//! Commands of the ITS driver, as 32 bytes: Linux's `its_build_*_cmd`.

use super::Event;
use super::wire::{Raw0, Raw1, Raw1Mapd, Raw2, Raw2Mapd, cmd};
use passim_model::{DeviceId, IntId, PhysAddr};

/// A command. Targets are already shifted to their position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Command {
    Mapd { device: DeviceId, bits: u32, itt: PhysAddr, valid: bool },
    Mapc { collection: u16, target: u64 },
    Mapti { event: Event, lpi: IntId, collection: u16 },
    Movi { event: Event, collection: u16 },
    Inv { event: Event },
    Invall { collection: u16 },
    Discard { event: Event },
    Sync { target: u64 },
}

fn about(number: u64, event: Event) -> [u64; 2] {
    let device = Raw0::CMD.of(number) | Raw0::DEVID.of(u64::from(event.device.get()));
    [device, Raw1::EVENT_ID.of(u64::from(event.event.get()))]
}

impl Command {
    /// The command's doublewords.
    pub(super) fn words(self) -> [u64; 4] {
        let collection = |number: u16| Raw2::COLLECTION.of(u64::from(number));
        match self {
            Self::Mapd { device, bits, itt, valid } => [
                Raw0::CMD.of(cmd::MAPD) | Raw0::DEVID.of(u64::from(device.get())),
                Raw1Mapd::SIZE.of(u64::from(bits - 1)),
                Raw2Mapd::ITT.in_place(itt.get()) | Raw2Mapd::VALID.flag(valid),
                0,
            ],
            Self::Mapc { collection: number, target } => {
                let word = collection(number) | Raw2::TARGET.in_place(target);
                [Raw0::CMD.of(cmd::MAPC), 0, word | Raw2::VALID.flag(true), 0]
            }
            Self::Mapti { event, lpi, collection: number } => {
                let [first, second] = about(cmd::MAPTI, event);
                let second = second | Raw1::PHYS_ID.of(u64::from(lpi.get()));
                [first, second, collection(number), 0]
            }
            Self::Movi { event, collection: number } => {
                let [first, second] = about(cmd::MOVI, event);
                [first, second, collection(number), 0]
            }
            Self::Inv { event } => {
                let [first, second] = about(cmd::INV, event);
                [first, second, 0, 0]
            }
            Self::Discard { event } => {
                let [first, second] = about(cmd::DISCARD, event);
                [first, second, 0, 0]
            }
            Self::Invall { collection: number } => {
                [Raw0::CMD.of(cmd::INVALL), 0, collection(number), 0]
            }
            Self::Sync { target } => [Raw0::CMD.of(cmd::SYNC), 0, Raw2::TARGET.in_place(target), 0],
        }
    }
}
