use super::*;

#[test]
fn the_built_in_table_prices_every_default_of_the_vendors_that_charge_by_token() {
    let catalogue = Catalogue::built_in();
    for provider in ["anthropic", "openai", "openrouter", "gemini"] {
        for tier in Tier::ALL {
            let model = catalogue.default_model(provider, tier).unwrap();
            let facts = catalogue.facts(provider, model).unwrap_or_else(|| panic!("{provider}/{model}"));
            assert!(facts.input > 0.0 && facts.output > facts.input, "{facts:?}");
        }
    }
    for provider in catalogue.defaults.keys() {
        assert!(crate::provider_info(provider).is_some(), "{provider} is not in the registry");
    }
}

#[test]
fn the_built_in_table_is_in_order() {
    let catalogue = Catalogue::built_in();
    for facts in catalogue.models() {
        assert!(crate::provider_info(&facts.provider).is_some(), "{facts:?}");
        assert!(facts.can.is_some(), "{} does not say what it can", facts.name);
        assert!(facts.cache_read.is_none_or(|price| price <= facts.input), "{facts:?}");
        let same = |other: &&ModelFacts| other.provider == facts.provider && other.name == facts.name;
        assert_eq!(catalogue.models().iter().filter(same).count(), 1, "{} is there twice", facts.name);
    }
}

#[test]
fn a_release_date_does_not_hide_the_price() {
    let catalogue = Catalogue::built_in();
    assert!(catalogue.facts("anthropic", "claude-haiku-4-5-20251001").is_some());
    assert!(catalogue.facts("openai", "gpt-5.4-2026-03-05").is_some());
    assert_eq!(catalogue.facts("openai", "gpt-5.4-pro"), None);
    assert_eq!(catalogue.facts("openai", "claude-haiku-4-5"), None);
}

#[test]
fn cost_counts_each_kind_of_token_once() {
    let catalogue = Catalogue::built_in();
    let usage = Usage { input: 1_000_000, output: 100_000, cache_read: 1_000_000, ..Usage::default() };
    let facts = catalogue.facts("anthropic", "claude-sonnet-4-6").unwrap();
    assert!((facts.cost(&usage) - 4.8).abs() < 1e-9, "{}", facts.cost(&usage));
    assert!((facts.saved(&usage) - 2.7).abs() < 1e-9, "{}", facts.saved(&usage));
    assert!(facts.most(1_000_000, 0) >= 3.75, "writing into the cache is the dearest way to read a prompt");
}

#[test]
fn long_prompts_have_their_own_price() {
    let catalogue = Catalogue::built_in();
    let facts = catalogue.facts("gemini", "gemini-2.5-pro").unwrap();
    let cost = |input| facts.cost(&Usage { input, ..Usage::default() });
    assert!((cost(200_000) - 0.25).abs() < 1e-9);
    assert!((cost(400_000) - 1.0).abs() < 1e-9);
}

#[test]
fn a_users_own_file_adds_and_overrides() {
    let own = r#"
        [defaults.nim]
        a = "small"
        b = "mine"
        c = "mine"

        [[model]]
        provider = "nim"
        name = "mine"
        input = 0.1
        output = 0.2
        skill = "complex"
        can = ["tools"]

        [[model]]
        provider = "anthropic"
        name = "claude-haiku-4-5"
        input = 9.0
        output = 9.0
    "#;
    let catalogue = Catalogue::built_in().overridden(own).unwrap();
    let mine = catalogue.facts("nim", "mine").unwrap();
    assert_eq!(catalogue.default_model("nim", Tier::B), Some("mine"));
    assert!(mine.can(Ability::Tools) && !mine.can(Ability::Images));
    assert_eq!(catalogue.skill(mine), Complexity::Complex);
    let haiku = catalogue.facts("anthropic", "claude-haiku-4-5").unwrap();
    assert!((haiku.input - 9.0).abs() < f64::EPSILON);
    assert!(haiku.can(Ability::Images), "what is not said is not known, and so not refused");
    assert!(catalogue.facts("anthropic", "claude-opus-4-6").is_some(), "the rest stays");
}

#[test]
fn a_file_that_is_wrong_is_refused_with_its_fault() {
    for (own, says) in [
        ("[[model]]\nprovider = \"openai\"", "name"),
        ("nonsense", "TOML"),
        ("[[model]]\nprovider = \"openia\"\nname = \"x\"\ninput = 1.0\noutput = 1.0", "openia"),
        ("[[model]]\nprovider = \"openai\"\nname = \"x\"\ninput = -1.0\noutput = 1.0", "price of x"),
        ("[[model]]\nprovider = \"openai\"\nname = \"x\"\ninput = nan\noutput = 1.0", "price of x"),
        ("[[model]]\nprovider = \"openai\"\nname = \"x\"\ninput = 1.0\noutput = 1.0\ncolour = 1", "colour"),
    ] {
        let error = Catalogue::built_in().overridden(own).unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains('\n'), "{error}");
    }
}
