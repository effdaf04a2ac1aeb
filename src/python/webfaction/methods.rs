//! The methods that come from the table.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyTuple, PyType};

use super::classes::{AsyncWebfactionApi, WebfactionApi, WebfactionBase};
use super::values::{outcome, to_value};
use crate::parameters::Kind;
use crate::python::method::{Arguments, TableMethod};
use crate::python::runtime::run;
use crate::webfaction::{CALLS, Value, WebfactionCall};

/// `WebfactionApi` and `AsyncWebfactionApi`, with their methods.
#[pyfunction]
#[pyo3(name = "_webfaction_classes")]
pub(in crate::python) fn webfaction_classes(py: Python<'_>) -> PyResult<(Py<PyType>, Py<PyType>)> {
    static CLASSES: PyOnceLock<(Py<PyType>, Py<PyType>)> = PyOnceLock::new();
    let (sync, asynchronous) = CLASSES.get_or_try_init(py, || {
        let classes = (py.get_type::<WebfactionApi>(), py.get_type::<AsyncWebfactionApi>());
        add(&classes.0, false)?;
        add(&classes.1, true)?;
        Ok::<_, PyErr>((classes.0.unbind(), classes.1.unbind()))
    })?;
    Ok((sync.clone_ref(py), asynchronous.clone_ref(py)))
}

/// Gives a class a method for each call.
fn add(class: &Bound<'_, PyType>, is_async: bool) -> PyResult<()> {
    for call in &CALLS {
        let doc = format!("{}\n\nReturns:\n    {}\n", call.doc, call.returns);
        TableMethod::new(call.name, call.parameters, doc, move |object, arguments| {
            let service = object.cast::<WebfactionBase>()?.get().service()?;
            let values = values(call, &arguments)?;
            let work = move |_caller| async move { outcome(service.call(call, values).await) };
            run(arguments.py(), is_async, call.name, work)
        })
        .adapting(without_session)
        .add_to(class)?;
    }
    Ok(())
}

/// What goes over the wire after the session: defaults at the end are left out, as in a call by position.
fn values(call: &'static WebfactionCall, arguments: &Arguments<'_>) -> PyResult<Vec<Value>> {
    let label = |name: &str| format!("{}: {name}", call.name);
    let positional = call.parameters.iter().take_while(|parameter| !parameter.is_collecting()).count();
    let sent = (0..positional).rev().find(|index| arguments.given(*index).is_some()).map_or(0, |index| index + 1);
    let mut values = (0..sent)
        .map(|index| to_value(&arguments.value(index)?, &label(call.parameters[index].name)))
        .collect::<PyResult<Vec<_>>>()?;
    for (index, parameter) in call.parameters.iter().enumerate().filter(|(_, p)| p.kind == Kind::Rest) {
        for value in arguments.value(index)?.try_iter()? {
            values.push(to_value(&value?, &label(parameter.name))?);
        }
    }
    Ok(values)
}

/// The positional arguments without a session at their start: a script written for the bare API passes it to every
/// call, and would otherwise name a domain after it.
fn without_session<'py>(args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyTuple>> {
    let (Ok(object), Ok(first)) = (args.get_item(0), args.get_item(1)) else { return Ok(args.clone()) };
    let session = object.getattr_opt(intern!(args.py(), "session_id"))?;
    if !first.is_instance_of::<PyString>() || !session.is_some_and(|session| session.eq(&first).unwrap_or(false)) {
        return Ok(args.clone());
    }
    let rest = args.get_slice(2, args.len());
    PyTuple::new(args.py(), std::iter::once(object).chain(&rest).collect::<Vec<_>>())
}
