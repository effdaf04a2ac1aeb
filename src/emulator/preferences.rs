//! The account's settings: default Python versions, the system image, and the list of students.
//!
//! They are stored and returned, and have no other effect: this machine has the Python that it has, which is the default
//! where the system image has it. The image decides which versions can be chosen (<https://help.pythonanywhere.com/pages/ChangingSystemImage/>).

use std::sync::{Mutex, MutexGuard};

use super::settings::Settings;
use crate::locks::lock;

/// The system images, oldest first, with their versions of Python.
const IMAGES: [(&str, &[&str]); 3] = [
    ("glastonbury", &["2.7", "3.6", "3.7", "3.8", "3.9"]),
    ("haggis", &["2.7", "3.7", "3.8", "3.9", "3.10"]),
    ("innit", &["3.10", "3.11", "3.12", "3.13"]),
];

/// A setting of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preference {
    /// The version that `python3` runs.
    Python3,
    /// The version that `python` runs.
    Python,
    /// The version that the editor's "Save & Run" button runs.
    SaveAndRun,
    /// The operating system image.
    SystemImage,
}

/// The versions of Python 3 in any image.
pub(crate) fn python3_versions() -> impl Iterator<Item = &'static str> {
    IMAGES.iter().flat_map(|(_, versions)| versions.iter().copied()).filter(|version| version.starts_with("3."))
}

impl Preference {
    /// The name of its field.
    pub fn name(self) -> &'static str {
        match self {
            Self::Python3 => "default_python3_version",
            Self::Python => "default_python_version",
            Self::SaveAndRun => "default_save_and_run_python_version",
            Self::SystemImage => "system_image",
        }
    }

    /// The name of the field that lists the choices.
    pub fn name_of_choices(self) -> &'static str {
        match self {
            Self::Python3 => "available_python3_versions",
            Self::Python | Self::SaveAndRun => "available_python_versions",
            Self::SystemImage => "available_system_images",
        }
    }
}

/// The preferences of one account, in memory.
#[derive(Debug)]
pub struct PreferenceStore(Mutex<Preferences>);

#[derive(Debug)]
pub(crate) struct Preferences {
    /// The names of the account's students.
    pub students: Vec<String>,
    image: &'static str,
    python3: &'static str,
    python: &'static str,
    save_and_run: &'static str,
}

impl PreferenceStore {
    /// The newest image. The default is the version that `python` really is (such as `3.11`), if the image has it:
    /// what is made for another version could not run on this machine.
    pub(crate) fn new(settings: &Settings, python: &str) -> Self {
        let (image, versions) = IMAGES[IMAGES.len() - 1];
        let newest = versions[versions.len() - 1];
        let default = versions.iter().find(|version| **version == python).copied().unwrap_or(newest);
        Self(Mutex::new(Preferences {
            students: settings.students.clone(),
            image,
            python3: default,
            python: default,
            save_and_run: default,
        }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Preferences> {
        lock(&self.0)
    }
}

impl Preferences {
    /// The current choice.
    pub fn get(&self, preference: Preference) -> &'static str {
        match preference {
            Preference::Python3 => self.python3,
            Preference::Python => self.python,
            Preference::SaveAndRun => self.save_and_run,
            Preference::SystemImage => self.image,
        }
    }

    /// The possible choices.
    pub fn choices(&self, preference: Preference) -> &'static [&'static str] {
        const NAMES: [&str; IMAGES.len()] = [IMAGES[0].0, IMAGES[1].0, IMAGES[2].0];
        let versions = IMAGES.iter().find(|(image, _)| *image == self.image).map_or(&[][..], |(_, versions)| versions);
        match preference {
            Preference::SystemImage => &NAMES,
            Preference::Python3 => &versions[versions.iter().take_while(|version| !version.starts_with('3')).count()..],
            Preference::Python | Preference::SaveAndRun => versions,
        }
    }

    /// Makes a choice; an invalid one is ignored. A new image replaces the versions that it lacks by its newest.
    pub fn set(&mut self, preference: Preference, value: &str) {
        let Some(value) = self.choices(preference).iter().find(|choice| **choice == value) else { return };
        match preference {
            Preference::Python3 => self.python3 = value,
            Preference::Python => self.python = value,
            Preference::SaveAndRun => self.save_and_run = value,
            Preference::SystemImage => {
                self.image = value;
                for preference in [Preference::Python3, Preference::Python, Preference::SaveAndRun] {
                    let choices = self.choices(preference);
                    if let (false, Some(newest)) = (choices.contains(&self.get(preference)), choices.last()) {
                        self.set(preference, newest);
                    }
                }
            }
        }
    }
}
