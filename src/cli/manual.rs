//! The manual page `pya(1)`, made of the same definitions as `pya --help`.
//!
//! One page for all commands, as that of git or cargo are not: `pya` has more than a hundred, most of them one line, and
//! who looks for one searches a page. The page is in the repository, since a wheel is built without running what is in it.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::args::Cli;

/// The page in roff.
///
/// # Errors
/// Never in practice: it is written to memory.
pub fn page() -> io::Result<Vec<u8>> {
    let mut root = Cli::command();
    root.build();
    let mut page = Vec::new();
    let man = man(root.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for command in commands(&root) {
        add(command, "pya", &mut page)?;
    }
    man.render_extra_section(&mut page)?;
    // Each section begins with the same definitions; once is enough.
    let sections = String::from_utf8_lossy(&page).replace(DEFINITIONS, "");
    Ok([DEFINITIONS, &sections].concat().into_bytes())
}

/// How roff is told what an apostrophe is.
const DEFINITIONS: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

fn man(command: Command) -> Man {
    // Without the version and a date, the page changes when a command does.
    Man::new(command).title("pya").section("1").source("pythonanywhere-api").manual("pya")
}

/// The commands below one, as they are listed.
fn commands(above: &Command) -> impl Iterator<Item = &Command> {
    above.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

/// What there is to say about a command without others below it.
fn section(command: &Command) -> io::Result<String> {
    // The page shows the options that every command takes once.
    let own = command.clone().mut_args(|argument| {
        let is_shared = argument.is_global_set() || argument.get_id() == "help";
        argument.hide(is_shared)
    });
    let man = man(own);
    let mut section = Vec::new();
    man.render_description_section(&mut section)?;
    man.render_synopsis_section(&mut section)?;
    man.render_options_section(&mut section)?;
    let section = String::from_utf8_lossy(&section).replace("\n.SH ", "\n.SS ").replace(DEFINITIONS, "");
    Ok(section.strip_prefix(".SS DESCRIPTION\n").unwrap_or(&section).to_owned())
}

/// Adds the section of a command, and those of the commands below it.
fn add(command: &Command, above: &str, page: &mut Vec<u8>) -> io::Result<()> {
    let name = format!("{above} {}", command.get_name());
    writeln!(page, ".SH \"{name}\"")?;
    if command.has_subcommands() {
        let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
        writeln!(page, "{}", about.replace('\\', "\\\\").replace('-', "\\-"))?;
    } else {
        page.write_all(section(command)?.as_bytes())?;
    }
    commands(command).try_for_each(|below| add(below, &name, page))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/data/share/man/man1/pya.1");

    #[test]
    fn the_page_in_the_repository_is_the_one_that_the_definitions_make() {
        let page = String::from_utf8(page().unwrap()).unwrap();
        if std::env::var_os("PYTHONANYWHERE_WRITE_MANUAL").is_some() {
            fs::write(FILE, &page).unwrap();
        }
        let there = fs::read_to_string(FILE).unwrap_or_default().replace("\r\n", "\n");
        assert!(there == page, "a command has changed: `make manual` writes the page anew");
    }

    #[test]
    fn every_command_has_a_section() {
        let page = String::from_utf8(page().unwrap()).unwrap();
        for section in [".SH \"pya deploy\"", ".SH \"pya webapps list\"", ".SH \"pya completions\""] {
            assert!(page.contains(section), "{section}");
        }
        assert!(!page.contains("pya man\""));
        assert_eq!(
            page.matches(r"\fB\-\-token\-file\fR \fI<FILE>\fR").count(),
            1,
            "what every command takes is there once"
        );
        assert_eq!(page.matches(DEFINITIONS).count(), 1);
    }
}
