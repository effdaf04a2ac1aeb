//! The service's endpoints as data: the name of each, its parameters, its request and its answer.
//!
//! [`Client::call`](crate::Client::call) performs them; the methods of both Python classes and the commands of `pya`
//! are generated from this table, so that an endpoint is described once. Paths are relative to the account. Parameters
//! in the path are in braces there, the others go into the body (or the query of GET and DELETE).
//!
//! Source: <https://help.pythonanywhere.com/pages/API/>.

use http::Method;

use crate::parameters::{Parameter, any, fields, flag, integer, text};

/// One method of one endpoint.
#[derive(Debug)]
pub struct EndpointCall {
    /// Family and verb, as in `webapps.static_files.list`.
    pub name: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// The path below the account, with parameters in braces.
    pub path: &'static str,
    /// Its parameters, in order.
    pub parameters: &'static [Parameter],
    /// How the parameters that are not in the path are sent.
    pub sends: Sends,
    /// What its answer is.
    pub answers: Answers,
    /// What it does, in a sentence.
    pub doc: &'static str,
}

/// How parameters are sent. A parameter without a value (`None`) is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sends {
    /// There are no parameters to send.
    Nothing,
    /// In the URL.
    Query,
    /// As form fields.
    Form,
    /// As JSON.
    Json,
    /// The one parameter, as the form field of this name.
    Field(&'static str),
    /// Only this field with this value, as JSON.
    Fixed(&'static str, &'static str),
    /// As JSON, with the command in the field `webapp`.
    Website,
    /// As the file of a multipart form.
    File,
}

/// What the answer is turned into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// Nothing, whatever the service answers.
    Nothing,
    /// A JSON object.
    Object,
    /// A list of JSON objects.
    Objects,
    /// A list of strings.
    Texts,
    /// JSON of any shape.
    Any,
    /// The list in this field.
    ListIn(&'static str),
    /// The string in this field.
    TextIn(&'static str),
    /// The bytes of a file.
    Content,
    /// Name to type and URL.
    Listing,
    /// Whether a file is new.
    Created,
    /// An address, made absolute.
    Address,
    /// An address, or nothing where the service answers 404.
    AddressIfAny,
    /// A web app, unless the service answers 200 with an error in it.
    NewWebapp,
    /// The answer to a reload, perhaps with a warning.
    Reload,
    /// A certificate.
    Certificate,
}

impl EndpointCall {
    /// The family, as in `webapps.static_files`.
    #[must_use]
    pub fn family(&self) -> &'static str {
        self.name.rsplit_once('.').map_or("", |(family, _)| family)
    }

    /// The name within the family, as in `list`.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        self.name.rsplit_once('.').map_or(self.name, |(_, verb)| verb)
    }

    /// The version of the API.
    #[must_use]
    pub fn version(&self) -> u8 {
        u8::from(self.name.starts_with("websites.") || self.name.starts_with("domains."))
    }

    /// Whether a parameter stands in the path.
    #[must_use]
    pub fn is_in_path(&self, parameter: &Parameter) -> bool {
        self.path.split('{').skip(1).any(|rest| rest.split('}').next().is_some_and(|name| name == parameter.name))
    }

    /// What it returns, in words.
    #[must_use]
    pub fn returns(&self) -> &'static str {
        match self.answers {
            Answers::Nothing => "Nothing.",
            Answers::Object | Answers::NewWebapp => "The service's dict.",
            Answers::Objects | Answers::ListIn(_) => "A list of the service's dicts.",
            Answers::Texts => "A list of strings.",
            Answers::Any => "What the service answers: a list or a dict.",
            Answers::TextIn(_) => "The text, terminal escapes included.",
            Answers::Content => "The bytes of the file.",
            Answers::Listing => "A dict, name to a dict with type (file or directory) and url.",
            Answers::Created => "True if the file is new, false if it was replaced.",
            Answers::Address => "The absolute URL.",
            Answers::AddressIfAny => "The absolute URL, or None if the file is not shared.",
            Answers::Certificate => "The service's dict, with not_after also as an aware datetime: not_after_datetime.",
            Answers::Reload => "The service's dict. A warning of the service is issued as PythonAnywhereWarning.",
        }
    }
}

/// The call of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static EndpointCall> {
    CALLS.iter().find(|call| call.name == name)
}

/// Every family and what it is part of, in the order of the table.
#[must_use]
pub fn families() -> Vec<&'static str> {
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

const fn call(
    name: &'static str,
    method: Method,
    path: &'static str,
    parameters: &'static [Parameter],
    sends: Sends,
    answers: Answers,
    doc: &'static str,
) -> EndpointCall {
    EndpointCall { name, method, path, parameters, sends, answers, doc }
}

const fn get(
    name: &'static str,
    path: &'static str,
    parameters: &'static [Parameter],
    answers: Answers,
    doc: &'static str,
) -> EndpointCall {
    call(name, Method::GET, path, parameters, Sends::Nothing, answers, doc)
}

const fn delete(
    name: &'static str,
    path: &'static str,
    parameters: &'static [Parameter],
    doc: &'static str,
) -> EndpointCall {
    call(name, Method::DELETE, path, parameters, Sends::Nothing, Answers::Nothing, doc)
}

const fn change(
    name: &'static str,
    method: Method,
    path: &'static str,
    parameters: &'static [Parameter],
    sends: Sends,
    doc: &'static str,
) -> EndpointCall {
    call(name, method, path, parameters, sends, Answers::Object, doc)
}

/// A POST whose answer contains nothing worth returning.
const fn order(
    name: &'static str,
    path: &'static str,
    parameters: &'static [Parameter],
    sends: Sends,
    doc: &'static str,
) -> EndpointCall {
    call(name, Method::POST, path, parameters, sends, Answers::Nothing, doc)
}

const ID: &[Parameter] = &[any("id")];
const ID_AND_FIELDS: &[Parameter] = &[any("id"), fields("fields")];
const DOMAIN: &[Parameter] = &[text("domain_name")];
const DOMAIN_AND_FIELDS: &[Parameter] = &[text("domain_name"), fields("fields")];
const DOMAIN_AND_ID: &[Parameter] = &[text("domain_name"), any("id")];
const DOMAIN_ID_AND_FIELDS: &[Parameter] = &[text("domain_name"), any("id"), fields("fields")];
const PATH: &[Parameter] = &[text("path")];
const VERSION: &[Parameter] = &[text("version")];
const LETS_ENCRYPT: Sends = Sends::Fixed("cert_type", "letsencrypt-auto-renew");

use Answers::{
    Address, AddressIfAny, Any, Certificate, Content, Created, ListIn, Listing, NewWebapp, Object, Objects, Reload,
    TextIn, Texts,
};
use Sends::{Field, File, Form, Json, Query, Website};

/// Every call, by family.
pub const CALLS: &[EndpointCall] = &[
    // ---- Always-on tasks
    get("always_on.list", "always_on/", &[], Objects, "Lists the always-on tasks."),
    change(
        "always_on.create",
        Method::POST,
        "always_on/",
        &[text("command"), text("description").or_text(""), flag("enabled").or_flag(true)],
        Json,
        "Creates an always-on task. It starts at once if it is enabled.",
    ),
    get("always_on.get", "always_on/{id}/", ID, Object, "Returns an always-on task."),
    change(
        "always_on.replace",
        Method::PUT,
        "always_on/{id}/",
        ID_AND_FIELDS,
        Json,
        "Sets all fields of an always-on task: command, description, enabled.",
    ),
    change(
        "always_on.update",
        Method::PATCH,
        "always_on/{id}/",
        ID_AND_FIELDS,
        Json,
        "Sets some fields of an always-on task: command, description, enabled.",
    ),
    delete("always_on.delete", "always_on/{id}/", ID, "Stops and deletes an always-on task."),
    change(
        "always_on.restart",
        Method::POST,
        "always_on/{id}/restart/",
        ID,
        Sends::Nothing,
        "Restarts the task's process.",
    ),
    // ---- Consoles
    get("consoles.list", "consoles/", &[], Objects, "Lists the consoles."),
    change(
        "consoles.create",
        Method::POST,
        "consoles/",
        &[text("executable").or_text("bash"), text("arguments").or_text(""), text("working_directory").or_none()],
        Json,
        "Creates a console, which starts when its page is opened in a browser. 429 means that no more are allowed.",
    ),
    get(
        "consoles.shared_with_you",
        "consoles/shared_with_you/",
        &[],
        Objects,
        "Lists the consoles that other users share with this account.",
    ),
    get("consoles.get", "consoles/{id}/", ID, Object, "Returns a console."),
    delete("consoles.delete", "consoles/{id}/", ID, "Closes a console."),
    get(
        "consoles.latest_output",
        "consoles/{id}/get_latest_output/",
        ID,
        TextIn("output"),
        "Returns about the last 500 characters of a console's output.",
    ),
    order(
        "consoles.send_input",
        "consoles/{id}/send_input/",
        &[any("id"), text("input")],
        Form,
        "Types text into a console; end a line with a newline. The limit is 120 requests a minute.",
    ),
    // ---- CPU
    get(
        "cpu.get",
        "cpu/",
        &[],
        Object,
        "Returns the CPU seconds of the day: daily_cpu_limit_seconds, daily_cpu_total_usage_seconds, next_reset_time.",
    ),
    // ---- Databases
    get("databases.mysql", "databases/mysql/", &[], Any, "Lists the MySQL databases."),
    // ---- Python versions
    get(
        "python_versions.default_python3_version",
        "default_python3_version/",
        &[],
        Object,
        "Returns the default Python 3 version and the available ones.",
    ),
    change(
        "python_versions.set_default_python3_version",
        Method::PATCH,
        "default_python3_version/",
        VERSION,
        Field("default_python3_version"),
        "Sets the default Python 3 version.",
    ),
    get(
        "python_versions.default_python_version",
        "default_python_version/",
        &[],
        Object,
        "Returns the default Python version and the available ones.",
    ),
    change(
        "python_versions.set_default_python_version",
        Method::PATCH,
        "default_python_version/",
        VERSION,
        Field("default_python_version"),
        "Sets the default Python version.",
    ),
    get(
        "python_versions.default_save_and_run_python_version",
        "default_save_and_run_python_version/",
        &[],
        Object,
        "Returns the Python version of the editor's run button and the available ones.",
    ),
    change(
        "python_versions.set_default_save_and_run_python_version",
        Method::PATCH,
        "default_save_and_run_python_version/",
        VERSION,
        Field("default_save_and_run_python_version"),
        "Sets the Python version of the editor's run button.",
    ),
    // ---- Files
    get("files.read", "files/path{path}", PATH, Content, "Reads a file. Raises DecodeError if it is a folder."),
    get(
        "files.list",
        "files/path{path}",
        PATH,
        Listing,
        "Lists a folder, one level deep. Raises DecodeError if it is a file.",
    ),
    call(
        "files.upload",
        Method::POST,
        "files/path{path}",
        &[text("path"), any("content")],
        File,
        Created,
        "Writes a file, creating its folders and replacing an existing file.",
    ),
    delete("files.delete", "files/path{path}", PATH, "Deletes a file, or a folder and everything in it."),
    call(
        "files.share",
        Method::POST,
        "files/sharing/",
        PATH,
        Json,
        Address,
        "Shares a file: anyone who knows the address can read it.",
    ),
    call(
        "files.sharing_url",
        Method::GET,
        "files/sharing/",
        PATH,
        Query,
        AddressIfAny,
        "Returns the address at which a file is shared.",
    ),
    call("files.unshare", Method::DELETE, "files/sharing/", PATH, Query, Answers::Nothing, "Stops sharing a file."),
    call(
        "files.tree",
        Method::GET,
        "files/tree/",
        PATH,
        Query,
        Texts,
        "Returns the paths two levels deep; folders end with a slash. Silently cut to 1000 entries: a hint, not a basis for decisions.",
    ),
    // ---- Scheduled tasks
    get("schedule.list", "schedule/", &[], Objects, "Lists the scheduled tasks."),
    change(
        "schedule.create",
        Method::POST,
        "schedule/",
        &[
            text("command"),
            integer("minute"),
            integer("hour").or_none(),
            text("interval").or_text("daily"),
            flag("enabled").or_flag(true),
            text("description").or_text(""),
        ],
        Json,
        "Creates a scheduled task, daily at hour and minute (UTC) or hourly at a minute.",
    ),
    get("schedule.get", "schedule/{id}/", ID, Object, "Returns a scheduled task."),
    change(
        "schedule.replace",
        Method::PUT,
        "schedule/{id}/",
        ID_AND_FIELDS,
        Json,
        "Sets all fields of a scheduled task: command, enabled, interval, hour, minute, description.",
    ),
    change(
        "schedule.update",
        Method::PATCH,
        "schedule/{id}/",
        ID_AND_FIELDS,
        Json,
        "Sets some fields of a scheduled task: command, enabled, interval, hour, minute, description.",
    ),
    delete("schedule.delete", "schedule/{id}/", ID, "Deletes a scheduled task."),
    // ---- Students
    get("students.list", "students/", &[], ListIn("students"), "Lists the account's students."),
    delete(
        "students.delete",
        "students/{student}/",
        &[text("student")],
        "Removes a student from the account's students.",
    ),
    // ---- System image
    get("system_image.get", "system_image/", &[], Object, "Returns the system image and the available ones."),
    change(
        "system_image.set",
        Method::PATCH,
        "system_image/",
        &[text("image")],
        Field("system_image"),
        "Sets the system image.",
    ),
    // ---- Web apps
    get("webapps.list", "webapps/", &[], Objects, "Lists the web apps."),
    call(
        "webapps.create",
        Method::POST,
        "webapps/",
        &[text("domain_name"), text("python_version")],
        Form,
        NewWebapp,
        "Creates a web app with manual configuration and overwrites its WSGI file. The version is written like python313 or 3.13.",
    ),
    get("webapps.get", "webapps/{domain_name}/", DOMAIN, Object, "Returns the configuration of a web app."),
    change(
        "webapps.replace",
        Method::PUT,
        "webapps/{domain_name}/",
        DOMAIN_AND_FIELDS,
        Form,
        "Sets all fields of a web app; a reload applies them: python_version, source_directory, virtualenv_path, force_https, password_protection_enabled, password_protection_username, password_protection_password.",
    ),
    change(
        "webapps.update",
        Method::PATCH,
        "webapps/{domain_name}/",
        DOMAIN_AND_FIELDS,
        Form,
        "Sets some of the fields that replace takes; a reload applies them.",
    ),
    delete("webapps.delete", "webapps/{domain_name}/", DOMAIN, "Deletes a web app. The site goes offline; files stay."),
    order("webapps.disable", "webapps/{domain_name}/disable/", DOMAIN, Sends::Nothing, "Takes a web app offline."),
    order("webapps.enable", "webapps/{domain_name}/enable/", DOMAIN, Sends::Nothing, "Puts a web app back online."),
    call(
        "webapps.reload",
        Method::POST,
        "webapps/{domain_name}/reload/",
        DOMAIN,
        Sends::Nothing,
        Reload,
        "Reloads a web app. It is not repeated after a time-out, because the web app may have been reloaded.",
    ),
    // ---- Web apps: certificates
    get("webapps.ssl.get", "webapps/{domain_name}/ssl/", DOMAIN, Certificate, "Returns the certificate of a web app."),
    order(
        "webapps.ssl.set",
        "webapps/{domain_name}/ssl/",
        &[text("domain_name"), text("cert"), text("private_key")],
        Json,
        "Sets the certificate of a web app, given as certificate chain and private key in PEM.",
    ),
    order(
        "webapps.ssl.set_lets_encrypt",
        "webapps/{domain_name}/ssl/",
        DOMAIN,
        LETS_ENCRYPT,
        "Asks the service to obtain a certificate from Let's Encrypt and to renew it.",
    ),
    delete("webapps.ssl.delete", "webapps/{domain_name}/ssl/", DOMAIN, "Removes the certificate of a web app."),
    // ---- Web apps: static files
    get(
        "webapps.static_files.list",
        "webapps/{domain_name}/static_files/",
        DOMAIN,
        Objects,
        "Lists the static file mappings of a web app.",
    ),
    change(
        "webapps.static_files.create",
        Method::POST,
        "webapps/{domain_name}/static_files/",
        &[text("domain_name"), text("url"), text("path")],
        Json,
        "Maps a URL to a folder; a reload applies it.",
    ),
    get(
        "webapps.static_files.get",
        "webapps/{domain_name}/static_files/{id}/",
        DOMAIN_AND_ID,
        Object,
        "Returns a static file mapping.",
    ),
    change(
        "webapps.static_files.replace",
        Method::PUT,
        "webapps/{domain_name}/static_files/{id}/",
        &[text("domain_name"), any("id"), text("url"), text("path")],
        Json,
        "Sets the URL and folder of a mapping; a reload applies them.",
    ),
    change(
        "webapps.static_files.update",
        Method::PATCH,
        "webapps/{domain_name}/static_files/{id}/",
        DOMAIN_ID_AND_FIELDS,
        Json,
        "Sets the URL or folder of a mapping (url, path); a reload applies it.",
    ),
    delete(
        "webapps.static_files.delete",
        "webapps/{domain_name}/static_files/{id}/",
        DOMAIN_AND_ID,
        "Removes a mapping; a reload applies it.",
    ),
    // ---- Web apps: static headers
    get(
        "webapps.static_headers.list",
        "webapps/{domain_name}/static_headers/",
        DOMAIN,
        Objects,
        "Lists the static headers of a web app.",
    ),
    change(
        "webapps.static_headers.create",
        Method::POST,
        "webapps/{domain_name}/static_headers/",
        &[text("domain_name"), text("url"), text("name"), text("value")],
        Json,
        "Adds a header to the responses below a URL; a reload applies it.",
    ),
    get(
        "webapps.static_headers.get",
        "webapps/{domain_name}/static_headers/{id}/",
        DOMAIN_AND_ID,
        Object,
        "Returns a static header.",
    ),
    change(
        "webapps.static_headers.replace",
        Method::PUT,
        "webapps/{domain_name}/static_headers/{id}/",
        &[text("domain_name"), any("id"), text("url"), text("name"), text("value")],
        Json,
        "Sets the URL, name and value of a header; a reload applies them.",
    ),
    change(
        "webapps.static_headers.update",
        Method::PATCH,
        "webapps/{domain_name}/static_headers/{id}/",
        DOMAIN_ID_AND_FIELDS,
        Json,
        "Sets the URL, name or value of a header (url, name, value); a reload applies it.",
    ),
    delete(
        "webapps.static_headers.delete",
        "webapps/{domain_name}/static_headers/{id}/",
        DOMAIN_AND_ID,
        "Removes a header; a reload applies it.",
    ),
    // ---- Websites
    get("websites.list", "websites/", &[], Objects, "Lists the websites, each of which is served by a command."),
    change(
        "websites.create",
        Method::POST,
        "websites/",
        &[text("domain_name"), text("command"), flag("enabled").or_flag(true)],
        Website,
        "Creates a website that a command serves on a socket.",
    ),
    get("websites.get", "websites/{domain_name}/", DOMAIN, Object, "Returns a website."),
    change(
        "websites.update",
        Method::PATCH,
        "websites/{domain_name}/",
        DOMAIN_AND_FIELDS,
        Json,
        "Sets some fields of a website: enabled, or webapp with a command.",
    ),
    delete("websites.delete", "websites/{domain_name}/", DOMAIN, "Deletes a website."),
    order("websites.reload", "websites/{domain_name}/reload/", DOMAIN, Sends::Nothing, "Restarts a website's command."),
    // ---- Domains
    get(
        "domains.ssl.get",
        "domains/{domain_name}/ssl/",
        DOMAIN,
        Certificate,
        "Returns the certificate of a website's domain.",
    ),
    change(
        "domains.ssl.set_lets_encrypt",
        Method::POST,
        "domains/{domain_name}/ssl/",
        DOMAIN,
        LETS_ENCRYPT,
        "Asks the service to obtain a certificate from Let's Encrypt and to renew it.",
    ),
];
