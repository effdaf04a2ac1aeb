//! The attribute `error_message`: the texts of what failed since the last success, with an empty line between.

use std::collections::HashSet;
use std::sync::Mutex;
use std::thread::{self, ThreadId};

use crate::locks::lock;

/// What an instance's operations failed with.
#[derive(Debug, Default)]
pub struct ErrorMessage(Mutex<Collected>);

#[derive(Debug, Default)]
struct Collected {
    text: String,
    /// How many searches by a collector are under way: what they call must not clear each other's failures.
    searches: usize,
    /// The threads on which something failed meanwhile. By thread, since only the one that runs a replaced member can say
    /// which of its own failures do not count.
    failed_while_searching: HashSet<ThreadId>,
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

    /// Whether a search by a collector is under way.
    #[must_use]
    pub fn is_searching(&self) -> bool {
        lock(&self.0).searches > 0
    }

    /// Whether anything failed on this thread in the search by a collector.
    #[must_use]
    pub fn has_failed_here(&self) -> bool {
        lock(&self.0).failed_while_searching.contains(&thread::current().id())
    }

    /// Lets what failed on this thread since [`has_failed_here`](Self::has_failed_here) gave `before` no longer count.
    ///
    /// What a replaced member, or what it calls, leaves in the message is a verdict: the operation that takes it away
    /// decides whether that is a failure, and settles it then.
    pub fn forget_failed_here(&self, before: bool) {
        if !before {
            lock(&self.0).failed_while_searching.remove(&thread::current().id());
        }
    }

    /// Begins a search by a collector; its parts fail together.
    #[must_use = "the search ends when this is dropped"]
    pub fn begin_search(&self) -> Search<'_> {
        let mut collected = lock(&self.0);
        if collected.searches == 0 {
            collected.failed_while_searching.clear();
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
        !lock(&self.0.0).failed_while_searching.is_empty()
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
        if self.searches > 0 {
            self.failed_while_searching.insert(thread::current().id());
        }
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        self.text.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

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

    #[test]
    fn what_is_taken_away_fails_no_search_but_what_failed_before_it_does() {
        let message = ErrorMessage::default();
        let search = message.begin_search();
        let before = message.has_failed_here();
        message.add("taken away");
        message.settle(&failed("taken away too"));
        message.forget_failed_here(before);
        assert!(!message.begin_search().end());
        message.settle(&failed("stays"));
        let before = message.has_failed_here();
        message.add("taken away");
        message.forget_failed_here(before);
        assert!(search.end());
    }

    #[test]
    fn what_fails_on_another_thread_is_not_forgotten() {
        let message = ErrorMessage::default();
        let search = message.begin_search();
        let before = message.has_failed_here();
        thread::scope(|scope| scope.spawn(|| message.settle(&failed("elsewhere"))).join().unwrap());
        message.forget_failed_here(before);
        assert!(search.end());
    }
}
