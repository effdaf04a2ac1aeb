//! Which files are not shown: those that a deploy protects, those whose names say what they hold, and any in which a
//! password, a token or a key is written down.
//!
//! A model that has read a secret may write it anywhere. So a file is refused rather than shown with holes: what looks for
//! secrets cannot know all their forms, and a refusal tells a person to look for themselves.

use crate::client::RemotePath;
use crate::deploy::Protection;
use crate::error::Result;
use crate::text::without_passwords;

/// Files beside those that deploys protect, in `.gitignore` syntax.
const SECRET_FILES: [&str; 28] = [
    // Of `pya` itself: notes of deploys and jobs, and the agent with the variables of the site.
    ".pya/",
    ".git/",
    ".ssh/",
    ".gnupg/",
    ".aws/",
    ".config/",
    ".docker/",
    ".kube/",
    ".netrc",
    ".pgpass",
    ".my.cnf",
    ".mylogin.cnf",
    ".pypirc",
    ".npmrc",
    ".git-credentials",
    ".htpasswd",
    "*_history",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "*secret*",
    "*credential*",
    "*.dump",
];

/// What the name of a secret contains.
const SECRET_WORDS: [&str; 8] = ["secret", "password", "passwd", "passphrase", "token", "apikey", "_pass", ANY_KEY];

/// What follows a secret's word in the name of several.
const SECRETS: [&str; 6] = ["s", "_key", "_keys", "_fallbacks", "_key_fallbacks", "_list"];

/// What the name of a key ends with, and the names of keys that are none.
const ANY_KEY: &str = "_key";
const PLAIN_KEYS: [&str; 12] = [
    "cache_key",
    "dict_key",
    "foreign_key",
    "group_key",
    "lookup_key",
    "natural_key",
    "partition_key",
    "primary_key",
    "public_key",
    "publishable_key",
    "row_key",
    "sort_key",
];

/// Which paths are refused.
pub struct Rules {
    protections: Vec<Protection>,
    project: Option<String>,
}

impl Rules {
    /// Those of a project, with its `protected` patterns and its folder.
    ///
    /// # Errors
    /// `Config` for a pattern that cannot be read.
    pub fn new(protected: Option<&[String]>, project: Option<&RemotePath>) -> Result<Self> {
        let secret = SECRET_FILES.map(str::to_owned);
        // The defaults too where the project has patterns in place of them.
        let mut protections = vec![Protection::new(None, &[])?, Protection::new(Some(&secret), &[])?];
        if let Some(protected) = protected {
            let patterns: Vec<String> = protected.iter().filter(|pattern| !pattern.starts_with('!')).cloned().collect();
            protections.push(Protection::new(Some(&patterns), &[])?);
        }
        Ok(Self { protections, project: project.map(|root| format!("{root}/")) })
    }

    /// Why the file at `path` is not shown; `home` is the account's home folder.
    pub fn refuse_path(&self, path: &RemotePath, home: &RemotePath) -> Option<&'static str> {
        let roots = [self.project.as_deref(), Some(&*format!("{home}/")), Some("/")];
        let mut names = roots.into_iter().flatten().filter_map(|root| path.as_str().strip_prefix(root));
        // Whoever writes `.ENV` means the same.
        let is_covered = |name: &str| {
            self.protections.iter().any(|protection| protection.covers(name) || protection.covers(&name.to_lowercase()))
        };
        names.any(is_covered).then_some("it is protected, or its name is that of a file with secrets")
    }
}

/// Why a file with this content is not shown.
pub fn refuse_content(path: &RemotePath, text: &str) -> Option<String> {
    if text.contains("PRIVATE KEY-----") {
        return Some("it holds a private key".to_owned());
    }
    let is_code = path.name().rsplit('.').next() == Some("py");
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let next = lines.peek().map_or("", |(_, next)| next.trim_start());
        if without_passwords(line) != line {
            return Some(format!("line {} holds a password or a token in an address", number + 1));
        }
        if assigns_secret(line, next, is_code) {
            return Some(format!("line {} assigns what its name says is a secret", number + 1));
        }
    }
    None
}

/// Whether a value is written down for a name that is one of a secret. `next` is where the value of an open line is.
fn assigns_secret(line: &str, next: &str, is_code: bool) -> bool {
    // Byte for byte as long as the line.
    let lower = line.to_ascii_lowercase();
    SECRET_WORDS.iter().flat_map(|word| lower.match_indices(word)).any(|(at, word)| {
        let name = &lower[..at + word.len()];
        if word == ANY_KEY && PLAIN_KEYS.iter().any(|plain| name.ends_with(plain)) {
            return false;
        }
        let rest = line[at + word.len()..].trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        // `PASSWORD_HASHERS` is a list of other things.
        let is_of_secrets = SECRETS.contains(&&lower[at + word.len()..lower.len() - rest.len()]);
        let rest = rest.trim_start_matches(['"', '\'', ']', ' ', '\t']);
        let is_call = lower.contains("setdefault(") && rest.starts_with(',');
        let value = match rest.chars().next() {
            Some('=') if !rest.starts_with("==") => &rest[1..],
            Some(':') => &rest[1..],
            Some(',') if is_call => rest,
            _ => return false,
        };
        // What comes before it is a type.
        let end = value.rsplit('=').next().unwrap_or(value).trim();
        let open = matches!(end, "" | "(" | "\\") || (is_of_secrets && matches!(end, "[" | "{"));
        let opened = format!("={}{next}", end.trim_start_matches(['(', '\\']));
        has_literal(value, is_of_secrets)
            || (open && has_literal(&opened, is_of_secrets))
            || (!is_code && is_bare(line, value))
    })
}

/// Whether a text that is not empty is written down: not as what is called or looked up, as in `os.environ["KEY"]`, but as the
/// value itself, as a default, or in a list where lists count.
fn has_literal(value: &str, lists_count: bool) -> bool {
    let mut before = '=';
    let mut rest = value;
    while let Some(at) = rest.find(['"', '\'', '[', '{']) {
        let (gap, quote) = (&rest[..at], rest.as_bytes()[at] as char);
        // Prefixes such as those of raw and byte strings stand between.
        let gap = gap.trim_end_matches(|c: char| "rbfuRBFU".contains(c)).trim_end();
        before = gap.chars().next_back().unwrap_or(before);
        let inside = &rest[at + 1..];
        match quote {
            '[' | '{' if matches!(before, '=' | ':') && !lists_count => return false,
            '[' if matches!(before, '=' | ':') => (before, rest) = ('=', inside),
            // The first text after a brace is a name.
            '[' | '{' => (before, rest) = ('[', inside),
            _ => {
                let triple = quote.to_string().repeat(3);
                let is_triple = rest[at..].starts_with(&triple);
                let mark = if is_triple { &triple[..] } else { &triple[..1] };
                let inside = &rest[at + mark.len()..];
                let end = inside.find(mark);
                let is_value = matches!(before, '=' | ':' | ',') || gap.ends_with("or");
                // What three quotes begin may go on in the next line.
                let is_empty = inside[..end.unwrap_or(inside.len())].is_empty() && (end.is_some() || !is_triple);
                if is_value && !is_empty {
                    return true;
                }
                let rest_from = end.map_or(inside.len(), |end| end + mark.len());
                (before, rest) = (quote, &inside[rest_from..]);
            }
        }
    }
    false
}

/// Whether a line of a file that is no code has `NAME=value` or is `name: value`. A value after a colon is one word, since
/// sentences have colons too.
fn is_bare(line: &str, value: &str) -> bool {
    let before = &line[..line.len() - value.len()];
    let name = before.trim_end_matches(['=', ':']);
    let (value, is_set) = (value.trim(), before.ends_with('='));
    let name = match name.split_whitespace().next_back() {
        // As in `web: NAME=value command` and `ENV NAME=value`.
        Some(last) if is_set && name.ends_with(last) => last,
        _ => name.trim().trim_start_matches("- ").trim_start_matches("export "),
    };
    let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || "(){}[]<>$".contains(c));
    let is_one = is_set || !value.contains(char::is_whitespace);
    is_name && is_one && !is_no_value(value)
}

/// Whether a value is nothing, a reference to what is elsewhere, a place for it, or the beginning of a list.
fn is_no_value(value: &str) -> bool {
    let is_variable =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let is_brackets = value.chars().all(|c| "(){}[],".contains(c));
    // `${NAME:-value}` has a value of its own.
    let is_reference = value.starts_with("${") && ![":-", ":="].iter().any(|default| value.contains(default))
        || value.starts_with("$(") && value.ends_with(')')
        || value.starts_with("{{")
        || value.starts_with('<')
        || value.strip_prefix('$').is_some_and(is_variable);
    is_brackets || is_reference
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RemotePath {
        RemotePath::parse(text).unwrap()
    }

    #[test]
    fn files_with_secrets_and_data_are_refused_by_name_wherever_they_are() {
        let own = ["/reports/".to_owned(), "!/reports/public".to_owned()];
        let rules = Rules::new(Some(&own), Some(&path("/home/me/mysite"))).unwrap();
        let is_refused = |text: &str| rules.refuse_path(&path(text), &path("/home/me")).is_some();
        for name in [
            "/home/me/mysite/.env",
            "/home/me/mysite/x/.ENV.production",
            "/home/me/mysite/db.sqlite3",
            "/home/me/mysite/media/a.txt",
            "/home/me/other/media/a.txt",
            "/home/me/mysite/reports/a.txt",
            "/home/me/mysite/reports/public",
            "/home/me/.ssh/config",
            "/home/me/.pya/0123/manifest-1.json",
            "/home/me/.bash_history",
            "/home/me/mysite/secrets.toml",
            "/home/me/mysite/client_secret",
            "/home/me/.docker/config.json",
            "/home/me/.kube/config",
            "/home/me/mysite/.npmrc",
            "/home/me/mysite/.git/config",
            "/tmp/key.pem",
        ] {
            assert!(is_refused(name), "{name}");
        }
        for name in ["/home/me/mysite/manage.py", "/home/me/mysite/.env.example", "/var/log/a.error.log"] {
            assert!(!is_refused(name), "{name}");
        }
    }

    #[test]
    fn a_value_that_is_written_down_for_a_secret_is_found() {
        for line in [
            "SECRET_KEY = \"django-insecure-x\"",
            "SECRET_KEY: str = 'x'",
            "os.environ[\"SECRET_KEY\"] = \"x\"",
            "os.environ.setdefault(\"SECRET_KEY\", \"x\")",
            "    'PASSWORD': 'hunter2',",
            "{'USER': 'me', 'PASSWORD': b'hunter2'}",
            "SECRET_KEY = os.environ.get(\"SECRET_KEY\", \"fallback\")",
            "SECRET_KEY = os.environ.get('KEY') or 'fallback'",
            "SECRET_KEY = config(\"KEY\", default=\"fallback\")",
            "AWS_ACCESS_KEY_ID = 'AKIA'",
            "connect(password=\"x\")",
            "SECRET_KEY = (\n    \"django-insecure-x\"\n)",
            "SECRET_KEY = \"\"\"x\"\"\"",
            "SECRET_KEY = \"\"\"",
            "STRIPE_KEY = 'sk_live_x'",
            "SECRET_KEY_FALLBACKS = ['x']",
            "SECRET_KEY_FALLBACKS = [os.environ['OLD'], 'x']",
            "SECRET_KEY_FALLBACKS: list[str] = [\n    'x',\n]",
            "API_KEYS = {'stripe': 'x'}",
            "API_KEYS = {\n    'stripe': 'x',\n}",
            "tokens = (\n    'x',\n)",
            "EMAIL_PASS = 'x'",
            "PASSPHRASE = 'x'",
            "DATABASE = 'postgres://me:hunter2@db/x'",
            "-----BEGIN RSA PRIVATE KEY-----",
        ] {
            assert!(refuse_content(&path("/a.py"), line).is_some(), "{line}");
        }
        for line in [
            "SECRET_KEY=abc",
            "SECRET_KEY=dj-a$b(c",
            "SECRET_KEY = $a(b)",
            "export API_TOKEN=abc",
            "web: SECRET_KEY=dj-a$b(c gunicorn mysite.wsgi",
            "ENV DB_PASS=abc",
            "    - DB_PASSWORD=abc",
            "- token: abc",
            "TOKEN=${TOKEN:-abc}",
            "password = hunter2",
            "password = two words",
            "password: hunter2",
            "passphrase: hunter2",
        ] {
            assert!(refuse_content(&path("/a.ini"), line).is_some(), "{line}");
        }
    }

    #[test]
    fn names_and_lookups_of_secrets_are_not_secrets() {
        for line in [
            "SECRET_KEY = os.environ[\"SECRET_KEY\"]",
            "SECRET_KEY=os.environ['SECRET_KEY']",
            "SECRET_KEY = config(\"SECRET_KEY\")",
            "SECRET_KEY = ''",
            "SECRET_KEY_FALLBACKS = [os.environ['OLD_KEY']]",
            "SECRET_KEY_FALLBACKS = []",
            "API_KEYS = {'stripe': os.environ['STRIPE']}",
            "API_KEYS = {\n    'stripe': os.environ['STRIPE'],\n}",
            "extra_kwargs = {\"password\": {\"write_only\": True}}",
            "    \"token\": {\"type\": \"string\"},",
            "fields = (\"username\", \"password\", \"email\")",
            "AUTH_PASSWORD_VALIDATORS = [",
            "    {\"NAME\": \"django.contrib.auth.password_validation.MinimumLengthValidator\"},",
            "PASSWORD_HASHERS: list = [\"a\", \"b\"]",
            "PASSWORD_HASHERS = [\"django.contrib.auth.hashers.Argon2PasswordHasher\"]",
            "if token == \"x\":",
            "    token = request.POST[\"token\"]",
            "path(\"password_reset/\", views.reset)",
            "SECRET_KEY = \"\"\"\"\"\"",
            "id = models.UUIDField(primary_key=True, default='x')",
            "sorted(rows, key=lambda row: row[\"name\"])",
            "cache_key = f\"user-{number}\"",
        ] {
            assert_eq!(refuse_content(&path("/a.py"), line), None, "{line}");
        }
        for line in [
            "Password: choose a long one",
            "token: ${TOKEN}",
            "token: ${{ secrets.TOKEN }}",
            "TOKEN=$(cat file)",
            "TOKEN=$API_TOKEN",
            "TOKEN=<your token>",
            "\"tokens\": {",
            "<a href=?token={{ token }}>",
            "    number = models.IntegerField(primary_key=True)",
            "# the password\n",
        ] {
            assert_eq!(refuse_content(&path("/a.md"), line), None, "{line}");
        }
    }
}
