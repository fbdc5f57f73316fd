use assist_base::Secret;

use super::*;

fn config(keys: &[&str], urls: &[(&str, &str)]) -> GatewayConfig {
    let mut config = GatewayConfig::default();
    for name in keys {
        config.providers.entry((*name).to_owned()).or_default().key = Some(Secret::new("k"));
    }
    for (name, url) in urls {
        config.providers.entry((*name).to_owned()).or_default().base_url = Some((*url).to_owned());
    }
    config
}

fn route(config: &GatewayConfig, tier: Tier, named: Option<&str>) -> Result<String, String> {
    let catalogue = Catalogue::built_in();
    let route = Route { config, catalogue: &catalogue, local_ollama: false };
    route.model(tier, named).map(|model| model.to_string()).map_err(|error| error.to_string())
}

#[test]
fn defaults_follow_the_keys() {
    for (keys, expected) in [
        (&["anthropic"][..], "anthropic/claude-sonnet-4-6"),
        (&["openai"], "openai/gpt-5.4"),
        (&["openai", "anthropic"], "anthropic/claude-sonnet-4-6"),
        (&["nim"], "nim/deepseek-ai/deepseek-r1-0528"),
        (&["openrouter", "nim"], "openrouter/anthropic/claude-sonnet-4.6"),
    ] {
        assert_eq!(route(&config(keys, &[]), Tier::B, None), Ok(expected.to_owned()));
    }
    assert_eq!(route(&config(&["anthropic"], &[]), Tier::A, None), Ok("anthropic/claude-haiku-4-5".into()));
}

#[test]
fn nothing_set_up_is_one_sentence_with_the_fix() {
    let error = route(&GatewayConfig::default(), Tier::B, None).unwrap_err();
    for fix in ["assist auth set anthropic", "ANTHROPIC_API_KEY", "Ollama"] {
        assert!(error.contains(fix), "{error}");
    }
    assert_eq!(error.matches('.').count(), 1, "{error}");
    // An empty key is no key.
    let mut empty = config(&["anthropic"], &[]);
    empty.providers.get_mut("anthropic").unwrap().key = Some(Secret::new("  "));
    assert_eq!(route(&empty, Tier::B, None), Err(error));
}

#[test]
fn names_override_tiers_and_tiers_override_defaults() {
    let mut config = config(&["anthropic", "openai"], &[]);
    config.tiers[1] = Some("openai/gpt-5.5".into());
    assert_eq!(route(&config, Tier::B, None), Ok("openai/gpt-5.5".into()));
    assert_eq!(route(&config, Tier::C, None), Ok("anthropic/claude-opus-4-6".into()));
    assert_eq!(route(&config, Tier::B, Some("claude-x")), Ok("anthropic/claude-x".into()));
    assert_eq!(route(&config, Tier::B, Some("gpt-x")), Ok("openai/gpt-x".into()));
    assert_eq!(route(&config, Tier::B, Some(" ")), Ok("openai/gpt-5.5".into()));
    config.provider = Some("openai".into());
    assert_eq!(route(&config, Tier::C, None), Ok("openai/gpt-5.5".into()));
    assert_eq!(route(&config, Tier::C, Some("claude-x")), Ok("openai/claude-x".into()));
}

#[test]
fn a_makers_slash_is_not_a_providers() {
    let nim = config(&["nim"], &[]);
    assert_eq!(route(&nim, Tier::B, Some("openai/gpt-oss-120b")), Ok("nim/openai/gpt-oss-120b".into()));
    assert_eq!(route(&nim, Tier::B, Some("meta/llama")), Ok("nim/meta/llama".into()));
    assert_eq!(route(&nim, Tier::B, Some("nim/meta/llama")), Ok("nim/meta/llama".into()));
    let error = route(&config(&["openai"], &[]), Tier::B, Some("anthropc/claude-x")).unwrap_err();
    assert!(
        error.contains("no provider called `anthropc`") && error.contains("anthropic, openai"),
        "{error}"
    );
    let error = route(&config(&["openai"], &[]), Tier::B, Some("anthropic/claude-x")).unwrap_err();
    assert!(error.contains("anthropic is not set up") && error.contains("ANTHROPIC_API_KEY"), "{error}");
}

#[test]
fn a_server_of_ones_own_needs_no_key_and_names_its_own_models() {
    let own = config(&[], &[("openai", "http://127.0.0.1:8000")]);
    assert_eq!(route(&own, Tier::B, None), Ok("openai/auto".into()));
    let keyed = config(&["openai"], &[("openai", "http://127.0.0.1:8000")]);
    assert_eq!(route(&keyed, Tier::B, None), Ok("openai/gpt-5.4".into()));
    let home = config(&[], &[("openai", "https://api.openai.com/v1/")]);
    assert!(route(&home, Tier::B, None).is_err());
    let mut model = config(&[], &[("openai-compatible", "http://127.0.0.1:8000")]);
    model.providers.get_mut("openai-compatible").unwrap().model = Some("qwen".into());
    assert_eq!(route(&model, Tier::B, None), Ok("openai-compatible/qwen".into()));
    assert_eq!(
        route(&config(&["openai-compatible"], &[]), Tier::B, None),
        Err(GatewayError::NoProvider.to_string())
    );
}

#[test]
fn a_preference_that_cannot_be_met_says_why() {
    let mut config = config(&["anthropic"], &[]);
    config.provider = Some("openai".into());
    assert!(route(&config, Tier::B, None).unwrap_err().contains("OPENAI_API_KEY"));
    config.provider = Some("opnai".into());
    assert!(route(&config, Tier::B, None).unwrap_err().contains("no provider called `opnai`"));
}

fn fallbacks(config: &GatewayConfig, tier: Tier) -> Vec<String> {
    let catalogue = Catalogue::built_in();
    let route = Route { config, catalogue: &catalogue, local_ollama: false };
    let first = route.model(tier, None).unwrap();
    route.fallbacks(tier, &first).iter().map(ToString::to_string).collect()
}

#[test]
fn the_same_tier_of_the_others_comes_after_the_first() {
    let all = config(&["gemini", "anthropic", "openai"], &[]);
    assert_eq!(fallbacks(&all, Tier::B), ["openai/gpt-5.4", "gemini/gemini-2.5-pro"]);
    assert_eq!(fallbacks(&all, Tier::A), ["openai/gpt-5.4-mini", "gemini/gemini-2.5-flash"]);
    let mut named = all.clone();
    named.fallbacks = Some([Vec::new(), vec!["gemini-2.5-flash".into(), "no-such/x".into()], Vec::new()]);
    assert_eq!(fallbacks(&named, Tier::B), ["gemini/gemini-2.5-flash"]);
    assert!(fallbacks(&named, Tier::A).is_empty());
}

#[test]
fn code_that_stays_on_this_machine_is_not_sent_elsewhere() {
    let mut local = config(
        &["anthropic", "openai"],
        &[("ollama", "http://127.0.0.1:11434"), ("nim", "http://localhost:8000")],
    );
    local.provider = Some("ollama".to_owned());
    local.providers.get_mut("nim").unwrap().model = Some("own".to_owned());
    assert_eq!(fallbacks(&local, Tier::B), ["nim/own"]);
    // Named, it is the user's own choice.
    local.fallbacks = Some([Vec::new(), vec!["anthropic/claude-haiku-4-5".into()], Vec::new()]);
    assert_eq!(fallbacks(&local, Tier::B), ["anthropic/claude-haiku-4-5"]);
}
