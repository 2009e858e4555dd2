//! The bench instruments of an optical machine and its datasheets, as a user meets them.

mod common;

use common::Place;

const VALUES: &str = "0.5\n-0.25\n1\n-1\n0\n0.75\n";
const PATTERNS: &str = "1,-1\n1,1\n-1,1\n1,1\n-1,-1\n1,-1\n";

#[track_caller]
fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "expected `{part}` in: {message}");
    }
}

#[test]
fn values_become_masks_and_masks_become_intensities() {
    let place = Place::new();
    place.file("v.csv", VALUES);
    place.file("p.csv", PATTERNS);
    let size = [
        "--set",
        "panel.width_px=48",
        "--set",
        "panel.height_px=32",
        "--set",
        "quantisation.bits=8",
    ];
    let manifest = place.json(
        &[&["spim", "encode", "v.csv", "--patterns", "p.csv", "--out", "m.png"][..], &size]
            .concat(),
    );
    assert_eq!(manifest["files"].as_array().unwrap().len(), 2);
    assert_eq!((&manifest["columns"], &manifest["rows"]), (&3.into(), &2.into()));
    // Overlaps of the two patterns, over the 24 macro-pixels of the panel: 6 show nodes.
    for (mask, overlap) in
        [("m-1.png", 0.5f64 - 0.25 - 1.0 - 1.0 + 0.75), ("m-2.png", -0.5 - 0.25 + 1.0 - 1.0 - 0.75)]
    {
        let frame = |tier: &[&str]| {
            let found = place.json(&[&["spim", "frame", mask][..], &size, tier].concat());
            found["zero_order"].as_f64().unwrap()
        };
        let wave = frame(&[]);
        let expected = (overlap / 24.0) * (overlap / 24.0);
        // Six phases rounded to 1/256 turn, as fields below 0.0123 each.
        assert!(
            (wave.sqrt() - expected.sqrt()).abs() < 6.0 * 0.0123 / 24.0,
            "{mask}: {wave} {expected}"
        );
        for tier in ["analytic", "effective"] {
            assert!((frame(&["--tier", tier, "--nodes", "6"]) - wave).abs() < 1e-12, "{tier}");
        }
    }
    let frame =
        place.json(&["spim", "frame", "m-1.png", "--at", "0.25,-0.0833", "--image", "plane.npy"]);
    let point = &frame["intensities"][0];
    assert_eq!((point["fy"].as_f64(), point["fx"].as_f64()), (Some(0.25), Some(-0.0833)));
    assert!(place.path("plane.npy").exists());
    // A picture of the orders: in colours, and no black rectangle.
    place.json(&["spim", "frame", "m-1.png", "--image", "plane.png"]);
    let file = std::fs::File::open(place.path("plane.png")).unwrap();
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size()];
    reader.next_frame(&mut bytes).unwrap();
    let mut colours: Vec<&[u8]> = bytes.chunks_exact(3).collect();
    colours.sort_unstable();
    colours.dedup();
    assert!(colours.len() > 20, "{} colours", colours.len());
    assert!(
        place
            .refused(2, &["spim", "encode", "v.csv", "--out", "m.jpg"])
            .contains("--out m.jpg: expected a file that ends in .png")
    );
}

#[test]
fn masks_and_values_that_do_not_fit_are_refused() {
    let place = Place::new();
    place.file("v.csv", VALUES);
    place.file("big.csv", "0.5\n1.5\n");
    place.file("p.csv", "1\n1\n");
    place.file("m.csv", "0,1,2,300\n0,0,0,0\n");
    place.file("half.csv", "0,1.5\n0,1\n");
    let encode = |values: &str, more: &[&str]| {
        place.refused(2, &[&["spim", "encode", values, "--out", "m.png"][..], more].concat())
    };
    says(&encode("big.csv", &[]), &["big.csv", "row 2, column 1", "[-1, 1], found 1.5"]);
    says(&encode("v.csv", &["--patterns", "p.csv"]), &["p.csv", "expected 6 rows", "found 2"]);
    let small = ["--set", "panel.width_px=16", "--set", "panel.height_px=16"];
    says(&encode("v.csv", &small), &["16 x 16", "2 x 2 macro-pixels", "6 nodes do not fit"]);
    says(
        &encode("v.csv", &["--set", "panel.checker_px=3"]),
        &["macro_pixel_px = 8", "checker_px = 3"],
    );
    says(&encode("v.csv", &["--set", "panel.checker=3"]), &["did you mean `checker_px`?"]);
    says(&encode("v.csv", &["--device", "hamamatsu"]), &["no datasheet", "hamamatsu-x15213"]);
    let frame = |mask: &str, more: &[&str]| {
        place.refused(2, &[&["spim", "frame", mask][..], more].concat())
    };
    says(
        &frame("m.csv", &["--set", "quantisation.bits=8"]),
        &["m.csv", "row 1, column 4", "level 300", "0 to 255"],
    );
    says(&frame("half.csv", &[]), &["half.csv", "whole number, found 1.5"]);
    says(
        &frame("m.csv", &["--device", "hamamatsu-x15213"]),
        &["expected 1272 x 1024 pixels", "found 4 x 2"],
    );
    says(&frame("absent.png", &[]), &["absent.png", "cannot be read"]);
    says(&frame("m.csv", &["--at", "nan,0"]), &["expected two numbers"]);
    place.file("lut.csv", "0\n1\n0.5\n2\n");
    says(
        &frame("half.csv", &["--set", "quantisation.bits=2", "--set", "response.table=lut.csv"]),
        &["half.csv"],
    );
    place.file("ok.csv", "0,1\n2,3\n");
    says(
        &frame("ok.csv", &["--set", "quantisation.bits=2", "--set", "response.table=lut.csv"]),
        &["lut.csv", "must rise"],
    );
    place.file("kernel.csv", "0.2,0.2,0.2\n0.2,0.9,0.2\n0.2,0.2,0.2\n");
    says(
        &frame("ok.csv", &["--set", "quantisation.bits=2", "--set", "fringing.kernel=kernel.csv"]),
        &["kernel.csv", "sums to 1"],
    );
}

#[test]
fn datasheets_are_listed_shown_and_validated() {
    let place = Place::new();
    let all = place.json(&["devices"]);
    let names: Vec<&str> =
        all["devices"].as_array().unwrap().iter().map(|d| d["name"].as_str().unwrap()).collect();
    assert!(
        names.contains(&"hamamatsu-x15213")
            && names.contains(&"ti-plm")
            && names.contains(&"crossbar-generic"),
        "{names:?}"
    );
    for name in names {
        let sheet = place.json(&["devices", name]);
        let numbers = sheet["numbers"].as_array().unwrap();
        assert!(
            numbers.iter().all(|n| !n["unit"].as_str().unwrap().is_empty()
                && !n["source"].as_str().unwrap().is_empty()),
            "{name}"
        );
    }
    // The refresh of wires without resistance changes nothing; zero bits say so themselves.
    let number = |key: &str, value: &str, unit: &str| {
        format!("[{key}]\nvalue = {value}\nunit = '{unit}'\nsource = 'x'\n")
    };
    let numbers = number("wires.refresh", "8", "1") + &number("adc.bits", "0", "bit");
    place.file("idle.toml", format!("kind = 'crossbar'\ntitle = 'idle'\n{numbers}"));
    says(
        &place.printed(&["devices", "idle.toml"]),
        &[
            "idle.toml: valid; 2 numbers",
            "without effect, as their tables are off with these values: wires.refresh",
        ],
    );
    assert_eq!(place.json(&["devices", "idle.toml"])["idle"], serde_json::json!(["wires.refresh"]));
    let shown = place.printed(&["devices", "hamamatsu-x15213"]);
    says(&shown, &["1272", "px", "data sheet", "assumed"]);
    place.file(
        "mine.toml",
        "kind = 'spim'\ntitle = 'mine'\n[quantisation.bits]\nvalue = 99\nunit = 'bit'\nsource = 'me'\n",
    );
    says(
        &place.refused(2, &["devices", "mine.toml"]),
        &["mine.toml", "99 is out of range", "0 (an exact phase) or 1 to 16 bits"],
    );
    says(
        &place.refused(2, &["devices", "hamamatsu-x15214"]),
        &["did you mean `hamamatsu-x15213`?"],
    );
}

#[test]
fn agreement_of_tiers_names_the_effect_to_blame() {
    let place = Place::new();
    let small = [
        "--set",
        "panel.width_px=0",
        "--set",
        "panel.height_px=0",
        "--nodes",
        "9",
        "--samples",
        "2",
    ];
    let agree = |sheet: &str| place.json(&[&["spim", "agree", sheet][..], &small].concat());
    let ideal = agree("ideal-slm");
    assert!(
        ideal["all"]["analytic"].as_f64().unwrap() < 1e-12
            && ideal["alone"].as_array().unwrap().is_empty()
    );
    let mirrors = agree("ti-plm");
    assert!(
        mirrors["all"]["effective"].as_f64().unwrap() < 1e-12,
        "no fringing: tabulated responses are exact"
    );
    assert!(mirrors["all"]["analytic"].as_f64().unwrap() > 1e-3);
    let liquid = agree("hamamatsu-x15213");
    let alone = liquid["alone"].as_array().unwrap();
    let worst = alone
        .iter()
        .max_by(|a, b| {
            a["effective"].as_f64().unwrap().total_cmp(&b["effective"].as_f64().unwrap())
        })
        .unwrap();
    assert_eq!(worst["effect"], "fringing fields");
}
