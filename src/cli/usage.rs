//! Command lines as people type them: what is added to one before it is parsed, and what is said about one that cannot
//! be.
//!
//! clap's own suggestions go by similarity alone: for `--exclude` it proposes `--include`, which sends protected files.
//! So only what looks like a slip of the hand is proposed, and the usage is that of the command, not of the proposal.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command, CommandFactory, Error};

use super::args::Cli;

/// Commands whose own arguments come after `--`, which may be left out.
const WITH_COMMAND: [&str; 2] = ["manage", "run"];

/// Options that other tools have, and what serves the purpose here.
const ELSEWHERE: [(&str, &str); 3] = [
    ("--exclude", "list what is to be left out in .gitignore, or give --mask for what is to be deployed"),
    ("--ignore", "list what is to be left out in .gitignore, or give --mask for what is to be deployed"),
    ("--token", "a command line is visible to every user of the machine: set API_TOKEN or give --token-file FILE"),
];

/// The words in a command line that are not options, with their places, and the command that they lead to.
struct Words {
    command: Command,
    /// Places of what is left over when the names of commands are taken away.
    arguments: Vec<usize>,
}

impl Words {
    fn of(args: &[OsString]) -> Self {
        let mut command = Cli::command();
        command.build();
        let mut arguments = Vec::new();
        let mut place = 1;
        while let Some(word) = args.get(place).map(|word| word.to_string_lossy()) {
            if word == "--" {
                break;
            }
            if word.starts_with('-') && word.len() > 1 {
                place += usize::from(takes_next(&command, &word));
            } else if let (Some(below), true) = (command.find_subcommand(word.as_ref()), arguments.is_empty()) {
                command = below.clone();
            } else {
                arguments.push(place);
            }
            place += 1;
        }
        Self { command, arguments }
    }
}

/// Whether the value of an option is the word after it.
fn takes_next(command: &Command, word: &str) -> bool {
    let known = command.get_arguments().find(|argument| is_typed(argument, word));
    known.is_some_and(|argument| argument.get_action().takes_values())
}

/// Whether a word is the long or the short name of an option.
fn is_typed(argument: &Arg, word: &str) -> bool {
    match word.strip_prefix("--") {
        Some(long) => argument.get_long() == Some(long),
        None => argument.get_short().is_some_and(|short| word[1..].starts_with(short) && word.len() == 2),
    }
}

/// `pya manage check` is `pya manage -- check`: all from the first word on that is no web app belongs to that command.
#[must_use]
pub fn with_separator(mut args: Vec<OsString>) -> Vec<OsString> {
    if args.iter().any(|word| word == "--") {
        return args;
    }
    let Words { command, arguments } = Words::of(&args);
    if !WITH_COMMAND.contains(&command.get_name()) {
        return args;
    }
    let is_web_app = |place: usize| command.get_name() == "manage" && args[place].to_string_lossy().contains('.');
    let first = arguments.iter().enumerate().find(|(index, place)| !(*index == 0 && is_web_app(**place)));
    if let Some((_, &place)) = first {
        args.insert(place, "--".into());
    }
    args
}

/// The same error with suggestions that do not mislead.
#[must_use]
pub fn explained(mut error: Error, args: &[OsString]) -> Error {
    let Some(typed) = mistyped(&error) else { return error };
    for kind in [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand] {
        keep_slips(&mut error, kind, &typed);
    }
    // "to pass '-x' as a value, use '-- -x'": no command takes such a value without saying so.
    error.remove(ContextKind::Suggested);
    let name = typed.split('=').next().unwrap_or_default();
    if let Some((_, advice)) = ELSEWHERE.iter().find(|(option, _)| *option == name) {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![(*advice).to_owned().into()]));
    }
    let usage = Words::of(args).command.render_usage();
    error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
    error
}

/// The word that is not known.
fn mistyped(error: &Error) -> Option<String> {
    [ContextKind::InvalidArg, ContextKind::InvalidSubcommand].into_iter().find_map(|kind| context_text(error, kind))
}

fn context_text(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// Drops the suggestions that are no slip of the hand.
fn keep_slips(error: &mut Error, kind: ContextKind, typed: &str) {
    let offered = match error.remove(kind) {
        Some(ContextValue::String(text)) => vec![text],
        Some(ContextValue::Strings(texts)) => texts,
        _ => return,
    };
    let near: Vec<String> = offered.into_iter().filter(|offer| is_slip(typed, offer)).collect();
    let kept = match (kind, near.first()) {
        (_, None) => return,
        (ContextKind::SuggestedArg, Some(first)) => ContextValue::String(first.clone()),
        _ => ContextValue::Strings(near),
    };
    error.insert(kind, kept);
}

/// Whether `typed` is `meant` mistyped, or only its beginning.
fn is_slip(typed: &str, meant: &str) -> bool {
    let (typed, meant) = (typed.trim_start_matches('-'), meant.trim_start_matches('-'));
    let is_part = typed.len() > 2 && (meant.starts_with(typed) || typed.starts_with(meant));
    is_part || distance(typed, meant) <= (meant.chars().count() / 5).max(1)
}

/// How many letters are to be added, removed, replaced, or swapped with the next one.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<usize>>()];
    for (i, letter) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in to.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(letter != other);
            let mut least = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && from[i - 1] == *other && *letter == to[j - 1] {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn separated(line: &str) -> String {
        let words = with_separator(words(line));
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    fn said(line: &str) -> String {
        let args = words(line);
        explained(Cli::try_parse_from(&args).unwrap_err(), &args).render().to_string()
    }

    #[test]
    fn a_command_for_the_host_needs_no_separator() {
        for (typed, meant) in [
            ("pya manage check", "pya manage -- check"),
            ("pya manage check --deploy", "pya manage -- check --deploy"),
            ("pya manage me.example.com migrate", "pya manage me.example.com -- migrate"),
            ("pya --json manage --executor webapp check", "pya --json manage --executor webapp -- check"),
            ("pya manage --remote-root x/y.z check", "pya manage --remote-root x/y.z -- check"),
            ("pya --project manage run ls -l a.b", "pya --project manage run -- ls -l a.b"),
            ("pya run ./x.sh", "pya run -- ./x.sh"),
        ] {
            assert_eq!(separated(typed), meant);
            assert!(Cli::try_parse_from(with_separator(words(typed))).is_ok(), "{typed}");
        }
        for line in ["pya manage", "pya manage a.b", "pya manage a.b -- check", "pya run -- ls", "pya ls run", "pya"] {
            assert_eq!(separated(line), line);
        }
    }

    #[test]
    fn only_slips_of_the_hand_are_corrected() {
        for (line, proposal) in [
            ("pya deploy --delet", "'--delete'"),
            ("pya deploy --requirement x", "'--requirements'"),
            ("pya deploy --colectstatic", "'--collectstatic'"),
            ("pya ls --recusrive", "'--recursive'"),
            ("pya webapp list", "'webapps'"),
            ("pya dpeloy", "'deploy'"),
            ("pya statis", "'status'"),
        ] {
            assert!(said(line).contains(proposal), "{}", said(line));
        }
        for line in ["pya deploy --exclude x", "pya list", "pya stick", "pya deploy -m", "pya verify --static"] {
            let said = said(line);
            assert!(!said.contains("similar") && !said.contains("as a value"), "{said}");
        }
    }

    #[test]
    fn what_other_tools_call_otherwise_is_explained() {
        assert!(said("pya deploy --exclude x").contains(".gitignore"));
        assert!(said("pya deploy --exclude=x").contains(".gitignore"));
        assert!(said("pya ls --token x").contains("API_TOKEN"));
    }

    #[test]
    fn the_usage_is_that_of_the_command() {
        let said = said("pya --json deploy --delet");
        assert!(said.contains("Usage: pya deploy [OPTIONS] [ROOT]"), "{said}");
    }
}
