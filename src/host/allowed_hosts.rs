//! `ALLOWED_HOSTS`, as Django reads it: see <https://docs.djangoproject.com/en/5.2/ref/settings/#allowed-hosts>.

/// Whether Django answers at a domain: it must be listed, or a domain above it with a leading dot.
pub fn is_allowed<'a>(domain: &str, allowed: impl IntoIterator<Item = &'a str>) -> bool {
    let domain = domain.to_lowercase();
    allowed.into_iter().map(str::to_lowercase).any(|pattern| match pattern.strip_prefix('.') {
        Some(above) => domain == above || domain.strip_suffix(above).is_some_and(|rest| rest.ends_with('.')),
        None => pattern == "*" || pattern == domain,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_allowed_as_django_allows_them() {
        for (pattern, expected) in [
            ("me.example.com", true),
            ("ME.example.com", true),
            (".example.com", true),
            (".me.example.com", true),
            ("*", true),
            ("example.com", false),
            (".xample.com", false),
            ("", false),
        ] {
            assert_eq!(is_allowed("me.example.com", [pattern]), expected, "{pattern}");
            assert_eq!(is_allowed("Me.Example.com", [pattern]), expected, "{pattern}");
        }
    }
}
