//! The families of calls: a class for each and kind of client, with a method for each call.

use std::collections::BTreeMap;

use pyo3::IntoPyObjectExt;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple, PyType};

use super::classes::{AsyncClient, Client};
use super::extras::EXTRAS;
use super::upload::Upload;
use super::values::{self, Given, Outcome};
use crate::api::calls::{CALLS, EndpointCall};
use crate::api::{CallAnswer, Uploaded};
use crate::client::{self, RemotePath};
use crate::error::Result;
use crate::python::method::{Arguments, TableMethod};
use crate::python::runtime::{HostThread, awaitable, wait};

/// The calls of one family on one account.
#[pyclass(name = "_Family", module = "pythonanywhere_api", subclass, weakref, frozen)]
pub(in crate::python) struct Family {
    pub(super) core: client::Client,
}

#[pymethods]
impl Family {
    /// Of a client, or of the family that it is part of.
    #[new]
    #[pyo3(signature = (parent, /))]
    fn new(parent: &Bound<'_, PyAny>) -> PyResult<Self> {
        let core = if let Ok(client) = parent.cast::<Client>() {
            client.get().core.clone()
        } else if let Ok(client) = parent.cast::<AsyncClient>() {
            client.get().core.clone()
        } else {
            parent.cast::<Self>()?.get().core.clone()
        };
        Ok(Self { core })
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        Ok(format!("<{} of {}>", slf.get_type().name()?, slf.get().core.user()))
    }
}

/// Makes the classes of the families, adds them to the module, and the attributes that lead to them to the clients.
pub(in crate::python) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    for (prefix, client) in [("", py.get_type::<Client>()), ("Async", py.get_type::<AsyncClient>())] {
        let mut classes = BTreeMap::new();
        for family in families() {
            let class = class(py, &format!("{prefix}{}", class_name(family)), family)?;
            for call in CALLS.iter().filter(|call| call.family() == family) {
                method(call, !prefix.is_empty()).add_to(&class)?;
            }
            for extra in EXTRAS.iter().filter(|extra| extra.family == family) {
                extra.method(!prefix.is_empty()).add_to(&class)?;
            }
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

/// Every family and what it is part of, in the order of the table.
fn families() -> Vec<&'static str> {
    let mut families = Vec::new();
    for call in CALLS {
        let family = call.family();
        let parent = family.rsplit_once('.').map(|(parent, _)| parent);
        for family in parent.into_iter().chain([family]) {
            if !families.contains(&family) {
                families.push(family);
            }
        }
    }
    families
}

/// `webapps.static_files` → `WebappsStaticFiles`.
fn class_name(family: &str) -> String {
    family.split(['.', '_']).fold(String::new(), |mut name, word| {
        let (first, rest) = word.split_at(1);
        name.push_str(&first.to_ascii_uppercase());
        name.push_str(rest);
        name
    })
}

fn class<'py>(py: Python<'py>, name: &str, family: &str) -> PyResult<Bound<'py, PyType>> {
    let body = PyDict::new(py);
    body.set_item("__module__", "pythonanywhere_api")?;
    body.set_item("__slots__", PyTuple::empty(py))?;
    body.set_item("__doc__", format!("The calls of `{family}`. Documented in `_core.pyi`."))?;
    let class = py.get_type::<PyType>().call1((name, (py.get_type::<Family>(),), body))?;
    Ok(class.cast_into()?)
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

async fn upload(core: &client::Client, host: &HostThread, path: &str, upload: Upload) -> Result<CallAnswer> {
    let path = RemotePath::parse(path)?;
    // What was made for this upload lives until it has ended.
    let (content, _made) = upload.prepare(host).await?;
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
    run(arguments.py(), is_async, call.verb(), move |host| async move {
        let outcome = match given {
            Given::Values(values) => core.call(call, &values).await,
            Given::Upload(path, content) => upload(&core, &host, &path, content).await,
        };
        core.persist_budget();
        Outcome(outcome)
    })
}

/// Runs an operation that may use the caller's thread: at once, or when the coroutine that it returns is awaited.
pub(super) fn run<'py, T, F>(
    py: Python<'py>,
    is_async: bool,
    name: &'static str,
    make: impl FnOnce(HostThread) -> F + Send + 'static,
) -> PyResult<Bound<'py, PyAny>>
where
    T: for<'any> IntoPyObject<'any> + Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    if is_async {
        let coroutine = awaitable(name, move |host| {
            let operation = make(host);
            async move { Ok(operation.await) }
        });
        return Ok(Bound::new(py, coroutine)?.into_any());
    }
    wait(py, make)?.into_bound_py_any(py)
}
