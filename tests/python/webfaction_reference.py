"""The calls of WebFaction's API reference: names and parameters as documented, without the session."""

REFERENCE = {
    "General": ["login(username, password, machine=None)"],
    "Email": [
        "change_mailbox_password(mailbox, password)",
        "create_email(email_address, targets, autoresponder_on=False, autoresponder_subject='', "
        "autoresponder_message='', autoresponder_from='', script_machine='', script_path='')",
        "create_mailbox(mailbox, enable_spam_protection=True, discard_spam=False, spam_redirect_folder='', "
        "use_manual_procmailrc=False, manual_procmailrc='')",
        "delete_email(email_address)",
        "delete_mailbox(mailbox)",
        "list_emails()",
        "list_mailboxes()",
        "update_email(email_address, targets, autoresponder_on=False, autoresponder_subject='', "
        "autoresponder_message='', autoresponder_from='', script_machine='', script_path='')",
        "update_mailbox(mailbox, enable_spam_protection=True, discard_spam=False, spam_redirect_folder='', "
        "use_manual_procmailrc=False, manual_procmailrc='')",
    ],
    "Websites and Domains": [
        "create_domain(domain, *subdomains)",
        "create_website(website_name, ip, https, subdomains, *site_apps)",
        "update_website(website_name, ip, https, subdomains, *site_apps)",
        "delete_domain(domain, *subdomains)",
        "delete_website(website_name, ip=None, https=None)",
        "list_domains()",
        "list_websites()",
    ],
    "Applications": [
        "create_app(name, type, autostart, extra_info, script_code='')",
        "delete_app(name)",
        "list_apps()",
        "list_app_types()",
    ],
    "Cron": ["create_cronjob(line)", "delete_cronjob(line)"],
    "DNS": [
        "create_dns_override(domain, a_ip='', cname='', mx_name='', mx_priority='', spf_record='')",
        "delete_dns_override(domain, a_ip='', cname='', mx_name='', mx_priority='', spf_record='')",
        "list_dns_overrides()",
    ],
    "Databases": [
        "change_db_user_password(username, password, db_type)",
        "create_db(name, db_type, password)",
        "create_db_user(username, password, db_type)",
        "delete_db(name, db_type)",
        "delete_db_user(username, db_type)",
        "enable_addon(database, db_type, addon)",
        "grant_db_permissions(username, database, db_type)",
        "list_dbs()",
        "list_db_users()",
        "make_user_owner_of_db(username, database, db_type)",
        "revoke_db_permissions(username, database, db_type)",
    ],
    "Files": ["replace_in_file(filename, *changes)", "write_file(filename, str, mode='wb')"],
    "Shell Users": [
        "list_users()",
        "change_user_password(username, password)",
        "create_user(username, shell, groups)",
        "delete_user(username)",
    ],
    "Servers": ["list_machines()", "list_ips()"],
    "Miscellaneous": [
        "run_php_script(script, code_before='')",
        "set_apache_acl(paths, permission='rwx', recursive=False)",
        "system(cmd)",
    ],
}

SIGNATURES = {
    line.split("(")[0]: line.split("(", 1)[1].removesuffix(")") for part in REFERENCE.values() for line in part
}

# What is passed where it is no text.
FLAGS = {
    "autoresponder_on",
    "enable_spam_protection",
    "discard_spam",
    "use_manual_procmailrc",
    "https",
    "autostart",
    "recursive",
}
LISTS = {"subdomains", "groups"}
PAIRS = {"site_apps", "changes"}


def sample(call: str, name: str):
    """An argument of the documented type."""
    if name in FLAGS:
        return True
    if name in LISTS or (call, name) in {("update_email", "targets"), ("set_apache_acl", "paths")}:
        return [f"one {name}", "two ü"]
    return f"some {name} ü"


def further(call: str, name: str):
    """Two further arguments of the documented type."""
    if name in PAIRS:
        return [("django", "/"), ["wordpress", "/blog"]]
    return ["www", "design"]
