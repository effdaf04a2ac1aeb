//! The methods that come from the table.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple, PyType};

use super::classes::{AsyncWebfactionApi, WebfactionApi};
use super::values::{to_python, to_value};
use crate::parameters::Kind;
use crate::python::errors::to_py;
use crate::python::method::{Arguments, TableMethod};
use crate::python::runtime::{awaitable, wait};
use crate::webfaction::{CALLS, CallError, Value, WebfactionCall};

/// Gives both classes a method for each call.
pub(super) fn add(sync: &Bound<'_, PyType>, asynchronous: &Bound<'_, PyType>) -> PyResult<()> {
    for call in &CALLS {
        let doc = format!("{}\n\nReturns:\n    {}\n", call.doc, call.returns);
        TableMethod::new(call.name, call.parameters, doc.clone(), move |object, arguments| {
            let service = object.cast::<WebfactionApi>()?.get().held.service()?;
            let values = values(call, &arguments)?;
            let operation = async move { Outcome(service.call(call, values).await) };
            wait(arguments.py(), |_host| operation)?.into_pyobject(arguments.py())
        })
        .adapting(without_session)
        .add_to(sync)?;
        TableMethod::new(call.name, call.parameters, doc, move |object, arguments| {
            let service = object.cast::<AsyncWebfactionApi>()?.get().held.service()?;
            let values = values(call, &arguments)?;
            let coroutine =
                awaitable(call.name, move |_host| async move { Ok(Outcome(service.call(call, values).await)) });
            Ok(Bound::new(arguments.py(), coroutine)?.into_any())
        })
        .adapting(without_session)
        .add_to(asynchronous)?;
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

/// How a call ended.
pub(super) struct Outcome(pub Result<Value, CallError>);

impl<'py> IntoPyObject<'py> for Outcome {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.0 {
            Ok(value) => to_python(py, &value),
            Err(CallError::Other(error)) => Err(to_py(py, error)),
            Err(CallError::Fault(fault)) => {
                let class = py.import("pythonanywhere_api.exceptions")?.getattr("WebfactionFault")?;
                Err(PyErr::from_value(class.call1((fault.code, fault.message))?))
            }
        }
    }
}
