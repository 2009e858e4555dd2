//! Error budgets on machines whose truth is known, and as a user runs them.

mod common;

use std::fs;

use common::{Place, bytes};
use equilux::Result;
use equilux::study::budget::{
    Budget, BudgetDirectory, Conduct, Imperfection, Options, Subject, budget,
};
use equilux::study::{Progress, Shard};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A machine that is no experiment: an accuracy of 0.9, less what a law makes of the effects, and
/// the same small deviation of each seed on every machine, beside one of each machine's own.
struct Known {
    effects: Vec<&'static str>,
    loss: fn(&[f64]) -> f64,
    /// Deviation of a run that is its own, as a part of 1.
    noise: f64,
}

/// A number from -1 to 1 named by `text`.
fn deviate(text: &str) -> f64 {
    let hash = Sha256::digest(text);
    let first = u64::from_le_bytes(hash[..8].try_into().unwrap());
    2.0 * ((first >> 11) as f64 / (1u64 << 53) as f64) - 1.0
}

impl Subject for Known {
    fn effects(&self) -> Vec<Imperfection> {
        let entry = |name: &&str| Imperfection {
            name: (*name).into(),
            title: (*name).into(),
            needs: Vec::new(),
        };
        self.effects.iter().map(entry).collect()
    }

    fn identity(&self, factors: &[f64], replicate: u64) -> Result<String> {
        Ok(format!("{factors:?} {replicate}"))
    }

    fn run(&self, factors: &[f64], replicate: u64) -> Result<Vec<(String, Option<f64>)>> {
        let seed = 0.02 * deviate(&format!("seed {replicate}"));
        let own = self.noise * deviate(&format!("{factors:?} {replicate}"));
        Ok(vec![("test_accuracy".into(), Some(0.9 + seed + own - (self.loss)(factors)))])
    }

    fn values(&self, effect: usize, factor: f64) -> Vec<(String, String)> {
        vec![(format!("{}.size", self.effects[effect]), factor.to_string())]
    }
}

fn conduct(jobs: usize) -> Conduct {
    Conduct { jobs, shard: Shard::ALL, retry_failed: false }
}

fn found(subject: &Known, options: &Options) -> Budget {
    let place = tempfile::tempdir().unwrap();
    let directory = BudgetDirectory::new(&place.path().join("budget")).unwrap();
    budget(subject, &directory, options, conduct(2), &mut |_: Progress| {}).unwrap()
}

#[test]
fn all_of_the_loss_is_the_one_effects_that_has_any() {
    let loss = |factors: &[f64]| 0.1 * factors[1];
    let subject = Known { effects: vec!["dust", "noise", "drift"], loss, noise: 0.001 };
    let found = found(&subject, &Options::default());
    let first = &found.effects[0];
    assert_eq!(first.effect, "noise");
    assert!(found.settled);
    // Each run is off by at most 0.001, a paired difference by twice that; seeds by 0.02, which
    // cancel.
    for contrast in [first.alone, first.away, first.doubled] {
        let contrast = contrast.unwrap();
        assert!((contrast.mean - 0.1).abs() < 0.002 && contrast.is_sure(), "{contrast:?}");
    }
    assert!((first.difference.unwrap() - first.away.unwrap().mean).abs() == 0.0);
    for other in &found.effects[1..] {
        for contrast in [other.alone, other.away, other.doubled] {
            let contrast = contrast.unwrap();
            assert!(contrast.mean.abs() < 0.002, "{contrast:?}");
        }
    }
    assert!((found.baseline - 0.8).abs() < 0.022 && (found.ideal.unwrap() - 0.9).abs() < 0.022);
    let [whole, alone, away] =
        [found.sum.whole, found.sum.alone, found.sum.away].map(|contrast| contrast.unwrap().mean);
    assert!((whole - 0.1).abs() < 0.002, "{whole}");
    // Sums of three differences.
    assert!((alone - 0.1).abs() < 0.006 && (away - 0.1).abs() < 0.006, "{alone} {away}");
    // Four runs are off by at most 0.001.
    for pair in &found.pairs {
        assert!(pair.beyond_sum.unwrap().mean.abs() < 0.004, "{pair:?}");
    }
}

#[test]
fn two_that_cancel_are_reported_as_a_pair() {
    // The light of a dead zone and that of fringing: each costs 8 points, both nothing; a third
    // costs 3 beside them.
    let loss = |f: &[f64]| 0.08 * (f[0] - f[1]).abs() + 0.03 * f[2];
    let subject = Known { effects: vec!["fringing", "dead_zone", "noise"], loss, noise: 0.001 };
    let found = found(&subject, &Options::default());
    let [pair, others @ ..] = found.pairs.as_slice() else { panic!("no pairs") };
    assert!(pair.effects == ["fringing", "dead_zone"] && pair.sure, "{pair:?}");
    // Without each the machine loses 0.08, without both nothing: 0.16 beyond the sum. Four runs are
    // off by at most 0.001.
    assert!((pair.beyond_sum.unwrap().mean - 0.16).abs() < 0.004, "{pair:?}");
    assert!(pair.both.unwrap().mean.abs() < 0.002);
    for other in others {
        assert!(other.beyond_sum.unwrap().mean.abs() < 0.004, "{other:?}");
    }
    let of = |name: &str| found.effects.iter().find(|effect| effect.effect == name).unwrap();
    assert!((of("fringing").away.unwrap().mean + 0.08).abs() < 0.002, "it helps the full device");
    assert!((of("fringing").alone.unwrap().mean - 0.08).abs() < 0.002, "and costs an ideal one");
    let sum = found.sum.alone.unwrap().mean - found.sum.whole.unwrap().mean;
    assert!((sum - 0.16).abs() < 0.008, "the parts are 0.19, the whole is 0.03");
}

#[test]
fn more_seeds_go_where_the_order_is_open() {
    // Two of nearly the same size, one much larger, one much smaller.
    let loss = |f: &[f64]| 0.2 * f[0] + 0.031 * f[1] + 0.03 * f[2] + 0.001 * f[3];
    let subject = Known { effects: vec!["a", "b", "c", "d"], loss, noise: 0.01 };
    let options =
        Options { paired: 0, within: 1e-4, top: 2, runs: Some(300), ..Options::default() };
    let found = found(&subject, &options);
    let seeds = |name: &str| {
        let effect = found.effects.iter().find(|effect| effect.effect == name).unwrap();
        effect.machine_away.seeds
    };
    assert_eq!((seeds("a"), seeds("d")), (5, 5));
    assert!(seeds("b") > 20 && seeds("b") == seeds("c"), "{} {}", seeds("b"), seeds("c"));
    assert!(!found.settled && found.runs <= 300, "{} runs", found.runs);
}

#[test]
fn tolerances_are_where_the_loss_is() {
    // 0.5 points at the size it has, in proportion: a loss of one point at twice that.
    let loss = |f: &[f64]| 0.005 * f[0];
    let subject = Known { effects: vec!["noise"], loss, noise: 0.0001 };
    let found = found(&subject, &Options { tolerances: Some(0.01), ..Options::default() });
    let tolerance = &found.tolerances[0];
    let factor = tolerance.factor.unwrap();
    // Two runs are off by 0.0002 of 0.01, and the last step is an eighth of an octave.
    assert!((1.96 / 1.091..2.04).contains(&factor), "{tolerance:?}");
    // The sure ones are on the right sides.
    let (less, more) = (tolerance.surely_less.unwrap(), tolerance.surely_more.unwrap());
    assert!((1.0..2.04).contains(&less) && (1.96..8.2).contains(&more), "{tolerance:?}");
    assert_eq!(tolerance.values, [("noise.size".to_owned(), factor.to_string())]);
}

#[test]
fn a_budget_that_stops_goes_on_to_the_same_bits() {
    let loss = |f: &[f64]| 0.03 * f[0] + 0.029 * f[1] * f[2];
    let subject = Known { effects: vec!["a", "b", "c"], loss, noise: 0.01 };
    let options = Options { tolerances: Some(0.01), ..Options::default() };
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str, jobs: usize| {
        let directory = BudgetDirectory::new(&place.path().join(name)).unwrap();
        budget(&subject, &directory, &options, conduct(jobs), &mut |_: Progress| {}).unwrap();
        ["budget.json", "results.csv"].map(|file| bytes(&directory.path().join(file)))
    };
    let whole = at("whole", 1);
    assert_eq!(at("threads", 3), whole);
    // Killed: a part of the records is there, the last of them torn.
    let records = place.path().join("whole/records/1-of-1.jsonl");
    let text = fs::read_to_string(records).unwrap();
    let stopped = place.path().join("stopped/records");
    fs::create_dir_all(&stopped).unwrap();
    fs::write(stopped.join("1-of-1.jsonl"), &text[..text.len() / 3]).unwrap();
    assert_eq!(at("stopped", 2), whole);
}

/// A crossbar with two effects before the embedded Wine data.
const CROSSBAR: &str = r#"
seed = 5
[data]
set = "wine"
[network]
layers = [13, 6, 3]
[device.crossbar]
read_noise.sd_uS = 0.5
adc.bits = 6
[relaxation]
step = 1.0
max_steps = 20
[training]
epochs = 3
batch = 30
"#;

const QUICK: [&str; 6] = ["--seeds", "2", "--runs", "30", "--gradient-samples", "4"];

fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["budget", "crossbar.toml"], more, &QUICK].concat()
}

#[test]
fn a_crossbars_effects_come_from_its_list() {
    let place = Place::new();
    place.file("crossbar.toml", CROSSBAR);
    let found = place.json(&arguments(&["--out", "one", "--jobs", "1"]));
    let mut names: Vec<&str> = found["effects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|effect| effect["effect"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["adc", "read_noise"]);
    for effect in found["effects"].as_array().unwrap() {
        for key in ["without", "difference", "standard_error"] {
            assert!(effect[key].is_number(), "{key} in {effect}");
        }
        let cosine = effect["machine_away"]["cosine"].as_f64().unwrap();
        assert!(cosine > 0.5 && cosine <= 1.0, "{cosine}");
    }
    // Without any effect the gradient is the machine's own, but for the strength of the nudge.
    assert!(found["without_all"]["cosine"].as_f64().unwrap() > 0.99);
    // Full, ideal, and each alone is the other taken away; two doubled; the pair is the ideal.
    let runs = found["runs"].as_u64().unwrap();
    assert!((12..=30).contains(&runs), "{runs}");
    let page = fs::read_to_string(place.path("one/index.html")).unwrap();
    assert!(page.contains("read noise") && page.contains("<svg"));
    place.json(&arguments(&["--out", "two", "--jobs", "2"]));
    for file in ["budget.json", "results.csv", "plots/tornado.svg"] {
        assert_eq!(
            bytes(&place.path("one").join(file)),
            bytes(&place.path("two").join(file)),
            "{file}"
        );
    }
    // Two processes share a directory: the second finds all runs done, and ends with the whole.
    place.json(&arguments(&["--out", "three", "--shard", "1/2"]));
    place.json(&arguments(&["--out", "three", "--shard", "2/2"]));
    assert_eq!(bytes(&place.path("one/budget.json")), bytes(&place.path("three/budget.json")));
    let second = fs::read_to_string(place.path("three/records/2-of-2.jsonl")).unwrap();
    assert_eq!(second, "");
}

#[test]
fn what_a_budget_cannot_do_is_said() {
    let place = Place::new();
    place.file("crossbar.toml", CROSSBAR);
    place.file(
        "exact.toml",
        CROSSBAR.replace("[device.crossbar]\nread_noise.sd_uS = 0.5\nadc.bits = 6\n", ""),
    );
    let refused = |arguments: &[&str]| place.refused(2, arguments);
    for (arguments, expected) in [
        (vec!["budget", "exact.toml"], "has no imperfection that is on"),
        (vec!["budget", "crossbar.toml", "--seeds", "1"], "expected at least 2"),
        (vec!["budget", "crossbar.toml", "--runs", "5"], "expected at least that"),
        (
            vec!["budget", "crossbar.toml", "--tolerances", "--loss", "0"],
            "--loss 0: expected points",
        ),
        (vec!["budget", "crossbar.toml", "--within", "0"], "--within 0: expected points"),
        (vec!["budget", "crossbar.toml", "--loss", "2"], "--tolerances"),
        (
            vec!["budget", "crossbar.toml", "--set", "device.crossbar.adc.bit=3"],
            "did you mean `bits`?",
        ),
        (vec!["budget", "nowhere.toml"], "nowhere.toml"),
    ] {
        let refusal = refused(&arguments);
        assert!(refusal.contains(expected), "{arguments:?}: {refusal}");
    }
    assert!(!place.path("budgets").exists(), "nothing is written before all is checked");
    place.json(&arguments(&["--out", "mine"]));
    let other = refused(&arguments(&["--out", "mine", "--set", "training.epochs=1"]));
    assert!(other.contains("budget of another experiment"), "{other}");
    fs::create_dir_all(place.path("full")).unwrap();
    fs::write(place.path("full/thesis.tex"), "x").unwrap();
    assert!(refused(&arguments(&["--out", "full"])).contains("not the directory of a budget"));
}

#[test]
fn an_effect_that_cannot_be_doubled_has_a_dash() {
    let place = Place::new();
    let pulsed = CROSSBAR.replace(
        "read_noise.sd_uS = 0.5\nadc.bits = 6",
        "pulses.model = \"constant\"\npulses.step = 0.01\nread_noise.sd_uS = 0.5",
    );
    place.file("crossbar.toml", &pulsed);
    let found = place.json(&arguments(&["--tolerances"]));
    let effects = found["effects"].as_array().unwrap();
    let pulses = effects.iter().find(|effect| effect["effect"] == "pulses").unwrap();
    assert_eq!(pulses["doubled"], Value::Null);
    let why = pulses["machine_doubled"]["error"].as_str().unwrap();
    assert!(why.contains("cannot be scaled"), "{why}");
    assert!(pulses["alone"]["mean"].is_number());
    let tolerances = found["tolerances"].as_array().unwrap();
    let of = |name: &str| tolerances.iter().find(|found| found["effect"] == name).unwrap();
    assert!(of("pulses")["refused"].is_string());
    assert!(of("read_noise")["refused"].is_null());
}
