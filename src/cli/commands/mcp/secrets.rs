//! Which files are not shown: those that a deploy protects, those whose names say what they hold, and any in which a
//! password, a token or a key is written down.
//!
//! A model that has read a secret may write it anywhere. So a file is refused rather than shown with holes: what looks for
//! secrets cannot know all their forms, and a refusal tells a person to look for themselves.

use super::wrapped;
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
const SECRET_WORDS: [&str; 9] =
    ["secret", "password", "passwd", "passphrase", "token", "apikey", "_pass", "_pwd", ANY_KEY];

/// Names with hyphens that are those of secrets. In others, as `item-key` in pages and `object-keys` among packages, a key is
/// something else.
const WITH_HYPHENS: [&str; 6] = ["api-key", "secret-key", "access-key", "private-key", "auth-key", "signing-key"];

/// What the value of the header `Authorization` begins with, before what is secret.
const SCHEMES: [&str; 4] = ["bearer", "basic", "token", "apikey"];

/// Files in which a value after a colon may be several words. Elsewhere sentences have colons too.
const WITH_COLONS: [&str; 6] = ["yml", "yaml", "ini", "cfg", "conf", "properties"];

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
    let ending = path.name().rsplit('.').next().unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let next = lines.get(at + 1).map_or("", |next| next.trim_start());
        if without_passwords(line) != *line {
            return Some(format!("line {} holds a password or a token in an address", at + 1));
        }
        if assigns_secret(line, next, ending) || authorizes(line) || assigns_wrapped(&lines[at..]) {
            return Some(format!("line {} assigns what its name says is a secret", at + 1));
        }
    }
    None
}

/// What stands after the name of a secret.
struct Named<'a> {
    value: &'a str,
    /// Whether the name is one of several secrets.
    is_of_secrets: bool,
    /// Whether the name is written as those of settings are.
    is_setting: bool,
    /// Whether the name ends with what says that it is one: `password_help` is a text about one.
    is_whole: bool,
}

/// What stands after each name of a secret.
fn named(text: &str) -> Vec<Named<'_>> {
    // Byte for byte as long as the text.
    let lower = text.to_ascii_lowercase();
    let lower = WITH_HYPHENS.iter().fold(lower, |lower, name| lower.replace(name, &name.replace('-', "_")));
    let words = SECRET_WORDS.iter().flat_map(|word| lower.match_indices(word).map(|(at, word)| (at, at + word.len())));
    words.filter_map(|(at, end)| named_at(text, &lower, at, end)).collect()
}

/// What stands after the name with a secret's word from `at` to `end`.
fn named_at<'a>(text: &'a str, lower: &str, at: usize, end: usize) -> Option<Named<'a>> {
    let name = &lower[..end];
    if name.ends_with(ANY_KEY) && PLAIN_KEYS.iter().any(|plain| name.ends_with(plain)) {
        return None;
    }
    let start = text[..at].trim_end_matches(|c: char| c.is_ascii_alphanumeric() || "_-".contains(c));
    let rest = text[end..].trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let ending = &lower[end..lower.len() - rest.len()];
    // Pages have attributes such as `data-api-key`.
    if text[at..end].contains('-') && (text[start.len()..].starts_with("data-") || !matches!(ending, "" | "s")) {
        return None;
    }
    // `PASSWORD_HASHERS` is a list of other things.
    let is_of_secrets = SECRETS.contains(&ending);
    let rest = rest.trim_start_matches(['"', '\'', ']', ' ', '\t']);
    let is_call = || start.trim_end_matches(|c: char| "\"'".contains(c) || c.is_whitespace()).ends_with("setdefault(");
    let value = match rest.chars().next() {
        Some('=') if !rest.starts_with("==") => &rest[1..],
        Some(':') => &rest[1..],
        Some(',') if is_call() => rest,
        _ => return None,
    };
    let is_setting = !text[start.len()..end].contains(|c: char| c.is_ascii_lowercase());
    Some(Named { value, is_of_secrets, is_setting, is_whole: is_of_secrets || ending.is_empty() })
}

/// Whether a value is written down for a name that is one of a secret. `next` is where the value of an open line is, `ending`
/// that of the file.
fn assigns_secret(line: &str, next: &str, ending: &str) -> bool {
    named(line).into_iter().any(|Named { value, is_of_secrets, is_whole, .. }| {
        // What comes before it is a type.
        let end = value.rsplit('=').next().unwrap_or(value).trim();
        let open = matches!(end, "" | "(" | "\\") || (is_of_secrets && matches!(end, "[" | "{"));
        let opened = format!("={}{next}", end.trim_start_matches(['(', '\\']));
        has_literal(value, is_of_secrets)
            || wrapped::is_written(value_after_type(value))
            || (open && has_literal(&opened, is_of_secrets))
            || (ending != "py" && is_bare(line, value, is_whole && WITH_COLONS.contains(&ending)))
    })
}

/// The same for a value that goes on from the first of `lines`.
fn assigns_wrapped(lines: &[&str]) -> bool {
    let Some(text) = wrapped::joined(lines) else { return false };
    named(&text).into_iter().any(|Named { value, is_of_secrets, is_setting, .. }| {
        let value = value_after_type(value);
        let inner = value.trim_start_matches(|c: char| c == '(' || c.is_whitespace());
        // What code calls `tokens` or `keys` is mostly something else.
        let is_list = is_of_secrets && is_setting && value.trim_start().starts_with(['(', '[', '{']);
        wrapped::is_written(value) || (is_list && has_literal(&format!("={inner}"), true))
    })
}

/// A value alone, without the comma of a call and the type that stand before it.
fn value_after_type(value: &str) -> &str {
    let value = wrapped::element(value.strip_prefix(',').map_or(value, str::trim_start));
    let is_type = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "_.[], |".contains(c));
    match value.split_once('=') {
        Some((before, after)) if is_type(before) => after,
        _ => value,
    }
}

/// Whether the value of a header `Authorization` is written down.
fn authorizes(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    lower.match_indices("authorization").any(|(at, name)| {
        let rest = &line[at + name.len()..];
        let rest = rest.trim_start_matches(['"', '\'', ']', ' ']);
        let Some(value) = rest.strip_prefix([':', '=', ',']).map(str::trim_start) else { return false };
        let text = value.trim_start_matches(|c: char| "rbfuRBFU".contains(c)).strip_prefix(['"', '\'']);
        let mut words = text.unwrap_or(value).split([' ', '"', '\'']);
        let is_scheme = words.next().is_some_and(|word| SCHEMES.contains(&&*word.to_ascii_lowercase()));
        let secret = words.next().unwrap_or_default();
        let is_place = |c: char| c.is_ascii_uppercase() || c == '_';
        // Sentences have no quotes, and words no digits.
        let is_written = text.is_some() || secret.contains(|c: char| c.is_ascii_digit());
        is_scheme && is_written && !secret.starts_with(['{', '$', '<', '%', '.', '…']) && !secret.chars().all(is_place)
    })
}

/// Whether a text that is not empty is written down: not as what is called or looked up, as in `os.environ["KEY"]`, but as the
/// value itself, as a default, or in a list where lists count.
fn has_literal(value: &str, lists_count: bool) -> bool {
    let mut before = '=';
    let mut rest = value;
    while let Some(at) = rest.find(['"', '\'', '[', '{']) {
        let (gap, quote) = (&rest[..at], rest.as_bytes()[at] as char);
        let gap = wrapped::without_prefix(gap);
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

/// Whether a line of a file that is no code has `NAME=value` or is `name: value`. A value after a colon is one word, unless
/// there are no sentences, which have colons too.
fn is_bare(line: &str, value: &str, has_no_sentences: bool) -> bool {
    let before = &line[..line.len() - value.len()];
    let name = before.trim_end_matches(['=', ':']);
    let (value, is_set) = (value.trim(), before.ends_with('='));
    let name = match name.split_whitespace().next_back() {
        // As in `web: NAME=value command` and `ENV NAME=value`.
        Some(last) if is_set && name.ends_with(last) => last,
        _ => name.trim().trim_start_matches("- ").trim_start_matches("export "),
    };
    let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || "(){}[]<>$".contains(c));
    let is_one = is_set || !value.contains(char::is_whitespace) || (has_no_sentences && is_phrase(value));
    // What a workflow may do with the token that it is given.
    let is_permission = name == "id-token" && without_yaml_comment(value) == "write";
    is_name && is_one && !is_permission && !is_no_value(value)
}

/// Whether several words are a text, and no mapping, list, tag, reference or comment of YAML.
fn is_phrase(words: &str) -> bool {
    let text = without_yaml_comment(words);
    !text.starts_with(['{', '[', '!', '&', '*', '|', '>', '#', '"', '\'']) && !is_no_value(text)
}

fn without_yaml_comment(value: &str) -> &str {
    value.find(" #").map_or(value, |comment| value[..comment].trim_end())
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
            "SECRET_KEY = ('x')",
            "DB_PWD='hunter2'",
            "headers = {'Authorization': 'Bearer hunter2'}",
            "headers[\"Authorization\"] = f\"Token hunter2\"",
            "{\"x-api-key\": \"hunter2\"}",
            "DATABASE = 'postgres://me:hunter2@db/x'",
            "# pip install git+https://ghp_x@github.com/me/p.git",
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
            "password: write",
            "dsn = https://public:hunter2@o1.ingest.sentry.io/2",
            "DB=postgres://u:hunter2@h/x DSN=https://public@o1.ingest.sentry.io/2",
            "passphrase: hunter2",
            "api-key: hunter2",
            "secret-key: hunter2",
            "password: two words",
            "password: two words # comment",
            "curl -H 'Authorization: Bearer hunter2'",
        ] {
            assert!(refuse_content(&path("/a.ini"), line).is_some(), "{line}");
        }
    }

    #[test]
    fn a_value_that_is_wrapped_over_lines_is_found() {
        for lines in [
            "SECRET_KEY = os.environ.get(\n    \"SECRET_KEY\", \"x\"\n)",
            "SECRET_KEY = os.getenv(\n    \"DJANGO_SECRET_KEY\",\n    \"x\",\n)",
            "SECRET_KEY = env(\n    \"SECRET_KEY\",\n    default=\"x\",\n)",
            "SECRET_KEY: str = env(\n    NAME,\n    cast=str,\n    default = \"x\",\n)",
            "os.environ.setdefault(\n    \"SECRET_KEY\", \"x\"\n)",
            "os.environ.setdefault(\n    \"SECRET_KEY\",\n    \"x\",\n)",
            "SECRET_KEY = os.environ.get('SECRET_KEY',\n   'x')",
            "SECRET_KEY = (  # noqa\n    'x'\n)",
            "SECRET_KEY = (\n    # comment\n    b'x'\n)",
            "SECRET_KEY = (\n    os.environ.get('KEY')\n    or 'x'\n)",
            "SECRET_KEY = os.environ.get('KEY') or \\\n    'x'",
            "SECRET_KEY = \\\n    os.environ.get('KEY',\n        'x')",
            "SECRET_KEY_FALLBACKS = [\n    os.environ['OLD'],\n    'x',\n]",
            "DATABASES = {\n    'default': {\n        'PASSWORD': env(\n            'P',\n            default='x',\n        ),\n    },\n}",
            "\"\"\"Settings.\n\"\"\"\nSECRET_KEY = env(\n    'KEY',\n    'x',\n)",
        ] {
            let said = refuse_content(&path("/a.py"), lines);
            assert!(said.is_some_and(|said| said.ends_with("assigns what its name says is a secret")), "{lines}");
        }
    }

    #[test]
    fn lookups_labels_and_neighbours_that_are_wrapped_are_not_secrets() {
        for lines in [
            "SECRET_KEY = os.environ[\n    \"SECRET_KEY\"\n]",
            "SECRET_KEY = os.environ.get(\n    \"SECRET_KEY\"\n)",
            "SECRET_KEY = env(\n    \"SECRET_KEY\",\n    cast=str,\n    default=\"\",\n)\nNAME = get(\"a\", \"b\")",
            "DATABASES = {\n    'PASSWORD': env('P'),\n    'HOST': env('H', 'localhost'),\n    'NAME': 'x',\n}",
            "connect(\n    token=request.GET[\"token\"],\n    name=\"x\",\n)",
            "password1 = forms.CharField(\n    label=_(\"Password\"),\n    widget=Input(attrs={\"a\": \"b\"}),\n)",
            "token = models.CharField(\n    \"Token\",\n    max_length=40,\n    help_text=\"x\",\n)",
            "token = jwt.encode(\n    {\"sub\": user},\n    settings.SECRET_KEY,\n    algorithm=\"HS256\",\n)",
            "raise ValueError(\n    \"Set the password: \"\n    \"it is empty\"\n)",
            "password_help = _(\n    \"Choose a long one\"\n)",
            "def f(\n    password: str,\n    name: str = \"x\",\n):",
            "tokens = {\n    # By state.\n    'root': [('x', Text)],\n}",
            "css_keywords = frozenset((\n    'auto',\n    'aqua',\n))",
            "PASSWORD_HASHERS = (\n    # The first is used.\n    \"a\",\n)",
            "\"\"\"Text.\n\"\"\"\ntoken = request.POST[\"token\"]\nname = get(\"a\", \"b\")\n",
            "headers = {\n    \"Authorization\": f\"Bearer {token}\",\n    \"Accept\": \"x\",\n}",
            "headers = {\"Authorization\": \"Bearer \" + token}",
        ] {
            assert_eq!(refuse_content(&path("/a.py"), lines), None, "{lines}");
        }
        for line in [
            "<p data-site-key=\"x\" data-token-url=\"y\" aria-keyshortcuts=\"z\">",
            "id-token: write  # to publish",
            "cache-key: x",
            "    restore-keys: |",
            "\"object-keys\": \"^1.1.1\",",
            "<tr v-for=\"x in y\" item-key=\"id\">",
            "password_help: Choose a long one",
            "sentry_sdk.init(dsn=\"https://0123456789abcdef@o1.ingest.sentry.io/2\")",
            "password: {type: string, format: password}",
            "password: # of the database",
            "secret: !reference [a, b]",
            "curl -H \"Authorization: Token <your token>\"",
            "Authorization: Basic authentication",
            "git+ssh://git@github.com/me/p.git",
        ] {
            assert_eq!(refuse_content(&path("/a.yml"), line), None, "{line}");
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
