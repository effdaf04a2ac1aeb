//! What the error log of a site says about a failure: the exception first, then the innermost frames of its traceback.
//!
//! The last lines alone are often frames of a framework. The host writes an exception that keeps the application from
//! loading above its frames, and Python writes every other one below them, so both orders are read.

/// How many lines are shown at most.
const LINES: usize = 40;

/// How many lines of a message, and how many of the frames.
const MESSAGE_LINES: usize = 6;
const FRAME_LINES: usize = 8;

/// The form of the time that a line begins with, where a zero is any digit.
const STAMP: &str = "0000-00-00 00:00:00,000: ";

/// Lines that begin another entry, so they do not continue a message.
const BEGINNINGS: [&str; 8] = [
    "Traceback (",
    "Error running WSGI application",
    "Exception ",
    "Internal Server Error",
    "no python application found",
    "During handling",
    "The above exception",
    "***",
];

/// The lines from the first with that time or a later one, where those without a time belong to the one before. If there
/// is none, those at the end that have no time, which may be older: then it is false.
pub(super) fn lines_since(log: &str, stamp: &str) -> (Vec<String>, bool) {
    let lines: Vec<&str> = log.lines().collect();
    let is_new = |line: &&str| {
        without_stamp(line).len() < line.len() && line.get(..stamp.len()).is_some_and(|time| time >= stamp)
    };
    let first = lines.iter().position(is_new);
    let dated = lines.iter().rposition(|line| without_stamp(line).len() < line.len());
    let from = first.unwrap_or_else(|| dated.map_or(0, |last| last + 1));
    (lines[from..].iter().map(|&line| line.to_owned()).collect(), first.is_some())
}

/// The part of `lines` that tells most: the last exception with its message, and where it was raised.
pub(super) fn excerpt(lines: &[String]) -> Vec<String> {
    let texts: Vec<&str> = lines.iter().map(|line| without_stamp(line)).collect();
    let Some(at) = (0..texts.len()).rev().find(|&at| is_raised_at(&texts, at)) else {
        return lines[lines.len().saturating_sub(LINES)..].to_vec();
    };
    let more = texts[at + 1..].iter().take_while(|text| continues(text)).take(MESSAGE_LINES - 1);
    let message = std::iter::once(&texts[at]).chain(more);
    let above = texts[..at].iter().rev().take_while(|text| is_frame(text)).count();
    let below = texts[at + 1..].iter().take_while(|text| is_frame(text)).count();
    let frames = if above > 0 { &texts[at - above..at] } else { &texts[at + 1..at + 1 + below] };
    let innermost = &frames[frames.len().saturating_sub(FRAME_LINES)..];
    message.chain(innermost).map(|&text| text.to_owned()).collect()
}

/// The line that names the exception, if the excerpt begins with one.
pub(super) fn exception(excerpt: &[String]) -> Option<&str> {
    excerpt.first().map(String::as_str).filter(|line| names_exception(line))
}

/// A line without the time that the host writes before it.
fn without_stamp(line: &str) -> &str {
    let fits = |(byte, of): (u8, u8)| if of == b'0' { byte.is_ascii_digit() } else { byte == of };
    let parts = line.split_at_checked(STAMP.len()).filter(|(stamp, _)| stamp.bytes().zip(STAMP.bytes()).all(fits));
    parts.map_or(line, |(_, rest)| rest)
}

fn is_frame(text: &str) -> bool {
    text.starts_with("  ")
}

fn continues(text: &str) -> bool {
    !text.trim().is_empty() && !is_frame(text) && !BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
}

/// Whether the line names the exception of the traceback that ends or begins there.
fn is_raised_at(texts: &[&str], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| texts[before]);
    let after = texts.get(at + 1);
    let ends = before.is_some_and(|before| is_frame(before) || before.starts_with("Traceback ("));
    let begins = before.is_some_and(|before| before.starts_with("Error running WSGI application"))
        || after.is_some_and(|after| after.starts_with("  File "));
    names_exception(texts[at]) && (ends || begins)
}

/// `ValueError: message`, `package.Exception`, and the like.
fn names_exception(text: &str) -> bool {
    let name = text.split(':').next().unwrap_or_default();
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    let class = name.rsplit('.').next().unwrap_or_default();
    name.split('.').all(is_name) && class.starts_with(|c: char| c.is_uppercase() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn only_what_is_new_in_the_log_is_shown_with_its_tracebacks() {
        let log = "2026-11-23 08:00:00,000: old\n  of old\n2026-11-23 09:00:01,000: new\nTraceback\n";
        let (lines_of_it, is_new) = lines_since(log, "2026-11-23 09:00:00");
        assert_eq!((lines_of_it, is_new), (lines("2026-11-23 09:00:01,000: new\nTraceback"), true));
        assert_eq!(lines_since(log, "2026-11-23 10:00:00"), (lines("Traceback"), false));
        assert_eq!(lines_since("no time", "2026-11-23 10:00:00"), (lines("no time"), false));
        let many = lines(&"2026-11-23 09:00:01,000: x\n".repeat(100));
        assert_eq!(excerpt(&many).len(), LINES);
    }

    #[test]
    fn the_exception_comes_first_however_long_its_traceback_is() {
        let stamp = "2026-11-23 09:00:01,000: ";
        let frames = format!("{stamp}  File \"/x.py\", line 1, in f\n{stamp}    f()\n").repeat(60);
        let below = format!(
            "{stamp}Error running WSGI application\n{stamp}Traceback (most recent call last):\n{frames}\
             {stamp}django.core.exceptions.ImproperlyConfigured: Set the SECRET_KEY\n{stamp}in the environment.\n\
             {stamp}no python application found, check your startup logs for errors\n"
        );
        let above =
            format!("{stamp}Error running WSGI application\n{stamp}ModuleNotFoundError: No module named 'x'\n{frames}");
        for (log, first, length) in [
            (below, "django.core.exceptions.ImproperlyConfigured: Set the SECRET_KEY", 2 + FRAME_LINES),
            (above, "ModuleNotFoundError: No module named 'x'", 1 + FRAME_LINES),
        ] {
            let excerpt = excerpt(&lines(&log));
            assert_eq!(exception(&excerpt), Some(first), "{excerpt:?}");
            assert_eq!(excerpt.len(), length, "{excerpt:?}");
        }
    }

    #[test]
    fn the_last_of_several_exceptions_is_the_one_that_was_raised() {
        let log = "Internal Server Error: /\nTraceback (most recent call last):\n  File \"/x.py\", line 1\nKeyError: 'a'\n\n\
                   During handling of the above exception, another exception occurred:\n\n\
                   Traceback (most recent call last):\n  File \"/y.py\", line 2\nMyProblem\n";
        let excerpt = excerpt(&lines(log));
        assert_eq!(excerpt, ["MyProblem", "  File \"/y.py\", line 2"]);
        assert_eq!(exception(&excerpt), Some("MyProblem"));
    }

    #[test]
    fn ordinary_lines_are_no_exceptions() {
        for log in ["Not Found: /favicon.ico\n", "Bad Request: /\nSome text: x\n", "  File \"/x.py\"\nlower: x\n"] {
            assert_eq!(exception(&excerpt(&lines(log))).filter(|_| log.contains("File")), None, "{log}");
            assert_eq!(excerpt(&lines(log)), lines(log));
        }
    }
}
