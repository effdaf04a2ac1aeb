//! The page of a report: what every command fills in, and how it is laid out.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::change_list::{Change, draw as draw_changes};
use super::chart::{draw as draw_requests, exact};
use super::html::Html;
use super::requests::Requests;
use crate::error::Error;

const STYLE: &str = include_str!("page.css");

/// How it ended, for the colour of the heading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mood {
    Good,
    Bad,
    /// It changed nothing, as it should.
    #[default]
    Neutral,
}

/// Something that was done in order, such as a command on the host.
#[derive(Debug, Clone, Default)]
pub struct Step {
    pub name: String,
    /// How it ended, in words.
    pub end: String,
    pub is_bad: bool,
    /// What it printed.
    pub output: String,
}

/// What a report shows. Every text may come from the host, from names of files or from messages.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub title: String,
    pub mood: Mood,
    /// What was typed, such as `pya deploy`.
    pub command: &'static str,
    /// The numbers that matter most.
    pub numbers: Vec<(&'static str, String)>,
    /// Who, what, where, from which commit.
    pub facts: Vec<(&'static str, String)>,
    /// What could not be done, and why.
    pub errors: Vec<(String, String)>,
    pub warnings: Vec<String>,
    /// What else to know, such as what to do next.
    pub notes: Vec<String>,
    /// Lists of files, each with its title.
    pub files: Vec<(&'static str, Vec<Change>)>,
    pub steps: Vec<Step>,
    /// What the site's error log says.
    pub error_log: Vec<String>,
}

impl Page {
    /// Of a command that ended with an error.
    #[must_use]
    pub fn refused(command: &'static str, error: &Error) -> Self {
        let (title, errors) = ("Stopped by an error".to_owned(), vec![(String::new(), error.chain())]);
        Self { title, mood: Mood::Bad, command, errors, ..Self::default() }
    }

    /// Of a command that a signal ended before it changed anything.
    #[must_use]
    pub fn interrupted(command: &'static str) -> Self {
        let notes = vec!["A signal ended the command before it changed anything.".to_owned()];
        Self { title: "Interrupted".to_owned(), mood: Mood::Bad, command, notes, ..Self::default() }
    }

    /// The whole document.
    pub(super) fn document(&self, mut html: Html, requests: &Requests, began: SystemTime) -> String {
        self.preamble(&mut html);
        self.head(&mut html, requests, began);
        self.messages(&mut html);
        self.details(&mut html);
        draw_requests(&mut html, requests);
        html.element("</main>\n<footer>Written by pya ", env!("CARGO_PKG_VERSION"), ".</footer>\n</body>\n</html>\n");
        html.into_markup()
    }

    /// What comes before anything that can be seen.
    fn preamble(&self, html: &mut Html) {
        html.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        // Nothing is loaded or run, whatever a text might hold; the style is known by its digest.
        html.format(format_args!(
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{}'; \
             base-uri 'none'; form-action 'none'\">\n",
            STANDARD.encode(Sha256::digest(STYLE))
        ));
        html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        html.raw(
            "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n",
        );
        html.element("<title>", &format!("{} - {}", self.title, self.command), "</title>\n");
        html.raw("<style>").raw(STYLE).raw("</style>\n</head>\n<body>\n<main>\n");
    }

    fn head(&self, html: &mut Html, requests: &Requests, began: SystemTime) {
        let class = match self.mood {
            Mood::Good => "good",
            Mood::Bad => "bad",
            Mood::Neutral => "neutral",
        };
        html.format(format_args!("<header class=\"{class}\">"));
        html.element("<p><code>", self.command, "</code></p>").element("<h1>", &self.title, "</h1></header>\n");
        html.raw("<ul class=\"numbers\">");
        let took = exact(requests.duration());
        for (name, value) in self.numbers.iter().chain([&("time", took)]) {
            html.element("<li><b>", value, "</b> ").element("<span>", name, "</span></li>");
        }
        html.raw("</ul>\n<dl>");
        for (name, value) in self.facts.iter().chain([&("started", moment(began))]) {
            html.element("<div><dt>", name, "</dt>").element("<dd>", value, "</dd></div>");
        }
        html.raw("</dl>\n");
    }

    fn messages(&self, html: &mut Html) {
        for (what, why) in &self.errors {
            html.raw("<div class=\"message bad\" role=\"alert\">");
            if !what.is_empty() {
                html.element("<code>", what, "</code>");
            }
            html.raw("<pre>").lines(why).raw("</pre></div>\n");
        }
        for (class, texts) in [("warning", &self.warnings), ("note", &self.notes)] {
            for text in texts {
                html.format(format_args!("<div class=\"message {class}\"><pre>"));
                html.lines(text).raw("</pre></div>\n");
            }
        }
    }

    fn details(&self, html: &mut Html) {
        for (title, changes) in &self.files {
            draw_changes(html, title, changes);
        }
        if !self.steps.is_empty() {
            html.raw("<section><h2>Steps</h2>\n");
            self.steps.iter().for_each(|step| draw_step(html, step));
            html.raw("</section>\n");
        }
        if !self.error_log.is_empty() {
            html.raw("<section><h2>The site's error log</h2>\n<pre class=\"output\">");
            html.lines(&self.error_log.join("\n")).raw("</pre></section>\n");
        }
    }
}

/// A step with what it printed, which is open if it failed.
fn draw_step(html: &mut Html, step: &Step) {
    let class = if step.is_bad { "step failed" } else { "step" };
    if step.output.is_empty() {
        html.format(format_args!("<p class=\"{class}\">"));
        html.element("<b>", &step.name, "</b> ").element("<span>", &step.end, "</span></p>\n");
        return;
    }
    html.format(format_args!("<details class=\"{class}\"{}>", if step.is_bad { " open" } else { "" }));
    html.element("<summary><b>", &step.name, "</b> ").element("<span>", &step.end, "</span></summary>");
    html.raw("<pre class=\"output\">").lines(&step.output).raw("</pre></details>\n");
}

fn moment(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    format!("{} {:02}:{:02}:{:02} UTC", time.date(), time.hour(), time.minute(), time.second())
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::super::requests::tests::{at, entry};
    use super::*;
    use crate::client::Secrets;

    fn document(page: &Page) -> String {
        let requests = Requests::new(vec![entry("cpu", 0, 0, 200)], at(0), at(1));
        let html = Html::hiding(Secrets::known([SecretString::from("s3cret-word")]));
        page.document(html, &requests, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn no_text_of_the_page_is_markup_or_a_secret() {
        const EVIL: &str = "</pre><script>s3cret-word</script>";
        let change = Change { mark: "A", meaning: "added", name: EVIL.into(), before: None, after: Some(1) };
        let step = Step { name: EVIL.into(), end: EVIL.into(), is_bad: true, output: EVIL.into() };
        let page = Page {
            title: EVIL.into(),
            numbers: vec![("files", EVIL.into())],
            facts: vec![("folder", EVIL.into())],
            errors: vec![(EVIL.into(), EVIL.into())],
            warnings: vec![EVIL.into()],
            notes: vec![EVIL.into()],
            files: vec![("What changed", vec![change])],
            steps: vec![step.clone(), Step { output: String::new(), ..step }],
            error_log: vec![EVIL.into()],
            ..Page::default()
        };
        let text = document(&page);
        assert!(!text.contains("<script") && !text.contains("s3cret-word"), "{text}");
        let count = text.matches("&lt;/pre&gt;&lt;script&gt;***&lt;/script&gt;").count();
        assert_eq!(count, 15, "each of them is shown, the title twice");
    }

    #[test]
    fn a_page_tells_when_it_began_and_how_it_ended() {
        let text = document(&Page::refused("pya deploy", &Error::config("no token")));
        for part in
            ["Stopped by an error - pya deploy", "1970-01-01 00:00:00 UTC", "<pre>no token</pre>", "class=\"bad\""]
        {
            assert!(text.contains(part), "{part}");
        }
    }
}
