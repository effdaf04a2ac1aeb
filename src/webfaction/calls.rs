//! The calls as data: the name of each, its parameters and its answer.
//!
//! All but `login` take the session first, which is not in the lists: [`Service`](super::Service) puts it there. On the
//! wire arguments have no names, so the order of the parameters is part of the API.

use crate::parameters::{Parameter, any, flag, list, rest, text};

/// One call of the API.
#[derive(Debug)]
pub struct WebfactionCall {
    /// Its name, on the wire as well.
    pub name: &'static str,
    /// The section that documents it.
    pub section: &'static str,
    /// Its parameters after the session.
    pub parameters: &'static [Parameter],
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// What its answer is.
    pub returns: &'static str,
}

impl WebfactionCall {
    /// Whether the session goes first.
    #[must_use]
    pub fn takes_session(&self) -> bool {
        self.name != LOGIN
    }
}

impl Parameter {
    /// Whether its value must not be shown.
    pub(crate) fn is_secret(&self) -> bool {
        self.name == "password"
    }
}

/// The call that starts a session.
pub(super) const LOGIN: &str = "login";

/// The call of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static WebfactionCall> {
    CALLS.iter().find(|call| call.name == name)
}

const fn call(
    section: &'static str,
    name: &'static str,
    parameters: &'static [Parameter],
    doc: &'static str,
    returns: &'static str,
) -> WebfactionCall {
    WebfactionCall { name, section, parameters, doc, returns }
}

const NOTHING: &str = "Whatever the server answers.";
const A_USER: &str = "A dict with username, machine, shell, groups.";
const A_WEBSITE: &str = "A dict with id, name, ip, https, subdomains, site_apps.";
const DNS_RECORDS: &str =
    "A list of dicts with id, domain, a_ip, aaaa_ip, cname, mx_name, mx_priority, spf_record, srv_record.";
const A_DB_USER: &str = "A dict with machine, username, db_type.";
const A_DB_AND_USER: &str = "A dict with username, machine, db_type, database.";
const MAILBOX_FIELDS: &str = "A dict with id, name, enable_spam_protection, password, discard_spam, \
     spam_redirect_folder, use_manual_procmailrc, manual_procmailrc.";

const fn email(targets: Parameter) -> [Parameter; 8] {
    [
        text("email_address"),
        targets,
        flag("autoresponder_on").or_flag(false),
        text("autoresponder_subject").or_text(""),
        text("autoresponder_message").or_text(""),
        text("autoresponder_from").or_text(""),
        text("script_machine").or_text(""),
        text("script_path").or_text(""),
    ]
}

const MAILBOX: &[Parameter] = &[
    text("mailbox"),
    flag("enable_spam_protection").or_flag(true),
    flag("discard_spam").or_flag(false),
    text("spam_redirect_folder").or_text(""),
    flag("use_manual_procmailrc").or_flag(false),
    text("manual_procmailrc").or_text(""),
];

const WEBSITE: &[Parameter] = &[text("website_name"), text("ip"), flag("https"), list("subdomains"), rest("site_apps")];

const DNS: &[Parameter] = &[
    text("domain"),
    text("a_ip").or_text(""),
    text("cname").or_text(""),
    text("mx_name").or_text(""),
    text("mx_priority").or_text(""),
    text("spf_record").or_text(""),
];

const DB_USER_AND_DB: &[Parameter] = &[text("username"), text("database"), text("db_type")];

/// Every call, by section.
pub const CALLS: [WebfactionCall; 48] = [
    call(
        "General",
        LOGIN,
        &[text("username"), text("password"), text("machine").or_none()],
        "Starts a session for the calls that follow.",
        "A list: the session ID, and a dict with id, username, home, web_server and mail_server of the account.",
    ),
    // ---- Email
    call(
        "Email",
        "change_mailbox_password",
        &[text("mailbox"), text("password")],
        "Sets the password of a mailbox.",
        NOTHING,
    ),
    call(
        "Email",
        "create_email",
        &email(text("targets")),
        "Creates an address that delivers to mailboxes or addresses, which are separated by commas in `targets`.",
        NOTHING,
    ),
    call("Email", "create_mailbox", MAILBOX, "Creates a mailbox; the server chooses its password.", MAILBOX_FIELDS),
    call("Email", "delete_email", &[text("email_address")], "Deletes an address.", NOTHING),
    call("Email", "delete_mailbox", &[text("mailbox")], "Deletes a mailbox.", NOTHING),
    call(
        "Email",
        "list_emails",
        &[],
        "Lists the addresses.",
        "A list of dicts with id, email_address, targets, autoresponder_on, autoresponder_subject, \
         autoresponder_message, autoresponder_from.",
    ),
    call(
        "Email",
        "list_mailboxes",
        &[],
        "Lists the mailboxes.",
        "A list of dicts with id, mailbox, enable_spam_protection, discard_spam, spam_redirect_folder, \
         use_manual_procmailrc, manual_procmailrc.",
    ),
    call(
        "Email",
        "update_email",
        &email(list("targets")),
        "Changes an existing address. `targets` is a list of mailboxes here.",
        "A dict with id, email_address, targets.",
    ),
    call("Email", "update_mailbox", MAILBOX, "Changes an existing mailbox.", NOTHING),
    // ---- Websites and Domains
    call(
        "Websites and Domains",
        "create_domain",
        &[text("domain"), rest("subdomains")],
        "Creates a domain entry, or adds subdomains to an existing one.",
        "A dict with id, domain, subdomains.",
    ),
    call(
        "Websites and Domains",
        "create_website",
        WEBSITE,
        "Creates a website. Each of `site_apps` is a pair: the name of an application and its path.",
        A_WEBSITE,
    ),
    call(
        "Websites and Domains",
        "update_website",
        WEBSITE,
        "Changes a website that exists: its address, subdomains and applications; but not its name or `https`.",
        A_WEBSITE,
    ),
    call(
        "Websites and Domains",
        "delete_domain",
        &[text("domain"), rest("subdomains")],
        "Deletes a domain entry, or only the subdomains that are given.",
        NOTHING,
    ),
    call(
        "Websites and Domains",
        "delete_website",
        &[text("website_name"), text("ip").or_none(), flag("https").or_none()],
        "Deletes a website.",
        NOTHING,
    ),
    call(
        "Websites and Domains",
        "list_domains",
        &[],
        "Lists the domains.",
        "A list of dicts with id, domain, subdomains.",
    ),
    call(
        "Websites and Domains",
        "list_websites",
        &[],
        "Lists the websites.",
        "A list of dicts with id, name, ip, https, subdomains, website_apps (pairs of an application's name and path).",
    ),
    // ---- Applications
    call(
        "Applications",
        "create_app",
        &[text("name"), text("type"), flag("autostart"), text("extra_info"), text("script_code").or_text("")],
        "Installs an application.",
        NOTHING,
    ),
    call("Applications", "delete_app", &[text("name")], "Deletes an application.", NOTHING),
    call(
        "Applications",
        "list_apps",
        &[],
        "Lists the applications.",
        "A list of dicts with id, name, type, autostart, port (0 without one), extra_info, machine.",
    ),
    call(
        "Applications",
        "list_app_types",
        &[],
        "Lists the applications that can be installed.",
        "A list of dicts with name, description, autostart, extra_info.",
    ),
    // ---- Cron
    call("Cron", "create_cronjob", &[text("line")], "Adds a line to the crontab.", NOTHING),
    call("Cron", "delete_cronjob", &[text("line")], "Removes a line from the crontab.", NOTHING),
    // ---- DNS
    call("DNS", "create_dns_override", DNS, "Creates DNS records for a domain.", DNS_RECORDS),
    call("DNS", "delete_dns_override", DNS, "Deletes DNS records of a domain.", DNS_RECORDS),
    call("DNS", "list_dns_overrides", &[], "Lists the DNS records.", DNS_RECORDS),
    // ---- Databases
    call(
        "Databases",
        "change_db_user_password",
        &[text("username"), text("password"), text("db_type")],
        "Sets the password of a database user.",
        A_DB_AND_USER,
    ),
    call(
        "Databases",
        "create_db",
        &[text("name"), text("db_type"), text("password")],
        "Creates a database (`mysql` or `postgresql`) with a default user of this password.",
        NOTHING,
    ),
    call(
        "Databases",
        "create_db_user",
        &[text("username"), text("password"), text("db_type")],
        "Creates a database user.",
        A_DB_USER,
    ),
    call("Databases", "delete_db", &[text("name"), text("db_type")], "Deletes a database.", NOTHING),
    call("Databases", "delete_db_user", &[text("username"), text("db_type")], "Deletes a database user.", A_DB_USER),
    call(
        "Databases",
        "enable_addon",
        &[text("database"), text("db_type"), text("addon")],
        "Enables `tsearch` or `postgis` for a `postgresql` database.",
        "A dict with machine, db_type, addon, database.",
    ),
    call(
        "Databases",
        "grant_db_permissions",
        DB_USER_AND_DB,
        "Grants a user all permissions on a database.",
        A_DB_AND_USER,
    ),
    call("Databases", "list_dbs", &[], "Lists the databases.", "A list of dicts with id, name, db_type, machine."),
    call(
        "Databases",
        "list_db_users",
        &[],
        "Lists the database users.",
        "A list of dicts with username, machine, db_type.",
    ),
    call(
        "Databases",
        "make_user_owner_of_db",
        DB_USER_AND_DB,
        "Creates a user the owner of a database.",
        A_DB_AND_USER,
    ),
    call(
        "Databases",
        "revoke_db_permissions",
        DB_USER_AND_DB,
        "Revokes a user's permissions on a database.",
        A_DB_AND_USER,
    ),
    // ---- Files
    call(
        "Files",
        "replace_in_file",
        &[text("filename"), rest("changes")],
        "Replaces text in a file. Each of `changes` is a pair: the text to find and its replacement.",
        "An empty string.",
    ),
    call(
        "Files",
        "write_file",
        &[text("filename"), text("str"), text("mode").or_text("wb")],
        "Writes a text to a file, opened in this mode.",
        NOTHING,
    ),
    // ---- Shell Users
    call(
        "Shell Users",
        "list_users",
        &[],
        "Lists the shell users.",
        "A list of dicts with username, machine, shell, groups.",
    ),
    call(
        "Shell Users",
        "change_user_password",
        &[text("username"), text("password")],
        "Sets the password of a shell user.",
        A_USER,
    ),
    call(
        "Shell Users",
        "create_user",
        &[text("username"), text("shell"), list("groups")],
        "Creates a shell user. `shell` is none (FTP only), bash, sh, ksh, csh or tcsh; `groups` are further groups.",
        A_USER,
    ),
    call("Shell Users", "delete_user", &[text("username")], "Deletes a shell user.", A_USER),
    // ---- Servers
    call(
        "Servers",
        "list_machines",
        &[],
        "Lists the machines of the account.",
        "A list of dicts with id, name, operating_system, location.",
    ),
    call(
        "Servers",
        "list_ips",
        &[],
        "Lists the machines of the account with their addresses.",
        "A list of dicts with id, machine, ip, is_main.",
    ),
    // ---- Miscellaneous
    call(
        "Miscellaneous",
        "run_php_script",
        &[text("script"), text("code_before").or_text("")],
        "Runs a PHP script, after some PHP code.",
        NOTHING,
    ),
    call(
        "Miscellaneous",
        "set_apache_acl",
        &[any("paths"), text("permission").or_text("rwx"), flag("recursive").or_flag(false)],
        "Gives the machine's Apache access to a path or a list of paths. `permission` consists of the letters r, w and x.",
        NOTHING,
    ),
    call(
        "Miscellaneous",
        "system",
        &[text("cmd")],
        "Runs a command in a shell. What it writes to standard error is reported as a fault.",
        "What it printed.",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_parameters_can_be_called() {
        let names: HashSet<_> = CALLS.iter().map(|call| call.name).collect();
        assert_eq!(names.len(), CALLS.len());
        for call in &CALLS {
            let first_optional = call.parameters.iter().position(|p| !p.is_required()).unwrap_or(call.parameters.len());
            assert!(call.parameters[first_optional..].iter().all(|p| !p.is_required()), "{}", call.name);
        }
    }
}
