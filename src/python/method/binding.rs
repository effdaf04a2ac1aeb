//! Arguments to parameters, as Python does it for a `def`.
//!
//! The order of the checks and the words of the errors are those of `CPython`, so that a traceback reads as it would for
//! a function written out.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::parameters::{DefaultValue, Kind, Parameter};
use crate::python::convert::json_to_py;

/// What a call was given, in the order of the table.
pub(in crate::python) struct Arguments<'py> {
    py: Python<'py>,
    parameters: &'static [Parameter],
    /// `None` for what was left out. Of [`Kind::Rest`] a tuple, of [`Kind::Fields`] a dict, which may be empty.
    given: Vec<Option<Bound<'py, PyAny>>>,
}

impl<'py> Arguments<'py> {
    /// The interpreter.
    pub(in crate::python) fn py(&self) -> Python<'py> {
        self.py
    }

    /// What was given for a parameter; `None` if it was left out.
    pub(in crate::python) fn given(&self, index: usize) -> Option<&Bound<'py, PyAny>> {
        self.given[index].as_ref()
    }

    /// What was given for a parameter, or its default.
    pub(in crate::python) fn value(&self, index: usize) -> PyResult<Bound<'py, PyAny>> {
        match (&self.given[index], self.parameters[index].default) {
            (Some(value), _) => Ok(value.clone()),
            (None, Some(default)) => default_value(self.py, default),
            (None, None) => unreachable!("bind refuses a call without a required argument"),
        }
    }
}

/// A default as Python has it, a new list each time.
pub(super) fn default_value(py: Python<'_>, default: DefaultValue) -> PyResult<Bound<'_, PyAny>> {
    json_to_py(py, &default.into())
}

/// Gives each parameter its argument; the first argument is the object that the method is of.
///
/// # Errors
/// `TypeError` as Python raises it for a function of this name and these parameters.
pub(super) fn bind<'py>(
    function: &str,
    parameters: &'static [Parameter],
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<(Bound<'py, PyAny>, Arguments<'py>)> {
    let py = args.py();
    let positional = positional(parameters);
    let mut object = args.iter().next();
    let mut given: Vec<_> =
        (0..parameters.len()).map(|index| if index < positional { args.iter().nth(index + 1) } else { None }).collect();
    let fields = PyDict::new(py);
    for (name, value) in kwargs.into_iter().flatten() {
        let name_text = name.extract::<String>()?;
        let place = match parameters.iter().position(|p| !p.is_collecting() && p.name == name_text) {
            Some(index) => &mut given[index],
            None if name_text == "self" => &mut object,
            None if takes(parameters, Kind::Fields) => {
                fields.set_item(name, value)?;
                continue;
            }
            None => return Err(error(function, &format!("got an unexpected keyword argument '{name_text}'"))),
        };
        if place.replace(value).is_some() {
            return Err(error(function, &format!("got multiple values for argument '{name_text}'")));
        }
    }
    if args.len() > positional + 1 && !takes(parameters, Kind::Rest) {
        return Err(error(function, &too_many(&parameters[..positional], args.len())));
    }
    let missing = |index: &usize| given[*index].is_none() && parameters[*index].is_required();
    let named = |range: std::ops::Range<usize>| range.filter(missing).map(|index| parameters[index].name);
    let is_nobodys = object.is_none();
    refuse_missing(function, "positional", is_nobodys.then_some("self").into_iter().chain(named(0..positional)))?;
    refuse_missing(function, "keyword-only", named(positional..parameters.len()))?;
    for (parameter, place) in parameters.iter().zip(&mut given) {
        match parameter.kind {
            Kind::Rest => *place = Some(args.get_slice((positional + 1).min(args.len()), args.len()).into_any()),
            Kind::Fields => *place = Some(fields.clone().into_any()),
            _ => {}
        }
    }
    match object {
        Some(object) => Ok((object, Arguments { py, parameters, given })),
        None => unreachable!("a call without an object was refused above"),
    }
}

/// How many parameters can be given by position, each for itself.
pub(super) fn positional(parameters: &[Parameter]) -> usize {
    parameters.iter().position(Parameter::is_collecting).unwrap_or(parameters.len())
}

fn takes(parameters: &[Parameter], kind: Kind) -> bool {
    parameters.iter().any(|parameter| parameter.kind == kind)
}

fn error(function: &str, what: &str) -> PyErr {
    PyTypeError::new_err(format!("{function}() {what}"))
}

/// The object counts, as for every method.
fn too_many(positional: &[Parameter], given: usize) -> String {
    let most = positional.len() + 1;
    let least = positional.iter().filter(|parameter| parameter.is_required()).count() + 1;
    let takes = if least < most { format!("from {least} to {most}") } else { most.to_string() };
    let plural = if most == 1 { "" } else { "s" };
    format!("takes {takes} positional argument{plural} but {given} were given")
}

fn refuse_missing(function: &str, how: &str, names: impl Iterator<Item = &'static str>) -> PyResult<()> {
    let names: Vec<_> = names.map(|name| format!("'{name}'")).collect();
    let list = match names.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [all @ .., last] => format!("{}, and {last}", all.join(", ")),
    };
    let plural = if names.len() == 1 { "" } else { "s" };
    Err(error(function, &format!("missing {} required {how} argument{plural}: {list}", names.len())))
}
