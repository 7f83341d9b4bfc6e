//! Whether a command of an ITS driver is needed, judged by IHI 0069 H 5.3 and by what follows it,
//! without running the model's ITS.

use crate::system::LostCommand;

/// An event of a scenario that concerns ITSs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// A command is sent to an ITS.
    Told { its: u16, words: [u64; 4] },
    /// LPIs are enabled or disabled.
    Configured { enabled: bool },
    /// A device writes, with this DeviceID and EventID if the operation gives them, or a CPU looks
    /// for pending LPIs.
    Look { device: Option<u64>, event: Option<u64> },
    /// Time passes: whatever is on its way arrives.
    Time,
}

/// Whether a command is needed, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Why {
    /// Whether its loss has a visible effect.
    pub needed: bool,
    /// That effect, or what makes up for the loss.
    pub text: &'static str,
}

const fn needed(text: &'static str) -> Why {
    Why { needed: true, text }
}

const fn spare(text: &'static str) -> Why {
    Why { needed: false, text }
}

/// A decoded command.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Told {
    kind: Option<LostCommand>,
    words: [u64; 4],
}

impl Told {
    fn new(words: [u64; 4]) -> Self {
        Self { kind: LostCommand::numbered(words[0] & 0xff), words }
    }

    fn is(self, kind: LostCommand) -> bool {
        self.kind == Some(kind)
    }

    /// DeviceID and EventID.
    fn event(self) -> (u64, u64) {
        (self.words[0] >> 32, self.words[1] & 0xffff_ffff)
    }

    fn collection(self) -> u64 {
        self.words[2] & 0xffff
    }

    /// RDbase, at its position in the word.
    fn target(self) -> u64 {
        self.words[2] & 0x000f_ffff_ffff_0000
    }

    /// The LPI an event is mapped to.
    fn lpi(self) -> u64 {
        if self.is(LostCommand::Mapi) { self.event().1 } else { self.words[1] >> 32 }
    }

    fn maps(self) -> bool {
        self.is(LostCommand::Mapti) || self.is(LostCommand::Mapi)
    }

    fn is_valid(self) -> bool {
        self.words[2] >> 63 != 0
    }
}

/// Whether the command at `n` is needed; `None` if there is none at `n`.
pub(super) fn why(steps: &[Step], n: usize) -> Option<Why> {
    let Step::Told { its, words } = *steps.get(n)? else { return None };
    let lost = Told::new(words);
    let told = |step: &Step| match *step {
        Step::Told { its: at, words } if at == its => Some(Told::new(words)),
        _ => None,
    };
    let looks = |step: &Step| matches!(step, Step::Look { .. });
    let Some(look) = steps[n..].iter().position(looks) else {
        return Some(spare("nobody looks any more"));
    };
    let Step::Look { event: looked_at, .. } = steps[n + look] else { return None };
    let follow = &steps[n + 1..n + look];
    let then: Vec<_> = follow.iter().filter_map(told).collect();
    let before = steps[..n].iter().rev().find_map(told);
    let configured = steps[..n].iter().rev().find_map(|step| match *step {
        Step::Configured { enabled } => Some(enabled),
        _ => None,
    });
    let finite = follow.contains(&Step::Time);
    let mapped = steps[..n].iter().any(|step| match *step {
        Step::Told { words, .. } => Told::new(words).maps(),
        _ => false,
    });
    let unmapped = then.iter().any(|it| it.is(LostCommand::Mapd) && !it.is_valid());
    let elsewhere = looked_at.is_some_and(|event| event != lost.event().1);
    Some(match lost.kind? {
        LostCommand::Sync => {
            let why = of_sync(lost, before, configured.filter(|_| mapped), finite, &then);
            unless_idle(why, before, (&steps[..n.saturating_sub(1)], &steps[n + 1..]), told)
        }
        LostCommand::Inv if follows(LostCommand::Discard, lost, &then) => {
            of_given_back(lost, &steps[..n], &steps[n + 1..], told)
        }
        LostCommand::Inv | LostCommand::Invall => of_invalidation(configured.filter(|_| mapped)),
        LostCommand::Mapd if lost.is_valid() => needed("the device's events cannot be mapped"),
        LostCommand::Mapd => of_unmapping(lost, &steps[n + 1..], told),
        LostCommand::Mapc if then.iter().any(|it| names(*it, lost.collection())) => {
            needed("commands name a collection that is not mapped")
        }
        LostCommand::Mapc => needed("messages go where the collection was"),
        LostCommand::Mapti | LostCommand::Mapi => needed("messages find no event"),
        LostCommand::Movi if is_there(lost, &steps[..n], told) => {
            spare("the event is there already")
        }
        LostCommand::Movi => needed("messages go where the event was"),
        LostCommand::Discard if unmapped && elsewhere => {
            spare("MAPD without V follows, and the event's messages come when that is done")
        }
        LostCommand::Discard if unmapped && !is_heard_of(lost, &steps[n + 1..], told) => {
            spare("MAPD without V follows, and no message of the device comes")
        }
        LostCommand::Discard => needed("messages raise what is another's by now"),
        LostCommand::Int if follows(LostCommand::Clear, lost, &then) => {
            spare("CLEAR of the event follows")
        }
        LostCommand::Int => needed("nothing is pending"),
        LostCommand::Clear => needed("the LPI is still pending"),
        LostCommand::Movall => needed("what is pending is where it was"),
    })
}

/// INV of an LPI that is masked and freed: neither DISCARD nor MAPTI makes a redistributor read its
/// configuration again (IHI 0069 H 5.1.1), so a stale configuration affects the next event that
/// uses the LPI.
fn of_given_back(
    lost: Told,
    before: &[Step],
    after: &[Step],
    told: impl Fn(&Step) -> Option<Told>,
) -> Why {
    let earlier = || before.iter().rev().filter_map(&told).filter(|it| it.event() == lost.event());
    let mapped = earlier().find(|it| it.maps());
    let Some(lpi) = mapped.map(Told::lpi) else { return spare("DISCARD of the event follows") };
    let placed = earlier().find(|it| it.maps() || it.is(LostCommand::Movi));
    let has_it = |step: &Step| told(step).filter(|it| it.maps() && it.lpi() == lpi);
    let Some((at, next)) = after.iter().enumerate().find_map(|(n, step)| Some((n, has_it(step)?)))
    else {
        return spare("nothing has the LPI after that");
    };
    if placed.map(Told::collection) != Some(next.collection()) {
        return spare("whose the LPI is next is at another redistributor");
    }
    for step in &after[at + 1..] {
        match (told(step), step) {
            (Some(it), _) if it.is(LostCommand::Inv) && it.event() == next.event() => break,
            (_, Step::Look { event: Some(event), .. }) if *event == next.event().1 => {
                return needed("whose the LPI is next finds it enabled");
            }
            _ => {}
        }
    }
    spare("the INV of whose the LPI is next comes before a message does")
}

/// The next MAPD that maps the device of a command, and its step.
fn next_mapd(
    lost: Told,
    after: &[Step],
    told: impl Fn(&Step) -> Option<Told>,
) -> Option<(usize, Told)> {
    let device = lost.event().0;
    let again = |it: Told| it.is(LostCommand::Mapd) && it.is_valid() && it.event().0 == device;
    let mut all = after.iter().enumerate();
    all.find_map(|(n, step)| Some((n, told(step).filter(|it| again(*it))?)))
}

/// Whether the device of a command sends a message before it is mapped again.
fn is_heard_of(lost: Told, after: &[Step], told: impl Fn(&Step) -> Option<Told>) -> bool {
    let device = lost.event().0;
    let until = next_mapd(lost, after, told).map_or(after.len(), |(n, _)| n);
    let heard = |step: &Step| matches!(*step, Step::Look { device: Some(of), .. } if of == device);
    after[..until].iter().any(heard)
}

/// Whether MOVI names the collection that its event is already in.
fn is_there(movi: Told, before: &[Step], told: impl Fn(&Step) -> Option<Told>) -> bool {
    let last = before
        .iter()
        .rev()
        .filter_map(told)
        .find(|it| it.event() == movi.event() && (it.maps() || it.is(LostCommand::Movi)));
    last.is_some_and(|it| it.collection() == movi.collection())
}

/// Whether a MAPD without V is needed.
fn of_unmapping(lost: Told, after: &[Step], told: impl Fn(&Step) -> Option<Told> + Copy) -> Why {
    if is_heard_of(lost, after, told) {
        return needed("messages are looked up in a table that is not the device's");
    }
    match next_mapd(lost, after, told) {
        None => spare("no message of the device comes any more"),
        // IHI 0069 H 5.3 (MAPD): UNPREDICTABLE, even with the same table.
        Some(_) => needed("a device that is mapped may not be mapped again, or stays as it was"),
    }
}

/// The verdict on a SYNC, unless the command before it has no effect.
fn unless_idle(
    why: Why,
    before: Option<Told>,
    (earlier, after): (&[Step], &[Step]),
    told: impl Fn(&Step) -> Option<Told> + Copy,
) -> Why {
    let Some(before) = before.filter(|_| why.needed) else { return why };
    match before.kind {
        Some(LostCommand::Movi) if is_there(before, earlier, told) => {
            spare("MOVI before it moved nothing, and a SYNC came before that")
        }
        Some(LostCommand::Discard) if !is_heard_of(before, after, told) => {
            spare("no message of the device comes before it is mapped again")
        }
        _ => why,
    }
}

/// Whether a command of this kind about the same event follows.
fn follows(kind: LostCommand, lost: Told, then: &[Told]) -> bool {
    then.iter().any(|it| it.is(kind) && it.event() == lost.event())
}

fn names(command: Told, collection: u64) -> bool {
    let kind = command.is(LostCommand::Invall) || command.is(LostCommand::Mapti);
    kind && command.collection() == collection
}

/// Whether INV or INVALL is needed.
fn of_invalidation(configured: Option<bool>) -> Why {
    match configured {
        None => spare("no event has been mapped yet"),
        Some(true) => needed("the LPI stays disabled"),
        Some(false) => needed("the LPI stays enabled"),
    }
}

/// Whether a SYNC is needed: it completes commands for its redistributor, and their effect on
/// messages, for which any SYNC suffices.
fn of_sync(
    lost: Told,
    before: Option<Told>,
    configured: Option<bool>,
    finite: bool,
    then: &[Told],
) -> Why {
    let again = |it: &Told| it.is(LostCommand::Sync);
    let same = |it: &Told| again(it) && it.target() == lost.target();
    let Some(before) = before else { return spare("there is nothing to wait for") };
    if then.iter().any(same) {
        return spare("another SYNC of the redistributor comes first");
    }
    let any = then.iter().any(again);
    match before.kind {
        Some(LostCommand::Sync) => spare("the SYNC before it did the same"),
        Some(LostCommand::Inv | LostCommand::Invall) => match configured {
            None => spare("no event has been mapped yet"),
            Some(true) => spare("it takes effect in finite time, and what is pending waits for it"),
            Some(false) if follows(LostCommand::Discard, before, then) => {
                spare("DISCARD of the event follows")
            }
            Some(false) => needed("the LPI is still enabled"),
        },
        Some(LostCommand::Int) if finite => spare("the LPI is pending in finite time"),
        Some(LostCommand::Int) => needed("the LPI is not pending yet"),
        Some(LostCommand::Clear) => needed("the LPI is still pending"),
        Some(LostCommand::Movall) => needed("what is pending is still where it was"),
        _ if any => spare("messages heed any SYNC, and another comes first"),
        Some(LostCommand::Movi) => needed("messages still go where the event was"),
        Some(LostCommand::Discard) => needed("messages still raise the LPI"),
        Some(LostCommand::Mapc) => needed("messages still go where the collection was"),
        Some(LostCommand::Mapti | LostCommand::Mapi) => needed("messages find no event yet"),
        Some(LostCommand::Mapd) => needed("messages are still looked up as before"),
        None => spare("there is nothing to wait for"),
    }
}
