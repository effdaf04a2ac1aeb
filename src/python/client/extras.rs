//! Methods of the families that are more than one call of the table: downloads, commands in consoles.

use pyo3::prelude::*;

use super::download::Target;
use super::family::Family;
use super::options::seconds;
use super::values::{answer, command_output, text_argument};
use crate::api::CallAnswer;
use crate::client::RemotePath;
use crate::error::Error;
use crate::parameters::{DefaultValue, Kind, Parameter, any, text};
use crate::python::answer::Answer;
use crate::python::errors::IntoPy;
use crate::python::method::{Arguments, TableMethod};
use crate::python::runtime::run;

const DOWNLOAD: &[Parameter] = &[text("path"), any("to")];

const RUN: &[Parameter] =
    &[any("id"), text("command"), Parameter::new("timeout", Kind::Number).or(DefaultValue::Integer(60))];

/// The method that a family has beside its calls, if any.
pub(super) fn extra(family: &str, is_async: bool) -> Option<TableMethod> {
    match family {
        "files" => Some(TableMethod::new(
            "download",
            DOWNLOAD,
            "Downloads a file to a path or into a binary file, and returns its length in bytes.\n\n\
             Endpoint: `GET files/path{path}`.",
            move |object, arguments| download(is_async, object, &arguments),
        )),
        "consoles" => Some(TableMethod::new(
            "run",
            RUN,
            "Runs a command in a console and returns its output, without terminal escapes.\n\n\
             Endpoints: `consoles/{id}/`, `…/send_input/`, `…/get_latest_output/`, `files/path{path}`.",
            move |object, arguments| run_command(is_async, object, &arguments),
        )),
        _ => None,
    }
}

fn download<'py>(
    is_async: bool,
    object: &Bound<'py, PyAny>,
    arguments: &Arguments<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let core = object.cast::<Family>()?.get().core.clone();
    let path = text_argument("files.download", &DOWNLOAD[0], &arguments.value(0)?)?;
    let target = Target::of("files.download", &arguments.value(1)?)?;
    run(arguments.py(), is_async, "download", move |caller| async move {
        let outcome = async { target.fill(&core, &RemotePath::parse(&path)?, &caller).await }.await;
        core.persist_budget();
        Answer(outcome.map(|length| CallAnswer::Json(length.into())), answer)
    })
}

fn run_command<'py>(
    is_async: bool,
    object: &Bound<'py, PyAny>,
    arguments: &Arguments<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let core = object.cast::<Family>()?.get().core.clone();
    let id = text_argument("consoles.run", &RUN[0], &arguments.value(0)?)?;
    let command = text_argument("consoles.run", &RUN[1], &arguments.value(1)?)?;
    let id = id.parse::<u64>().map_err(|_| Error::config(format!("{id:?} is not the number of a console")));
    let id = id.into_py(arguments.py())?;
    let timeout = seconds("timeout", arguments.value(2)?.extract()?)?;
    run(arguments.py(), is_async, "run", move |_caller| async move {
        let outcome = core.run_in_console(id, &command, timeout).await;
        core.persist_budget();
        Answer(outcome, command_output)
    })
}
