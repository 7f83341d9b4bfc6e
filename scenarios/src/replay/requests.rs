//! Ioctl lines: the calls that they make, and the required answers.

use passim_vfio::Pid;
use passim_vfio::call::{Arg, Call};

use super::Replayer;
use super::compare::{Place, Recorded, recorded};
use super::perform::Taken;
use super::report::Difference;
use crate::ioctl::{self, DmaMap, DmaUnmap};
use crate::recording::line::{
    IoctlArgument, IoctlLine, MapLine, RandomMap, RandomUnmap, UnmapLine,
};

impl Replayer<'_> {
    pub(super) fn ioctl(&mut self, place: &Place, line: &IoctlLine) -> Taken {
        self.each_expected(|expected| expected.ioctl(line));
        let Some(pid) = self.pid() else { return no_process(place) };
        let arg = match &line.argument {
            IoctlArgument::Value(value) => Arg::Value(*value),
            IoctlArgument::Buffer { before, .. } => Arg::Bytes(before.clone()),
            IoctlArgument::Null => Arg::Value(0),
        };
        let answer = self.call(pid, Call::Ioctl { fd: line.fd, request: line.nr, arg });
        let mut difference = place.ret(recorded(i64::from(line.ret), line.errno), &answer);
        if let IoctlArgument::Buffer { after, .. } = &line.argument {
            difference = difference.or_else(|| place.bytes("structure", after, &answer.bytes));
        }
        Taken::Compared(difference)
    }

    pub(super) fn map(&mut self, place: &Place, line: &MapLine) -> Taken {
        let Some(pid) = self.pid() else { return no_process(place) };
        let MapLine { argsz, flags, .. } = *line;
        let (vaddr, iova, size) = (line.vaddr.get(), line.iova.get(), line.size);
        let map = DmaMap { argsz, flags, vaddr, iova, size };
        let ret = recorded(i64::from(line.ret), line.errno);
        Taken::Compared(self.map_call(pid, place, line.fd, map, ret))
    }

    pub(super) fn unmap(&mut self, place: &Place, line: &UnmapLine) -> Taken {
        let Some(pid) = self.pid() else { return no_process(place) };
        let UnmapLine { argsz, flags, iova, size, .. } = *line;
        let unmap = DmaUnmap { argsz, flags, iova: iova.get(), size };
        let ret = recorded(i64::from(line.ret), line.errno);
        let after = DmaUnmap {
            argsz: line.argsz_out,
            flags: line.flags_out,
            iova: line.iova_out.get(),
            size: line.size_out,
        };
        Taken::Compared(self.unmap_call(pid, place, line.fd, unmap, (ret, after)))
    }

    pub(super) fn random_map(&mut self, number: u64, line: &RandomMap) -> Taken {
        let place = Place { line: number, call: describe_random_map(line) };
        let (Some(pid), Some(arena)) = (self.pid(), self.arena) else { return no_process(&place) };
        let RandomMap { argsz, flags, .. } = *line;
        let vaddr = arena.get().wrapping_add(line.voff);
        let map = DmaMap { argsz, flags, vaddr, iova: line.iova.get(), size: line.size };
        let ret = recorded(i64::from(line.ret), line.errno);
        let mut difference = self.map_call(pid, &place, line.fd, map, ret);
        if let Some(oracle) = self.expected.as_mut().and_then(|expected| expected.map(line)) {
            let oracle = oracle.map(|()| 0);
            difference = difference.or_else(|| disagrees(&place, ret, oracle));
        }
        self.random += 1;
        Taken::Compared(difference)
    }

    pub(super) fn random_unmap(&mut self, number: u64, line: &RandomUnmap) -> Taken {
        let place = Place { line: number, call: describe_random_unmap(line) };
        let Some(pid) = self.pid() else { return no_process(&place) };
        let RandomUnmap { argsz, flags, size, .. } = *line;
        let unmap = DmaUnmap { argsz, flags, iova: line.iova.get(), size };
        let ret = recorded(i64::from(line.ret), line.errno);
        let after = DmaUnmap { size: line.got, ..unmap };
        let mut difference = self.unmap_call(pid, &place, line.fd, unmap, (ret, after));
        if let Some(oracle) = self.expected.as_mut().and_then(|expected| expected.unmap(line)) {
            let said = ret.map(|_| line.got.cast_signed());
            let oracle = oracle.map(u64::cast_signed);
            difference = difference.or_else(|| disagrees(&place, said, oracle));
        }
        self.random += 1;
        Taken::Compared(difference)
    }

    fn map_call(
        &mut self,
        pid: Pid,
        place: &Place,
        fd: i32,
        map: DmaMap,
        ret: Recorded,
    ) -> Option<Difference> {
        let arg = Arg::Bytes(map.bytes());
        let answer = self.call(pid, Call::Ioctl { fd, request: ioctl::MAP_DMA, arg });
        place.ret(ret, &answer)
    }

    fn unmap_call(
        &mut self,
        pid: Pid,
        place: &Place,
        fd: i32,
        unmap: DmaUnmap,
        (ret, after): (Recorded, DmaUnmap),
    ) -> Option<Difference> {
        let arg = Arg::Bytes(unmap.bytes());
        let answer = self.call(pid, Call::Ioctl { fd, request: ioctl::UNMAP_DMA, arg });
        let difference = place.ret(ret, &answer);
        let model = DmaUnmap::read(&answer.bytes).unwrap_or(unmap);
        difference
            .or_else(|| place.number("size", after.size, model.size))
            .or_else(|| place.number("iova", after.iova, model.iova))
            .or_else(|| place.number("flags", u64::from(after.flags), u64::from(model.flags)))
            .or_else(|| place.number("argsz", u64::from(after.argsz), u64::from(model.argsz)))
    }
}

fn no_process(place: &Place) -> Taken {
    Taken::Broken(place.differs("answered", "no process runs, or it has no arena"))
}

/// The difference for a recorded answer that the oracle contradicts: one of the two is wrong, not
/// the model.
fn disagrees(place: &Place, recorded: Recorded, oracle: Recorded) -> Option<Difference> {
    (recorded != oracle).then(|| {
        let mut difference =
            place.differs(format!("{recorded:?}"), format!("the oracle says {oracle:?}"));
        difference.hint = Some("the model agrees with the recording, the oracle does not".into());
        difference
    })
}

pub(super) fn describe_ioctl(line: &IoctlLine) -> String {
    match &line.argument {
        IoctlArgument::Value(value) => format!("{} of {} ({value:#x})", line.name, line.fd),
        IoctlArgument::Buffer { .. } => format!("{} of {}", line.name, line.fd),
        IoctlArgument::Null => format!("{} of {} (null)", line.name, line.fd),
    }
}

pub(super) fn describe_map(line: &MapLine) -> String {
    let MapLine { fd, argsz, flags, iova, vaddr, size, .. } = line;
    format!("map fd={fd} argsz={argsz} flags={flags:#x} iova={iova} vaddr={vaddr} size={size:#x}")
}

pub(super) fn describe_unmap(line: &UnmapLine) -> String {
    let UnmapLine { fd, argsz, flags, iova, size, .. } = line;
    format!("unmap fd={fd} argsz={argsz} flags={flags:#x} iova={iova} size={size:#x}")
}

pub(super) fn describe_random_map(line: &RandomMap) -> String {
    let RandomMap { k, argsz, flags, iova, voff, size, .. } = line;
    format!("map {k}: argsz={argsz} flags={flags:#x} iova={iova} arena+{voff:#x} size={size:#x}")
}

pub(super) fn describe_random_unmap(line: &RandomUnmap) -> String {
    let RandomUnmap { k, argsz, flags, iova, size, .. } = line;
    format!("unmap {k}: argsz={argsz} flags={flags:#x} iova={iova} size={size:#x}")
}
