//! Human-readable answers: lists as tables, objects as lines, strings as they are.

use serde_json::{Map, Value};

use crate::cli::output;

/// Columns that identify an item come first; the others follow in the service's order.
const FIRST: [&str; 4] = ["id", "domain_name", "name", "username"];

/// An answer as text.
#[must_use]
pub fn text(answer: &Value) -> String {
    match answer {
        Value::Null => String::new(),
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object) => {
            table(&items.iter().filter_map(Value::as_object).collect::<Vec<_>>())
        }
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join("\n"),
        Value::Object(fields) if !fields.is_empty() && fields.values().all(Value::is_object) => listing(fields),
        Value::Object(fields) => lines(fields),
        other => cell(other),
    }
}

/// One line for each item, one column for each field.
fn table(items: &[&Map<String, Value>]) -> String {
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
    output::table(&rows)
}

/// A dict of dicts, such as a folder: its keys are the first column.
fn listing(fields: &Map<String, Value>) -> String {
    let rows: Vec<Vec<String>> = fields
        .iter()
        .map(|(name, value)| {
            let values = value.as_object().into_iter().flat_map(Map::values).map(cell);
            std::iter::once(printable(name)).chain(values).collect()
        })
        .collect();
    output::table(&rows)
}

/// One line for each field.
fn lines(fields: &Map<String, Value>) -> String {
    output::table(&fields.iter().map(|(name, value)| vec![name.clone(), cell(value)]).collect::<Vec<_>>())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => printable(text),
        other => other.to_string(),
    }
}

/// Text without control characters: the name of a console must not write to the terminal of the person who lists it.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
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
        assert_eq!(text(&answer), "ID  USER  ENABLED  X  NEW\n1   me    true     -\n22  me                {\"a\":1}");
    }

    #[test]
    fn objects_are_lines_and_texts_are_themselves() {
        assert_eq!(text(&json!({"id": 1, "domain_name": "x.y"})), "id           1\ndomain_name  x.y");
        assert_eq!(text(&json!("a text")), "a text");
        assert_eq!(text(&json!(["a", "b"])), "a\nb");
        assert_eq!(text(&json!({"a.py": {"type": "file", "url": "u"}})), "a.py  file  u");
        assert_eq!(text(&json!(null)), "");
        assert_eq!(text(&json!("a\u{1b}[31mred")), "a\u{fffd}[31mred");
    }
}
