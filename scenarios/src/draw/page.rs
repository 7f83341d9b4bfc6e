//! Combines figures and lines into one self-contained HTML page, or the figures into one SVG.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Form;
use super::figure::{Figure, LINE, PAD, words};

/// Height of a figure's title in an SVG.
const TITLE: u32 = 2 * LINE;

/// An operation of a scenario and its outcome.
pub(super) struct Line {
    /// Its line in the file.
    pub(super) number: u64,
    pub(super) operation: String,
    pub(super) outcome: Vec<String>,
}

/// A page being built.
pub(super) struct Page {
    title: String,
    lines: Vec<Line>,
    figures: Vec<(String, Figure)>,
}

impl Page {
    pub(super) fn new(title: &str) -> Self {
        Self { title: title.to_owned(), lines: Vec::new(), figures: Vec::new() }
    }

    pub(super) fn line(&mut self, line: Line) {
        self.lines.push(line);
    }

    pub(super) fn figure(&mut self, title: &str, figure: Figure) {
        self.figures.push((title.to_owned(), figure));
    }

    pub(super) fn finish(self, form: Form) -> String {
        match form {
            Form::Html => self.html(),
            Form::Svg => self.svg(),
        }
    }

    /// The figures, one below the other.
    fn svg(self) -> String {
        let mut y = 0;
        let placed: Vec<_> = self
            .figures
            .iter()
            .map(|(title, figure)| {
                let at = y;
                y += TITLE + figure.height;
                (at, title, figure)
            })
            .collect();
        let width = placed.iter().map(|(_, _, figure)| figure.width).max().unwrap_or(0);
        let picture = html! {
            svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label=(self.title)
                width=(width) height=(y) viewBox=(format!("0 0 {width} {y}")) {
                style { (PreEscaped(STYLE)) }
                (arrow_head())
                @for (y, title, figure) in placed {
                    (words(PAD, y + LINE, "title", title))
                    svg y=(y + TITLE) width=(figure.width) height=(figure.height) { (figure.body) }
                }
            }
        };
        picture.into_string()
    }

    fn html(self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    h1 { (self.title) }
                    main class=(if self.lines.is_empty() { "" } else { "beside" }) {
                        @if !self.lines.is_empty() { (listing(&self.lines)) }
                        section {
                            @for (title, figure) in &self.figures { (drawn(title, figure)) }
                        }
                    }
                }
            }
        };
        page.into_string()
    }
}

fn listing(lines: &[Line]) -> Markup {
    html! {
        ol class="lines" {
            @for (at, line) in lines.iter().enumerate() {
                li value=(line.number) class=(if at + 1 == lines.len() { "here" } else { "" }) {
                    code { (line.operation) }
                    @for said in &line.outcome { div { (said) } }
                }
            }
        }
    }
}

fn drawn(title: &str, figure: &Figure) -> Markup {
    let Figure { width, height, body } = figure;
    html! {
        figure {
            figcaption { (title) }
            svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label=(title)
                width=(width) height=(height) viewBox=(format!("0 0 {width} {height}")) {
                (arrow_head())
                (body)
            }
        }
    }
}

fn arrow_head() -> Markup {
    html! {
        defs {
            marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"
                orient="auto-start-reverse" { path d="M0 0 L8 4 L0 8 Z" class="head" {} }
        }
    }
}

/// Colours also differ in lightness, and follow the reader's light or dark setting.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2430;--dim:#5d6a7c;--paper:#fbfbf9;--line:#8793a3;
--user:#d6e6fb;--window:#fde9c4;--doorbell:#f6cdd9;--free:#f1f2f0;--invalid:#dcdfe3;
--memory:#d8efd9;--smmu:#e4dcf7;--cached:#e9e9e2;--fault:#f9c9c2}
@media(prefers-color-scheme:dark){:root{--ink:#e4e8ee;--dim:#9aa7b8;--paper:#171b21;--line:#5f6c7d;
--user:#243f63;--window:#594515;--doorbell:#642f42;--free:#20252c;--invalid:#353c46;
--memory:#24492a;--smmu:#3c3162;--cached:#3a3a33;--fault:#6d2a22}}
body{margin:1.5rem;background:var(--paper);color:var(--ink);font:14px/1.5 system-ui,sans-serif}
h1{font-size:1.1rem;font-weight:600;overflow-wrap:anywhere}
main.beside{display:grid;grid-template-columns:minmax(16rem,26rem) 1fr;gap:2rem;align-items:start}
@media(max-width:60rem){main.beside{grid-template-columns:1fr}}
section{min-width:0}
.lines{margin:0;padding:0 0 0 3rem;color:var(--dim);overflow-wrap:anywhere;
font:12px/1.45 ui-monospace,Menlo,Consolas,monospace}
.lines code{font:inherit;color:var(--ink)}
.lines div{padding-left:1.2rem;white-space:pre-wrap}
.lines .here{background:var(--user);border-radius:4px}
figure{margin:0 0 2rem;overflow-x:auto}
figure svg{max-width:100%;height:auto}
figcaption{font-weight:600;margin-bottom:.3rem}
svg text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:var(--ink)}
svg text.title{font-weight:600}
svg text.dim{fill:var(--dim);paint-order:stroke;stroke:var(--paper);stroke-width:4px}
svg rect{stroke:var(--line);stroke-width:1;fill:var(--free)}
svg .user{fill:var(--user)} svg .window{fill:var(--window)} svg .doorbell{fill:var(--doorbell)}
svg .invalid{fill:var(--invalid);stroke-dasharray:3 3} svg .memory{fill:var(--memory)}
svg .smmu{fill:var(--smmu)} svg .cached{fill:var(--cached);stroke-dasharray:5 2}
svg .fault{fill:var(--fault)} svg .group{fill:var(--free)} svg .taken{fill:var(--user)}
svg path{fill:none;stroke:var(--line)}
svg path.arrow{stroke:var(--ink);marker-end:url(#head)} svg path.head{fill:var(--ink);stroke:none}
svg path.bare{stroke-dasharray:4 3}
svg path.band{stroke:none;opacity:.8} svg .user-band{fill:var(--user)}
svg .doorbell-band{fill:var(--doorbell)}
";
