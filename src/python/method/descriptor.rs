//! The descriptor that stands in a class for a method of a table.
//!
//! It binds through `types.MethodType`, the type of every bound method, rather than by a type of its own: that is what
//! `inspect`, `functools`, `pickle` and `unittest.mock` know how to treat.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyTuple, PyType};

use super::binding::{Arguments, bind, default_value, positional};
use crate::parameters::{Kind, Parameter};
use crate::python::class_body::class_body;

/// Does the work of a method: takes the object and the bound arguments.
type Handler = dyn for<'py> Fn(&Bound<'py, PyAny>, Arguments<'py>) -> PyResult<Bound<'py, PyAny>> + Send + Sync;

/// A method of a table, not yet in a class.
pub(in crate::python) struct TableMethod {
    name: &'static str,
    parameters: &'static [Parameter],
    doc: String,
    handler: Box<Handler>,
    adapt: Option<Adapt>,
}

/// Changes the positional arguments, of which the object is the first, before they are bound.
type Adapt = for<'py> fn(&Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyTuple>>;

impl TableMethod {
    /// A method of this name. The handler refuses objects that it is not for.
    pub(in crate::python) fn new(
        name: &'static str,
        parameters: &'static [Parameter],
        doc: impl Into<String>,
        handler: impl for<'py> Fn(&Bound<'py, PyAny>, Arguments<'py>) -> PyResult<Bound<'py, PyAny>> + Send + Sync + 'static,
    ) -> Self {
        Self { name, parameters, doc: doc.into(), handler: Box::new(handler), adapt: None }
    }

    /// The same method, for callers who pass more than the table says.
    pub(in crate::python) fn adapting(self, adapt: Adapt) -> Self {
        Self { adapt: Some(adapt), ..self }
    }

    /// Makes it a method of `class`, as `def` in its body would.
    pub(in crate::python) fn add_to(self, class: &Bound<'_, PyType>) -> PyResult<()> {
        let py = class.py();
        let qualname = format!("{}.{}", class.qualname()?, self.name);
        let module = class.module()?.extract()?;
        let name = self.name;
        class.setattr(name, Bound::new(py, Function { method: self, qualname, module })?)
    }
}

// A method of a table, as the class holds it. No doc comment: Python would show it in place of the method's own. The name
// is that of CPython's own wrapper for callables that bind as methods do: Sphinx tells methods from attributes by it.
#[pyclass(name = "instancemethod", module = "pythonanywhere_api._core", frozen, weakref)]
struct Function {
    method: TableMethod,
    /// With the class, as in `WebfactionApi.system`.
    qualname: String,
    module: String,
}

class_body! {
    Function, this => {
        __name__: &'static str = this.method.name,
        __qualname__: &str = &this.qualname,
        __module__: &str = &this.module,
        __doc__: &str = &this.method.doc,
    }

    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        instance: Option<&Bound<'py, PyAny>>,
        _owner: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static METHOD_TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        match instance {
            None => Ok(slf.clone().into_any()),
            Some(instance) => METHOD_TYPE.import(slf.py(), "types", "MethodType")?.call1((slf, instance)),
        }
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let adapted = self.method.adapt.map(|adapt| adapt(args)).transpose()?;
        let args = adapted.as_ref().unwrap_or(args);
        let (object, arguments) = bind(&self.qualname, self.method.parameters, args, kwargs)?;
        (self.method.handler)(&object, arguments)
    }

    /// An `inspect.Signature`, made when somebody asks.
    #[getter(__signature__)]
    fn signature<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let inspect = py.import(intern!(py, "inspect"))?;
        let class = inspect.getattr(intern!(py, "Parameter"))?;
        let parameters = PyList::new(py, [class.call1(("self", class.getattr("POSITIONAL_OR_KEYWORD")?))?])?;
        let positional = positional(self.method.parameters);
        for (index, parameter) in self.method.parameters.iter().enumerate() {
            let kind = class.getattr(match parameter.kind {
                Kind::Rest => "VAR_POSITIONAL",
                Kind::Fields => "VAR_KEYWORD",
                _ if index < positional => "POSITIONAL_OR_KEYWORD",
                _ => "KEYWORD_ONLY",
            })?;
            let named = PyDict::new(py);
            if let Some(default) = parameter.default {
                named.set_item("default", default_value(py, default)?)?;
            }
            parameters.append(class.call((parameter.name, kind), Some(&named))?)?;
        }
        inspect.call_method1(intern!(py, "Signature"), (parameters,))
    }

    fn __repr__(&self) -> String {
        format!("<method {}>", self.qualname)
    }

    /// Pickled by name, as functions are.
    fn __reduce__(&self) -> &str {
        &self.qualname
    }
}
