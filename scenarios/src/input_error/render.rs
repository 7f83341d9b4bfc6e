//! Draws an input error with `annotate-snippets`.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use super::{Colour, Place, Report};

/// Message, place, source line with the span marked, hint.
pub(super) fn draw(report: &Report, colour: Colour) -> String {
    let title = Level::ERROR.primary_title(&report.message);
    let group = match &report.place {
        None => title.element(Origin::path(&report.path)),
        Some(place) if place.shows_line_start() => title.element(snippet(place).path(&report.path)),
        // The snippet would count the column from the start of the excerpt, so the place is given
        // separately.
        Some(place) => title
            .element(
                Origin::path(&report.path)
                    .line(number(place.line))
                    .char_column(number(place.column)),
            )
            .element(snippet(place)),
    };
    let group = group.element(Level::HELP.message(&*report.hint));
    let renderer = match colour {
        Colour::Plain => Renderer::plain(),
        Colour::Ansi => Renderer::styled(),
    };
    renderer.decor_style(DecorStyle::Ascii).render(&[group])
}

fn snippet(place: &Place) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    Snippet::source(&place.excerpt)
        .line_start(number(place.line))
        .annotation(AnnotationKind::Primary.span(place.span.clone()))
}

fn number(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
