//! Searching the web and reading pages, over real HTTP. Every search of the registry passes the same tests.

use assist_base::Secret;
use assist_gateway::{
    BreakerState, Found, Gateway, GatewayConfig, GatewayError, ServiceInfo, ServiceKind, ServicePlace,
    WebError, services,
};
use assist_simulator::{Route, Script, Simulator};

use crate::support::{KEY, gateway};

const PAGES: [(&str, &str, &str); 4] = [
    ("Stripe <b>Checkout</b>", "https://docs.example/checkout", "How to &quot;pay&quot; &amp; more"),
    ("Evil", "javascript:alert(1)", "not a page"),
    ("Evil", "https://docs.example/a b\n2. Evil", "nor this"),
    ("Größe", "http://other.example/?a=1&b=2", ""),
];

fn searches() -> impl Iterator<Item = &'static ServiceInfo> {
    services().filter(|info| info.kind == ServiceKind::Search)
}

/// What the search answers with these pages.
fn route(info: &ServiceInfo, pages: &[(&str, &str, &str)]) -> Route {
    match info.name {
        "searxng" => Route::searxng(pages),
        "brave" => Route::brave(KEY, pages),
        "tavily" => Route::tavily(KEY, pages),
        name => panic!("the simulator does not play {name} yet: add it to routes.rs"),
    }
}

fn simulator(routes: impl IntoIterator<Item = Route>) -> Simulator {
    Simulator::start(Script { routes: routes.into_iter().collect(), ..Script::default() })
}

fn place(info: &ServiceInfo, simulator: &Simulator, key: &str) -> ServicePlace {
    let key = info.key_var.map(|_| Secret::new(key));
    let url = Some(format!("{}/", simulator.url));
    ServicePlace { name: info.name.to_owned(), url, key, key_source: None }
}

fn fresh() -> Gateway {
    gateway(GatewayConfig::default())
}

#[tokio::test]
async fn every_search_gives_pages_as_plain_text_and_nothing_that_is_no_page() {
    for info in searches() {
        let simulator = simulator([route(info, &PAGES)]);
        let found = fresh().search_web(&place(info, &simulator, KEY), "größe & co", 5).await.unwrap();
        let page = |title: &str, url: &str, excerpt: &str| Found {
            title: title.to_owned(),
            url: url.to_owned(),
            excerpt: excerpt.to_owned(),
        };
        let expected = [
            page("Stripe Checkout", "https://docs.example/checkout", "How to \"pay\" & more"),
            page("Größe", "http://other.example/?a=1&b=2", ""),
        ];
        assert_eq!(found, expected, "{}", info.name);
        let request = &simulator.all_requests()[0];
        let asked = format!("{} {}", request.path, String::from_utf8_lossy(&request.body));
        assert!(asked.contains("gr%C3%B6%C3%9Fe+%26+co") || asked.contains("größe & co"), "{asked}");
        assert_eq!(simulator.problems(), [] as [String; 0]);
    }
}

#[tokio::test]
async fn what_keeps_a_search_from_answering_is_one_sentence_without_the_key() {
    for info in searches() {
        let path = route(info, &[]).path;
        let answer = |status: u16, body: &str| Route {
            path: path.clone(),
            body: body.replace("KEY", if info.key_var.is_some() { KEY } else { "it" }),
            ..Route::default().status(status)
        };
        for (status, body) in [
            (401, "{}"),
            (403, "<html>no</html>"),
            (429, "{\"error\":\"KEY is too fast\"}"),
            (432, "{}"),
            (400, "{\"message\":\"bad KEY\"}"),
            (500, ""),
            (302, ""),
            (200, "<html>"),
            (200, "[]"),
            (200, "7"),
        ] {
            let simulator = simulator([answer(status, body)]);
            let error = fresh().search_web(&place(info, &simulator, KEY), "x", 5).await;
            let Err(error) = error else { panic!("{} {status} {body}", info.name) };
            let text = error.to_string();
            assert!(text.ends_with('.') || status == 400, "{text}");
            assert!(!format!("{text}{error:?}").contains(KEY), "{text}");
        }
        let mut nowhere = ServicePlace { name: info.name.to_owned(), ..ServicePlace::default() };
        let error = fresh().search_web(&nowhere, "x", 5).await.unwrap_err();
        let var = info.key_var.unwrap_or(info.url_var);
        assert!(matches!(&error, GatewayError::NotConfigured { .. }), "{error:?}");
        assert!(error.to_string().contains(var), "{error}");
        nowhere.url = Some("http://127.0.0.1:1".to_owned());
        nowhere.key = Some(Secret::new(KEY));
        assert!(!format!("{nowhere:?}").contains(KEY));
        let error = fresh().search_web(&nowhere, "x", 5).await.unwrap_err();
        assert!(matches!(error, GatewayError::Network { .. }), "{error}");
    }
    let nobody = ServicePlace { name: "altavista".to_owned(), ..ServicePlace::default() };
    let error = fresh().search_web(&nobody, "x", 5).await.unwrap_err().to_string();
    assert!(error.contains("searxng, brave, tavily"), "{error}");
}

#[tokio::test]
async fn a_search_that_fails_again_and_again_is_left_alone_and_that_is_told() {
    let info = searches().next().unwrap();
    let broken = Route { path: "/search".to_owned(), ..Route::default().status(500) };
    let simulator = simulator([broken]);
    let gateway = fresh();
    let place = place(info, &simulator, KEY);
    for _ in 0..5 {
        gateway.search_web(&place, "x", 5).await.unwrap_err();
    }
    let breaker = gateway.breakers().await.into_iter().find(|breaker| breaker.name == "search:searxng");
    assert_eq!(breaker.unwrap().state, BreakerState::Open);
    let error = gateway.search_web(&place, "x", 5).await.unwrap_err();
    assert!(error.to_string().contains("left alone"), "{error}");
    assert_eq!(simulator.all_requests().len(), 5, "it was asked all the same");
}

#[tokio::test]
async fn a_page_is_read_as_text_through_its_redirects() {
    let html = "<html><head><title>Prices</title></head><body><script>x()</script><p>It costs <b>$5</b>.</p></body></html>";
    let latin = Route {
        headers: vec![("content-type".to_owned(), "text/plain; charset=ISO-8859-1".to_owned())],
        body: "plain".to_owned(),
        path: "/latin".to_owned(),
        ..Route::default()
    };
    let simulator = simulator([Route::sends_to("/old", "/new?x=1"), Route::page("/new", html), latin]);
    let gateway = fresh();
    let page = gateway.read_page(&format!("{}/old", simulator.url), true).await.unwrap();
    assert_eq!(page.url, format!("{}/new?x=1", simulator.url));
    assert_eq!(
        (page.title.as_deref(), page.text.as_str(), page.cut),
        (Some("Prices"), "It costs $5.", false)
    );
    let page = gateway.read_page(&format!("{}/latin", simulator.url), true).await.unwrap();
    assert_eq!((page.title, page.text.as_str()), (None, "plain"));
    for request in simulator.all_requests() {
        assert!(request.header("authorization").is_none() && request.header("cookie").is_none());
        assert!(request.header("referer").is_none());
    }
}

#[tokio::test]
async fn nothing_of_this_machine_or_its_network_is_read() {
    let simulator = simulator([Route::page("/", "<p>inside</p>")]);
    let port = simulator.url.rsplit(':').next().unwrap();
    // By number, and by a name that leads there.
    for host in ["127.0.0.1", "[::1]", "localhost", "2130706433", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let error = fresh().read_page(&format!("http://{host}:{port}/"), false).await.unwrap_err();
        assert!(matches!(error, WebError::Refused { .. }), "{host}: {error}");
    }
    assert_eq!(simulator.all_requests().len(), 0, "something was sent");
    let sent = self::simulator([
        Route::sends_to("/file", "file:///etc/passwd"),
        Route::sends_to("/login", "http://user:word@127.0.0.1/"),
        Route::sends_to("/mail", "http://127.0.0.1:25/"),
        Route::sends_to("/circle", "/circle"),
    ]);
    for (path, refused) in [("/file", true), ("/login", true), ("/mail", true), ("/circle", false)] {
        let error = fresh().read_page(&format!("{}{path}", sent.url), true).await.unwrap_err();
        assert_eq!(matches!(error, WebError::Refused { .. }), refused, "{path}: {error}");
    }
    assert_eq!(sent.all_requests().len(), 3 + 6, "redirects are bounded");
}

#[tokio::test]
async fn pages_that_are_too_large_no_text_or_not_there_are_told_apart() {
    let typed = |path: &str, kind: &str, body: &str| Route {
        path: path.to_owned(),
        headers: vec![("content-type".to_owned(), kind.to_owned())],
        body: body.to_owned(),
        ..Route::default()
    };
    let simulator = simulator([
        typed("/large", "text/plain", &"x".repeat(3 * 1024 * 1024)),
        typed("/picture", "image/png", "x"),
        typed("/bytes", "text/plain", "a\0b"),
        typed("/script", "text/html", "<script>draw()</script>"),
        Route::page("/gone", "").status(404),
    ]);
    let gateway = fresh();
    let large = gateway.read_page(&format!("{}/large", simulator.url), true).await.unwrap();
    assert_eq!((large.text.len(), large.cut), (2 * 1024 * 1024, true));
    for (path, why) in
        [("/picture", "no text (image/png)"), ("/bytes", "no text"), ("/script", "scripts"), ("/gone", "404")]
    {
        let error = gateway.read_page(&format!("{}{path}", simulator.url), true).await.unwrap_err();
        assert!(matches!(&error, WebError::Nothing { .. }) && error.to_string().contains(why), "{error}");
    }
    // Whoever listens there hangs up at once. The port is held, so that no other server can come to it meanwhile.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let error = gateway.read_page(&format!("http://{address}/"), true).await.unwrap_err();
    assert!(matches!(error, WebError::Failed(GatewayError::Network { .. })), "{error}");
}
