//! `files/path` and `files/tree` of the emulator, as the service's help page and other clients' tests describe them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use pythonanywhere_api::emulator::{AccountKind, Settings, Undocumented};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::emulator_host::{Host, file, header, said, unlimited};

fn host() -> Host {
    Host::start(unlimited())
}

fn names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> =
        ["#", "?", "%", "%2F", "+", " ", ";", "a b#c?d", "ü", "u\u{308}", "🐍", ".hidden", "a\\b", "\"'", "\n", "..."]
            .map(|name| name.as_bytes().to_vec())
            .to_vec();
    names.push(vec![b'n'; 255]);
    names.push(b"\xff\xfe".to_vec());
    names
}

#[tokio::test]
async fn any_name_is_written_read_and_deleted() {
    let host = host();
    for name in names() {
        let path = [b"/home/demo/names/".as_slice(), &name].concat();
        let shown = String::from_utf8_lossy(&name).into_owned();
        assert_eq!(host.upload(&path, name.clone()).await, 201, "{shown}");
        assert_eq!(host.upload(&path, name.clone()).await, 200, "{shown}");
        let answer = host.get(&file(&path)).await;
        assert_eq!(header(&answer, "content-type"), Some("application/octet-stream"));
        assert_eq!(answer.bytes().await.unwrap(), name, "{shown}");
        let (status, listing) = said(host.get("files/path/home/demo/names").await).await;
        assert_eq!((status, listing.as_object().unwrap().keys().collect::<Vec<_>>()), (200, vec![&shown]));
        // The address in the listing leads to the file, whatever its name.
        let url = listing[&shown]["url"].as_str().unwrap().replace(&host.url(""), "");
        assert_eq!(host.get(&url).await.bytes().await.unwrap(), name, "{url}");
        assert_eq!(host.delete(&file(&path)).await.status(), 204, "{shown}");
    }
    assert_eq!(said(host.get("files/path/home/demo/names/").await).await, (200, json!({})));
}

#[tokio::test]
async fn an_impossible_name_is_refused_and_nothing_is_written() {
    let host = host();
    let long = format!("/home/demo/{}", "n".repeat(256));
    assert_eq!(host.upload(&long, "x").await, 400);
    assert_eq!(host.get(&file(&long)).await.status(), 404);
    assert_eq!(host.upload("/home/demo/a\0b", "x").await, 400);
    assert_eq!(fs::read_dir(host.home("")).unwrap().count(), 0);
}

#[tokio::test]
async fn contents_come_back_byte_for_byte() {
    let host = host();
    let pattern = |length: usize| -> Vec<u8> { (0..=250).cycle().step_by(31).take(length).collect() };
    for length in [0, 1, 255, 1 << 18, (1 << 18) + 1, 3 << 20] {
        let content = pattern(length);
        host.upload("/home/demo/data", content.clone()).await;
        let answer = host.get("files/path/home/demo/data").await;
        assert_eq!(header(&answer, "content-length"), Some(length.to_string().as_str()));
        assert_eq!(answer.bytes().await.unwrap(), content);
        assert_eq!(fs::read(host.home("data")).unwrap(), content);
    }
    let private = fs::read_dir(host.emulator.root().join(".emulator")).unwrap();
    let left = private.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("upload-"));
    assert_eq!(left.count(), 0, "no temporary files stay");
}

#[tokio::test]
async fn listings_and_files_are_told_apart_by_content_type() {
    let host = host();
    host.upload("/home/demo/site/a.json", r#"{"a": 1}"#).await;
    fs::create_dir_all(host.home("site/.git")).unwrap();
    for slash in ["", "/"] {
        let answer = host.get(&format!("files/path/home/demo/site{slash}")).await;
        assert_eq!(header(&answer, "content-type"), Some("application/json"));
        let listing: Value = answer.json().await.unwrap();
        let prefix = host.url("files/path/home/demo/site");
        assert_eq!(
            listing,
            json!({
                ".git": {"type": "directory", "url": format!("{prefix}/.git")},
                "a.json": {"type": "file", "url": format!("{prefix}/a.json")},
            })
        );
        let answer = host.get(&format!("files/path/home/demo/site/a.json{slash}")).await;
        assert_eq!(header(&answer, "content-type"), Some("application/octet-stream"));
        assert_eq!(answer.text().await.unwrap(), r#"{"a": 1}"#);
    }
}

#[tokio::test]
async fn the_account_has_its_three_folders_and_no_more() {
    let host = host();
    let keys = |listing: &Value| listing.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&said(host.get("files/path/").await).await.1), ["home", "var"]);
    assert_eq!(keys(&said(host.get("files/path").await).await.1), ["home", "var"]);
    assert_eq!(keys(&said(host.get("files/path/var/").await).await.1), ["log", "www"]);
    assert_eq!(host.get("files/path/.emulator").await.status(), 404);
    assert_eq!(host.upload("/var/www/demo_pythonanywhere_com_wsgi.py", "x").await, 201);
    for path in ["/home/other/x", "/etc/x", "/x", "/.emulator/x"] {
        assert_eq!(host.upload(path, "x").await, 403, "{path}");
        assert!(!host.emulator.root().join(path.trim_start_matches('/')).exists(), "{path}");
    }
    for path in ["/home/demo", "/home", "/", "/var/www", "/var/log/"] {
        let (status, body) = said(host.delete(&format!("files/path{path}")).await).await;
        let refusal = json!({"message": "You do not have permission to delete this", "code": "forbidden"});
        assert_eq!((status, body), (403, refusal), "{path}");
    }
}

#[tokio::test]
async fn what_is_missing_says_so_in_the_services_words() {
    let host = host();
    let nothing = json!({"detail": "No such file or directory: /home/demo/none"});
    assert_eq!(said(host.get("files/path/home/demo/none").await).await, (404, nothing));
    let nothing = json!({"message": "File does not exist", "code": "not_found"});
    assert_eq!(said(host.delete("files/path/home/demo/none").await).await, (404, nothing));
    let detail = json!({"detail": "You must provide a file with the name 'content'."});
    for form in [
        Form::new().part("file", Part::bytes(b"x".to_vec()).file_name("content")),
        Form::new().text("content", "no file, a text"),
    ] {
        let request = host.request(Method::POST, "files/path/home/demo/x").multipart(form);
        assert_eq!(said(request.send().await.unwrap()).await, (400, detail.clone()));
    }
    let request = host.request(Method::POST, "files/path/home/demo/x").body("content=x");
    assert_eq!(said(request.send().await.unwrap()).await, (400, detail));
    assert!(!host.home("x").exists());
}

#[tokio::test]
async fn a_file_where_a_folder_should_be_is_an_error_status() {
    let host = host();
    host.upload("/home/demo/file", "old").await;
    assert_eq!(host.upload("/home/demo/file/below", "x").await, 400);
    assert_eq!(host.upload("/home/demo/file/further/below", "x").await, 400);
    assert_eq!(host.get("files/path/home/demo/file/below").await.status(), 404);
    assert_eq!(host.delete("files/path/home/demo/file/below").await.status(), 404);
    host.upload("/home/demo/folder/x", "x").await;
    assert_eq!(host.upload("/home/demo/folder", "x").await, 400);
    assert_eq!(host.upload("/home/demo/new/", "x").await, 400);
    assert_eq!(fs::read_to_string(host.home("file")).unwrap(), "old");
}

#[tokio::test]
async fn folders_are_deleted_whole_and_stay_when_their_last_file_goes() {
    let host = host();
    for path in ["/home/demo/a/b/c", "/home/demo/a/d", "/home/demo/e/f"] {
        host.upload(path, "x").await;
    }
    assert_eq!(host.delete("files/path/home/demo/a/").await.status(), 204);
    assert!(!host.home("a").exists());
    assert_eq!(host.delete("files/path/home/demo/e/f").await.status(), 204);
    assert!(host.home("e").is_dir());
}

#[tokio::test]
async fn no_path_leaves_the_root() {
    let host = host();
    let secret = tempfile::tempdir().unwrap();
    fs::write(secret.path().join("secret"), "do not read").unwrap();
    let outside = secret.path().to_str().unwrap();
    for climb in ["..", "%2e%2e", ".%2E", "%2e.", "..%2f..", "%2e%2e%2f%2e%2e"] {
        let target = format!("/api/v0/user/demo/files/path/home/demo/{climb}/{climb}/{climb}/{climb}{outside}/secret");
        for method in ["GET", "DELETE", "POST"] {
            let answer = host.raw_request(method, &target);
            assert!(answer.starts_with("HTTP/1.1 403"), "{method} {target}: {answer}");
        }
    }
    assert!(host.raw_request("GET", "/api/v0/user/demo/files/path/home/a%00b").starts_with("HTTP/1.1 400"));
    assert!(host.raw_request("GET", "/api/v0/user/demo/files/path/home/./demo").starts_with("HTTP/1.1 403"));
    // Doubled slashes merge.
    assert!(host.raw_request("GET", "/api/v0/user/demo/files/path//home///demo").starts_with("HTTP/1.1 200"));

    symlink(secret.path(), host.home("link")).unwrap();
    symlink(format!("../../../../../../../../..{outside}"), host.home("climb")).unwrap();
    for link in ["link", "climb"] {
        assert_eq!(host.get(&file(format!("/home/demo/{link}/secret"))).await.status(), 404);
        assert_eq!(host.upload(format!("/home/demo/{link}/new"), "x").await, 403);
        assert_eq!(host.upload(format!("/home/demo/{link}"), "x").await, 403);
        assert_eq!(host.delete(&file(format!("/home/demo/{link}/secret"))).await.status(), 404);
        // The link itself is the account's.
        assert_eq!(host.delete(&file(format!("/home/demo/{link}"))).await.status(), 204);
    }
    assert_eq!(fs::read_dir(secret.path()).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(secret.path().join("secret")).unwrap(), "do not read");
}

#[tokio::test]
async fn links_inside_the_account_work() {
    let host = host();
    host.upload("/home/demo/real/file", "one").await;
    symlink("/home/demo/real", host.home("absolute")).unwrap();
    symlink("real/file", host.home("relative")).unwrap();
    symlink("loop", host.home("loop")).unwrap();
    assert_eq!(host.get("files/path/home/demo/absolute/file").await.text().await.unwrap(), "one");
    let listing = said(host.get("files/path/home/demo").await).await.1;
    let kinds: Vec<_> = ["absolute", "loop", "real", "relative"].map(|name| listing[name]["type"].clone()).into();
    assert_eq!(kinds, ["directory", "file", "directory", "file"]);
    assert_eq!(host.upload("/home/demo/relative", "two").await, 200);
    assert_eq!(fs::read_to_string(host.home("real/file")).unwrap(), "two");
    assert!(host.home("relative").is_symlink());
    assert_eq!(host.get("files/path/home/demo/loop").await.status(), 404);
    // Deleting a link to a folder leaves the folder.
    assert_eq!(host.delete("files/path/home/demo/absolute").await.status(), 204);
    assert!(host.home("real/file").exists());
}

#[tokio::test]
async fn a_fifo_does_not_make_the_emulator_wait() {
    let host = host();
    let made = std::process::Command::new("mkfifo").arg(host.home("fifo")).status().unwrap();
    assert!(made.success());
    assert_eq!(host.get("files/path/home/demo/fifo").await.status(), 400);
    assert_eq!(host.delete("files/path/home/demo/fifo").await.status(), 204);
}

#[tokio::test]
async fn a_replaced_file_keeps_its_mode() {
    let host = host();
    let mode = || fs::metadata(host.home("run.sh")).unwrap().permissions().mode() & 0o777;
    host.upload("/home/demo/run.sh", "one").await;
    assert_eq!(mode(), 0o644);
    fs::set_permissions(host.home("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    host.upload("/home/demo/run.sh", "two").await;
    assert_eq!(mode(), 0o755);

    let undocumented = Undocumented { atomic_overwrite: false, keep_mode: false, ..Undocumented::default() };
    let host = Host::start(Settings { undocumented, ..unlimited() });
    host.upload("/home/demo/run.sh", "one").await;
    fs::set_permissions(host.home("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::hard_link(host.home("run.sh"), host.home("same")).unwrap();
    host.upload("/home/demo/run.sh", "two").await;
    assert_eq!(fs::metadata(host.home("run.sh")).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(fs::read_to_string(host.home("same")).unwrap(), "two", "written into, not replaced");
}

#[tokio::test]
async fn an_upload_that_breaks_off_changes_nothing() {
    let host = host();
    host.upload("/home/demo/file", "old").await;
    let form = "--b\r\nContent-Disposition: form-data; name=\"content\"; filename=\"f\"\r\n\r\nnew, but n\r\n";
    let request = |length: usize| {
        format!(
            "POST /api/v0/user/demo/files/path/home/demo/file HTTP/1.1\r\nHost: x\r\nAuthorization: Token {}\r\n\
             Content-Type: multipart/form-data; boundary=b\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{form}",
            host.emulator.token()
        )
    };
    let answer = host.raw(&request(form.len()));
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let answer = host.raw_and_leave(&request(form.len() + 1000));
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    assert_eq!(fs::read_to_string(host.home("file")).unwrap(), "old");
}

#[tokio::test]
async fn uploads_over_the_limit_are_refused_and_the_limit_can_be_off() {
    let limited = |upload_limit| Settings {
        undocumented: Undocumented { upload_limit, ..Undocumented::default() },
        ..unlimited()
    };
    let host = Host::start(limited(Some(2 << 20)));
    assert_eq!(host.upload("/home/demo/fits", vec![1; 2 << 20]).await, 201);
    assert_eq!(host.upload("/home/demo/big", vec![1; (2 << 20) + 1]).await, 413);
    assert!(!host.home("big").exists());
    let host = Host::start(limited(None));
    assert_eq!(host.upload("/home/demo/big", vec![1; (2 << 20) + 1]).await, 201);
    assert_eq!(Undocumented::default().upload_limit, Some(100 << 20));
}

#[tokio::test]
async fn a_full_account_takes_no_more() {
    let host = Host::start(Settings { disk_quota: Some(1000), ..unlimited() });
    assert_eq!(host.upload("/home/demo/a", vec![0; 800]).await, 201);
    assert_eq!(host.upload("/home/demo/b", vec![0; 300]).await, 507);
    assert!(!host.home("b").exists());
    assert_eq!(host.delete("files/path/home/demo/a").await.status(), 204);
    assert_eq!(host.upload("/home/demo/b", vec![0; 300]).await, 201);
    assert_eq!(AccountKind::Free.disk_quota(), Some(512 << 20));
    assert_eq!(AccountKind::Paid.disk_quota(), None);
}

#[tokio::test]
async fn the_tree_has_two_levels_without_dots_and_links() {
    let host = host();
    for path in ["a/b/c/d", "a/file", "a/.dot", ".git/config", "top", "ü #"] {
        host.upload(format!("/home/demo/site/{path}"), "x").await;
    }
    symlink("/home/demo/site/a", host.home("site/link")).unwrap();
    let paths = ["a/", "a/b/", "a/file", "top", "ü #"].map(|path| format!("/home/demo/site/{path}"));
    for query in ["/home/demo/site", "/home/demo/site/", "%2Fhome%2Fdemo%2Fsite"] {
        assert_eq!(said(host.get(&format!("files/tree/?path={query}")).await).await, (200, json!(paths)));
    }
    for (path, reason) in [("/home/demo/site/top", "is not a directory"), ("/home/demo/none", "does not exist")] {
        let answer = said(host.get(&format!("files/tree/?path={path}")).await).await;
        assert_eq!(answer, (400, json!({"detail": format!("{path} {reason}")})));
    }
    assert_eq!(host.get("files/tree/").await.status(), 400);
}

#[tokio::test]
async fn the_tree_is_cut_at_1000_without_a_word() {
    let host = host();
    fs::create_dir_all(host.home("many")).unwrap();
    for number in 0..1005 {
        fs::write(host.home(&format!("many/{number:04}")), "").unwrap();
    }
    let (status, paths) = said(host.get("files/tree/?path=/home/demo/many").await).await;
    assert_eq!((status, paths.as_array().unwrap().len()), (200, 1000));
    assert_eq!(paths[999], "/home/demo/many/0999");
    assert_eq!(said(host.get("files/path/home/demo/many").await).await.1.as_object().unwrap().len(), 1005);
}
