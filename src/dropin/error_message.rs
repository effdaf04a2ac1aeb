//! The attribute `error_message`: the texts of what failed since the last success, with an empty line between.

use std::sync::Mutex;

use crate::locks::lock;

/// What an instance's operations failed with.
#[derive(Debug, Default)]
pub struct ErrorMessage(Mutex<Collected>);

#[derive(Debug, Default)]
struct Collected {
    text: String,
    /// How many searches by a collector are under way: what they call must not clear each other's failures.
    searches: usize,
    failed_while_searching: bool,
}

impl ErrorMessage {
    /// The text as it is now; empty if nothing failed.
    #[must_use]
    pub fn text(&self) -> String {
        lock(&self.0).text.clone()
    }

    /// Appends a text, with an empty line between; an empty text clears.
    pub fn add(&self, text: &str) {
        lock(&self.0).add(text);
    }

    /// Settles the message at the end of an operation: success clears, failures are appended.
    pub fn settle(&self, failures: &[String]) {
        let mut collected = lock(&self.0);
        if failures.is_empty() && collected.searches == 0 {
            collected.text.clear();
        }
        for text in failures {
            collected.add(text);
        }
    }

    /// Begins a search by a collector; its parts fail together.
    #[must_use = "the search ends when this is dropped"]
    pub fn begin_search(&self) -> Search<'_> {
        let mut collected = lock(&self.0);
        if collected.searches == 0 {
            collected.failed_while_searching = false;
        }
        collected.searches += 1;
        Search(self)
    }
}

/// A search by a collector, until it is dropped.
#[derive(Debug)]
pub struct Search<'a>(&'a ErrorMessage);

impl Search<'_> {
    /// Ends the search and returns whether any part of it failed.
    #[must_use]
    pub fn end(self) -> bool {
        lock(&self.0.0).failed_while_searching
    }
}

impl Drop for Search<'_> {
    fn drop(&mut self) {
        lock(&self.0.0).searches -= 1;
    }
}

impl Collected {
    fn add(&mut self, text: &str) {
        if text.is_empty() {
            self.text.clear();
            return;
        }
        self.failed_while_searching |= self.searches > 0;
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        self.text.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorMessage;

    fn failed(text: &str) -> [String; 1] {
        [text.to_owned()]
    }

    #[test]
    fn failures_are_appended_until_something_succeeds() {
        let message = ErrorMessage::default();
        message.settle(&failed("one"));
        message.settle(&failed("two"));
        assert_eq!(message.text(), "one\n\ntwo");
        message.settle(&[]);
        assert_eq!(message.text(), "");
    }

    #[test]
    fn what_a_caller_sets_is_appended_and_an_empty_text_clears() {
        let message = ErrorMessage::default();
        message.add("one");
        message.add("two");
        assert_eq!(message.text(), "one\n\ntwo");
        message.add("");
        assert_eq!(message.text(), "");
    }

    #[test]
    fn the_parts_of_a_search_fail_together() {
        let message = ErrorMessage::default();
        let search = message.begin_search();
        message.settle(&failed("one"));
        message.settle(&[]);
        assert_eq!(message.text(), "one", "a part that succeeds clears nothing");
        assert!(message.begin_search().end(), "a search inside it is a part of it");
        assert!(search.end());
        let next = message.begin_search();
        message.add("");
        assert!(!next.end(), "the next search begins anew");
        message.settle(&failed("two"));
        message.settle(&[]);
        assert_eq!(message.text(), "", "no search is left");
    }
}
