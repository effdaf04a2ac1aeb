//! Trying a token at the hosts that an account may be at.

use pythonanywhere_api::login::{Attempt, attempt};
use pythonanywhere_api::{BaseUrl, ErrorKind, Token};

use crate::engine::options;
use crate::script::{Act, Script, answer};

const CPU: &str = r#"{"daily_cpu_limit_seconds": 100, "daily_cpu_total_usage_seconds": 1.5, "next_reset_time": "x"}"#;

fn says(status: u16, body: &str) -> [Act; 1] {
    [Act::Say(answer(status, "Content-Type: application/json\r\n", body))]
}

fn refusal() -> [Act; 1] {
    says(401, r#"{"detail": "Invalid token."}"#)
}

async fn tried(first: &Script, second: &Script) -> Result<Attempt, pythonanywhere_api::Error> {
    let hosts = [first, second].map(|server| BaseUrl::parse(&server.url).unwrap());
    attempt(&hosts, "ada", &Token::new("t0ken").unwrap(), &options()).await
}

#[tokio::test]
async fn the_second_host_is_asked_if_the_first_does_not_know_the_token() {
    let (first, second) = (Script::start(refusal()).await, Script::start(says(200, CPU)).await);
    let Attempt::Accepted(host) = tried(&first, &second).await.unwrap() else { panic!() };
    assert_eq!(host, BaseUrl::parse(&second.url).unwrap());
    assert!(second.heads()[0].starts_with("GET /api/v0/user/ada/cpu/ "), "{:?}", second.heads());
}

#[tokio::test]
async fn a_host_that_knows_the_token_is_the_last_that_gets_it() {
    for (status, body) in [(200, CPU), (403, r#"{"detail": "no"}"#)] {
        let (first, second) = (Script::start(says(status, body)).await, Script::start(says(200, CPU)).await);
        let outcome = tried(&first, &second).await.unwrap();
        let is_accepted = matches!(outcome, Attempt::Accepted(_));
        assert_eq!((is_accepted, matches!(outcome, Attempt::OtherAccount(..))), (status == 200, status == 403));
        assert!(second.heads().is_empty());
    }
}

#[tokio::test]
async fn a_token_is_unknown_only_if_both_say_so() {
    let (first, second) = (Script::start(refusal()).await, Script::start(refusal()).await);
    let Attempt::Unknown(error) = tried(&first, &second).await.unwrap() else { panic!() };
    assert_eq!(error.kind(), ErrorKind::Authentication);
    let (first, second) = (Script::start(says(500, "{}")).await, Script::start(refusal()).await);
    assert_eq!(tried(&first, &second).await.unwrap_err().kind(), ErrorKind::Server);
}
