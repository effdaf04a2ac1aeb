//! Keyword arguments of methods that take many: read by name, and unknown ones are rejected as Python rejects them.

use std::collections::BTreeMap;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict};

use super::arguments::{mapping, texts};
use crate::deploy::{ExecutorChoice, ExecutorOptions};
use crate::host::Variables;
use crate::python::errors::IntoPy;

/// The keywords of one call. `None` means that one was left out.
pub(super) struct Keywords<'py> {
    method: &'static str,
    left: Bound<'py, PyDict>,
}

impl<'py> Keywords<'py> {
    pub(super) fn new(py: Python<'py>, method: &'static str, given: Option<&Bound<'py, PyDict>>) -> PyResult<Self> {
        let left = given.map_or_else(|| Ok(PyDict::new(py)), PyDictMethods::copy)?;
        Ok(Self { method, left })
    }

    pub(super) fn take(&self, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let value = self.left.get_item(name)?;
        if value.is_some() {
            self.left.del_item(name)?;
        }
        Ok(value.filter(|value| !value.is_none()))
    }

    pub(super) fn flag(&self, name: &str) -> PyResult<bool> {
        match self.take(name)? {
            None => Ok(false),
            Some(value) if value.is_instance_of::<PyBool>() => value.extract(),
            Some(_) => Err(PyTypeError::new_err(format!("{name} must be a bool"))),
        }
    }

    pub(super) fn text(&self, name: &str) -> PyResult<Option<String>> {
        let wrong = |_| PyTypeError::new_err(format!("{name} must be a str"));
        self.take(name)?.map(|value| value.extract().map_err(wrong)).transpose()
    }

    pub(super) fn texts(&self, name: &str) -> PyResult<Vec<String>> {
        Ok(self.optional_texts(name)?.unwrap_or_default())
    }

    pub(super) fn optional_texts(&self, name: &str) -> PyResult<Option<Vec<String>>> {
        self.take(name)?.map(|value| texts(name, &value)).transpose()
    }

    pub(super) fn number(&self, name: &str) -> PyResult<Option<usize>> {
        let wrong = |_| PyTypeError::new_err(format!("{name} must be an int, 0 or more"));
        self.take(name)?.map(|value| value.extract().map_err(wrong)).transpose()
    }

    /// Environment variables for commands on the host: a mapping of texts.
    pub(super) fn variables(&self) -> PyResult<Variables> {
        let Some(given) = self.take("env")? else { return Ok(Variables::default()) };
        let pairs: BTreeMap<String, String> = mapping(&given, "env must be a mapping of str to str")?;
        Variables::new(pairs).into_py(self.left.py())
    }

    /// The web app whose agent may be asked, and its address.
    pub(super) fn site(&self) -> PyResult<ExecutorOptions> {
        let (domain, site_url) = (self.text("domain")?, self.text("site_url")?);
        Ok(ExecutorOptions { domain, site_url, ..ExecutorOptions::default() })
    }

    /// The executor and its options.
    pub(super) fn executors(&self) -> PyResult<ExecutorOptions> {
        let choice = self.text("executor")?.unwrap_or_else(|| "auto".to_owned());
        let choice: ExecutorChoice = choice.parse().into_py(self.left.py())?;
        let console = self.number("console")?.map(|id| id as u64);
        if console.is_some() && choice != ExecutorChoice::Console {
            return Err(PyTypeError::new_err("console is for executor=\"console\" only"));
        }
        let site = self.site()?;
        Ok(ExecutorOptions { choice, console, allow_tasks: self.flag("allow_tasks")?, ..site })
    }

    /// Rejects unknown keywords.
    pub(super) fn finish(self) -> PyResult<()> {
        match self.left.keys().iter().next() {
            None => Ok(()),
            Some(name) => Err(PyTypeError::new_err(format!(
                "{}() got an unexpected keyword argument '{}'",
                self.method,
                name.str()?
            ))),
        }
    }
}
