//! Turns calls into XML, and XML into answers.
//!
//! `dxr` reads and writes the values. Data from the network is scanned first: serde would follow nesting of any depth
//! down the stack, and a document type could define entities. The same pass finds the value, so that a fault is read
//! whatever the order of its members.

use std::borrow::Cow;
use std::ops::Range;

use dxr::{MethodCall, Value};
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::error::{Error, Result};

/// How deep values may be nested, both ways. The deserializer stops at 42 with a message of its own.
pub const MAX_DEPTH: usize = 40;

/// Elements per level of nesting (`value`, `struct`, `member`), and those around the outermost value.
const MAX_OPEN_ELEMENTS: usize = 3 * MAX_DEPTH + 3;

/// The server's own error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("fault {code}: {message}")]
pub struct Fault {
    /// Its number, which each server chooses for itself.
    pub code: i64,
    /// Its message.
    pub message: String,
}

/// The XML of a call.
///
/// # Errors
/// `Config` for values that XML or XML-RPC cannot represent. They are not quoted: they may be secrets.
pub(super) fn encode(name: &str, arguments: &[Value]) -> Result<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_.:/".contains(c);
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(Error::config(format!(
            "{name:?} is not a valid name of an XML-RPC call: only letters, digits, and _ . : / are allowed"
        )));
    }
    for (index, argument) in arguments.iter().enumerate() {
        check(argument, MAX_DEPTH).map_err(|why| Error::config(format!("{name}: argument {}: {why}", index + 1)))?;
    }
    let call = MethodCall { name: name.into(), params: arguments.to_vec() };
    let body = call.to_xml().map_err(|_| Error::config(format!("{name}: the arguments cannot be written as XML")))?;
    Ok(format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>{body}"))
}

/// Fails with the reason why a value cannot be sent.
fn check(value: &Value, depth: usize) -> Result<(), String> {
    let deeper = || depth.checked_sub(1).ok_or_else(|| format!("it is nested deeper than {MAX_DEPTH} levels"));
    match value {
        Value::String(text) => check_text(text),
        Value::Double(number) if !number.is_finite() => Err(format!("XML-RPC cannot represent {number}")),
        Value::Array(items) => {
            let depth = deeper()?;
            items.iter().try_for_each(|item| check(item, depth))
        }
        Value::Struct(members) => {
            let depth = deeper()?;
            members.iter().try_for_each(|(name, member)| check_text(name).and_then(|()| check(member, depth)))
        }
        _ => Ok(()),
    }
}

/// Refuses characters that XML 1.0 cannot contain, not even escaped.
fn check_text(text: &str) -> Result<(), String> {
    let is_forbidden =
        |c: &char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    match text.chars().find(is_forbidden) {
        None => Ok(()),
        Some(c) => Err(format!(
            "the text contains the control character U+{:04X}, which XML cannot carry: send bytes instead, if the \
             server accepts them",
            u32::from(c)
        )),
    }
}

/// The value in an answer, or the fault.
///
/// # Errors
/// What was expected instead; the answer is not quoted.
pub(super) fn decode(body: &[u8]) -> Result<Result<Value, Fault>, &'static str> {
    let text = characters(body).ok_or("an XML-RPC answer in UTF-8 or ISO-8859-1")?;
    let found = scan(&text)?;
    let value = Value::from_xml(&text[found.value]).map_err(|_| "an XML-RPC answer with a value in it")?;
    if !found.is_fault {
        return Ok(Ok(value));
    }
    let Value::Struct(mut members) = value else { return Err("an XML-RPC fault with a code and a message") };
    let code = match members.remove("faultCode") {
        Some(Value::Integer(code)) => code.into(),
        Some(Value::Long(code)) => code,
        _ => return Err("an XML-RPC fault with a code"),
    };
    match members.remove("faultString") {
        Some(Value::String(message)) => Ok(Err(Fault { code, message })),
        _ => Err("an XML-RPC fault with a message"),
    }
}

/// The characters of a document: UTF-8, unless it declares ISO-8859-1, which is common with old servers.
fn characters(body: &[u8]) -> Option<Cow<'_, str>> {
    let head = String::from_utf8_lossy(&body[..body.len().min(100)]).to_ascii_lowercase();
    let declaration = head.strip_prefix("<?xml").and_then(|rest| rest.split("?>").next()).unwrap_or_default();
    if ["iso-8859-1", "latin-1", "latin1"].iter().any(|name| declaration.contains(name)) {
        // Its bytes are the first 256 code points.
        return Some(body.iter().copied().map(char::from).collect());
    }
    std::str::from_utf8(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)).ok().map(Cow::Borrowed)
}

/// The position of the value in an answer.
struct Found {
    is_fault: bool,
    value: Range<usize>,
}

/// Reads the whole answer without building anything.
fn scan(text: &str) -> Result<Found, &'static str> {
    const NO_XML: &str = "an XML-RPC answer in well-formed XML";
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<String> = Vec::new();
    let mut found: Option<Found> = None;
    loop {
        let start = position(&reader);
        match reader.read_event().map_err(|_| NO_XML)? {
            Event::Start(element) => {
                if open.len() >= MAX_OPEN_ELEMENTS {
                    return Err("an XML-RPC answer that is nested less deeply");
                }
                open.push(element.name().as_ref().to_owned());
                if let Some(is_fault) = outermost_value(&open)
                    && found.replace(Found { is_fault, value: start..start }).is_some()
                {
                    return Err("an XML-RPC answer with one value");
                }
            }
            Event::End(_) => {
                if outermost_value(&open).is_some()
                    && let Some(found) = &mut found
                {
                    found.value.end = position(&reader);
                }
                open.pop();
            }
            Event::DocType(_) => return Err("an XML-RPC answer without a document type"),
            Event::Eof if open.is_empty() => return found.ok_or("an XML-RPC answer"),
            Event::Eof => return Err(NO_XML),
            _ => {}
        }
    }
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

/// Whether the open elements end at the value of an answer, and whether that is a fault.
fn outermost_value(open: &[String]) -> Option<bool> {
    match open {
        [root, params, param, value]
            if [&root[..], params, param, value] == ["methodResponse", "params", "param", "value"] =>
        {
            Some(false)
        }
        [root, fault, value] if [&root[..], fault, value] == ["methodResponse", "fault", "value"] => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(value: &str) -> String {
        format!("<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>{value}</param>\n</params></methodResponse>")
    }

    #[test]
    fn answers_hold_one_value_or_a_fault() {
        let text = |body: &str| decode(answer(body).as_bytes()).unwrap().unwrap();
        assert_eq!(text("<value>plain &amp; &#228;</value>"), Value::String("plain & ä".into()));
        assert_eq!(text("<value/>"), Value::String(String::new()));
        assert_eq!(text("\n <value>\n <i8>5</i8>\n </value>\n"), Value::Long(5));
        let member = |name, value| format!("<member><name>{name}</name><value>{value}</value></member>");
        let (code, words) = (member("faultCode", "<int>7</int>"), member("faultString", "no &lt;way&gt;"));
        for members in [format!("{code}{words}"), format!("{words}{code}")] {
            let body =
                format!("<methodResponse><fault><value><struct>{members}</struct></value></fault></methodResponse>");
            assert_eq!(decode(body.as_bytes()), Ok(Err(Fault { code: 7, message: "no <way>".into() })));
        }
    }

    #[test]
    fn hostile_answers_are_refused() {
        let nested = |depth: usize| {
            let (open, close) = ("<value><array><data>", "</data></array></value>");
            answer(&format!("{}<value>x</value>{}", open.repeat(depth), close.repeat(depth)))
        };
        assert!(decode(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
        let two = "<value>1</value></param><param><value>2</value>";
        for bad in [
            "<!DOCTYPE x [<!ENTITY a \"b\">]><methodResponse/>".to_owned(),
            answer("<value>&a;</value>"),
            nested(MAX_DEPTH + 1),
            nested(200_000),
            answer(two),
            answer("<value><int>x</int></value>"),
            answer("<value><unknown>x</unknown></value>"),
            answer(""),
            "<html><body>no</body></html>".to_owned(),
            "<methodResponse><params><param><value>1".to_owned(),
            "<methodResponse><fault><value>1</value></fault></methodResponse>".to_owned(),
            String::new(),
        ] {
            assert!(decode(bad.as_bytes()).is_err(), "{}", &bad[..bad.len().min(200)]);
        }
        assert!(decode(b"\xff\xfe").is_err());
    }

    #[test]
    fn what_xml_cannot_say_is_refused_before_it_is_sent() {
        let nested = |depth| (0..depth).fold(Value::Nil, |value, _| Value::Array(vec![value]));
        assert!(encode("f", &[nested(MAX_DEPTH)]).is_ok());
        let text = |text: &str| Value::String(text.to_owned());
        for bad in [text("s3cret\0"), text("\u{b}"), text("\u{ffff}"), Value::Double(f64::NAN), nested(MAX_DEPTH + 1)] {
            let error = encode("f", &[Value::Nil, bad]).unwrap_err().to_string();
            assert!(error.starts_with("f: argument 2: ") && !error.contains("s3cret"), "{error}");
        }
        assert!(encode("f", &[text("\t\r\n ü \u{1f600} ]]> & <")]).unwrap().contains("&#13;"));
        for bad in ["", "a b", "a<b", "ä"] {
            assert!(encode(bad, &[]).is_err(), "{bad}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = "[\\t\\n\\r -~äß€\u{1f600}]{0,12}";
        let leaf = prop_oneof![
            Just(Value::Nil),
            any::<i32>().prop_map(Value::Integer),
            any::<i64>().prop_map(Value::Long),
            any::<bool>().prop_map(Value::Boolean),
            text.prop_map(Value::String),
            proptest::num::f64::NORMAL.prop_map(Value::Double),
            proptest::collection::vec(any::<u8>(), 0..20).prop_map(Value::Base64),
        ];
        leaf.prop_recursive(4, 20, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                // `dxr` reads no member without a name.
                proptest::collection::btree_map("[ -~ü]{0,5}[a-z]", inner, 0..4).prop_map(Value::Struct),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_sent_can_be_read(value in values()) {
            let sent = encode("f", std::slice::from_ref(&value)).unwrap();
            let start = sent.find("<value>").unwrap();
            let end = sent.rfind("</value>").unwrap() + "</value>".len();
            prop_assert_eq!(decode(answer(&sent[start..end]).as_bytes()), Ok(Ok(value)));
        }

        #[test]
        fn no_answer_makes_it_panic(value in values(), at in any::<prop::sample::Index>(), junk in any::<u8>()) {
            let mut body = encode("f", &[value]).unwrap().replace("methodCall", "methodResponse").into_bytes();
            let at = at.index(body.len());
            body[at] = junk;
            let _ = decode(&body);
            let _ = decode(&body[..at]);
        }
    }
}
