//! The commands themselves: the name of each call, and the call that was typed.

use clap::error::ErrorKind;
use clap::{ArgMatches, FromArgMatches, Subcommand};
use serde_json::Value;

use super::arguments::{argument, file_to_send, is_needed, values};
use crate::api::calls::{CALLS, EndpointCall};
use crate::error::Result;

/// The families, each with its command and its help text.
const FAMILIES: [(&str, &str, &str); 16] = [
    ("always_on", "always-on", "Always-on tasks"),
    ("consoles", "consoles", "Consoles"),
    ("cpu", "cpu", "CPU seconds"),
    ("databases", "databases", "Databases"),
    ("domains", "domains", "Domains of websites"),
    ("domains.ssl", "ssl", "Certificates of websites"),
    ("files", "files", "Files, one request each; see also ls, cat, put and rm"),
    ("python_versions", "python", "Default Python versions"),
    ("schedule", "tasks", "Scheduled tasks"),
    ("students", "students", "Students"),
    ("system_image", "image", "The system image"),
    ("webapps", "webapps", "Web apps"),
    ("webapps.ssl", "ssl", "Certificates of web apps"),
    ("webapps.static_files", "static-files", "Static file mappings of web apps"),
    ("webapps.static_headers", "static-headers", "HTTP headers added to a web app's responses"),
    ("websites", "websites", "Websites served by a command"),
];

/// The words after `pya` that name a call.
fn words(call: &EndpointCall) -> Vec<String> {
    let mut words = Vec::new();
    let mut family = String::new();
    for part in call.family().split('.') {
        family = if family.is_empty() { part.to_owned() } else { format!("{family}.{part}") };
        let name = FAMILIES.iter().find(|(name, ..)| *name == family).map_or(part, |(_, name, _)| *name);
        words.push(name.to_owned());
    }
    words.push(call.verb().replace('_', "-"));
    words
}

/// How a call is typed, arguments included: `pya files read PATH`.
#[must_use]
pub fn usage(call: &EndpointCall) -> String {
    let needed = call.parameters.iter().filter(|parameter| is_needed(parameter));
    let names = needed.filter_map(|parameter| Some(argument(call, parameter).get_value_names()?[0].to_string()));
    let typed = ["pya".to_owned()].into_iter().chain(words(call)).chain(names);
    typed.collect::<Vec<_>>().join(" ")
}

/// A call that was typed.
#[derive(Debug)]
pub struct EndpointCommand {
    /// The call.
    pub call: &'static EndpointCall,
    matches: ArgMatches,
}

impl EndpointCommand {
    /// Its arguments, for the account of `user`.
    ///
    /// # Errors
    /// `Config` for a value that is not valid, `Local` for a file that cannot be read.
    pub fn arguments(&self, user: &str) -> Result<Vec<Option<Value>>> {
        values(self.call, &self.matches, user)
    }

    /// The local file whose content is sent, if there is one; `-` is stdin.
    #[must_use]
    pub fn file(&self) -> Option<std::path::PathBuf> {
        file_to_send(self.call, &self.matches)
    }
}

/// The command of a family, with its subcommands.
fn family_command(&(family, name, about): &'static (&str, &str, &str)) -> clap::Command {
    let mut command = clap::Command::new(name).about(about).subcommand_required(true).arg_required_else_help(true);
    if family == "schedule" {
        command = command.visible_alias("schedule");
    }
    for call in CALLS.iter().filter(|call| call.family() == family) {
        let verb = clap::Command::new(call.verb().replace('_', "-")).about(call.doc);
        // What takes all that is left stands last, as in the table.
        command = command.subcommand(verb.args(call.parameters.iter().map(|parameter| argument(call, parameter))));
    }
    let prefix = format!("{family}.");
    let below =
        FAMILIES.iter().filter(|(other, ..)| other.strip_prefix(&prefix).is_some_and(|rest| !rest.contains('.')));
    command.subcommands(below.map(family_command))
}

impl Subcommand for EndpointCommand {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        command.subcommands(FAMILIES.iter().filter(|(family, ..)| !family.contains('.')).map(family_command))
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        name == "schedule" || FAMILIES.iter().any(|(family, typed, _)| !family.contains('.') && *typed == name)
    }
}

impl FromArgMatches for EndpointCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let (mut typed, mut matches) = (Vec::new(), matches);
        while let Some((name, below)) = matches.subcommand() {
            typed.push(name.to_owned());
            matches = below;
        }
        let call = CALLS.iter().find(|call| words(call) == typed);
        let call = call.ok_or_else(|| clap::Error::raw(ErrorKind::InvalidSubcommand, "unknown command\n"))?;
        Ok(Self { call, matches: matches.clone() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::Parser;

    use super::*;
    use crate::cli::args::{Cli, Command};

    #[test]
    fn every_call_has_a_command_of_its_own() {
        let all: BTreeSet<Vec<String>> = CALLS.iter().map(words).collect();
        assert_eq!(all.len(), CALLS.len());
        for call in CALLS {
            let mut typed = vec!["pya".to_owned()];
            typed.extend(words(call));
            for parameter in call.parameters.iter().filter(|parameter| is_needed(parameter)) {
                let value = match parameter.kind {
                    crate::parameters::Kind::Fields => "a=b",
                    crate::parameters::Kind::Flag => "true",
                    _ => "5",
                };
                typed.push(value.to_owned());
            }
            let cli = Cli::try_parse_from(&typed).unwrap_or_else(|error| panic!("{typed:?}: {error}"));
            let Command::Endpoint(found) = cli.command else { panic!("{typed:?} is another command") };
            assert_eq!(found.call.name, call.name);
        }
    }

    #[test]
    fn commands_are_named_as_on_the_service() {
        let typed = |name| usage(crate::api::calls::find(name).unwrap());
        assert_eq!(typed("files.read"), "pya files read PATH");
        assert_eq!(typed("webapps.static_files.list"), "pya webapps static-files list DOMAIN_NAME");
        assert_eq!(typed("schedule.update"), "pya tasks update ID NAME=VALUE");
        assert_eq!(
            typed("python_versions.set_default_python_version"),
            "pya python set-default-python-version VERSION"
        );
        assert_eq!(typed("webapps.ssl.set"), "pya webapps ssl set DOMAIN_NAME CERT_FILE PRIVATE_KEY_FILE");
    }
}
