//! What belongs to the account itself: Python versions, the system image, students, databases, CPU seconds.

use pythonanywhere_api::emulator::{AccountKind, Settings};
use reqwest::Method;
use serde_json::{Value, json};

use crate::emulator_host::{Host, said, unlimited};

/// The version of `python3` where the newest system image has it, else the newest in that image.
fn of_this_machine() -> String {
    let question = "import sys; print('%d.%d' % sys.version_info[:2])";
    let answer = std::process::Command::new("python3").args(["-I", "-c", question]).output().unwrap();
    let version = String::from_utf8(answer.stdout).unwrap().trim().to_owned();
    if ["3.10", "3.11", "3.12"].contains(&version.as_str()) { version } else { "3.13".to_owned() }
}

#[tokio::test]
async fn python_versions_are_told_chosen_and_refused() {
    let host = Host::start(unlimited());
    for (endpoint, choices) in [
        ("default_python3_version", "available_python3_versions"),
        ("default_python_version", "available_python_versions"),
        ("default_save_and_run_python_version", "available_python_versions"),
    ] {
        let path = format!("{endpoint}/");
        let (status, told) = host.call(Method::GET, &path, Value::Null).await;
        assert_eq!((status, &told[endpoint]), (200, &json!(of_this_machine())));
        assert!(told[choices].as_array().unwrap().contains(&json!("3.11")), "{told}");

        let chosen = host.request(Method::PATCH, &path).form(&[(endpoint, "3.11")]).send().await.unwrap();
        let (status, answer) = said(chosen).await;
        assert_eq!((status, &answer[endpoint]), (200, &json!("3.11")));
        let refused = host.call(Method::PATCH, &path, json!({endpoint: "1.5"})).await;
        assert_eq!(refused, (400, json!({endpoint: ["\"1.5\" is not a valid choice."]})));
        let missing = host.call(Method::PATCH, &path, json!({})).await;
        assert_eq!(missing, (400, json!({endpoint: ["This field is required."]})));
        assert_eq!(host.call(Method::GET, &path, Value::Null).await.1[endpoint], json!("3.11"));
    }
}

#[tokio::test]
async fn a_system_image_brings_its_own_versions() {
    let host = Host::start(unlimited());
    let (_, told) = host.call(Method::GET, "system_image/", Value::Null).await;
    assert_eq!(told["system_image"], json!("innit"));
    assert!(told["available_system_images"].as_array().unwrap().contains(&json!("haggis")), "{told}");
    assert_eq!(host.call(Method::PATCH, "system_image/", json!({"system_image": "haggis"})).await.0, 200);
    let (_, versions) = host.call(Method::GET, "default_python3_version/", Value::Null).await;
    let of_haggis = json!({
        "default_python3_version": "3.10",
        "available_python3_versions": ["3.7", "3.8", "3.9", "3.10"],
    });
    assert_eq!(versions, of_haggis);
}

#[tokio::test]
async fn students_and_databases_are_those_of_the_settings() {
    let students = vec!["ada".to_owned(), "bob".to_owned()];
    let mysql_databases = vec!["demo$default".to_owned()];
    let host = Host::start(Settings { students, mysql_databases, account: AccountKind::Paid, ..unlimited() });
    let (_, told) = host.call(Method::GET, "students/", Value::Null).await;
    assert_eq!(told, json!({"students": [{"username": "ada"}, {"username": "bob"}]}));
    assert_eq!(host.delete("students/ada/").await.status(), 204);
    assert_eq!(host.delete("students/ada/").await.status(), 404);
    let (_, told) = host.call(Method::GET, "students/", Value::Null).await;
    assert_eq!(told, json!({"students": [{"username": "bob"}]}));

    let databases = host.call(Method::GET, "databases/mysql/", Value::Null).await;
    assert_eq!(databases, (200, json!([{"name": "demo$default"}])));
    let free = Host::start(unlimited());
    assert_eq!(free.get("databases/mysql/").await.status(), 403);
}

#[tokio::test]
async fn nobody_shares_consoles_with_an_emulated_account() {
    let host = Host::start(unlimited());
    assert_eq!(host.call(Method::GET, "consoles/shared_with_you/", Value::Null).await, (200, json!([])));
}
