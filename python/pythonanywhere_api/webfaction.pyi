"""WebFaction's XML-RPC API, for private servers that still offer it and for migrating old scripts.

The package does not import it by itself::

    from pythonanywhere_api.webfaction import WebfactionApi

    api = WebfactionApi("https://panel.example.com/RPC2")
    api.login("widgetsco", password)
    api.create_domain("widgetcompany.example", "www", "design")
"""

from collections.abc import Sequence
from typing import Any

from typing_extensions import Self

from .exceptions import WebfactionFault

__all__ = ["AsyncWebfactionApi", "WebfactionApi", "WebfactionFault"]

class WebfactionApi:
    """A server of the API, and the session with it.

    `login` starts the session, and the other calls use it. Each call is one XML-RPC ``POST`` to the URL, repeated only
    if no connection was made. Calls can be made from several threads. A script written for `xmlrpc.client`
    runs unchanged: a session that it passes itself is left out. The calls take their arguments by position or
    by name; defaults at the end are not sent. Neither session nor password appears in any error, log or repr.

    XML-RPC has ``None`` (nil), bool, int (up to 64 bits), float, str, bytes (base64), naive datetime (to the second),
    list (from tuples too) and dict with keys of str, and what the calls return is made of these.

    All calls raise:
        WebfactionFault: the server answered with a fault.
        ConfigError: there is no session yet, or an argument has no form in XML-RPC, such as a text with control
            characters; nothing was sent.
        OverflowError: an int has more than 64 bits; nothing was sent.
        TypeError: an argument is of another type than these; nothing was sent.
        TransportError: no answer came. It is unknown whether the server did anything.
        RequestTimeoutError: no answer came in time.
        ApiError: the server answered with an HTTP error status.
        DecodeError: the answer is not XML-RPC: malformed, with a document type, nested too deeply, or beyond 64 MiB.
    """

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self: ...
    def __init__(self, url: str = "https://api.webfaction.com/", *, timeout: float | None = None) -> None:
        """Sets up the server; no request is sent yet.

        Args:
            url: the server's URL: https, or plain http on this machine.
            timeout: seconds for each call, 300 by default.

        Raises:
            ConfigError: `url` is not such a URL.
        """

    @property
    def url(self) -> str:
        """The server's URL."""

    @property
    def session_id(self) -> str | None:
        """The session, ``None`` before `login`. Set it to continue a session that another process started."""

    @session_id.setter
    def session_id(self, session: str | None) -> None: ...
    def call(self, name: str, /, *args: Any) -> Any:
        """Calls a method of the API that this class does not have.

        Args:
            name: its name on the server, like ``"system.listMethods"``.
            *args: all arguments, in order, as they are: also the session (`session_id`), if the call takes it.
        """

    def login(self, username: str, password: str, machine: str | None = None) -> list[Any]:
        """Starts a session for the calls that follow.

        Args:
            username: a user of the control panel.
            password: the user's password, which is not kept.
            machine: the machine to work on, like ``"Web55"``, for accounts with several.

        Returns:
            The session ID, and a dict with ``id``, ``username``, ``home``, ``web_server`` and ``mail_server``.
        """

    # ---- Email

    def change_mailbox_password(self, mailbox: str, password: str) -> Any:
        """Sets the password of a mailbox.

        Args:
            mailbox: name of the mailbox.
            password: the new password.
        """

    def create_email(
        self,
        email_address: str,
        targets: str,
        autoresponder_on: bool = False,
        autoresponder_subject: str = "",
        autoresponder_message: str = "",
        autoresponder_from: str = "",
        script_machine: str = "",
        script_path: str = "",
    ) -> Any:
        """Creates an address.

        Args:
            email_address: the address, like ``name@example.com``.
            targets: mailboxes and addresses to deliver to, separated by commas.
            autoresponder_on: whether it answers by itself.
            autoresponder_subject: subject of that answer.
            autoresponder_message: body of that answer.
            autoresponder_from: sender of that answer.
            script_machine: the machine of a script that gets the mail.
            script_path: that script.
        """

    def create_mailbox(
        self,
        mailbox: str,
        enable_spam_protection: bool = True,
        discard_spam: bool = False,
        spam_redirect_folder: str = "",
        use_manual_procmailrc: bool = False,
        manual_procmailrc: str = "",
    ) -> dict[str, Any]:
        """Creates a mailbox.

        Args:
            mailbox: name of the mailbox.
            enable_spam_protection: whether spam is looked for.
            discard_spam: whether spam is thrown away, for ever.
            spam_redirect_folder: IMAP folder that spam goes to.
            use_manual_procmailrc: whether these procmail rules hold.
            manual_procmailrc: the rules.

        Returns:
            A dict: ``id``, ``name``, ``password`` (a generated one), and the settings given.
        """

    def delete_email(self, email_address: str) -> Any:
        """Deletes an address."""

    def delete_mailbox(self, mailbox: str) -> Any:
        """Deletes a mailbox."""

    def list_emails(self) -> list[dict[str, Any]]:
        """Lists the addresses.

        Returns:
            Dicts with ``id``, ``email_address``, ``targets``, and the autoresponder's settings.
        """

    def list_mailboxes(self) -> list[dict[str, Any]]:
        """Lists the mailboxes.

        Returns:
            Dicts with ``id``, ``mailbox``, and the settings of `create_mailbox`.
        """

    def update_email(
        self,
        email_address: str,
        targets: Sequence[str],
        autoresponder_on: bool = False,
        autoresponder_subject: str = "",
        autoresponder_message: str = "",
        autoresponder_from: str = "",
        script_machine: str = "",
        script_path: str = "",
    ) -> dict[str, Any]:
        """Changes an existing address.

        Args:
            email_address: the address, like ``name@example.com``.
            targets: the mailboxes to deliver to: a list, other than for `create_email`.
            autoresponder_on: whether it answers by itself.
            autoresponder_subject: subject of that answer.
            autoresponder_message: body of that answer.
            autoresponder_from: sender of that answer.
            script_machine: the machine of a script that gets the mail.
            script_path: that script.

        Returns:
            A dict: ``id``, ``email_address``, ``targets``.
        """

    def update_mailbox(
        self,
        mailbox: str,
        enable_spam_protection: bool = True,
        discard_spam: bool = False,
        spam_redirect_folder: str = "",
        use_manual_procmailrc: bool = False,
        manual_procmailrc: str = "",
    ) -> Any:
        """Changes an existing mailbox.

        Args:
            mailbox: name of the mailbox.
            enable_spam_protection: whether spam is looked for.
            discard_spam: whether spam is thrown away, for ever.
            spam_redirect_folder: IMAP folder that spam goes to.
            use_manual_procmailrc: whether these procmail rules hold.
            manual_procmailrc: the rules.
        """

    # ---- Websites and Domains

    def create_domain(self, domain: str, *subdomains: str) -> dict[str, Any]:
        """Creates a domain entry, or adds subdomains to an existing one.

        Args:
            domain: the domain, like ``example.com``.
            *subdomains: names before it, like ``"www"``.

        Returns:
            A dict: ``id``, ``domain``, ``subdomains``.
        """

    def create_website(
        self,
        website_name: str,
        ip: str,
        https: bool,
        subdomains: Sequence[str],
        *site_apps: Sequence[str],
    ) -> dict[str, Any]:
        """Creates a website.

        Args:
            website_name: name of the website.
            ip: address of the server.
            https: whether it is served over https.
            subdomains: the (sub)domains that it answers to.
            *site_apps: pairs: name of an application, and its path, like ``("django", "/")``.

        Returns:
            A dict: ``id``, ``name``, ``ip``, ``https``, ``subdomains``, ``site_apps``.
        """

    def update_website(
        self,
        website_name: str,
        ip: str,
        https: bool,
        subdomains: Sequence[str],
        *site_apps: Sequence[str],
    ) -> dict[str, Any]:
        """Changes an existing website, which its name and `https` identify.

        Args:
            website_name: name of the website.
            ip: address of the server.
            https: whether it is served over https.
            subdomains: the (sub)domains that it answers to.
            *site_apps: pairs: name of an application, and its path, like ``("django", "/")``.

        Returns:
            As `create_website`.
        """

    def delete_domain(self, domain: str, *subdomains: str) -> Any:
        """Deletes a domain entry, or only the subdomains that are given.

        Args:
            domain: the domain.
            *subdomains: names before it, like ``"www"``.
        """

    def delete_website(self, website_name: str, ip: str | None = None, https: bool | None = None) -> Any:
        """Deletes a website.

        Args:
            website_name: name of the website.
            ip: address of its server.
            https: whether it is served over https.
        """

    def list_domains(self) -> list[dict[str, Any]]:
        """Lists the domains.

        Returns:
            Dicts with ``id``, ``domain``, ``subdomains``.
        """

    def list_websites(self) -> list[dict[str, Any]]:
        """Lists the websites.

        Returns:
            Dicts with ``id``, ``name``, ``ip``, ``https``, ``subdomains``, ``website_apps`` (pairs of name and path).
        """

    # ---- Applications

    def create_app(self, name: str, type: str, autostart: bool, extra_info: str, script_code: str = "") -> Any:
        """Installs an application. The call takes as long as the installation.

        Args:
            name: name of the application.
            type: what it is, like ``"static"``; see `list_app_types`.
            autostart: whether it is started again by itself.
            extra_info: what this type needs to know, like a path.
            script_code: a script for it.
        """

    def delete_app(self, name: str) -> Any:
        """Deletes an application."""

    def list_apps(self) -> list[dict[str, Any]]:
        """Lists the applications.

        Returns:
            Dicts with ``id``, ``name``, ``type``, ``autostart``, ``port`` (0 without one), ``extra_info``, ``machine``.
        """

    def list_app_types(self) -> list[dict[str, Any]]:
        """Lists the applications that can be installed.

        Returns:
            Dicts with ``name``, ``description``, ``autostart``, ``extra_info``.
        """

    # ---- Cron

    def create_cronjob(self, line: str) -> Any:
        """Adds a line to the crontab."""

    def delete_cronjob(self, line: str) -> Any:
        """Removes a line from the crontab."""

    # ---- DNS

    def create_dns_override(
        self,
        domain: str,
        a_ip: str = "",
        cname: str = "",
        mx_name: str = "",
        mx_priority: str = "",
        spf_record: str = "",
    ) -> list[dict[str, Any]]:
        """Creates DNS records.

        Args:
            domain: the domain, like ``sub.example.com``.
            a_ip: address of the A record.
            cname: name of the CNAME record.
            mx_name: host of the MX record.
            mx_priority: its priority.
            spf_record: text of the TXT record.

        Returns:
            The records as dicts: ``id``, ``domain``, ``a_ip``, ``aaaa_ip``, ``cname``, ``mx_name``, ``mx_priority``,
            ``spf_record``, ``srv_record``.
        """

    def delete_dns_override(
        self,
        domain: str,
        a_ip: str = "",
        cname: str = "",
        mx_name: str = "",
        mx_priority: str = "",
        spf_record: str = "",
    ) -> list[dict[str, Any]]:
        """Deletes DNS records.

        Args:
            domain: the domain, like ``sub.example.com``.
            a_ip: address of the A record.
            cname: name of the CNAME record.
            mx_name: host of the MX record.
            mx_priority: its priority.
            spf_record: text of the TXT record.

        Returns:
            Those deleted, as `create_dns_override` returns them.
        """

    def list_dns_overrides(self) -> list[dict[str, Any]]:
        """Lists the DNS records.

        Returns:
            As `create_dns_override`.
        """

    # ---- Databases

    def change_db_user_password(self, username: str, password: str, db_type: str) -> dict[str, Any]:
        """Sets the password of a database user.

        Args:
            username: the database user.
            password: the new password.
            db_type: ``"mysql"`` or ``"postgresql"``.

        Returns:
            A dict: ``username``, ``machine``, ``db_type``, ``database``.
        """

    def create_db(self, name: str, db_type: str, password: str) -> Any:
        """Creates a database.

        Args:
            name: its name; MySQL's have at most 16 characters.
            db_type: ``"mysql"`` or ``"postgresql"``.
            password: that of its default user.
        """

    def create_db_user(self, username: str, password: str, db_type: str) -> dict[str, Any]:
        """Creates a database user.

        Args:
            username: the database user.
            password: the new password.
            db_type: ``"mysql"`` or ``"postgresql"``.

        Returns:
            A dict: ``machine``, ``username``, ``db_type``.
        """

    def delete_db(self, name: str, db_type: str) -> Any:
        """Deletes a database."""

    def delete_db_user(self, username: str, db_type: str) -> dict[str, Any]:
        """Deletes a database user.

        Returns:
            A dict: ``machine``, ``username``, ``db_type``.
        """

    def enable_addon(self, database: str, db_type: str, addon: str) -> dict[str, Any]:
        """Enables an extension of a PostgreSQL database.

        Args:
            database: name of the database.
            db_type: ``"postgresql"``.
            addon: ``"tsearch"`` or ``"postgis"``.

        Returns:
            A dict: ``machine``, ``db_type``, ``addon``, ``database``.
        """

    def grant_db_permissions(self, username: str, database: str, db_type: str) -> dict[str, Any]:
        """Grants a user all permissions on a database.

        Returns:
            A dict: ``username``, ``machine``, ``db_type``, ``database``.
        """

    def list_dbs(self) -> list[dict[str, Any]]:
        """Lists the databases.

        Returns:
            Dicts with ``id``, ``name``, ``db_type``, ``machine``.
        """

    def list_db_users(self) -> list[dict[str, Any]]:
        """Lists the database users.

        Returns:
            Dicts with ``username``, ``machine``, ``db_type``.
        """

    def make_user_owner_of_db(self, username: str, database: str, db_type: str) -> dict[str, Any]:
        """Makes a user the owner of a database.

        Returns:
            A dict: ``username``, ``machine``, ``db_type``, ``database``.
        """

    def revoke_db_permissions(self, username: str, database: str, db_type: str) -> dict[str, Any]:
        """Revokes a user's permissions on a database.

        Returns:
            A dict: ``username``, ``machine``, ``db_type``, ``database``.
        """

    # ---- Files

    def replace_in_file(self, filename: str, *changes: Sequence[str]) -> Any:
        """Replaces text in a file.

        Args:
            filename: path from the home folder.
            *changes: pairs: what to look for, and what to put there.
        """

    def write_file(self, filename: str, str: str | bytes, mode: str = "wb") -> Any:
        """Writes to a file.

        Args:
            filename: path from the home folder.
            str: the content.
            mode: as for `open`: ``"w"``, ``"wb"``, ``"a"``, ``"ab"``.
        """

    # ---- Shell Users

    def list_users(self) -> list[dict[str, Any]]:
        """Lists the shell users.

        Returns:
            Dicts with ``username``, ``machine``, ``shell``, ``groups``.
        """

    def change_user_password(self, username: str, password: str) -> dict[str, Any]:
        """Sets the password of a shell user.

        Args:
            username: the shell user.
            password: the new password.

        Returns:
            A dict: ``username``, ``machine``, ``shell``, ``groups``.
        """

    def create_user(self, username: str, shell: str, groups: Sequence[str]) -> dict[str, Any]:
        """Creates a shell user.

        Args:
            username: its name.
            shell: ``"none"`` (FTP only), ``"bash"``, ``"sh"``, ``"ksh"``, ``"csh"`` or ``"tcsh"``.
            groups: groups beyond its own; ``[]`` for none.

        Returns:
            A dict: ``username``, ``machine``, ``shell``, ``groups``.
        """

    def delete_user(self, username: str) -> dict[str, Any]:
        """Deletes a shell user.

        Returns:
            A dict: ``username``, ``machine``, ``shell``, ``groups``.
        """

    # ---- Servers

    def list_machines(self) -> list[dict[str, Any]]:
        """Lists the machines of the account.

        Returns:
            Dicts with ``id``, ``name``, ``operating_system``, ``location``.
        """

    def list_ips(self) -> list[dict[str, Any]]:
        """Lists the IP addresses of the machines.

        Returns:
            Dicts with ``id``, ``machine``, ``ip``, ``is_main``.
        """

    # ---- Miscellaneous

    def run_php_script(self, script: str, code_before: str = "") -> Any:
        """Runs a PHP script.

        Args:
            script: its path, absolute or from the home folder.
            code_before: PHP code to run before it.
        """

    def set_apache_acl(self, paths: str | Sequence[str], permission: str = "rwx", recursive: bool = False) -> Any:
        """Grants the machine's Apache server access to files or folders.

        Args:
            paths: one or more, from the home folder.
            permission: of the letters r, w and x.
            recursive: whether what is below is meant as well.
        """

    def system(self, cmd: str) -> Any:
        """Runs a command in a shell of the account.

        Args:
            cmd: the command.

        Returns:
            What it printed.
        """

class AsyncWebfactionApi:
    """`WebfactionApi` with every call as a coroutine. Arguments are checked at the call; the session is read when it
    is awaited.
    """

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self: ...
    def __init__(self, url: str = "https://api.webfaction.com/", *, timeout: float | None = None) -> None: ...
    @property
    def url(self) -> str:
        """The server's URL."""

    @property
    def session_id(self) -> str | None:
        """The session, ``None`` before `login`."""

    @session_id.setter
    def session_id(self, session: str | None) -> None: ...
    async def call(self, name: str, /, *args: Any) -> Any: ...
    async def login(self, username: str, password: str, machine: str | None = None) -> list[Any]: ...
    async def change_mailbox_password(self, mailbox: str, password: str) -> Any: ...
    async def create_email(
        self,
        email_address: str,
        targets: str,
        autoresponder_on: bool = False,
        autoresponder_subject: str = "",
        autoresponder_message: str = "",
        autoresponder_from: str = "",
        script_machine: str = "",
        script_path: str = "",
    ) -> Any: ...
    async def create_mailbox(
        self,
        mailbox: str,
        enable_spam_protection: bool = True,
        discard_spam: bool = False,
        spam_redirect_folder: str = "",
        use_manual_procmailrc: bool = False,
        manual_procmailrc: str = "",
    ) -> dict[str, Any]: ...
    async def delete_email(self, email_address: str) -> Any: ...
    async def delete_mailbox(self, mailbox: str) -> Any: ...
    async def list_emails(self) -> list[dict[str, Any]]: ...
    async def list_mailboxes(self) -> list[dict[str, Any]]: ...
    async def update_email(
        self,
        email_address: str,
        targets: Sequence[str],
        autoresponder_on: bool = False,
        autoresponder_subject: str = "",
        autoresponder_message: str = "",
        autoresponder_from: str = "",
        script_machine: str = "",
        script_path: str = "",
    ) -> dict[str, Any]: ...
    async def update_mailbox(
        self,
        mailbox: str,
        enable_spam_protection: bool = True,
        discard_spam: bool = False,
        spam_redirect_folder: str = "",
        use_manual_procmailrc: bool = False,
        manual_procmailrc: str = "",
    ) -> Any: ...
    async def create_domain(self, domain: str, *subdomains: str) -> dict[str, Any]: ...
    async def create_website(
        self,
        website_name: str,
        ip: str,
        https: bool,
        subdomains: Sequence[str],
        *site_apps: Sequence[str],
    ) -> dict[str, Any]: ...
    async def update_website(
        self,
        website_name: str,
        ip: str,
        https: bool,
        subdomains: Sequence[str],
        *site_apps: Sequence[str],
    ) -> dict[str, Any]: ...
    async def delete_domain(self, domain: str, *subdomains: str) -> Any: ...
    async def delete_website(self, website_name: str, ip: str | None = None, https: bool | None = None) -> Any: ...
    async def list_domains(self) -> list[dict[str, Any]]: ...
    async def list_websites(self) -> list[dict[str, Any]]: ...
    async def create_app(
        self,
        name: str,
        type: str,
        autostart: bool,
        extra_info: str,
        script_code: str = "",
    ) -> Any: ...
    async def delete_app(self, name: str) -> Any: ...
    async def list_apps(self) -> list[dict[str, Any]]: ...
    async def list_app_types(self) -> list[dict[str, Any]]: ...
    async def create_cronjob(self, line: str) -> Any: ...
    async def delete_cronjob(self, line: str) -> Any: ...
    async def create_dns_override(
        self,
        domain: str,
        a_ip: str = "",
        cname: str = "",
        mx_name: str = "",
        mx_priority: str = "",
        spf_record: str = "",
    ) -> list[dict[str, Any]]: ...
    async def delete_dns_override(
        self,
        domain: str,
        a_ip: str = "",
        cname: str = "",
        mx_name: str = "",
        mx_priority: str = "",
        spf_record: str = "",
    ) -> list[dict[str, Any]]: ...
    async def list_dns_overrides(self) -> list[dict[str, Any]]: ...
    async def change_db_user_password(self, username: str, password: str, db_type: str) -> dict[str, Any]: ...
    async def create_db(self, name: str, db_type: str, password: str) -> Any: ...
    async def create_db_user(self, username: str, password: str, db_type: str) -> dict[str, Any]: ...
    async def delete_db(self, name: str, db_type: str) -> Any: ...
    async def delete_db_user(self, username: str, db_type: str) -> dict[str, Any]: ...
    async def enable_addon(self, database: str, db_type: str, addon: str) -> dict[str, Any]: ...
    async def grant_db_permissions(self, username: str, database: str, db_type: str) -> dict[str, Any]: ...
    async def list_dbs(self) -> list[dict[str, Any]]: ...
    async def list_db_users(self) -> list[dict[str, Any]]: ...
    async def make_user_owner_of_db(self, username: str, database: str, db_type: str) -> dict[str, Any]: ...
    async def revoke_db_permissions(self, username: str, database: str, db_type: str) -> dict[str, Any]: ...
    async def replace_in_file(self, filename: str, *changes: Sequence[str]) -> Any: ...
    async def write_file(self, filename: str, str: str | bytes, mode: str = "wb") -> Any: ...
    async def list_users(self) -> list[dict[str, Any]]: ...
    async def change_user_password(self, username: str, password: str) -> dict[str, Any]: ...
    async def create_user(self, username: str, shell: str, groups: Sequence[str]) -> dict[str, Any]: ...
    async def delete_user(self, username: str) -> dict[str, Any]: ...
    async def list_machines(self) -> list[dict[str, Any]]: ...
    async def list_ips(self) -> list[dict[str, Any]]: ...
    async def run_php_script(self, script: str, code_before: str = "") -> Any: ...
    async def set_apache_acl(
        self,
        paths: str | Sequence[str],
        permission: str = "rwx",
        recursive: bool = False,
    ) -> Any: ...
    async def system(self, cmd: str) -> Any: ...
