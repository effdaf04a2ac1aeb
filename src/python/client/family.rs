//! The base of the classes of the families.

use pyo3::prelude::*;

use super::classes::ClientBase;
use crate::client;

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
        match parent.cast::<ClientBase>() {
            Ok(client) => Ok(Self { core: client.get().core.clone() }),
            Err(_) => Ok(Self { core: parent.cast::<Self>()?.get().core.clone() }),
        }
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        Ok(format!("<{} of {}>", slf.get_type().name()?, slf.get().core.user()))
    }
}
