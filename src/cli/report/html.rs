//! HTML that is put together from markup of ours and texts of others, which cannot become markup.

use std::fmt::{self, Write as _};

use crate::cli::terminal::{printable, shown};
use crate::client::Secrets;
use crate::text::without_passwords;

/// A document, or a part of one.
pub(super) struct Html {
    markup: String,
    secrets: Secrets,
}

impl Html {
    /// Nothing yet; none of the texts that are added will show one of these secrets.
    pub(super) fn hiding(secrets: Secrets) -> Self {
        Self { markup: String::new(), secrets }
    }

    /// Adds markup, which the caller wrote.
    pub(super) fn raw(&mut self, markup: &str) -> &mut Self {
        self.markup.push_str(markup);
        self
    }

    /// The same, from a format of the caller and numbers.
    pub(super) fn format(&mut self, markup: fmt::Arguments<'_>) -> &mut Self {
        // Writing to a String does not fail.
        let _ = self.markup.write_fmt(markup);
        self
    }

    /// Adds a text of one line.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        let masked = self.masked(text);
        self.escaped(&shown(&masked))
    }

    /// Adds a text of several lines.
    pub(super) fn lines(&mut self, text: &str) -> &mut Self {
        let masked = self.masked(text);
        self.escaped(&printable(&masked))
    }

    /// Adds an element that holds a text of one line.
    pub(super) fn element(&mut self, start: &str, text: &str, end: &str) -> &mut Self {
        self.raw(start).text(text).raw(end)
    }

    /// The markup.
    pub(super) fn into_markup(self) -> String {
        self.markup
    }

    /// A text without the known secrets, and without the passwords of addresses.
    fn masked(&self, text: &str) -> String {
        without_passwords(&self.secrets.mask(text, false))
    }

    fn escaped(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.markup.push_str("&amp;"),
                '<' => self.markup.push_str("&lt;"),
                '>' => self.markup.push_str("&gt;"),
                '"' => self.markup.push_str("&quot;"),
                '\'' => self.markup.push_str("&#39;"),
                c => self.markup.push(c),
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn a_text_is_neither_markup_nor_a_secret() {
        let mut html = Html::hiding(Secrets::known([SecretString::from("s3<cret")]));
        html.raw("<b>").text("</b><script a='\"'>&\n\u{202e}").raw("</b>").lines("s3<cret and s3&lt;cret\nx\u{1b}");
        html.text(" db://me:pw@db").lines("\ndb://me:pw@db");
        assert_eq!(
            html.into_markup(),
            "<b>&lt;/b&gt;&lt;script a=&#39;&quot;&#39;&gt;&amp;\\n\\u{202e}</b>*** and ***\nx\\u{1b} db://me:***@db\n\
             db://me:***@db"
        );
    }
}
