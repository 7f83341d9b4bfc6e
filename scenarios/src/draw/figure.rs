//! Elements of pictures: boxes, words and lines, in pixels from the upper left corner.

use maud::{Markup, html};

/// Height of a line of text.
pub(super) const LINE: u32 = 16;
/// Distance between an edge and its contents.
pub(super) const PAD: u32 = 8;

/// A picture.
pub(super) struct Figure {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) body: Markup,
}

/// The place of a box.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Frame {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Frame {
    pub(super) fn right(self) -> u32 {
        self.x + self.width
    }

    pub(super) fn bottom(self) -> u32 {
        self.y + self.height
    }

    /// The middle of its left edge.
    pub(super) fn enter(self) -> (u32, u32) {
        (self.x, self.y + self.height / 2)
    }

    /// The middle of its right edge.
    pub(super) fn leave(self) -> (u32, u32) {
        (self.right(), self.y + self.height / 2)
    }
}

/// The width of a text in pixels, in the fixed-width font of all pictures.
pub(super) fn text_width(text: &str) -> u32 {
    // Twelve pixels high; the letters of fixed-width fonts are six tenths as wide as high, a few
    // slightly wider.
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX / 16).min(400) * 74 / 10
}

/// The width of the widest text.
pub(super) fn widest<'a>(texts: impl IntoIterator<Item = &'a str>) -> u32 {
    texts.into_iter().map(text_width).max().unwrap_or(0)
}

/// A box with a CSS class.
pub(super) fn area(frame: Frame, class: &str) -> Markup {
    let Frame { x, y, width, height } = frame;
    html! { rect x=(x) y=(y) width=(width) height=(height) rx="4" class=(class) {} }
}

/// Words, with their baseline at `y`.
pub(super) fn words(x: u32, y: u32, class: &str, text: &str) -> Markup {
    html! { text x=(x) y=(y) class=(class) { (text) } }
}

/// A box with lines of text, the first of them its title.
pub(super) fn card(frame: Frame, class: &str, lines: &[String]) -> Markup {
    html! {
        (area(frame, class))
        @for (line, at) in lines.iter().zip(0u32..) {
            (words(frame.x + PAD, frame.y + LINE * (at + 1), if at == 0 { "title" } else { "" }, line))
        }
    }
}

/// The size of a box for these lines.
pub(super) fn card_size(lines: &[String]) -> (u32, u32) {
    let width = widest(lines.iter().map(String::as_str)) + 2 * PAD;
    let height = LINE * u32::try_from(lines.len()).unwrap_or(0).min(64) + PAD;
    (width, height)
}

/// A curve from one point to another.
pub(super) fn link(from: (u32, u32), to: (u32, u32), class: &str) -> Markup {
    let middle = from.0.midpoint(to.0);
    let d = format!(
        "M{} {} C{middle} {}, {middle} {}, {} {}",
        from.0, from.1, from.1, to.1, to.0, to.1
    );
    html! { path d=(d) class=(class) {} }
}

/// An area between a part of one edge and a part of another: `from` and `to` each give x, upper y
/// and lower y.
pub(super) fn band(from: (u32, u32, u32), to: (u32, u32, u32), class: &str) -> Markup {
    let middle = from.0.midpoint(to.0);
    let d = format!(
        "M{fx} {fu} C{middle} {fu}, {middle} {tu}, {tx} {tu} L{tx} {tl} C{middle} {tl}, {middle} {fl}, {fx} {fl} Z",
        fx = from.0,
        fu = from.1,
        fl = from.2,
        tx = to.0,
        tu = to.1,
        tl = to.2,
    );
    html! { path d=(d) class=(class) {} }
}

/// A number of bytes: exact where a unit divides it, otherwise to a tenth of a unit.
pub(super) fn bytes(count: u128) -> String {
    let units = [(60, "E"), (50, "P"), (40, "T"), (30, "G"), (20, "M"), (10, "K")];
    let Some((lg2, letter)) = units.into_iter().find(|(lg2, _)| count >= 1 << lg2) else {
        return format!("{count:#x}");
    };
    let exact = units.into_iter().find(|(lg2, _)| count.is_multiple_of(1 << lg2));
    match exact {
        Some((lg2, letter)) if count >> lg2 < 1 << 14 => format!("{}{letter}", count >> lg2),
        _ => {
            let tenths = (count * 10) >> lg2;
            format!("\u{2248} {}.{}{letter}", tenths / 10, tenths % 10)
        }
    }
}
