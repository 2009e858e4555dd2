//! Instruments behind the protocol of laboratories: simulated ones give the numbers that they give
//! in the process, and whatever goes wrong ends in an error or in a counted retry.

mod common;

use std::io::{BufReader, BufWriter, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use common::Place;
use equilux::experiment::{Experiment, Session};
use equilux::wire::{Array, Instrument, Message, Refusal, serve};
use serde_json::{Value, json};

/// A small optical machine, its light ideal.
const OPTICAL: &str = r#"
precision = "f64"
[data]
set = "wine"
test_fraction = 0.9
gain = 0.5
clip = 1.0
[network]
layers = [13, 3]
topology = "all-to-all"
[device.spim]
quantisation.bits = 8
patterns.count = 2
panel.macro_pixel_px = 2
[relaxation]
step = 0.5
tolerance = 1e-2
max_steps = 12
[learning]
beta = 0.5
[training]
epochs = 1
batch = 8
[training.bop]
gamma = 0.1
threshold = 1e-3
"#;

fn experiment(text: &str, settings: &[&str]) -> Experiment {
    let settings: Vec<String> = settings.iter().map(|setting| setting.to_string()).collect();
    Experiment::parse(text, "a test", &settings).unwrap()
}

/// Serves one client with what `make` makes, and returns the address.
fn served<I: Instrument>(make: impl FnOnce() -> I + Send + 'static) -> String {
    on_a_thread(move |stream| {
        let (mut from, mut to) =
            (BufReader::new(stream.try_clone().unwrap()), BufWriter::new(stream));
        let _ = serve(&mut make(), &mut from, &mut to);
    })
}

/// Lets `work` loose on the first client, and returns the address.
fn on_a_thread(work: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let stream = listener.accept().unwrap().0;
        stream.set_nodelay(true).unwrap();
        work(stream);
    });
    address
}

/// The parameters of a trained session, and the costs of its epochs.
fn trained(experiment: Experiment) -> (Vec<f64>, Vec<f64>, equilux::training::Summary) {
    let mut session = Session::<f64>::new(experiment).unwrap();
    session.trainer.train().unwrap();
    let values = session.trainer.values().iter().flat_map(|matrix| matrix.iter().copied());
    let costs = session.trainer.metrics().iter().map(|row| row.train_cost).collect();
    (values.collect(), costs, session.trainer.summary("a test".into()).unwrap())
}

/// Trains `here`, and the same on an instrument at `address`: to `tolerance` the same.
fn agree(here: Experiment, address: &str, tolerance: f64) {
    let there = here.in_laboratory(address).unwrap();
    let (own, costs, summary) = trained(here);
    let (other, other_costs, other_summary) = trained(there);
    for (a, b) in own.iter().chain(&costs).zip(other.iter().chain(&other_costs)) {
        assert!((a - b).abs() <= tolerance * (1.0 + a.abs()), "{a} {b}");
    }
    assert_eq!(summary.scores.test(), other_summary.scores.test());
    assert_eq!(summary.inference_steps, other_summary.inference_steps);
    assert_eq!(other_summary.lab.retries, 0);
}

/// Continuous patterns are trained by the size of forces, not their signs.
const CONTINUOUS: [&str; 3] = [
    "device.spim.patterns.values=continuous",
    "training.optimiser.sgd.rate=0.1",
    "device.spim.patterns.train_weights=true",
];

#[test]
fn served_optics_are_those_in_the_process() {
    for settings in [
        &[][..],
        &["device.spim.readout=homodyne"],
        &["device.spim.readout=homodyne", "device.spim.patterns.non_reciprocal=true"],
        &["device.spim.readout=cross-term", "device.spim.patterns.non_reciprocal=true"],
        &["device.spim.readout=cross-term", "network.topology=one-way", "network.layers=[13,4,3]"],
        &["device.spim.readout=quarter-shift"],
        &["device.spim.readout=finite-difference"],
        &["device.spim.readout.spsa.directions=2", "relaxation.tolerance=0.3"],
        &[
            "device.spim.quantisation.bits=10",
            "device.spim.panel.width_px=20",
            "device.spim.panel.height_px=12",
        ],
        &[
            "device.spim.frames.multiplexing=focal-plane",
            "device.spim.panel.macro_pixel_px=4",
            "device.spim.quantisation.bits=16",
            "device.spim.readout=homodyne",
        ],
    ] {
        println!("{settings:?}");
        let all = [&CONTINUOUS[..], settings].concat();
        let here = experiment(OPTICAL, &all);
        let instrument = here.clone();
        // Orders look into each other by the wave tier, and a carrier's phase is rounded to levels;
        // nothing else is other than rounding.
        let carriers = settings.iter().any(|setting| setting.contains("focal"));
        let tier = carriers.then_some(equilux::coupler::spim::Tier::Effective);
        let address = served(move || instrument.frames(tier).unwrap());
        agree(here, &address, if carriers { 1e-3 } else { 1e-9 });
    }
}

#[test]
fn the_effective_tier_serves_what_the_wave_tier_does() {
    let here = experiment(OPTICAL, &["device.spim.dead_zone.fill_factor=0.9"]);
    let [wave, effective] = [None, Some(equilux::coupler::spim::Tier::Effective)].map(|tier| {
        let instrument = here.clone();
        let address = served(move || instrument.frames(tier).unwrap());
        trained(here.in_laboratory(&address).unwrap())
    });
    for (a, b) in wave.0.iter().zip(&effective.0) {
        assert!((a - b).abs() < 1e-9, "{a} {b}");
    }
    assert!((wave.1[0] - effective.1[0]).abs() < 1e-9, "{} {}", wave.1[0], effective.1[0]);
}

/// A small machine of plain weights.
const PLAIN: &str = r#"
precision = "f64"
[data]
set = "wine"
test_fraction = 0.9
[network]
layers = [13, 5, 3]
topology = "independent-feedback"
[device.crossbar]
cells = { g_min_uS = 1.0 }
[relaxation]
tolerance = 1e-9
max_steps = 300
[learning]
rule = "asym-ep"
beta = 0.1
[training]
epochs = 1
batch = 8
optimiser.adam.rate = 0.01
"#;

#[test]
fn a_served_array_is_the_one_in_the_process() {
    let ideal =
        "device.crossbar.pulses={ model = 'constant', step = 0.002, rounding = 'deterministic' }";
    for settings in [
        &[][..],
        &["network.topology=reciprocal", "learning.rule=ep"],
        &["device.crossbar.cells.mapping=offset", ideal],
    ] {
        let here = experiment(PLAIN, settings);
        let instrument = here.clone();
        agree(here, &served(move || instrument.array().unwrap()), 1e-9);
    }
}

/// Pulses what it is asked to, and says that it is busy when it is asked for the first time.
struct Busy<I>(I, std::collections::BTreeSet<String>);

impl<I: Instrument> Instrument for Busy<I> {
    fn hello(&self) -> serde_json::Map<String, Value> {
        self.0.hello()
    }
    fn state(&self) -> serde_json::Map<String, Value> {
        self.0.state()
    }
    fn answer(&mut self, request: &Message) -> Result<Message, Refusal> {
        let answer = self.0.answer(request);
        match request.text("nonce") {
            Some(nonce) if self.1.insert(nonce.into()) => {
                Err(Refusal { code: "busy", message: "a test".into() })
            }
            _ => answer,
        }
    }
}

#[test]
fn pulses_are_done_once_however_often_they_are_asked_for_and_a_record_repeats_them() {
    let place = Place::new();
    let record = place.path("pulses.eqrec").display().to_string();
    let cells = [
        "device.crossbar.cells.mapping=offset",
        "device.crossbar.pulses={ model = 'soft-bounds', step = 0.002, step_noise = 0.3 }",
    ];
    let with = |more: &str| experiment(PLAIN, &[&cells[..], &[more]].concat());
    let here = with(&format!("laboratory.record={record}"));
    let (own, busy) = (here.clone(), here.clone());
    let once = trained(here.in_laboratory(&served(move || own.array().unwrap())).unwrap());
    assert!(once.2.lab.pulses > 100 && once.2.lab.retries == 0);
    // What is done, and then said not to be, is asked again and not done again.
    let busy = served(move || Busy(busy.array().unwrap(), Default::default()));
    let twice = trained(with("laboratory.retries=1").in_laboratory(&busy).unwrap());
    assert!((&once.0, &once.1) == (&twice.0, &twice.1));
    assert!(twice.2.lab.retries > 0 && twice.2.lab.pulses == once.2.lab.pulses);
    let replayed = trained(with(&format!("laboratory.replay={record}")));
    assert!((&once.0, &once.1) == (&replayed.0, &replayed.1));

    for (setting, words) in [
        ("device.crossbar.cells.mapping=differential", "cells.mapping"),
        ("device.crossbar.pulses.direction=up", "only step up"),
    ] {
        let own = with("seed=1");
        let address = served(move || own.array().unwrap());
        let mut settings = cells.to_vec();
        settings.push(setting);
        if words != "cells.mapping" {
            settings[0] = "device.crossbar.cells.mapping=differential";
        }
        let other = experiment(PLAIN, &settings).in_laboratory(&address).unwrap();
        let refusal = Session::<f64>::new(other).err().unwrap().to_string();
        assert!(refusal.contains(words), "{refusal}");
    }
}

#[test]
fn a_served_system_is_the_one_in_the_process() {
    for settings in [
        &["device=exact", "network.initial_gain=0.7"][..],
        &["device=exact", "network.topology=reciprocal", "learning.rule=ep"],
        &["device=exact", "learning.rule=dyadic-ep"],
        &["device=exact", "network.topology=reciprocal", "learning.rule=spsa"],
    ] {
        let here = experiment(PLAIN, settings);
        let instrument = here.clone();
        let address = served(move || instrument.relaxing_system().unwrap());
        let mut there = here.clone();
        there.machine = equilux::experiment::LaboratoryMachine::default().into();
        let there = there.in_laboratory(&address).unwrap();
        // Both begin with the parameters of the simulated machine.
        let mut own = Session::<f64>::new(here).unwrap();
        let mut other = Session::<f64>::new(there).unwrap();
        other.trainer.program(own.trainer.values().to_vec()).unwrap();
        for session in [&mut own, &mut other] {
            session.trainer.train().unwrap();
        }
        for (a, b) in own.trainer.values().iter().zip(other.trainer.values()) {
            assert!((a - b).amax() < 1e-9, "{settings:?}");
        }
    }
}

/// What goes wrong with one answer.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Killed,
    Short,
    WrongShape,
    NoArray,
    WrongId,
    Garbage,
    LongLine,
    TooManyBytes,
    NoOutcome,
    Silence,
    Busy,
    BusyForEver,
    Interlock,
    Fatal,
    UnknownCode,
    NotANumber,
    Saturated,
    AllSaturated,
}

const FAULTS: [Fault; 18] = [
    Fault::Killed,
    Fault::Short,
    Fault::WrongShape,
    Fault::NoArray,
    Fault::WrongId,
    Fault::Garbage,
    Fault::LongLine,
    Fault::TooManyBytes,
    Fault::NoOutcome,
    Fault::Silence,
    Fault::Busy,
    Fault::BusyForEver,
    Fault::Interlock,
    Fault::Fatal,
    Fault::UnknownCode,
    Fault::NotANumber,
    Fault::Saturated,
    Fault::AllSaturated,
];

/// Answers with a fault in answer `at`, counted without the hello.
fn faulty(mut instrument: impl Instrument, fault: Fault, at: usize, stream: TcpStream) {
    let (mut from, mut to) = (BufReader::new(stream.try_clone().unwrap()), stream);
    let mut shown = 0;
    while let Ok(Some(request)) = Message::read(&mut from, || usize::MAX) {
        let id = request.field("id").unwrap().as_u64().unwrap();
        if request.text("do") != Some("show") {
            let mut answer = Message::ok().with("protocol", "equilux-laboratory/1");
            answer.fields.extend(instrument.hello());
            answer.write(id, &mut to).unwrap();
            continue;
        }
        shown += 1;
        let mut whole = Vec::new();
        let mut answer = instrument.answer(&request).unwrap();
        let refused = |code: &str| {
            let refusal = Message::default().with("ok", false).with("code", code);
            refusal.with("message", "a test").with("retry_after_s", 0.001)
        };
        let entry = (7 * shown) % answer.arrays[1].bytes.len();
        let number = 8 * entry..8 * entry + 8;
        let hit = shown == at || shown > at && matches!(fault, Fault::BusyForEver);
        let mut number_of = id;
        match fault {
            _ if !hit => {}
            Fault::Killed => return,
            Fault::Silence => {
                // Until the client has lost its patience.
                let _ = Message::read(&mut from, || 0);
                return;
            }
            Fault::Busy | Fault::BusyForEver => answer = refused("busy"),
            Fault::Interlock => answer = refused("interlock"),
            Fault::Fatal => answer = refused("fatal"),
            Fault::UnknownCode => answer = refused("tired"),
            Fault::AllSaturated => answer = refused("saturated"),
            Fault::WrongId => number_of = id - 1,
            Fault::NoArray => answer.arrays.truncate(1),
            Fault::NoOutcome => drop(answer.fields.remove("ok")),
            Fault::WrongShape => {
                let numbers = answer.arrays[0].numbers();
                let shape = [1, numbers.len()];
                answer.arrays[0] = Array::of_numbers("intensities", &shape, numbers);
            }
            Fault::NotANumber => {
                answer.arrays[0].bytes[number].copy_from_slice(&f64::NAN.to_le_bytes())
            }
            Fault::Saturated => answer.arrays[1].bytes[entry] = 1,
            Fault::Short | Fault::Garbage | Fault::LongLine | Fault::TooManyBytes => {}
        }
        answer.write(number_of, &mut whole).unwrap();
        match fault {
            _ if !hit => {}
            Fault::Short => whole.truncate(whole.len() - 3),
            Fault::Garbage => whole.splice(..0, *b"panel ready\n").for_each(drop),
            Fault::LongLine => whole = vec![b' '; 200_000],
            Fault::TooManyBytes => whole.extend(b"more"),
            _ => {}
        }
        if to.write_all(&whole).is_err() || hit && matches!(fault, Fault::Short) {
            return;
        }
    }
}

#[test]
fn two_hundred_faults_end_in_an_error_or_a_counted_retry() {
    let here = experiment(OPTICAL, &["laboratory.timeout_s=0.1", "device.spim.frames.rate_Hz=1e5"]);
    let run = |fault: Fault, at: usize| {
        let instrument = here.clone();
        let address = on_a_thread(move |stream| {
            faulty(instrument.frames(None).unwrap(), fault, at, stream);
        });
        let mut session = Session::<f64>::new(here.in_laboratory(&address).unwrap())?;
        session.trainer.train()?;
        let values: Vec<f64> =
            session.trainer.values().iter().flat_map(|matrix| matrix.iter().copied()).collect();
        let system = session.trainer.system();
        let lost: u64 = system.saturation().iter().map(|camera| camera.at_limit).sum();
        Ok::<_, equilux::Error>((values, lost, system.expense().retries))
    };
    let (expected, lost, _) = run(Fault::Killed, usize::MAX).unwrap();
    assert_eq!(lost, 0);
    let mut counted = [0, 0, 0];
    for case in 0..200 {
        let (fault, at) = (FAULTS[case % FAULTS.len()], 1 + case * 17 % 40);
        let outcome = run(fault, at);
        let said = match &outcome {
            Err(error) => error.to_string(),
            Ok(_) => String::new(),
        };
        let words = match fault {
            Fault::Killed => "ended the connection",
            Fault::Short => "the stream ended within",
            Fault::WrongShape => "expected shape",
            Fault::NoArray => "expected an array `saturated`",
            Fault::WrongId => "expected the answer to",
            Fault::Garbage => "panel ready",
            Fault::LongLine => "longer than 65536 bytes",
            Fault::TooManyBytes => "expected a message, one line of JSON, found \"more",
            Fault::NoOutcome => "expected \"ok\"",
            Fault::Silence => "silence for 0.1 s",
            Fault::BusyForEver => "busy",
            Fault::Interlock => "an interlock stopped it",
            Fault::Fatal => "it has failed",
            Fault::UnknownCode => "tired",
            Fault::Busy => {
                let (values, _, retries) = outcome.unwrap();
                assert!(values == expected && retries == 1, "{fault:?} at {at}");
                counted[1] += 1;
                continue;
            }
            Fault::NotANumber | Fault::Saturated | Fault::AllSaturated => {
                let (values, lost, _) = outcome.unwrap();
                // The first request of all is the unit of light: it is measured at another exposure.
                assert!(lost > 0 || at == 1, "{fault:?} at {at}");
                assert!(values.iter().all(|value| value.is_finite()));
                counted[2] += 1;
                continue;
            }
        };
        assert!(said.contains(words), "{fault:?} at {at}: {said}");
        counted[0] += 1;
    }
    assert_eq!(counted.iter().sum::<usize>(), 200);
    println!("{counted:?}: errors, retries, unsettled samples");
}

/// The hello of the instrument of `OPTICAL`, with `change` made to it.
fn hello(change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Vec<u8> {
    let mut hello = json!({
        "id": 1, "ok": true, "protocol": "equilux-laboratory/1", "kind": "frames", "name": "a test",
        "session": "1", "panel": {"width": 40, "height": 30, "bits": 8}, "camera": {"bits": 12},
        "regions": 1, "max_frames": 64, "frame_rate_Hz": 60,
    });
    change(hello.as_object_mut().unwrap());
    format!("{hello}\n").into_bytes()
}

#[test]
fn another_laboratory_than_the_experiments_is_refused() {
    let place = Place::new();
    place.file("x.toml", OPTICAL);
    let refused = |bytes: Vec<u8>, settings: &[&str]| {
        let address = on_a_thread(move |mut stream| {
            let mut from = BufReader::new(stream.try_clone().unwrap());
            let _ = Message::read(&mut from, || 0);
            let _ = stream.write_all(&bytes);
            if bytes.is_empty() {
                return;
            }
            let _ = Message::read(&mut from, || usize::MAX);
        });
        let arguments = ["train", "x.toml", "--out", "run", "--laboratory", &address];
        let message = place.refused(2, &[&arguments[..], settings].concat());
        let _ = std::fs::remove_dir_all(place.path("run"));
        message
    };
    let set =
        |key: &'static str, value: Value| hello(move |hello| drop(hello.insert(key.into(), value)));
    for (bytes, words) in [
        (set("kind", json!("array")), "it has no `g_min_uS`: expected a number of at least 0"),
        (
            hello(|hello| {
                hello.extend(json!({
                    "kind": "array", "rows": 64, "columns": 48, "g_min_uS": 0.1, "g_max_uS": 25,
                    "max_samples": 256, "reads_per_second": 1e4,
                }).as_object().unwrap().clone());
            }),
            "kind = \"array\": an experiment of [device.spim] expected \"frames\"",
        ),
        (set("kind", json!("oracle")), "expected \"frames\", \"array\" or \"system\""),
        (set("protocol", json!("equilux-laboratory/2")), "expected \"equilux-laboratory/1\""),
        (set("id", json!(7)), "answered the request 7: expected the answer to 1"),
        (set("ok", json!(false)), "it refuses"),
        (set("regions", json!(4)), "it reads 4 region(s) of a frame: this experiment expected 1"),
        (set("max_frames", json!(0)), "max_frames = 0: expected a whole number, 1 to"),
        (set("frame_rate_Hz", json!(-1)), "frame_rate_Hz = -1: expected a number above 0"),
        (set("panel", json!({"width": 4, "height": 4, "bits": 8})), "on its panel: device.spim.panel: a panel of 4 x 4"),
        (set("panel", json!({"width": 40, "height": 30, "bits": 6})), "quantisation.bits = 8 expected"),
        (set("panel", json!({"width": -3, "height": 4, "bits": 8})), "panel.width = -3: expected a whole number"),
        (set("session", json!(["a"])), "session = [\"a\"]: expected text"),
        (hello(|hello| drop(hello.remove("camera"))), "it has no `camera.bits`"),
        (
            String::from_utf8(hello(|_| ())).unwrap().replace(":60,", ":NaN,").into_bytes(),
            "\"frame_rate_Hz\\\":NaN",
        ),
        (hello(|hello| drop(hello.remove("session"))), "it has no `session`"),
        (b"Python 3.12.1 (main)\n".to_vec(), "found \"Python 3.12.1 (main)\""),
        (vec![b'x'; 10_000_000], "a line longer than 65536 bytes"),
        (Vec::new(), "ended the connection"),
        (
            b"{\"id\":1,\"ok\":true,\"arrays\":[{\"name\":\"a\",\"dtype\":\"<f8\",\"shape\":[9]}],\"bytes\":72}\n"
                .to_vec(),
            "arrays of 72 bytes: expected at most 0",
        ),
    ] {
        let message = refused(bytes, &[]);
        assert!(message.contains(words), "{words}: {message}");
    }
    let other = ["--set", "device.spim.panel.width_px=64"];
    let message = refused(hello(|_| ()), &other);
    assert!(message.contains("40 x 30 pixels") && message.contains("width_px = 64"), "{message}");
    let other = ["--set", "device.spim.camera.bits=14"];
    let message = refused(hello(|_| ()), &other);
    assert!(message.contains("its camera has 12 bits"), "{message}");
    let message = refused(hello(|_| ()), &["--set", "device=exact"]);
    assert!(message.contains("is no instrument"), "{message}");
    let absent = ["train", "x.toml", "--out", "run", "--laboratory", "no-such-program"];
    assert!(place.refused(2, &absent).contains("`no-such-program` cannot be started"));
    let absent = ["train", "x.toml", "--out", "run", "--laboratory", "127.0.0.1:1"];
    assert!(place.refused(2, &absent).contains("cannot be reached"));
}

#[test]
fn a_lost_laboratory_costs_a_mini_batch_and_a_record_trains_the_same_run() {
    let place = Place::new();
    place.file("x.toml", OPTICAL);
    let program = env!("CARGO_BIN_EXE_equilux");
    let noisy = "device.spim.camera={ bits = 12, noise = 1e-4 }";
    let server = format!("{program} serve x.toml --set '{noisy}'");
    let train = |out: &str, more: &[&str]| {
        let arguments = [
            "train",
            "x.toml",
            "--out",
            out,
            "--set",
            "training.epochs=2",
            "--set",
            "data.test_fraction=0.8",
        ];
        place.run(&[&arguments[..], more].concat())
    };
    let first =
        train("whole", &["--laboratory", &server, "--set", "laboratory.record=whole.eqrec"]);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let checkpoint =
        |run: &str| common::bytes(&place.path(&format!("{run}/checkpoint.safetensors")));
    let metrics = |run: &str| {
        let text =
            String::from_utf8(common::bytes(&place.path(&format!("{run}/metrics.csv")))).unwrap();
        // What the lost mini-batch has cost was spent.
        let rows = text.lines().map(|row| row.split(',').take(12).map(str::to_owned).collect());
        rows.collect::<Vec<Vec<String>>>()
    };

    // The record trains the same run, without a laboratory.
    let again = train("again", &["--set", "laboratory.replay=whole.eqrec"]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(metrics("again"), metrics("whole"));

    // A record that ends in the midst is a laboratory that is lost there: with the rest of it the run
    // goes on, to the same bits.
    let record = common::bytes(&place.path("whole.eqrec"));
    for part in [0.2, 0.55, 0.9] {
        let cut = (record.len() as f64 * part) as usize;
        place.file("used.eqrec", &record[..cut]);
        let out = format!("cut-{part}");
        let lost = train(&out, &["--set", "laboratory.replay=used.eqrec"]);
        let message = common::refusal(&lost, 1);
        assert!(message.contains("it has ended") && message.contains("--resume"), "{message}");
        place.file("used.eqrec", &record);
        let resumed = train(&out, &["--set", "laboratory.replay=used.eqrec", "--resume"]);
        assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
        assert_eq!(metrics(&out), metrics("whole"), "{part}");
        let parameters = |run: &str| {
            let path = place.path(&format!("{run}/checkpoint.safetensors"));
            equilux::training::Checkpoint::<f64>::read(&path).unwrap().parameters
        };
        assert!(parameters(&out) == parameters("whole"));
    }
    assert!(!checkpoint("whole").is_empty());

    // Another experiment asks for something else, and is told what.
    let other = train("other", &["--set", "laboratory.replay=whole.eqrec", "--set", "seed=2"]);
    let message = common::refusal(&other, 1);
    assert!(
        message.contains("the record does not hold this request") && message.contains("sha256"),
        "{message}"
    );

    // A machine that was trained in simulation goes on in the laboratory, and is evaluated there.
    let alone = place.run(&["train", "x.toml", "--out", "in-situ"]);
    assert!(alone.status.success());
    let tuned = place.run(&[
        "train",
        "x.toml",
        "--out",
        "in-situ",
        "--resume",
        "--set",
        "training.epochs=2",
        "--laboratory",
        &server,
    ]);
    assert!(tuned.status.success(), "{}", String::from_utf8_lossy(&tuned.stderr));
    let evaluated = place.json(&["evaluate", "in-situ", "--laboratory", &server]);
    assert_eq!(evaluated["epochs"], 2);
    let predict = ["predict", "in-situ", "--out", "there.csv", "--laboratory", &server];
    let predicted = place.json(&predict);
    let accuracy = evaluated["test_accuracy"].as_f64().unwrap();
    let right = accuracy * evaluated["test_samples"].as_f64().unwrap();
    // Frames are noisy, and are not asked for in the same order; samples that do not settle have no
    // class.
    let apart = (predicted["correct"].as_f64().unwrap() - right).abs();
    assert!(apart <= 2.0 + predicted["unsettled"].as_f64().unwrap(), "{predicted} {right}");
}
