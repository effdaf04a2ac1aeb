//! Words for counts and lists in messages, written once for the core and the command line.

/// How many names a message holds at most.
const NAMED: usize = 5;

/// A count with its noun: `1 file`, `3 files`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The first few of many names: `a, b, and 3 more`.
pub(crate) fn first_few(mut names: impl Iterator<Item = String>) -> String {
    let mut listed: Vec<String> = names.by_ref().take(NAMED).collect();
    let more = names.count();
    if more > 0 {
        listed.push(format!("and {more} more"));
    }
    listed.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{counted, first_few};

    #[test]
    fn one_of_a_kind_has_no_plural() {
        assert_eq!([counted(0, "file"), counted(1, "file"), counted(2, "file")], ["0 files", "1 file", "2 files"]);
    }

    #[test]
    fn a_long_list_ends_with_the_number_of_the_rest() {
        let names = |count: usize| (0..count).map(|number| number.to_string());
        assert_eq!(first_few(names(5)), "0, 1, 2, 3, 4");
        assert_eq!(first_few(names(7)), "0, 1, 2, 3, 4, and 2 more");
    }
}
