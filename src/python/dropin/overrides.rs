//! The members that callers may put their own code in place of: `_request`, `_folder_items`, `files_iterator`.
//!
//! A member counts as replaced if it is not the one that the class was made with. That finds subclasses, patched classes
//! and patched instances alike, and a patch that was taken back.

use pyo3::exceptions::PyAttributeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyType};

/// The members that callers may replace.
const REPLACEABLE: [&str; 3] = ["_request", "_folder_items", "files_iterator"];

/// These members as a class has them.
type Members = [Py<PyAny>; REPLACEABLE.len()];

/// Those of the synchronous and of the asynchronous class.
static ORIGINALS: PyOnceLock<[Members; 2]> = PyOnceLock::new();

/// Keeps the members of the two classes as they are, to be compared with later.
pub(in crate::python) fn remember_originals(classes: [Bound<'_, PyType>; 2]) -> PyResult<()> {
    let [sync, asynchronous] = classes;
    let py = sync.py();
    let of = |class: Bound<'_, PyType>| -> PyResult<Members> {
        let [request, folder_items, files_iterator] = REPLACEABLE.map(|name| class.getattr(name));
        Ok([request?.unbind(), folder_items?.unbind(), files_iterator?.unbind()])
    };
    let originals = [of(sync)?, of(asynchronous)?];
    // A second import in the same process finds the first one's, which are the same.
    let _ = ORIGINALS.set(py, originals);
    Ok(())
}

/// What the caller put in place of a member: in a subclass, patched into the class, or on the instance.
pub(super) struct Replacements {
    pub request: Option<Py<PyAny>>,
    pub folder_items: Option<Py<PyAny>>,
    pub files_iterator: Option<Py<PyAny>>,
}

pub(super) fn replacements(object: &Bound<'_, PyAny>, is_async: bool) -> PyResult<Replacements> {
    let py = object.py();
    let class = object.get_type();
    let attributes = match object.getattr(intern!(py, "__dict__")) {
        Ok(attributes) => Some(attributes),
        Err(error) if error.is_instance_of::<PyAttributeError>(py) => None,
        Err(error) => return Err(error),
    };
    let originals = ORIGINALS.get(py).map(|classes| &classes[usize::from(is_async)]);
    let replaced = |index: usize, name: &Bound<'_, PyString>| {
        let on_instance = attributes.as_ref().map_or(Ok(false), |attributes| attributes.contains(name))?;
        let is_original = originals.is_some_and(|members| class.getattr(name).is_ok_and(|it| it.is(&members[index])));
        if is_original && !on_instance { Ok(None) } else { object.getattr(name).map(|member| Some(member.unbind())) }
    };
    Ok(Replacements {
        request: replaced(0, intern!(py, "_request"))?,
        folder_items: replaced(1, intern!(py, "_folder_items"))?,
        files_iterator: replaced(2, intern!(py, "files_iterator"))?,
    })
}
