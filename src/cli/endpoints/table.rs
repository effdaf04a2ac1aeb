//! Human-readable answers: lists as tables, objects as lines, strings as they are; passwords have no column.
//!
//! A list that is too wide for the terminal is shown item by item, a line for each field: nothing is lost, and nothing
//! has to be scrolled sideways.

use serde_json::{Map, Value};

use crate::cli::table::{fits, table};
use crate::cli::terminal::without_passwords;

/// Columns that identify an item come first; the others follow in the service's order.
const FIRST: [&str; 4] = ["id", "domain_name", "name", "username"];

/// An answer as text, for a terminal of `width` columns if it goes to one.
#[must_use]
pub fn text(answer: &Value, width: Option<usize>) -> String {
    match &without_passwords(answer) {
        Value::Null => String::new(),
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object) => {
            list(&items.iter().filter_map(Value::as_object).collect::<Vec<_>>(), width)
        }
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join("\n"),
        Value::Object(fields) if !fields.is_empty() && fields.values().all(Value::is_object) => listing(fields, width),
        Value::Object(fields) => lines(fields),
        other => cell(other),
    }
}

/// One line for each item, one column for each field; or one block of lines for each item.
fn list(items: &[&Map<String, Value>], width: Option<usize>) -> String {
    let mut columns: Vec<&str> = FIRST.iter().copied().filter(|name| items[0].contains_key(*name)).collect();
    for name in items.iter().flat_map(|item| item.keys()) {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    let mut rows = vec![columns.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>()];
    rows.extend(
        items.iter().map(|item| columns.iter().map(|name| item.get(*name).map_or(String::new(), cell)).collect()),
    );
    if width.is_none_or(|width| fits(&rows, width)) {
        return table(&rows, None);
    }
    let block = |item: &&Map<String, Value>| {
        let fields = columns.iter().filter_map(|name| Some(vec![(*name).to_owned(), cell(item.get(*name)?)]));
        table(&fields.collect::<Vec<_>>(), None)
    };
    items.iter().map(block).collect::<Vec<_>>().join("\n\n")
}

/// A dict of dicts, such as a folder: its keys are the first column.
fn listing(fields: &Map<String, Value>, width: Option<usize>) -> String {
    let rows: Vec<Vec<String>> = fields.iter().map(|(name, value)| named_row(name, value)).collect();
    table(&rows, width)
}

fn named_row(name: &str, value: &Value) -> Vec<String> {
    let values = value.as_object().into_iter().flat_map(Map::values).map(cell);
    std::iter::once(name.to_owned()).chain(values).collect()
}

/// One line for each field.
fn lines(fields: &Map<String, Value>) -> String {
    table(&fields.iter().map(|(name, value)| vec![name.clone(), cell(value)]).collect::<Vec<_>>(), None)
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_tables_with_what_names_them_first() {
        let answer = json!([
            {"user": "me", "id": 1, "enabled": true, "x": null},
            {"user": "me", "id": 22, "new": {"a": 1}},
        ]);
        assert_eq!(
            text(&answer, None),
            "ID  USER  ENABLED  X  NEW\n1   me    true     -\n22  me                {\"a\":1}"
        );
    }

    #[test]
    fn objects_are_lines_and_texts_are_themselves() {
        assert_eq!(text(&json!({"id": 1, "domain_name": "x.y"}), None), "id           1\ndomain_name  x.y");
        assert_eq!(text(&json!("a text"), None), "a text");
        assert_eq!(text(&json!(["a", "b"]), None), "a\nb");
        assert_eq!(text(&json!({"a.py": {"type": "file", "url": "u"}}), None), "a.py  file  u");
        assert_eq!(text(&json!(null), None), "");
    }

    #[test]
    fn a_list_that_is_too_wide_is_shown_item_by_item() {
        let answer = json!([{"id": 1, "name": "one"}, {"id": 2, "name": "two", "more": "x"}]);
        assert_eq!(text(&answer, Some(14)), "ID  NAME  MORE\n1   one\n2   two   x");
        assert_eq!(text(&answer, Some(13)), "id    1\nname  one\n\nid    2\nname  two\nmore  x");
    }

    #[test]
    fn a_sites_password_is_not_shown() {
        let app = json!({"id": 1, "password_protection_password": "s3cret"});
        for answer in [json!([app]), app] {
            let text = text(&answer, None);
            assert!(!text.contains("s3cret") && !text.to_lowercase().contains("password"), "{text}");
        }
    }
}
