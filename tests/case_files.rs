//! Case files: what is stable is found however fast it turns, and a bad case does not end the file.

mod common;

use common::Place;
use serde_json::{Value, json};

/// W turns at `frequency` and grows at `growth`; both nodes are driven.
fn case(name: &str, growth: f64, frequency: f64) -> Value {
    json!({
        "name": name,
        "W": [[growth, frequency], [-frequency, growth]],
        "U": [[1.0], [0.5]],
        "b": [0.1, 0.0],
        "x": [0.3],
        "target": [0.2],
    })
}

#[test]
fn a_case_that_cycles_does_not_end_the_file() {
    let place = Place::new();
    // The rest of the second is stable, at eigenvalues of about -1 +- 30 i: out of reach of steps of
    // 0.2 time constants. The first cycles for ever.
    let cases = json!({ "cases": [case("cycle", 3.0, 4.0), case("spinner", 0.0, 30.0)] });
    place.file("cases.json", cases.to_string());
    let output = place.command(&["gradient", "cases.json", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("cases.json: case cycle: a phase did not settle"), "{error}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [cycle, spinner] = [&found["cases"][0], &found["cases"][1]];
    assert_eq!(cycle["name"], "cycle");
    assert!(cycle["error"].as_str().unwrap().contains("did not settle"), "{cycle}");
    let rows = spinner["rules"].as_array().unwrap();
    let of = |rule: &str| rows.iter().rfind(|row| row["rule"] == rule).unwrap();
    let closed = of("dyadic-ep")["relative_error"].as_f64().unwrap();
    assert!(closed < 1e-9, "{spinner}");
    // Bias of second order in the nudge, which is 0.001 in the last row.
    let nudged = of("asym-ep")["relative_error"].as_f64().unwrap();
    assert!(nudged < 1e-5, "{spinner}");
}
