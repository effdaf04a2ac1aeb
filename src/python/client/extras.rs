//! Methods of the families that are more than one call of the table: downloads, commands in consoles.

use pyo3::prelude::*;

use super::download::Target;
use super::families::{Family, run};
use super::options::seconds;
use super::values::{self, CommandOutcome, Outcome};
use crate::api::CallAnswer;
use crate::client::RemotePath;
use crate::error::Error;
use crate::parameters::{DefaultValue, Kind, Parameter, any, text};
use crate::python::errors::IntoPy;
use crate::python::method::{Arguments, TableMethod};

type Perform = for<'py> fn(&Extra, bool, &Bound<'py, PyAny>, &Arguments<'py>) -> PyResult<Bound<'py, PyAny>>;

/// A method that stands beside the calls of its family.
pub(super) struct Extra {
    pub family: &'static str,
    name: &'static str,
    parameters: &'static [Parameter],
    doc: &'static str,
    perform: Perform,
}

/// All of them.
pub(super) const EXTRAS: &[Extra] = &[
    Extra {
        family: "files",
        name: "download",
        parameters: &[text("path"), any("to")],
        doc: "Downloads a file to a path or into a binary file, and returns its length in bytes.\n\n\
              Endpoint: `GET files/path{path}`.",
        perform: download,
    },
    Extra {
        family: "consoles",
        name: "run",
        parameters: &[
            any("id"),
            text("command"),
            Parameter::new("timeout", Kind::Number).or(DefaultValue::Integer(60)),
        ],
        doc: "Runs a command in a console and returns its output, without terminal escapes.\n\n\
              Endpoints: `consoles/{id}/`, `…/send_input/`, `…/get_latest_output/`, `files/path{path}`.",
        perform: run_command,
    },
];

impl Extra {
    pub(super) fn method(&'static self, is_async: bool) -> TableMethod {
        TableMethod::new(self.name, self.parameters, self.doc, move |object, arguments| {
            (self.perform)(self, is_async, object, &arguments)
        })
    }

    fn full_name(&self) -> String {
        format!("{}.{}", self.family, self.name)
    }

    /// A text argument, or what a text is made of.
    fn text(&self, arguments: &Arguments<'_>, index: usize) -> PyResult<String> {
        values::text(&self.full_name(), &self.parameters[index], &arguments.value(index)?)
    }
}

fn download<'py>(
    extra: &Extra,
    is_async: bool,
    object: &Bound<'py, PyAny>,
    arguments: &Arguments<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let core = object.cast::<Family>()?.get().core.clone();
    let path = extra.text(arguments, 0)?;
    let target = Target::of(&extra.full_name(), &arguments.value(1)?)?;
    run(arguments.py(), is_async, extra.name, move |host| async move {
        let outcome = async { target.fill(&core, &RemotePath::parse(&path)?, &host).await }.await;
        core.persist_budget();
        Outcome(outcome.map(|length| CallAnswer::Json(length.into())))
    })
}

fn run_command<'py>(
    extra: &Extra,
    is_async: bool,
    object: &Bound<'py, PyAny>,
    arguments: &Arguments<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let core = object.cast::<Family>()?.get().core.clone();
    let (id, command) = (extra.text(arguments, 0)?, extra.text(arguments, 1)?);
    let id = id.parse::<u64>().map_err(|_| Error::config(format!("{id:?} is not the number of a console")));
    let id = id.into_py(arguments.py())?;
    let timeout = seconds("timeout", arguments.value(2)?.extract()?)?;
    run(arguments.py(), is_async, extra.name, move |_host| async move {
        let outcome = core.run_in_console(id, &command, timeout).await;
        core.persist_budget();
        CommandOutcome(outcome)
    })
}
