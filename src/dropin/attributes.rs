//! What the attributes of an instance mean.

use crate::client::RemotePath;
use crate::error::{Error, Result};

/// What stands before a path in the address of a file.
const FILES: &str = "files/path";

/// The attribute `base_url`, which a new instance makes of `web_domain` and `web_user`.
#[must_use]
pub fn base_url(web_domain: &str, web_user: &str) -> String {
    let scheme = if web_domain.contains("://") { "" } else { "https://" };
    format!("{scheme}{}/api/v0/user/{web_user}/", web_domain.trim_end_matches('/'))
}

/// The attribute `pkg_files_url_part` for a project's folder, which has no slash at its end.
#[must_use]
pub fn files_url_part(folder: &str) -> String {
    format!("{FILES}{folder}/")
}

/// The folder of a project, where none was given.
#[must_use]
pub fn project_folder(web_user: &str, project_name: &str) -> String {
    format!("/home/{web_user}/{project_name}")
}

/// The folder that an instance was given as `remote_root`, without a slash at its end.
#[must_use]
pub fn given_folder(remote_root: &str) -> &str {
    remote_root.trim_end_matches('/')
}

/// The folder that the attributes `project_name` and `pkg_files_url_part` name. `remote_root` is what the instance was made
/// with, if anything.
///
/// # Errors
/// `Config` if one of them names none. The root of the file system is none: all files of the account would be the project's,
/// and deleted with it.
pub fn project_root(project_name: &str, files_url_part: &str, remote_root: Option<&str>) -> Result<RemotePath> {
    if project_name.is_empty() || project_name.contains(['/', '\0']) || matches!(project_name, "." | "..") {
        return Err(Error::config(format!(
            "{project_name:?} cannot be a project name: give the name of the project's folder, without \"/\" and \"..\""
        )));
    }
    match files_url_part.strip_prefix(FILES).filter(|path| path.starts_with('/') && !given_folder(path).is_empty()) {
        Some(path) => RemotePath::parse(path),
        None => Err(no_folder(files_url_part, remote_root)),
    }
}

/// Why there is no folder, in the words of what the caller gave.
fn no_folder(files_url_part: &str, remote_root: Option<&str>) -> Error {
    // The attribute may have been set since.
    match remote_root.filter(|root| self::files_url_part(given_folder(root)) == files_url_part) {
        Some(root) => Error::config(format!(
            "remote_root is {root:?}: give the absolute path of the project's folder, such as \"/home/me/mysite\", or leave \
             it out"
        )),
        None => Error::config(format!(
            "pkg_files_url_part is {files_url_part:?}: it must be \"files/path/\" followed by the project's folder"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{base_url, files_url_part, given_folder, project_folder, project_root};

    #[test]
    fn a_domain_is_spoken_to_by_https_unless_it_says_how() {
        assert_eq!(base_url("www.example.com", "me"), "https://www.example.com/api/v0/user/me/");
        assert_eq!(base_url("http://127.0.0.1:8000/", "me"), "http://127.0.0.1:8000/api/v0/user/me/");
    }

    #[test]
    fn the_address_of_the_files_leads_back_to_the_folder() {
        let part = files_url_part(&project_folder("me", "site"));
        assert_eq!(part, "files/path/home/me/site/");
        assert_eq!(project_root("site", &part, None).unwrap().as_str(), "/home/me/site");
    }

    #[test]
    fn attributes_that_name_no_folder_say_so() {
        for name in ["", ".", "..", "a/b", "a\0"] {
            let error = project_root(name, "files/path/home/me/site/", None).unwrap_err().to_string();
            assert!(error.contains("cannot be a project name"), "{name:?}: {error}");
        }
        for part in ["", "files/path", "files/path/", "files/path//", "files/paths/home/me/site/", "/home/me/site"] {
            let error = project_root("site", part, Some("/home/me/site")).unwrap_err().to_string();
            assert!(error.contains("pkg_files_url_part is"), "{part:?}: {error}");
        }
    }
    #[test]
    fn a_remote_root_that_names_no_folder_says_so() {
        for root in ["", "/", "//", "rel", "rel/", "~/site"] {
            let part = files_url_part(given_folder(root));
            let error = project_root("site", &part, Some(root)).unwrap_err().to_string();
            assert!(error.contains(&format!("remote_root is {root:?}: give the absolute path")), "{error}");
        }
        assert_eq!(project_root("site", "files/path/x/", Some("/x/")).unwrap().as_str(), "/x");
    }
}
