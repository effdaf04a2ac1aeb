//! The families of calls: a class for each and kind of client, with a method for each call.

use std::collections::BTreeMap;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple, PyType};

use super::classes::{AsyncClient, Client};
use super::extras::extra;
use super::family::Family;
use super::upload::Upload;
use super::values::{self, Given};
use crate::api::calls::{CALLS, EndpointCall, families};
use crate::api::{CallAnswer, Uploaded};
use crate::client::{self, RemotePath};
use crate::error::Result;
use crate::python::answer::Answer;
use crate::python::method::{Arguments, TableMethod};
use crate::python::runtime::{CallerThread, run};

/// Makes the classes of the families, adds them to the module, and the attributes that lead to them to the clients.
pub(in crate::python) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    for (prefix, client) in [("", py.get_type::<Client>()), ("Async", py.get_type::<AsyncClient>())] {
        let mut classes = BTreeMap::new();
        for family in families() {
            let class = class(py, &format!("{prefix}{}", class_name(family)), family)?;
            add_methods(&class, family, !prefix.is_empty())?;
            module.add(class.name()?, &class)?;
            classes.insert(family, class);
        }
        for (family, class) in &classes {
            let (owner, name) = match family.rsplit_once('.') {
                Some((parent, name)) => (&classes[parent], name),
                None => (&client, *family),
            };
            owner.setattr(name, attribute(class)?)?;
        }
    }
    Ok(())
}

fn add_methods(class: &Bound<'_, PyType>, family: &str, is_async: bool) -> PyResult<()> {
    let calls = CALLS.iter().filter(|call| call.family() == family).map(|call| method(call, is_async));
    calls.chain(extra(family, is_async)).try_for_each(|method| method.add_to(class))
}

/// `webapps.static_files` → `WebappsStaticFiles`.
fn class_name(family: &str) -> String {
    family.split(['.', '_']).map(capitalized).collect()
}

fn capitalized(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_ascii_uppercase() + rest
}

fn class<'py>(py: Python<'py>, name: &str, family: &str) -> PyResult<Bound<'py, PyType>> {
    let body = PyDict::new(py);
    body.set_item("__module__", "pythonanywhere_api")?;
    body.set_item("__slots__", PyTuple::empty(py))?;
    body.set_item("__doc__", format!("The calls of `{family}`. Documented in `_core.pyi`."))?;
    Ok(py.get_type::<PyType>().call1((name, (py.get_type::<Family>(),), body))?.cast_into()?)
}

/// A property that makes the family of the client that it is asked of.
fn attribute<'py>(class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    let class = class.clone().unbind();
    let get =
        PyCFunction::new_closure(py, None, None, move |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
            class.bind(args.py()).call1(args).map(Bound::unbind)
        })?;
    py.import(intern!(py, "builtins"))?.getattr(intern!(py, "property"))?.call1((get,))
}

fn method(call: &'static EndpointCall, is_async: bool) -> TableMethod {
    let doc =
        format!("{}\n\nEndpoint: `{} {}`.\n\nReturns:\n    {}\n", call.doc, call.method, call.path, call.returns());
    TableMethod::new(call.verb(), call.parameters, doc, move |object, arguments| {
        perform(call, is_async, object, &arguments)
    })
}

async fn upload(core: &client::Client, caller: &CallerThread, path: &str, upload: Upload) -> Result<CallAnswer> {
    let path = RemotePath::parse(path)?;
    // What was made for this upload lives until it has ended.
    let (content, _made) = upload.prepare(caller).await?;
    let uploaded = core.upload_from(&path, content).await?;
    Ok(CallAnswer::Json((uploaded == Uploaded::Created).into()))
}

fn perform<'py>(
    call: &'static EndpointCall,
    is_async: bool,
    object: &Bound<'py, PyAny>,
    arguments: &Arguments<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let core = object.cast::<Family>()?.get().core.clone();
    let given = values::given(call, arguments)?;
    run(arguments.py(), is_async, call.verb(), move |caller| async move {
        let outcome = match given {
            Given::Values(values) => core.call(call, &values).await,
            Given::Upload(path, content) => upload(&core, &caller, &path, content).await,
        };
        core.persist_budget();
        Answer(outcome, values::answer)
    })
}
