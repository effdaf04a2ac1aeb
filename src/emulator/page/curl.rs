//! A logged request as a command of `curl`, to paste into a shell.
//!
//! The token is left to the variable that every client of the service reads, so that a command can be shown to others.
//! Bodies are not logged: an upload names a file of the same name in the current folder.

use std::fmt::Write;

use crate::emulator::request_log::LoggedRequest;
use crate::text::single_quoted;

/// The command for bash.
pub(super) fn command(url: &str, request: &LoggedRequest) -> String {
    let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let mut command = format!("curl --include{}", method_option(&request.method));
    if request.endpoint.is_some() {
        command.push_str(" --header \"Authorization: Token $API_TOKEN\"");
    }
    if request.method == "POST" && request.endpoint.is_some_and(|endpoint| endpoint.starts_with("files/path")) {
        command.push_str(&upload_option(&request.path));
    }
    // Brackets and braces are ranges for curl, and a path may hold them.
    let _ = write!(command, " --globoff {}", quoted(&format!("{url}{}{query}", request.raw_path)));
    command
}

fn method_option(method: &str) -> String {
    match method {
        "GET" => String::new(),
        // Told by name only, it would wait for a body.
        "HEAD" => " --head".to_owned(),
        method => format!(" --request {}", quoted(method)),
    }
}

fn upload_option(path: &str) -> String {
    // curl gives `;` and quotes of its own meaning unless the name is quoted for it, too.
    let name = path.rsplit('/').find(|name| !name.is_empty()).unwrap_or_default();
    let name = name.replace('\\', "\\\\").replace('"', "\\\"");
    format!(" --form {}", quoted(&format!("content=@\"{name}\"")))
}

/// A word for bash. Control characters, which a terminal would act on when they are pasted, are written as escapes.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    if !word.chars().any(char::is_control) {
        return single_quoted(word);
    }
    let escaped = word.chars().map(|c| match c {
        '\\' | '\'' => format!("\\{c}"),
        c if c.is_control() => c.to_string().bytes().fold(String::new(), |all, byte| all + &format!("\\x{byte:02x}")),
        c => c.to_string(),
    });
    format!("$'{}'", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &str, endpoint: Option<&'static str>, path: &str, raw_path: &str) -> String {
        let request = LoggedRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            raw_path: raw_path.to_owned(),
            endpoint,
            ..LoggedRequest::example()
        };
        command("http://127.0.0.1:1", &request)
    }

    #[test]
    fn a_request_is_one_command() {
        assert_eq!(
            of("GET", Some("cpu/"), "/api/v0/user/u/cpu/", "/api/v0/user/u/cpu/"),
            "curl --include --header \"Authorization: Token $API_TOKEN\" --globoff http://127.0.0.1:1/api/v0/user/u/cpu/"
        );
        assert_eq!(of("GET", None, "/x", "/x"), "curl --include --globoff http://127.0.0.1:1/x");
        assert_eq!(of("HEAD", None, "/x", "/x"), "curl --include --head --globoff http://127.0.0.1:1/x");
    }

    #[test]
    fn what_a_client_sent_stays_one_word_of_the_shell() {
        let command = of("POST", Some("files/path{*}"), "/files/path/it's \"$(id)\"\u{1b}[31m", "/files/path/it's");
        assert!(command.contains(r#"--form $'content=@"it\'s \\"$(id)\\"\x1b[31m"'"#), "{command}");
        assert!(command.ends_with(r"'http://127.0.0.1:1/files/path/it'\''s'"), "{command}");
        assert!(of("`id`", None, "/", "/").contains("--request '`id`'"));
    }
}
