//! A line about one step: a mark, its name, and what there is to say, which wraps below itself on a terminal.

use super::terminal::columns;

/// The columns of mark and name.
const MARK: usize = 6;
const NAME: usize = 22;
/// A terminal that is narrower has no room for a long text beside the name: it stands below.
const NARROW: usize = 90;

/// The line, or lines, for a terminal of `width` columns, if there is one.
#[must_use]
pub fn step_line(mark: &str, name: &str, text: &str, width: Option<usize>) -> String {
    let start = format!("{mark:<MARK$}{name:<NAME$}");
    let is_long = |width: usize| width < NARROW && !text.is_empty() && columns(&start) + columns(text) > width;
    if width.is_some_and(is_long) {
        let below = wrapped(&" ".repeat(MARK), text, width, MARK);
        return format!("{}\n{below}", start.trim_end());
    }
    wrapped(&start, text, width, MARK + NAME)
}

/// `start` and `text`, broken at blanks so that no line takes more than `width` columns; further lines begin after `hang`
/// blanks. A word that is longer than a line stays whole: the terminal breaks it, and it can be copied.
#[must_use]
pub fn wrapped(start: &str, text: &str, width: Option<usize>, hang: usize) -> String {
    let Some(width) = width else { return format!("{start}{text}").trim_end().to_owned() };
    let mut lines = vec![start.to_owned()];
    let mut is_begun = false;
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a first line");
        let gap = usize::from(is_begun);
        if columns(line) + gap + columns(word) <= width || (!is_begun && columns(line) <= hang) {
            line.push_str(&" ".repeat(gap));
            line.push_str(word);
        } else {
            lines.push(format!("{}{word}", " ".repeat(hang)));
        }
        is_begun = true;
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "/var/www/me_pythonanywhere_com_wsgi.py loads the project, and the agent answers";

    #[test]
    fn a_step_is_one_line_where_nothing_limits_it() {
        let line = step_line("done", "WSGI file", TEXT, None);
        assert_eq!(line, format!("done  WSGI file             {TEXT}"));
        assert_eq!(step_line("done", "WSGI file", TEXT, Some(120)), line);
        assert_eq!(step_line("ok", "reload", "", Some(20)), "ok    reload");
    }

    #[test]
    fn a_wide_terminal_keeps_the_columns() {
        let lines = step_line("done", "WSGI file", TEXT, Some(90));
        assert_eq!(
            lines,
            "done  WSGI file             /var/www/me_pythonanywhere_com_wsgi.py loads the project, and\n\
             \x20                           the agent answers"
        );
    }

    #[test]
    fn a_narrow_terminal_has_the_text_below_the_name() {
        let lines = step_line("done", "WSGI file", TEXT, Some(60));
        assert_eq!(
            lines,
            "done  WSGI file\n      /var/www/me_pythonanywhere_com_wsgi.py loads the\n      project, and the agent answers"
        );
        let short = step_line("done", "migrate", "18 migrations applied", Some(60));
        assert_eq!(short, "done  migrate               18 migrations applied");
        assert!(lines.lines().all(|line| columns(line) <= 60));
        assert_eq!(step_line("done", "files", TEXT, Some(20)).lines().nth(1).unwrap().trim(), &TEXT[..38]);
    }

    #[test]
    fn further_lines_hang() {
        assert_eq!(wrapped("next: ", "one two three", Some(13), 6), "next: one two\n      three");
    }
}
