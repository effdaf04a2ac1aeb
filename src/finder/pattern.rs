//! One segment of a mask, compared as Python's [`fnmatch.fnmatchcase`](https://docs.python.org/3/library/fnmatch.html)
//! does.
//!
//! Why not `globset`: every text is a valid `fnmatch` pattern and a few mean something else there (`[^a]` holds a
//! literal `^`, `{x,y}` and `\` are themselves, an unclosed `[` too). Users' masks were written for `fnmatch`.

/// A pattern for one name, without any `/`.
///
/// `*` is any text, `?` any character, `[…]` one of a set, `[!…]` none of it; all else is itself. No text is invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(char),
    Any,
    Star,
    Set { negated: bool, ranges: Vec<(char, char)> },
}

impl Token {
    fn literal(&self) -> Option<char> {
        if let Self::Literal(c) = self { Some(*c) } else { None }
    }

    fn matches(&self, c: char) -> bool {
        match self {
            Self::Literal(literal) => *literal == c,
            Self::Any | Self::Star => true,
            Self::Set { negated, ranges } => ranges.iter().any(|&(low, high)| (low..=high).contains(&c)) != *negated,
        }
    }
}

impl Pattern {
    /// Reads one segment of a mask.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut tokens = Vec::with_capacity(chars.len());
        let mut at = 0;
        while at < chars.len() {
            let c = chars[at];
            at += 1;
            match c {
                '*' if tokens.last() == Some(&Token::Star) => {}
                '*' => tokens.push(Token::Star),
                '?' => tokens.push(Token::Any),
                '[' => match end_of_set(&chars, at) {
                    Some(end) => {
                        tokens.push(parse_set(&chars[at..end]));
                        at = end + 1;
                    }
                    None => tokens.push(Token::Literal('[')),
                },
                _ => tokens.push(Token::Literal(c)),
            }
        }
        Self { tokens }
    }

    /// A pattern that matches only `text`, whatever wildcards it contains.
    #[must_use]
    pub fn literal_text(text: &str) -> Self {
        Self { tokens: text.chars().map(Token::Literal).collect() }
    }

    /// Whether `name` matches; upper and lower case are distinguished.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        // Only the last star has to be tried again: an earlier one can leave to it whatever it would have taken.
        let (mut token, mut rest) = (0, name);
        let mut last_star: Option<(usize, &str)> = None;
        loop {
            let mut chars = rest.chars();
            match (self.tokens.get(token), chars.next()) {
                (Some(Token::Star), _) => {
                    last_star = Some((token, rest));
                    token += 1;
                }
                (Some(expected), Some(c)) if expected.matches(c) => {
                    token += 1;
                    rest = chars.as_str();
                }
                (None, None) => return true,
                _ => {
                    let Some((star, tail)) = last_star else { return false };
                    let mut tail = tail.chars();
                    if tail.next().is_none() {
                        return false;
                    }
                    last_star = Some((star, tail.as_str()));
                    token = star + 1;
                    rest = tail.as_str();
                }
            }
        }
    }

    /// The only name that matches, if the pattern has no wildcard.
    #[must_use]
    pub fn literal(&self) -> Option<String> {
        self.tokens.iter().map(Token::literal).collect()
    }

    /// Whether no name can match: the pattern is empty, or asks for a character of an empty set (`[z-a]`).
    #[must_use]
    pub fn is_impossible(&self) -> bool {
        let empty = |token: &Token| matches!(token, Token::Set { negated: false, ranges } if ranges.is_empty());
        self.tokens.is_empty() || self.tokens.iter().any(empty)
    }
}

/// The position of the `]` that ends the set whose content starts at `start`; a leading `]` belongs to the content.
fn end_of_set(chars: &[char], start: usize) -> Option<usize> {
    let mut at = start;
    at += usize::from(chars.get(at) == Some(&'!'));
    at += usize::from(chars.get(at) == Some(&']'));
    (at..chars.len()).find(|&at| chars[at] == ']')
}

/// Reads the content between the brackets.
///
/// Python splits the content at the hyphens that make ranges, drops ranges that run backwards, and only then looks
/// for the `!`. So `[z-a!b]` means "not b", odd as it is, and this code follows.
fn parse_set(content: &[char]) -> Token {
    let mut chunks = split_at_ranges(content);
    drop_backward_ranges(&mut chunks);
    let negated = chunks[0].first() == Some(&'!');
    if negated {
        chunks[0].remove(0);
    }
    Token::Set { negated, ranges: ranges_of(&chunks) }
}

fn drop_backward_ranges(chunks: &mut Vec<Vec<char>>) {
    for k in (1..chunks.len()).rev() {
        let backwards = matches!((chunks[k - 1].last(), chunks[k].first()), (Some(low), Some(high)) if low > high);
        if backwards {
            let tail = chunks.remove(k);
            chunks[k - 1].pop();
            chunks[k - 1].extend(&tail[1..]);
        }
    }
}

/// The ranges of a set: the last character of a chunk and the first of the next are the ends of one.
fn ranges_of(chunks: &[Vec<char>]) -> Vec<(char, char)> {
    let mut ranges = Vec::new();
    let mut low: Option<char> = None;
    for chunk in chunks {
        let mut singles = &chunk[..];
        if let (Some(low), Some((&high, rest))) = (low.take(), chunk.split_first()) {
            ranges.push((low, high));
            singles = rest;
        }
        ranges.extend(singles.iter().map(|&c| (c, c)));
        low = chunk.last().copied();
    }
    ranges
}

/// Splits a set's content at each hyphen that has a character on both sides and doesn't follow a range directly.
fn split_at_ranges(content: &[char]) -> Vec<Vec<char>> {
    let mut chunks: Vec<Vec<char>> = Vec::new();
    let mut start = 0;
    let mut from = if content.first() == Some(&'!') { 2 } else { 1 };
    while let Some(hyphen) = (from..content.len()).find(|&at| content[at] == '-') {
        chunks.push(content[start..hyphen].to_vec());
        start = hyphen + 1;
        from = hyphen + 3;
    }
    match (content[start..].is_empty(), chunks.last_mut()) {
        (true, Some(last)) => last.push('-'),
        _ => chunks.push(content[start..].to_vec()),
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn odd_brackets_mean_what_they_mean_to_fnmatch() {
        // (pattern, names that fit, names that don't); each line agrees with CPython 3.11's fnmatch.fnmatchcase.
        let table: &[(&str, &[&str], &[&str])] = &[
            ("[", &["["], &["", "a"]),
            ("a[", &["a["], &["a"]),
            ("[]", &["[]"], &["", "]"]),
            ("[!]", &["[!]"], &["", "!"]),
            ("[]]", &["]"], &["[", "[]]"]),
            ("[!]]", &["a", "["], &["]", ""]),
            ("[^a]", &["^", "a"], &["b"]),
            ("[!^]", &["a"], &["^"]),
            ("[z-a]", &[], &["z", "a", "-", "m", ""]),
            ("[!z-a]", &["z", "a", "-"], &[""]),
            ("[z-a!b]", &["a", "z", "!"], &["b"]),
            ("[z-ab]", &["b"], &["z", "a", "-"]),
            ("[a-]", &["a", "-"], &["b"]),
            ("[-a]", &["a", "-"], &["b"]),
            ("[--a]", &["-", "A", "a", "/"], &["b", "!"]),
            ("[a--]", &[], &["a", "-"]),
            ("[!-a]", &["b", "!"], &["-", "a"]),
            ("[a-c-e]", &["a", "b", "c", "-", "e"], &["d"]),
            ("[]-^]", &["]", "^"], &["\\", "_", "-"]),
            ("[\\]", &["\\"], &["]"]),
            ("[\\-a]", &["\\", "]", "^", "_", "`", "a"], &["b", "-"]),
            ("[a&&b]", &["a", "&", "b"], &["c"]),
            ("[[:alpha:]]", &["a]", ":]"], &["b", "a"]),
            ("\\*", &["\\", "\\x"], &["*"]),
            ("?", &["ü", "😀"], &["", "ab"]),
            ("*a*b", &["ab", "xaxxb", "abab"], &["aba", "b"]),
            ("***", &["", "x"], &[]),
        ];
        for (pattern, fit, differ) in table {
            let compiled = Pattern::new(pattern);
            for name in *fit {
                assert!(compiled.matches(name), "{pattern:?} should match {name:?}");
            }
            for name in *differ {
                assert!(!compiled.matches(name), "{pattern:?} should not match {name:?}");
            }
        }
    }

    #[test]
    fn impossible_patterns_are_known() {
        for pattern in ["", "[z-a]", "a[z-a]*"] {
            assert!(Pattern::new(pattern).is_impossible(), "{pattern:?}");
        }
        for pattern in ["*", "[", "[!z-a]", "a"] {
            assert!(!Pattern::new(pattern).is_impossible(), "{pattern:?}");
        }
    }

    /// What a star means, said without any cleverness.
    fn naive(tokens: &[Token], name: &[char]) -> bool {
        match (tokens.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((Token::Star, rest)), _) => (0..=name.len()).any(|taken| naive(rest, &name[taken..])),
            (Some((token, rest)), Some((&c, tail))) => token.matches(c) && naive(rest, tail),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn one_star_to_go_back_to_is_enough(pattern in "[ab*?\\[\\]!-]{0,10}", name in "[ab\\[\\]!-]{0,8}") {
            let compiled = Pattern::new(&pattern);
            let chars: Vec<char> = name.chars().collect();
            prop_assert_eq!(compiled.matches(&name), naive(&compiled.tokens, &chars));
        }

        #[test]
        fn a_text_with_its_wildcards_in_brackets_matches_itself_alone(text in "\\PC{1,12}", other in "\\PC{1,12}") {
            let escaped: String =
                text.chars().map(|c| if "*?[".contains(c) { format!("[{c}]") } else { c.to_string() }).collect();
            let compiled = Pattern::new(&escaped);
            prop_assert!(compiled.matches(&text));
            prop_assert_eq!(compiled.matches(&other), text == other);
        }
    }
}
