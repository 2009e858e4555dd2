//! A run on one page: an HTML file that needs nothing but itself.

use super::canvas::Paper;
use super::format::{count, duration, energy, percent};
use super::html::{card, document, escaped, figure, table};
use super::learning_curves::panels;
use super::quantity::digits;
use super::scores::{number, of_targets};
use crate::Result;
use crate::arithmetic::wilson;
use crate::training::{Confusion, EpochMetrics, Fit, LabSummary, Score, Summary, TargetFit};

/// An epoch table with more rows than this is collapsed.
const ROWS_SHOWN: usize = 20;

/// The page of a run: its results, learning curves, epochs and configuration. It loads nothing and
/// runs no scripts.
///
/// Without epochs (nothing was trained) it has no curves and no table.
/// `more` is HTML that goes before the configuration.
pub fn page(
    summary: &Summary,
    metrics: &[EpochMetrics],
    config_toml: &str,
    more: &str,
    paper: Paper,
) -> Result<String> {
    let body = [
        header(summary),
        results(summary, metrics.len()),
        curves(metrics, paper)?,
        epochs(metrics),
        summary.scores.confusion().map_or(String::new(), confusion),
        of_each_target(summary.scores.targets()),
        more.to_owned(),
        configuration(config_toml),
    ];
    Ok(document(&summary.run, &body.concat()))
}

fn header(summary: &Summary) -> String {
    format!(
        "<header>\n<h1>{}</h1>\n<p>{} trained by {} on {}</p>\n</header>\n",
        escaped(&summary.run),
        escaped(&summary.data),
        escaped(&summary.rule),
        escaped(&summary.machine),
    )
}

/// The key results as big numbers.
fn results(summary: &Summary, epochs: usize) -> String {
    let cards = [
        test_card(summary),
        training_card(summary, epochs),
        laboratory_card(&summary.lab),
        inference_card(&summary.lab),
    ]
    .concat();
    format!("<main>\n<dl class=\"results\">\n{cards}</dl>\n{}", warnings(summary))
}

fn test_card(summary: &Summary) -> String {
    let (score, samples) = (summary.scores.test(), summary.test_samples);
    let accuracy = match score {
        Score::Accuracy(accuracy) => accuracy,
        Score::Fit(fit) => {
            let notes = format!("of {} samples<br>{}", count(samples as f64), errors(summary, fit));
            return card("Test R2", &number(score), &notes);
        }
    };
    let right = (accuracy.clamp(0.0, 1.0) * samples as f64).round() as usize;
    let notes = match wilson(right, samples) {
        Some((low, high)) if accuracy.is_finite() => format!(
            "{} of {} samples right<br>95 % interval: {} to {}",
            count(right as f64),
            count(samples as f64),
            percent(low),
            percent(high)
        ),
        _ => format!("{} test samples", count(samples as f64)),
    };
    card("Test accuracy", &percent(accuracy), &notes)
}

/// The errors of predictions, of several targets their means.
fn errors(summary: &Summary, fit: Fit) -> String {
    let mean = match summary.scores.targets().len() {
        0 | 1 => String::new(),
        targets => format!("<br>means of {targets} targets"),
    };
    format!("RMSE {}<br>MAE {}{mean}", digits(fit.rmse), digits(fit.mae))
}

fn training_card(summary: &Summary, epochs: usize) -> String {
    let trained = match epochs {
        0 => "no epochs trained".to_owned(),
        1 => "after 1 epoch".to_owned(),
        _ => format!("after {} epochs", count(epochs as f64)),
    };
    let mut notes = trained;
    if let Some(score) = summary.scores.validation() {
        notes += &format!("<br>validation: {}", number(score));
    }
    let score = summary.scores.train();
    if let Score::Fit(fit) = score {
        notes += &format!("<br>{}", errors(summary, fit));
    }
    card(&format!("Training {}", score.name()), &number(score), &notes)
}

fn laboratory_card(lab: &LabSummary) -> String {
    let LabSummary { frames, conversions, pulses, .. } = *lab;
    let mut notes = spent([
        (frames as f64, "camera frames"),
        (conversions as f64, "conversions"),
        (pulses as f64, "write pulses"),
    ]);
    if lab.joules.is_some() {
        notes.push(energy(&lab.energy));
    }
    card("Laboratory time of training", &duration(lab.seconds), &notes.join("<br>"))
}

fn inference_card(lab: &LabSummary) -> String {
    let notes = spent([
        (lab.frames_per_inference, "camera frames"),
        (lab.conversions_per_inference, "conversions"),
    ]);
    let seconds = duration(lab.seconds_per_inference);
    card("Laboratory time of one inference", &seconds, &notes.join("<br>"))
}

/// What was spent, of what this machine spends at all.
fn spent<const N: usize>(kinds: [(f64, &str); N]) -> Vec<String> {
    let kinds = kinds.into_iter().filter(|(number, _)| *number > 0.0);
    kinds.map(|(number, kind)| format!("{} {kind}", count(number))).collect()
}

/// A line for each thing that a reader of the scores should know.
fn warnings(summary: &Summary) -> String {
    summary
        .warnings()
        .iter()
        .map(|warning| format!("<p class=\"warning\">{warning}.</p>\n"))
        .collect()
}

/// The learning curves, one figure a panel: side by side where there is room.
fn curves(metrics: &[EpochMetrics], paper: Paper) -> Result<String> {
    if metrics.is_empty() {
        return Ok(String::new());
    }
    let figures: String =
        panels(metrics, paper)?.iter().map(|(svg, caption)| figure(svg, caption)).collect();
    Ok(format!(
        "<section>\n<h2>Learning curves</h2>\n<div class=\"plots\">\n{figures}</div>\n</section>\n"
    ))
}

/// Which classes were taken for which: a table whose cells are the darker, the larger their share of
/// the class.
fn confusion(confusion: &Confusion) -> String {
    let classes = &confusion.classes;
    if classes.len() < 2 || confusion.balanced_accuracy().is_none() {
        return String::new();
    }
    let heads: String = classes
        .iter()
        .map(|class| format!("<th scope=\"col\">{}</th>", escaped(class)))
        .chain(["<th scope=\"col\">recall</th>".to_owned()])
        .collect();
    let share = |fraction: Option<f64>| fraction.map_or("-".into(), percent);
    let row = |(class, counts): (usize, &Vec<usize>)| {
        let all = confusion.samples(class).max(1) as f64;
        let cell = |number: &usize| {
            let shade = 0.6 * *number as f64 / all;
            format!("<td style=\"background:rgba(70,130,180,{shade:.3})\">{number}</td>")
        };
        let cells: String = counts.iter().map(cell).collect();
        let (name, recall) = (escaped(&classes[class]), share(confusion.recall(class)));
        format!("<tr><th scope=\"row\">{name}</th>{cells}<td>{recall}</td></tr>\n")
    };
    let rows: String = confusion.counts.iter().enumerate().map(row).collect();
    let precisions: String = (0..classes.len())
        .map(|class| format!("<td>{}</td>", share(confusion.precision(class))))
        .collect();
    let balanced = share(confusion.balanced_accuracy());
    format!(
        "<section>\n<h2>Confusion of the test samples</h2>\n<p>A row a class that samples are of, a column a \
         class that they were given to. Balanced accuracy, the mean recall: {balanced}.</p>\n\
         <div class=\"wide\" role=\"region\" aria-label=\"Confusion\" tabindex=\"0\">\n<table>\n<thead><tr><td></td>{heads}</tr>\
         </thead>\n<tbody>\n{rows}<tr><th scope=\"row\">precision</th>{precisions}<td></td></tr>\n</tbody>\n\
         </table>\n</div>\n</section>\n"
    )
}

/// How close predictions are to each target; nothing of a single one, which the cards tell.
fn of_each_target(targets: &[TargetFit]) -> String {
    if targets.len() < 2 {
        return String::new();
    }
    let mut rows = of_targets(targets).into_iter();
    let heads = rows.next().unwrap_or_default();
    let table = table("Targets", &heads, rows);
    format!("<section>\n<h2>Targets of the test samples</h2>\n{table}</section>\n")
}

/// The table of epochs, collapsed if it is long.
fn epochs(metrics: &[EpochMetrics]) -> String {
    if metrics.is_empty() {
        return String::new();
    }
    let columns: Vec<&Column> = COLUMNS.iter().filter(|column| column.says(metrics)).collect();
    let named = |head: &str| head.replace("SCORE", metrics[0].test.name());
    let head =
        columns.iter().map(|column| format!("<th scope=\"col\">{}</th>", named(column.head)));
    let head: String = head.collect();
    let row = |m: &EpochMetrics| {
        let rest = columns[1..].iter().map(|column| format!("<td>{}</td>", (column.cell)(m)));
        format!("<tr><th scope=\"row\">{}</th>{}</tr>\n", m.epoch, rest.collect::<String>())
    };
    let rows: String = metrics.iter().map(row).collect();
    let table = format!(
        "<div class=\"wide\" role=\"region\" aria-label=\"Epochs\" tabindex=\"0\">\n<table>\n<thead><tr>{head}</tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table>\n</div>\n"
    );
    let shown = if metrics.len() > ROWS_SHOWN {
        format!("<details>\n<summary>All {} epochs</summary>\n{table}</details>\n", metrics.len())
    } else {
        table
    };
    format!("<section>\n<h2>Epochs</h2>\n{shown}</section>\n")
}

/// A column of the table of epochs, left out where it says nothing in any of them.
struct Column {
    /// What it is called; SCORE stands for the name of the score.
    head: &'static str,
    cell: fn(&EpochMetrics) -> String,
    /// Whether it says something of an epoch.
    if_any: fn(&EpochMetrics) -> bool,
}

impl Column {
    fn says(&self, metrics: &[EpochMetrics]) -> bool {
        metrics.iter().any(self.if_any)
    }
}

const fn always(head: &'static str, cell: fn(&EpochMetrics) -> String) -> Column {
    Column { head, cell, if_any: |_| true }
}

const COLUMNS: [Column; 14] = [
    always("Epoch", |m| m.epoch.to_string()),
    Column {
        head: "Rate factor",
        cell: |m| format!("{:.4}", m.rate_factor),
        if_any: |m| m.rate_factor != 1.0,
    },
    always("Training cost", |m| format!("{:.5}", m.train_cost)),
    always("Training SCORE", |m| number(m.train)),
    Column {
        head: "Validation SCORE",
        cell: |m| m.validation.map(number).unwrap_or_default(),
        if_any: |m| m.validation.is_some(),
    },
    always("Test SCORE", |m| number(m.test)),
    Column {
        head: "Test RMSE",
        cell: |m| m.test.fit().map(|fit| digits(fit.rmse)).unwrap_or_default(),
        if_any: |m| m.test.fit().is_some(),
    },
    Column {
        head: "Test MAE",
        cell: |m| m.test.fit().map(|fit| digits(fit.mae)).unwrap_or_default(),
        if_any: |m| m.test.fit().is_some(),
    },
    Column {
        head: "Unsettled in training",
        cell: |m| count(m.unsettled as f64),
        if_any: |m| m.unsettled > 0,
    },
    Column {
        head: "Truncated in training",
        cell: |m| count(m.truncated as f64),
        if_any: |m| m.truncated > 0,
    },
    Column {
        head: "Unsettled in test",
        cell: |m| count(m.test_unsettled as f64),
        if_any: |m| m.test_unsettled > 0,
    },
    Column { head: "Camera frames", cell: |m| count(m.frames as f64), if_any: |m| m.frames > 0 },
    Column {
        head: "Conversions",
        cell: |m| count(m.conversions as f64),
        if_any: |m| m.conversions > 0,
    },
    Column {
        head: "Laboratory time",
        cell: |m| duration(m.lab_seconds),
        if_any: |m| m.lab_seconds > 0.0,
    },
];

fn configuration(config_toml: &str) -> String {
    let written = format!(
        "<p class=\"faint\">Written by Equilux {}.</p>\n</main>\n",
        env!("CARGO_PKG_VERSION")
    );
    if config_toml.is_empty() {
        return written;
    }
    format!(
        "<section>\n<h2>Configuration</h2>\n<pre>{}</pre>\n</section>\n\
         <section>\n<h2>Repeat this run</h2>\n<p>Save the configuration above as \
         <code>config.toml</code>, then run</p>\n<pre>equilux train config.toml</pre>\n</section>\n\
         {written}",
        escaped(config_toml),
    )
}

#[cfg(test)]
mod tests {
    use super::super::learning_curves::tests::plausible;
    use super::super::write_run;
    use super::*;
    use crate::coupler::Saturation;
    use crate::system::System;
    use crate::training::{Predicted, Scores};

    fn classes(test_accuracy: f64, confusion: Confusion) -> Scores {
        Scores::Classes {
            test_accuracy,
            train_accuracy: 0.9321,
            validation_accuracy: None,
            balanced_accuracy: None,
            confusion,
        }
    }

    fn summary() -> Summary {
        Summary {
            run: "runs/<first> & \"best\"".to_owned(),
            rule: "ep <symmetric>".to_owned(),
            machine: "crossbar 'A'".to_owned(),
            data: "digits".to_owned(),
            epochs: 3,
            scores: classes(81.0 / 263.0, Confusion::default()),
            test_samples: 263,
            predicted: None,
            test_unsettled: 2,
            test_truncated: 0,
            train_unsettled: 0.0,
            train_truncated: 0.0,
            inference_steps: 7.5,
            train_left: 0,
            samples_per_second: 1200.0,
            lab: LabSummary {
                seconds: 14.9 * 3600.0,
                frames: 3_200_000,
                conversions: 12_345,
                seconds_per_inference: 3.2e-3,
                frames_per_inference: 12.5,
                conversions_per_inference: 340.0,
                ..LabSummary::default()
            },
            saturation: vec![Saturation {
                instrument: "camera".into(),
                limit: "device.spim.camera.full_scale".into(),
                readings: 4000,
                at_limit: 1000,
            }],
        }
    }

    #[test]
    fn results_read_as_people_write_them() {
        let html =
            page(&summary(), &plausible(3, false), "seed = 1", "", Paper::default()).unwrap();
        // the interval: Newcombe, Stat. Med. 17, 857 (1998), table I
        for text in [
            "30.80 %",
            "81 of 263 samples right",
            "25.53 % to 36.62 %",
            "93.21 %",
            "after 3 epochs",
            "14.9 h",
            "3.2 million camera frames",
            "12,345 conversions",
            "3.2 ms",
            "12.5 camera frames",
            "2 of 263 test samples had not settled",
            "25.00 % of the readings of the camera were saturated",
            "equilux train config.toml",
        ] {
            assert!(html.contains(text), "{text}");
        }
    }

    #[test]
    fn a_regression_has_its_scores_and_plots() {
        let fit = |r2: f64| Fit { r2, rmse: 12.5, mae: 10.0 };
        let target = |target: &str, r2| TargetFit { target: target.into(), fit: fit(r2) };
        let (test_r2, rmse, mae) = (0.75, 12.5, 10.0);
        let scores = Scores::Values {
            test_r2,
            test_rmse: rmse,
            test_mae: mae,
            train_r2: 0.875,
            train_rmse: rmse,
            train_mae: mae,
            validation_r2: None,
            validation_rmse: None,
            validation_mae: None,
            targets: vec![target("<hue>", 0.5), target("flavanoids", 1.0)],
        };
        let known = nalgebra::DMatrix::from_fn(2, 30, |row, sample| (row * sample) as f64);
        let predicted = Some(Predicted {
            samples: vec![0; known.ncols()],
            told: known.map(|value| value + 1.0),
            known,
        });
        let summary = Summary { scores, predicted, ..summary() };
        let mut metrics = plausible(2, true);
        for row in &mut metrics {
            let [train, validation, test] = [0.875, -0.5, 0.75].map(|r2| Score::Fit(fit(r2)));
            (row.train, row.validation, row.test) = (train, Some(validation), test);
        }
        let html = page(&summary, &metrics, "", "", Paper::default()).unwrap();
        for text in [
            "<dt>Test R2</dt><dd><strong>0.7500</strong>",
            "RMSE 12.50<br>MAE 10.00<br>means of 2 targets",
            "<th scope=\"col\">Validation R2</th>",
            "<td>-0.5000</td>",
            "&lt;hue&gt;",
            ">\nR2\n<",
        ] {
            assert!(html.contains(text), "{text} in {html}");
        }
        assert!(!html.to_lowercase().contains("accuracy") && !html.contains("Confusion"));
        let directory = tempfile::tempdir().unwrap();
        let nothing = None::<&dyn System<f64>>;
        write_run(directory.path(), &summary, &metrics, nothing, None, Paper::default()).unwrap();
        for name in ["predicted.svg", "predicted.png", "predicted-2.pdf"] {
            assert!(directory.path().join("plots").join(name).metadata().unwrap().len() > 500);
        }
        let html = std::fs::read_to_string(directory.path().join("report.html")).unwrap();
        assert!(html.contains("Predicted against true") && html.contains("flavanoids, predicted"));
    }

    #[test]
    fn text_of_others_is_escaped() {
        let html = page(
            &summary(),
            &plausible(1, false),
            "name = \"</pre><script>alert('&')</script>\"",
            "",
            Paper::default(),
        )
        .unwrap();
        assert!(html.contains("<h1>runs/&lt;first&gt; &amp; &quot;best&quot;</h1>"));
        assert!(html.contains("ep &lt;symmetric&gt; on crossbar &#39;A&#39;"));
        assert!(html.contains("&lt;/pre&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;"));
        assert!(!html.contains("<script"));
    }

    #[test]
    fn nothing_is_loaded() {
        let html = page(&summary(), &plausible(3, true), "seed = 1", "", Paper::default()).unwrap();
        assert_eq!(html.matches("<svg ").count(), 2);
        let without_names =
            html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "").replace("http-equiv", "");
        for sign in ["http", "src=", "href=", "url(", "@import", "<script", "<link", "<img"] {
            assert!(!without_names.contains(sign), "{sign}");
        }
    }

    #[test]
    fn long_tables_are_collapsed() {
        let html =
            |epochs| page(&summary(), &plausible(epochs, false), "", "", Paper::default()).unwrap();
        assert!(!html(20).contains("<details>"));
        assert!(html(21).contains("<details>"));
        assert_eq!(html(21).matches("<th scope=\"row\">").count(), 21);
    }

    #[test]
    fn a_run_without_training_or_test_has_a_page() {
        let mut confusion = Confusion::new(&["<a>".to_owned(), "b".into()]);
        confusion.count(0, 1);
        confusion.count(1, 1);
        let confused = Summary { scores: classes(0.5, confusion), ..summary() };
        let shown = page(&confused, &[], "", "", Paper::default()).unwrap();
        assert!(
            shown.contains("<th scope=\"row\">&lt;a&gt;</th>") && shown.contains(">50.00 %<"),
            "{shown}"
        );
        let scores = classes(f64::NAN, Confusion::default());
        let nothing = Summary { scores, test_samples: 0, ..summary() };
        let html = page(&nothing, &[], "", "", Paper::default()).unwrap();
        assert!(
            html.contains("unknown")
                && html.contains("no epochs trained")
                && !html.contains("<svg")
        );
    }

    #[test]
    fn a_run_is_written_into_its_directory() {
        let experiment =
            crate::experiment::Experiment::parse("[network]\nlayers = [2, 2]\n", "x.toml", &[])
                .unwrap();
        let directory = tempfile::tempdir().unwrap();
        let run = directory.path().join("run");
        write_run(
            &run,
            &summary(),
            &plausible(2, true),
            None::<&dyn System<f64>>,
            Some(&experiment),
            Paper::default(),
        )
        .unwrap();
        for file in [
            "report.html",
            "plots/learning-curves.svg",
            "plots/learning-curves.png",
            "plots/learning-curves.pdf",
        ] {
            assert!(run.join(file).metadata().unwrap().len() > 1000, "{file}");
        }
        let blocked = directory.path().join("file");
        std::fs::write(&blocked, "").unwrap();
        let error = write_run(
            &blocked,
            &summary(),
            &[],
            None::<&dyn System<f64>>,
            Some(&experiment),
            Paper::default(),
        )
        .unwrap_err();
        assert!(error.to_string().contains("file/plots"), "{error}");
    }
}
