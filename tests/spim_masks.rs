//! Masks as a laboratory loads them: levels by measured tables, light made up for, a reference for
//! homodyne readout; what an export leaves out is found.

mod common;

use std::f64::consts::{PI, TAU};
use std::fs;

use common::Place;
use equilux::coupler::spim::SpimDevice;
use equilux::coupler::spim::optics::Optics;
use equilux::coupler::spim::optics::effective::Effective;
use equilux::coupler::spim::optics::mask::{Drive, Mask};
use equilux::coupler::spim::optics::response::Response;
use equilux::file::matrix::{read_matrix, write_matrix};
use nalgebra::DMatrix;
use num_complex::Complex;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A response that curves and ends beyond a full turn: phases of 256 levels, radians.
fn curved(level: usize) -> f64 {
    7.0 * (level as f64 / 256.0).powf(1.2)
}

/// A machine on the device of `tables`, trained a little into `run`.
fn trained(tables: &str, readout: &str) -> Place {
    let place = Place::new();
    place.file("table.csv", (0..256).map(|g| format!("{:.12}\n", curved(g))).collect::<String>());
    place.file(
        "x.toml",
        format!(
            "precision = 'f64'\n[data]\nset = 'wine'\nscaling = 'unit-range'\nclip = 1.0\n\
             [network]\nlayers = [13, 5, 3]\ntopology = 'all-to-all'\n[device.spim]\n\
             readout = '{readout}'\npatterns.count = 3\npatterns.values = 'continuous'\n\
             panel.macro_pixel_px = 4\n{tables}\n[relaxation]\nstep = 0.3\n\
             tolerance = 1e-2\nmax_steps = 30\n[learning]\nrule = 'ep'\nbeta = 0.5\n[training]\n\
             epochs = 1\nbatch = 32\noptimiser.adam.rate = 0.02\n"
        ),
    );
    place.printed(&["train", "x.toml", "--out", "run"]);
    place
}

fn manifest(place: &Place) -> Value {
    serde_json::from_str(&fs::read_to_string(place.path("maps/manifest.json")).unwrap()).unwrap()
}

/// Writes the manifest with `change` made to it, the check sums of the files as they are now, and a
/// seal of its own.
fn rewrite(place: &Place, original: &Value, change: impl FnOnce(&mut Value)) {
    let mut changed = original.clone();
    change(&mut changed);
    let sum = |bytes: &[u8]| -> String {
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    for entry in changed["files"].as_array_mut().unwrap() {
        let bytes = fs::read(place.path("maps").join(entry["file"].as_str().unwrap())).unwrap();
        entry["sha256"] = sum(&bytes).into();
    }
    let blank = "0".repeat(64);
    changed["seal"] = blank.clone().into();
    let text = changed.to_string();
    let sealed = text.replacen(&blank, &sum(text.as_bytes()), 1);
    fs::write(place.path("maps/manifest.json"), sealed).unwrap();
}

fn found(place: &Place, original: &Value, change: impl FnOnce(&mut Value), expected: &str) {
    rewrite(place, original, change);
    let message = place.refused(2, &["verify", "maps"]);
    assert!(message.contains(expected), "expected `{expected}` in: {message}");
    rewrite(place, original, |_| ());
}

/// The levels of a mask, row by row.
fn levels(path: &std::path::Path) -> Vec<u16> {
    let Drive::Levels(levels) = Mask::read(path, 8, None).unwrap().drive else { unreachable!() };
    levels
}

fn apart(a: f64, b: f64) -> f64 {
    ((a - b + PI).rem_euclid(TAU) - PI).abs()
}

/// The level whose phase is nearest: all 256 are tried.
fn nearest(phase: f64) -> f64 {
    let error = |level: &usize| apart(curved(*level), phase);
    let best = (0..256).min_by(|a, b| error(a).total_cmp(&error(b))).unwrap();
    curved(best)
}

fn on_table(place: &Place, calibrated: Option<bool>) -> SpimDevice {
    SpimDevice::default().with(|device| {
        device.quantisation.bits = 8;
        device.panel.macro_pixel_px = 4;
        let table = Some(place.path("table.csv").display().to_string());
        device.response = Response { table, calibrated, ..Response::default() };
    })
}

#[test]
fn a_calibrated_modulator_keeps_the_rounding_only() {
    let place = Place::new();
    place.file("table.csv", (0..256).map(|g| format!("{:.12}\n", curved(g))).collect::<String>());
    let optics = |calibrated| Optics::new(&on_table(&place, calibrated), 1).unwrap();
    let (own, blind) = (optics(None), optics(Some(false)));
    let (mut residual, mut error) = (0.0f64, 0.0f64);
    for i in 0..=1000 {
        let value = f64::from(i) / 500.0 - 1.0;
        let angle = value.acos();
        let expected = (Complex::cis(nearest(angle)) + Complex::cis(nearest(TAU - angle))) * 0.5;
        let shown = Effective::new(&own, 0).zero_order(&[value], &[]).0;
        assert!((shown - expected).norm() < 1e-9, "{value}: {shown} {expected}");
        residual = residual.max((shown - value).norm());
        error = error.max((Effective::new(&blind, 0).zero_order(&[value], &[]).0 - value).norm());
    }
    println!("calibrated {residual}, not calibrated {error}");
    // Half of the widest step between levels.
    assert!(residual < 7.0 * 1.2 / 256.0 / 2.0 + 1e-3, "{residual}");
    assert!(error > 0.3, "{error}");
}

#[test]
fn training_bench_and_export_choose_the_same_levels() {
    let place = trained("quantisation.bits = 8\nresponse.table = 'table.csv'", "parameter-shift");
    place.printed(&["export", "run", "--to", "slm", "--out", "maps"]);
    assert_eq!(place.json(&["verify", "maps"])["ok"], Value::Bool(true));
    // The bench, on the same patterns with all nodes at 1.
    let held = &manifest(&place)["held"][0]["slm"];
    let phases = read_matrix(&place.path("maps/all.patterns.phases.npy")).unwrap();
    let values = phases.transpose().map(f64::cos);
    write_matrix(&place.path("patterns.npy"), &values).unwrap();
    write_matrix(&place.path("ones.npy"), &DMatrix::from_element(21, 1, 1.0)).unwrap();
    place.file(
        "bench.toml",
        format!(
            "kind = 'spim'\ntitle = 'bench'\n[quantisation.bits]\nvalue = 8\nunit = 'bit'\nsource = 'test'\n\
             [panel.macro_pixel_px]\nvalue = 4\nunit = 'px'\nsource = 'test'\n\
             [response.table]\nvalue = '{}'\nunit = 'rad'\nsource = 'test'\n",
            place.path("table.csv").display()
        ),
    );
    let encode = ["spim", "encode", "ones.npy", "--patterns", "patterns.npy", "--out", "b.png"];
    place.printed(&[&encode[..], &["--device", "bench.toml"]].concat());
    for (number, mask) in held["masks"].as_array().unwrap().iter().enumerate() {
        let exported = levels(&place.path("maps").join(mask["file"].as_str().unwrap()));
        assert_eq!(exported, levels(&place.path(&format!("b-{}.png", number + 1))));
        // What the manifest says of the order is what the bench measures.
        let frame = ["spim", "frame", &format!("b-{}.png", number + 1), "--device", "bench.toml"];
        let measured = place.json(&frame)["intensities"][0]["value"].as_f64().unwrap();
        let stated = mask["orders"][0].as_f64().unwrap();
        assert!((measured / stated - 1.0).abs() < 1e-9, "{measured} {stated}");
    }
    let original = manifest(&place);
    found(&place, &original, |m| m["held"][0]["slm"]["response"] = Value::Null, "response = none");
}

#[test]
fn a_compensated_homodyne_machine_is_exported_whole() {
    let tables = "quantisation.bits = 8\npatterns.compensated = true\nillumination.radius = 1.0\n\
                  response.table = 'table.csv'\ndead_zone.fill_factor = 0.9\n\
                  panel.width_px = 48\npanel.height_px = 32";
    let place = trained(tables, "homodyne");
    let exported = place.json(&["export", "run", "--to", "slm", "--out", "maps"]);
    // The files are all that is needed.
    fs::remove_file(place.path("table.csv")).unwrap();
    assert_eq!(place.json(&["verify", "maps"])["ok"], Value::Bool(true));
    let expected = |key: &str| exported["expected"][key].as_u64().unwrap();
    // All but for what levels round off.
    assert!(expected("as_trained") + 2 >= expected("samples"));
    let original = manifest(&place);
    let held = &original["held"][0]["slm"];
    // Each macro-pixel is dimmed by the light on it, relative to the dimmest.
    let radius = 16.0;
    let light = |at: usize| -> f64 {
        let layout = &held["layout"];
        let of = |key: &str| layout[key].as_u64().unwrap() as usize;
        let [top, left] =
            ["top_px", "left_px"].map(|key| layout["regions"][0][key].as_u64().unwrap() as usize);
        let (row, column) = (top + at / of("columns") * 4, left + at % of("columns") * 4);
        let mut sum = 0.0;
        for y in row..row + 4 {
            for x in column..column + 4 {
                let (y, x) = (y as f64 - 15.5, x as f64 - 23.5);
                sum += (-(y * y + x * x) / (radius * radius)).exp();
            }
        }
        sum
    };
    // 21 nodes, and ceil(sqrt 21) = 5 macro-pixels of the reference.
    assert_eq!(held["layout"]["reference"], 5);
    let light: Vec<f64> = (0..26).map(light).collect();
    let dimmest = light.iter().copied().fold(f64::INFINITY, f64::min);
    let factors = read_matrix(&place.path("maps/all.patterns.compensation.npy")).unwrap();
    for (factor, light) in factors.iter().zip(&light) {
        assert!((factor - dimmest / light).abs() < 1e-12);
    }
    let average = light[..21].iter().sum::<f64>() / 21.0;
    let brightening = held["brightening"].as_f64().unwrap();
    assert!((brightening - (average / dimmest).powi(2)).abs() < 1e-9, "{brightening}");
    println!("brightening {brightening}");
    let amplitude = held["reference_amplitude"].as_f64().unwrap();
    assert!((amplitude - 21f64.sqrt()).abs() < 0.05, "{amplitude}");
    // What an ideal panel in an even beam would send into the first order, far from what this does.
    let phases = read_matrix(&place.path("maps/all.patterns.phases.npy")).unwrap();
    let overlap: f64 = phases.row(0).iter().map(|phase| phase.cos()).sum();
    let ideal = (overlap * 16.0 / (48.0 * 32.0)).powi(2);
    println!("orders {} ideal {ideal}", held["masks"][0]["orders"][0]);

    let slm = |change: fn(&mut Value)| move |m: &mut Value| change(&mut m["held"][0]["slm"]);
    for (change, expected) in [
        ((|m| m["brightening"] = 1.0.into()) as fn(&mut Value), "brightening = 1"),
        (|m| m["compensation"] = Value::Null, "compensation = none"),
        (|m| m["reference_amplitude"] = 0.0.into(), "reference_amplitude = 0"),
        (|m| m["layout"]["reference"] = 0.into(), "layout = "),
        (|m| m["response"] = Value::Null, "response = none"),
    ] {
        found(&place, &original, slm(change), expected);
    }
    found(
        &place,
        &original,
        |m| m["held"][0]["slm"]["masks"][0]["orders"][0] = ideal.into(),
        "all.patterns.mask-001.png: it sends [",
    );
    // Masks of the same patterns without dimming, and without a reference, in place of the files.
    let path = place.path("maps/all.patterns.mask-001.png");
    let whole = fs::read(&path).unwrap();
    let mut config: toml::Table = toml::from_str(original["config"].as_str().unwrap()).unwrap();
    let device = config["device"]["spim"].as_table_mut().unwrap();
    let copy = format!("maps/{}", device["response"]["table"].as_str().unwrap());
    assert!(copy.starts_with("maps/device-"), "{copy}");
    device["response"]["table"] = place.path(&copy).display().to_string().into();
    let device: SpimDevice = config["device"]["spim"].clone().try_into().unwrap();
    let optics = Optics::new(&device, 21).unwrap();
    let mut shown: Vec<f64> = phases.row(0).iter().map(|phase| phase.cos()).collect();
    let plain: Vec<f64> = shown
        .iter()
        .zip(&factors)
        .enumerate()
        .map(|(at, (value, factor))| if at < 21 { value / factor } else { *value })
        .collect();
    Mask::encode(&optics.layout, &[&plain], &optics.levels).write_png(&path).unwrap();
    found(&place, &original, |_| (), "all.patterns.mask-001.png: macro-pixel");
    shown.truncate(21);
    Mask::encode(&optics.layout, &[&shown], &optics.levels).write_png(&path).unwrap();
    found(&place, &original, |_| (), "all.patterns.mask-001.png: macro-pixel 22 shows");
    fs::write(&path, whole).unwrap();
    rewrite(&place, &original, |_| ());
    assert_eq!(place.json(&["verify", "maps"])["ok"], Value::Bool(true));
}

/// Masks of 10 bits hold values that are halves of 8-bit levels.
#[test]
fn masks_of_more_bits_are_exported_for_fewer() {
    let place = trained("quantisation.bits = 10", "homodyne");
    place.printed(&["export", "run", "--to", "slm", "--out", "fine"]);
    place.printed(&["import", "fine", "--out", "again"]);
    for sheet in ["spim-generic", "hamamatsu-x15213", "holoeye-pluto-2"] {
        let export = ["export", "again", "--to", "slm", "--device", sheet, "--out", "maps"];
        place.printed(&export);
        assert_eq!(place.json(&["verify", "maps"])["ok"], Value::Bool(true), "{sheet}");
        fs::remove_dir_all(place.path("maps")).unwrap();
    }
}

#[test]
fn a_makers_correction_is_added_to_the_levels_with_either_sign() {
    let place =
        trained("quantisation.bits = 8\npanel.width_px = 48\npanel.height_px = 24", "homodyne");
    let ten = Mask::from_levels(24, 48, 8, vec![10; 24 * 48]).unwrap();
    ten.write_png(&place.path("ten.png")).unwrap();
    for sign in ["plus", "minus"] {
        let export = ["export", "run", "--to", "slm", "--sign", sign, "--out"];
        place.printed(&[&export[..], &["plain"]].concat());
        place.printed(&[&export[..], &["maps", "--correction", "ten.png"]].concat());
        assert_eq!(place.json(&["verify", "maps"])["ok"], Value::Bool(true));
        let of = |directory: &str| {
            levels(&place.path(&format!("{directory}/all.patterns.mask-001.png")))
        };
        for (with, without) in of("maps").iter().zip(of("plain")) {
            assert_eq!((with + 256 - without) % 256, 10, "{sign}");
        }
        for directory in ["maps", "plain"] {
            fs::remove_dir_all(place.path(directory)).unwrap();
        }
    }
}

#[test]
fn orders_are_those_of_the_light_whatever_the_sign_of_the_panel() {
    let tables = "quantisation.bits = 8\npanel.width_px = 48\npanel.height_px = 24\n\
                  fringing.sigma = 0.9\nfringing.order = 2.3\ndead_zone.fill_factor = 0.9";
    let place = trained(tables, "parameter-shift");
    let orders = |sign: &str| {
        place.printed(&["export", "run", "--to", "slm", "--sign", sign, "--out", "maps"]);
        assert_eq!(place.json(&["verify", "maps"])["ok"], Value::Bool(true), "{sign}");
        let masks = manifest(&place)["held"][0]["slm"]["masks"].as_array().unwrap().clone();
        let orders: Vec<f64> =
            masks.iter().map(|mask| mask["orders"][0].as_f64().unwrap()).collect();
        let levels = levels(&place.path("maps/all.patterns.mask-001.png"));
        fs::remove_dir_all(place.path("maps")).unwrap();
        (orders, levels)
    };
    let ((plus, up), (minus, down)) = (orders("plus"), orders("minus"));
    assert!(plus.len() == 3 && plus.iter().all(|order| *order > 0.0), "{plus:?}");
    for (plus, minus) in plus.iter().zip(&minus) {
        assert!((plus - minus).abs() < 1e-12, "{plus} {minus}");
    }
    assert!(up.iter().zip(&down).all(|(up, down)| (up + down) % 256 == 0));
    assert_ne!(up, down);
}
