//! A server whose certificate nobody vouches for, and a proxy that lets nothing through: said in a sentence, and gone on with once
//! it is mended.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use assist_simulator::{Reply, Script, answer};

use crate::support::{Desk, HERO, HERO_LINES, NEW_HERO, Wire, with_new_hero};

const FILE: &str = "src/Hero.tsx";
const ASK: [&str; 7] = ["ask", "Go", "--file", FILE, "--lines", HERO_LINES, "--json"];

/// Made for these tests, of `localhost` and 127.0.0.1, signed by itself. It opens nothing.
const CERTIFICATE: &[u8] = include_bytes!("../../fixtures/self-signed.crt.der");
const KEY: &[u8] = include_bytes!("../../fixtures/self-signed.key.der");

/// Accepts connections on loopback, and has each served by `serve`.
fn listen(serve: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
    address
}

/// A TLS server that would answer, if it was trusted.
fn self_signed() -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(KEY.to_vec());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows them")
        .with_no_client_auth()
        .with_single_cert(vec![CERTIFICATE.to_vec().into()], key.into())
        .expect("the certificate can be used");
    let config = Arc::new(config);
    listen(move |socket| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("it can begin");
        let mut stream = rustls::StreamOwned::new(connection, socket);
        // The client breaks off the greeting: what follows is never read.
        if stream.read(&mut [0; 1024]).is_ok() {
            let _ = stream.write_all(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n");
        }
    })
}

/// The run rests, and goes on where the model is.
#[track_caller]
fn rests_and_goes_on(desk: &mut Desk, good: &str) {
    let session = desk.sessions().remove(0);
    assert_eq!((&session["status"], &session["reason"]), (&"paused".into(), &"user".into()), "{session}");
    assert_eq!(desk.folder.read(FILE), HERO);
    desk.set("ANTHROPIC_BASE_URL", good);
    desk.run(&["resume", session["run"].as_str().expect("an id")]).exits(0);
    assert_eq!(desk.folder.read(FILE), with_new_hero());
    assert_eq!(desk.sim.requests().len(), 1);
}

#[test]
fn a_certificate_that_nobody_vouches_for_pauses_the_run_until_the_address_is_mended() {
    let mut desk = Desk::new(
        Wire::Anthropic,
        &[(FILE, HERO)],
        Script::always(Reply::text(answer("Hero", FILE, NEW_HERO))),
    );
    let good = desk.variables()["ANTHROPIC_BASE_URL"].clone();
    desk.set("ANTHROPIC_BASE_URL", format!("https://{}", self_signed()));
    let ran = desk.run(&ASK).exits(1);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    // Where the system has no certificates at all, that is what is said.
    assert!(
        ran.stderr.contains("certificates")
            || ran.stderr.contains("The secure connection to anthropic")
                && ran.stderr.contains("check the base URL"),
        "{}",
        ran.stderr
    );
    rests_and_goes_on(&mut desk, &good);
}

#[test]
fn a_proxy_that_lets_nothing_through_is_named_and_the_run_goes_on_without_it() {
    let proxy = listen(|mut socket| {
        let _ = socket.read(&mut [0; 4096]);
        let refusal = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let _ = socket.write_all(refusal.as_bytes());
        // Closed with something unread, the connection would be reset, and the refusal may never be seen.
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let _ = std::io::copy(&mut socket, &mut std::io::sink());
    });
    let mut desk = Desk::new(
        Wire::Anthropic,
        &[(FILE, HERO)],
        Script::always(Reply::text(answer("Hero", FILE, NEW_HERO))),
    );
    let good = desk.variables()["ANTHROPIC_BASE_URL"].clone();
    desk.set("ANTHROPIC_BASE_URL", "https://model.example");
    desk.set("HTTPS_PROXY", format!("http://someone:hidden@{proxy}"));
    let ran = desk.run(&ASK).exits(1);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("HTTPS_PROXY") || ran.stderr.contains("certificates"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("hidden"), "the proxy's password is shown: {}", ran.stderr);
    // This machine's own servers are not asked for through it.
    rests_and_goes_on(&mut desk, &good);
}
