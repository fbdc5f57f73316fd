use super::*;

#[test]
fn the_house_is_tidy() {
    let problems = check(&crate::root()).unwrap();
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    assert!(lines.is_empty(), "\n{}", lines.join("\n"));
}
