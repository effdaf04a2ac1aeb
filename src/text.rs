//! Small work on text: counts and lists in messages, and what Python's own functions read from a name or a source.

use std::borrow::Cow;
use std::time::Duration;

/// How many names a message holds at most.
const NAMED: usize = 5;

/// A count with its noun: `1 file`, `3 files`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Counts that are not 0, each with what it counts: `2 new, 1 changed`.
pub(crate) fn some_of(counts: &[(usize, &str)]) -> String {
    let some = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    some.collect::<Vec<_>>().join(", ")
}

/// A size in decimal units, with three digits as a rule: `740 bytes`, `1.2 kB`, `53.2 MB`.
pub(crate) fn sized(bytes: u64) -> String {
    if bytes < 1000 {
        return counted(usize::try_from(bytes).unwrap_or_default(), "byte");
    }
    let (mut tenths, mut unit) = (bytes / 100, "kB");
    for larger in ["MB", "GB", "TB"] {
        if tenths < 10_000 {
            break;
        }
        (tenths, unit) = (tenths / 1000, larger);
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// A size in bytes: a number, with `k`, `M` or `G` for powers of 1024.
///
/// # Errors
/// Why it is none.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().find(|(_, c)| !c.is_ascii_digit()) {
        Some((at, _)) => text.split_at(at),
        None => (text, ""),
    };
    let factor: u64 = match unit.to_ascii_lowercase().trim_end_matches("ib").trim_end_matches('b') {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return Err(format!("unknown unit {unit:?}: use k, M or G")),
    };
    let number: u64 =
        digits.parse().map_err(|_| "not a size: give a number of bytes, or a number with k, M or G".to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "too large".to_owned())
}

/// A word of a shell, in single quotes: it stands for itself, whatever is in it.
pub(crate) fn single_quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The first few of many names: `a, b, and 3 more`.
pub(crate) fn first_few(mut names: impl Iterator<Item = String>) -> String {
    let mut listed: Vec<String> = names.by_ref().take(NAMED).collect();
    let more = names.count();
    listed.extend((more > 0).then(|| format!("and {more} more")));
    listed.join(", ")
}

/// The most characters that a message quotes of a text that comes from the host.
const QUOTED: usize = 200;

/// A text from elsewhere for a message: its beginning, if it is long.
pub(crate) fn excerpt(text: &str) -> Cow<'_, str> {
    cut(text, QUOTED)
}

/// At most `length` characters of a text, the last one an ellipsis if something is missing.
pub(crate) fn cut(text: &str, length: usize) -> Cow<'_, str> {
    match text.char_indices().nth(length) {
        None => Cow::Borrowed(text),
        Some(_) => text.chars().take(length - 1).chain(['…']).collect(),
    }
}

/// Whether two paths or addresses are the same but for slashes at their ends.
pub(crate) fn is_same_path(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// A text without the passwords of the addresses in it: `scheme://name:***@host`, and `https://***@host` where the name may be
/// a token.
pub(crate) fn without_passwords(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        rest = after;
        let name = after.find(|c: char| c.is_whitespace() || "/@:".contains(c)).unwrap_or(after.len());
        let (name, behind) = after.split_at(name);
        // What `ssh://` has for a name is no secret, and `git` is the same for all.
        let may_be_token = is_http(before) && is_plain_name(name);
        if let Some(host) = behind.strip_prefix('@')
            && may_be_token
            && !is_of_sentry(host)
        {
            shown.push_str("***");
            rest = behind;
        } else if let Some(secret) = behind.strip_prefix(':')
            && let Some(end) = end_of_password(secret, !name.is_empty())
        {
            // A token as the name needs no password, or GitHub's word in place of one.
            let is_token = may_be_token && matches!(&secret[..end], "" | "x-oauth-basic");
            shown.push_str(if is_token { "" } else { name });
            shown.push_str(if is_token { "***" } else { ":***" });
            rest = &secret[end..];
        }
    }
    shown + rest
}

/// Whether a text ends with the scheme of an address by HTTP, also that of a repository, as in `git+https`.
fn is_http(before: &str) -> bool {
    let scheme = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    ["http", "https"].iter().any(|http| scheme.eq_ignore_ascii_case(http))
}

/// Whether the address that a text begins with is that of a site at Sentry: the name in it is a public key.
fn is_of_sentry(host: &str) -> bool {
    let host = host.split(|c: char| !c.is_ascii_alphanumeric() && !"-.".contains(c)).next().unwrap_or_default();
    host.ends_with(".sentry.io")
}

/// Whether the name in an address may be a secret that is written down: not `{name}` or `$NAME`, and not the rest of a list.
fn is_plain_name(name: &str) -> bool {
    !matches!(name, "" | "git") && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._~%+=".contains(c))
}

/// Where the password that a text begins with ends: at the last `@` before the path. In a path, an `@` is nothing special.
/// After the name of a host, up to five digits are a port.
fn end_of_password(secret: &str, may_be_port: bool) -> Option<usize> {
    let up_to = |text: &str, is_end: fn(char) -> bool| text.find(is_end).unwrap_or(text.len());
    let word = &secret[..up_to(secret, char::is_whitespace)];
    let address = &word[..up_to(word, |c| "\"'`<>".contains(c))];
    let host = &address[..up_to(address, |c| "/?#".contains(c))];
    let port = host.len();
    let is_port = may_be_port
        && (1..=5).contains(&port)
        && host.bytes().all(|byte| byte.is_ascii_digit())
        && !word[port..].starts_with(['?', '#']);
    // A name with a colon in other data, such as `{"a":"https://h","b":"c@d"}`.
    let is_other = secret.starts_with(['"', '\'']);
    if is_other || host.contains('@') || is_port {
        return host.rfind('@');
    }
    // Nobody can connect by a password with a slash or a quote in it, but it may be one.
    address.rfind('@').or_else(|| word.find('@'))
}

/// The character set that a content type names.
#[cfg(any(test, feature = "python"))]
pub(crate) fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })
}

/// The version that a Python source assigns: the value in the first line `__version__ = "…"`.
#[cfg(any(test, feature = "python"))]
pub(crate) fn version_in(source: &str) -> Option<String> {
    source.lines().find_map(|line| {
        let rest = line.strip_prefix("__version__")?.trim_start();
        // An annotation may stand between.
        let rest = rest.strip_prefix(':').map_or(rest, |annotated| annotated.trim_start_matches(|c| c != '='));
        let value = rest.strip_prefix('=')?.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        value[1..].split(quote).next().map(str::to_owned)
    })
}

/// A commit as it is shown: seven digits, a star if not all that was deployed is in it, and the branch.
#[must_use]
pub fn revision_text(commit: Option<&str>, branch: Option<&str>, dirty: Option<bool>) -> String {
    let commit = commit.map(|commit| commit.chars().take(7).collect::<String>());
    let star = if dirty == Some(true) { "*" } else { "" };
    let commit = commit.map(|commit| format!("{commit}{star}"));
    commit.into_iter().chain(branch.map(str::to_owned)).collect::<Vec<_>>().join(" ")
}

/// A duration as people write it: `45 s`, `11 min`, `1 h 20 min`.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    match seconds {
        0..100 => format!("{seconds} s"),
        100..5400 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// What something cost: `12 requests, 45 s`.
pub(crate) fn cost_text(requests: u64, seconds: f64) -> String {
    let requests = counted(usize::try_from(requests).unwrap_or(usize::MAX), "request");
    let time = Duration::try_from_secs_f64(seconds).map(duration_text).unwrap_or_default();
    format!("{requests}, {time}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_units() {
        let sizes = ["5", "2k", "100M", "1GiB"].map(parse_size);
        assert_eq!(sizes, [Ok(5), Ok(2048), Ok(100 << 20), Ok(1 << 30)]);
        for bad in ["", "M", "5x", "-1", "1.5M", "99999999999G"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        let sizes = [0, 1, 999, 1000, 999_999, 53_200_000, 1 << 40].map(sized);
        assert_eq!(sizes, ["0 bytes", "1 byte", "999 bytes", "1.0 kB", "999.9 kB", "53.2 MB", "1.0 TB"]);
    }

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

    #[test]
    fn a_long_text_is_quoted_in_part() {
        assert_eq!(excerpt("short"), "short");
        assert_eq!(excerpt(&"ü".repeat(200)), "ü".repeat(200));
        assert_eq!(excerpt(&"ü".repeat(201)), "ü".repeat(199) + "…");
    }

    #[test]
    fn a_content_type_names_its_character_set_or_none() {
        for (content_type, named) in [
            ("text/plain; charset=latin-1", Some("latin-1")),
            ("text/html;x=y; Charset=\"utf-8\"", Some("utf-8")),
            ("text/plain; charset", None),
            ("charset=utf-8", None),
        ] {
            assert_eq!(charset(content_type), named, "{content_type}");
        }
    }

    #[test]
    fn addresses_are_shown_without_their_passwords() {
        for (text, shown) in [
            ("https://public@o1.ingest.sentry.io/2", "https://public@o1.ingest.sentry.io/2"),
            ("https://public:p@o1.ingest.sentry.io/2", "https://public:***@o1.ingest.sentry.io/2"),
            ("https://t@h/.sentry.io/", "https://***@h/.sentry.io/"),
            ("redis://:1234/x@h and http://h:1234/x@h", "redis://:***@h and http://h:1234/x@h"),
            ("at redis://:p@h/1 and https://u:p/w@h:1", "at redis://:***@h/1 and https://u:***@h:1"),
            ("http://127.0.0.1:8000/x for me@h", "http://127.0.0.1:8000/x for me@h"),
            ("https://u@h, a://", "https://***@h, a://"),
            ("no address: at all", "no address: at all"),
            ("postgres://u:p@ss@h/x", "postgres://u:***@h/x"),
            ("postgres://u:p@h/x?as=me@h and redis://:p@h/a@b", "postgres://u:***@h/x?as=me@h and redis://:***@h/a@b"),
            ("a://u:p#w@h, a://u:p\"w@h, a://u:12?x@h, a://u:<p>@h", &format!("{0}, {0}, {0}, {0}", "a://u:***@h")),
            ("['a://:p@h','b@c'] <a://u:p@h>b@c", "['a://:***@h','b@c'] <a://u:***@h>b@c"),
            ("a://:p@h,a://:q@i", "a://:***@h,a://:***@i"),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
    }

    #[test]
    fn tokens_in_the_place_of_names_are_not_shown() {
        for (text, shown) in [
            ("x @ git+https://ghp_abc@github.com/me/p.git@v1", "x @ git+https://***@github.com/me/p.git@v1"),
            (
                "--extra-index-url=HTTPS://glpat-abc@gitlab.com/simple",
                "--extra-index-url=HTTPS://***@gitlab.com/simple",
            ),
            ("https://ghp_abc:x-oauth-basic@h https://sk:@h", "https://***@h https://***@h"),
            ("https://__token__:glpat-abc@h", "https://__token__:***@h"),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
    }

    #[test]
    fn what_is_no_secret_in_an_address_is_shown() {
        for text in [
            "ssh://git@github.com/me/p.git git@github.com:me/p.git",
            "git+ssh://git@github.com/me/p.git git+https://git@github.com/me/p.git",
            "https://medium.com/@me https://unpkg.com:443/a@1 https://h?a=b@c https://h#b@c",
            "\"http://localhost:8000\",\"me@h\"",
            "{\"a\":\"http://h\",\"b\":\"c@d\"}",
            "https://${TOKEN}@github.com https://{token}@github.com (https://h),me@h",
        ] {
            assert_eq!(without_passwords(text), text);
        }
    }

    #[test]
    fn the_version_is_read_from_its_assignment() {
        for (source, version) in [
            ("\"\"\" doc \"\"\"\n\n__version__ = '1.2.3'\n", Some("1.2.3")),
            ("__version__=\"0.1\"  # comment", Some("0.1")),
            ("__version__: str = \"2\"", Some("2")),
            ("  __version__ = '1'", None),
            ("__version_info__ = '1'", None),
            ("__version__ = version('x')", None),
            ("", None),
        ] {
            assert_eq!(version_in(source).as_deref(), version, "{source:?}");
        }
    }

    #[test]
    fn durations_read_like_speech() {
        let say = |seconds: f64| duration_text(Duration::from_secs_f64(seconds));
        assert_eq!((say(0.0), say(0.2), say(99.0)), ("0 s".into(), "1 s".into(), "99 s".into()));
        assert_eq!((say(100.0), say(5399.0), say(7300.0)), ("2 min".into(), "90 min".into(), "2 h 1 min".into()));
    }
}
