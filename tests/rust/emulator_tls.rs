//! Https with the emulator's own certificate authority.

use std::fs;

use pythonanywhere_api::emulator::Settings;
use reqwest::Certificate;

use crate::emulator_host::{plain_client, unlimited};

#[tokio::test]
async fn clients_that_trust_the_written_authority_get_in_and_others_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let emulator =
        pythonanywhere_api::emulator::Emulator::start(Settings { tls: Some(folder.path().join("tls")), ..unlimited() })
            .unwrap();
    assert!(emulator.url().starts_with("https://127.0.0.1:"));
    let written: Vec<_> =
        fs::read_dir(folder.path().join("tls")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(written, ["ca.pem"], "no private key reaches the disk");

    let authority = Certificate::from_pem(&fs::read(folder.path().join("tls/ca.pem")).unwrap()).unwrap();
    let trusting = plain_client().tls_certs_only([authority]).build().unwrap();
    let port = emulator.url().rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("https://{host}:{port}/api/v0/user/demo/files/path/home/demo/");
        let request = trusting.get(&url).header("Authorization", format!("Token {}", emulator.token()));
        let answer = request.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_2), "{url}");
    }
    let error = plain_client().tls_certs_only([]).build().unwrap().get(emulator.url()).send().await.unwrap_err();
    assert!(error.is_connect(), "{error}");
}
