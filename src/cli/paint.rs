//! Lines of which parts are coloured. A line is made of texts and colours, so that the texts can be made safe for a terminal
//! where they are printed, and the colours stay.

use std::fmt::Write as _;

use super::terminal::shown;

/// The colours of lists, those of git where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
    Cyan = 36,
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub text: String,
    pub colour: Option<Colour>,
}

/// A line of such parts.
pub type Line = Vec<Span>;

/// A part without a colour.
pub fn plain(text: impl Into<String>) -> Span {
    Span { text: text.into(), colour: None }
}

/// A part in a colour.
pub fn coloured(text: impl Into<String>, colour: Colour) -> Span {
    Span { text: text.into(), colour: Some(colour) }
}

/// Lines as a terminal shows them, in colours if it `has_colours`.
#[must_use]
pub fn painted(lines: &[Line], has_colours: bool) -> String {
    let mut all = String::new();
    for line in lines {
        for span in line {
            let text = shown(&span.text);
            // Writing to a String does not fail.
            let _ = match span.colour.filter(|_| has_colours && !text.is_empty()) {
                Some(colour) => write!(all, "\x1b[{}m{text}\x1b[0m", colour as u8),
                None => write!(all, "{text}"),
            };
        }
        all.push('\n');
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_sequences_reach_the_terminal() {
        let lines =
            [vec![coloured("A\x1b[2J", Colour::Green), plain(" b"), coloured("", Colour::Red)], vec![plain("c")]];
        assert_eq!(painted(&lines, true), "\x1b[32mA\\u{1b}[2J\x1b[0m b\nc\n");
        assert_eq!(painted(&lines, false), "A\\u{1b}[2J b\nc\n");
    }
}
