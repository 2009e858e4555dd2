//! Tables as a laboratory keeps them.

mod common;

use std::fs;

use common::Place;

#[test]
fn a_table_with_the_numbers_of_its_samples() {
    let place = Place::new();
    let sample = |at: usize| {
        let (kind, a) = (["x", "y"][at % 2], at as f64 / 10.0 + 5.0 * (at % 2) as f64);
        (kind, format!("s{at:03};{};{}", a.to_string().replace('.', ","), at % 7))
    };
    let mut table = String::from("sample;size;mass;kind\n");
    for at in 0..60 {
        let (kind, text) = sample(at);
        let text = if at == 17 { text.rsplit_once(';').unwrap().0.to_owned() + ";?" } else { text };
        table += &format!("{text};{kind}\n");
    }
    place.file("minerals.csv", &table);
    let init = ["init", "minerals", "--data", "minerals.csv", "--label", "kind"];
    let refused = place.refused(2, &init);
    assert!(refused.contains("data.ignore = [\"sample\"] leaves the column out"), "{refused}");
    let ignoring = [&init[..], &["--ignore", "sample"]].concat();
    assert!(place.refused(2, &ignoring).contains("data.missing = \"mean\""));
    place.printed(&[&ignoring[..], &["--fill-missing"]].concat());
    place.printed(&["train", "minerals.toml", "--out", "run", "--set", "training.epochs=2"]);
    let config = fs::read_to_string(place.path("run/config.toml")).unwrap();
    assert!(config.contains("layers = [\n    2,"), "{config}");
    // New samples may have their numbers or not.
    for (name, text) in
        [("with.csv", "sample;mass;size\nn1;3;7,5\n"), ("without.csv", "mass;size\n3;7,5\n")]
    {
        place.file(name, text);
        place.printed(&["predict", "run", "--data", name, "--out", &format!("p-{name}")]);
    }
    let [with, without] =
        ["p-with.csv", "p-without.csv"].map(|name| fs::read(place.path(name)).unwrap());
    assert_eq!(with, without);
    for (setting, expected) in [
        ("data.ignore=[\"sampel\"]", "did you mean `sample`?"),
        ("data.ignore=[\"kind\"]", "`kind` is a label column"),
        ("data.ignore=[\"sample\", \"size\", \"mass\"]", "expected at least one feature"),
        ("data.set=wine", "data.ignore: data.set = \"wine\" has none"),
    ] {
        let arguments = ["train", "minerals.toml", "--out", "no", "--set", setting];
        let refused = place.refused(2, &arguments);
        assert!(refused.contains(expected), "{setting}: {refused}");
    }
}
