//! Tiles as circuits: SPICE netlists of their cells and wires, as simulators of circuits read them.

use std::fmt::Write;
use std::path::Path;

use nalgebra::DMatrix;

use super::bundle::Bundle;
use super::crossbar::{CrossbarArray, TileFiles};
use crate::Result;
use crate::coupler::crossbar::{CellLaw, CrossbarDevice};
use crate::file::matrix::read_matrix;

/// Writes the netlists of all tiles of `array`, whose conductances are in `bundle`.
pub(super) fn write(
    bundle: &mut Bundle,
    array: &CrossbarArray,
    device: &CrossbarDevice,
) -> Result<()> {
    for tile in &array.tiles {
        let mut sides = Vec::new();
        for (name, sign, conductances) in [("plus", "+", &tile.plus), ("minus", "-", &tile.minus)] {
            let cells = read_matrix(&bundle.path().join(conductances))? * 1e-6;
            let what = format!("G{sign} of {}, {}", array.parameter, place(tile));
            let file = renamed(conductances, "");
            put(bundle, &file, &what, &subcircuit(name, &cells, &what, device))?;
            sides.push((name, file));
        }
        let what = format!("a bench of both arrays of {}, {}", array.parameter, place(tile));
        let text = bench(&sides, tile, &what, device.drive.voltage_v);
        put(bundle, &renamed(&tile.plus, "bench"), &what, &text)?;
    }
    Ok(())
}

/// Where a tile is.
fn place(tile: &TileFiles) -> String {
    let ([first, end], [from, to]) = (tile.inputs, tile.outputs);
    format!("word lines (inputs) {first} to {}, bit lines (outputs) {from} to {}", end - 1, to - 1)
}

/// The name of a netlist beside the conductances `file`, `last` in place of the side if it is given.
fn renamed(file: &str, last: &str) -> String {
    let stem = Path::new(file).with_extension("");
    let stem = if last.is_empty() { stem } else { stem.with_extension(last) };
    format!("{}.cir", stem.display())
}

fn put(bundle: &mut Bundle, file: &str, what: &str, text: &str) -> Result<()> {
    let what = format!("SPICE netlist: {what}");
    bundle.write(file, &what, None, |file| file.write_all(text.as_bytes()))
}

/// The nodes `name`0, `name`1, ..., a few a line, as SPICE continues lines.
fn nodes(name: &str, count: usize) -> String {
    let all: Vec<String> = (0..count).map(|number| format!("{name}{number}")).collect();
    all.chunks(16).map(|some| format!("+ {}\n", some.join(" "))).collect()
}

/// `cells` (siemens, word lines x bit lines) behind the wires of `device`: word lines are driven at
/// their left ends, bit lines end at the bottom.
fn subcircuit(name: &str, cells: &DMatrix<f64>, what: &str, device: &CrossbarDevice) -> String {
    let (rows, columns) = cells.shape();
    let [r_word, r_bit] = [device.wires.r_word_ohm, device.wires.r_bit_ohm];
    // A wire without resistance is one node.
    let word = |i, j| if r_word > 0.0 { format!("w{i}_{j}") } else { format!("in{i}") };
    let bit = |i, j| if r_bit > 0.0 { format!("b{i}_{j}") } else { format!("out{j}") };
    let mut text = format!(
        "* {what}\n* ports: the driven ends of {rows} word lines, then the ends of {columns} bit lines\n.subckt array_{name}\n"
    );
    text += &(nodes("in", rows) + &nodes("out", columns));
    let mut line = |arguments: std::fmt::Arguments<'_>| {
        text.write_fmt(arguments).and_then(|()| text.write_char('\n')).expect("memory");
    };
    let law = device.law();
    for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
        let (above, below) = (word(i, j), bit(i, j));
        if r_word > 0.0 {
            let before = if j == 0 { format!("in{i}") } else { word(i, j - 1) };
            line(format_args!("Rw{i}_{j} {before} {above} {r_word:e}"));
        }
        if r_bit > 0.0 {
            let after = if i + 1 == rows { format!("out{j}") } else { bit(i + 1, j) };
            line(format_args!("Rb{i}_{j} {below} {after} {r_bit:e}"));
        }
        let g = cells[(i, j)];
        // A cell that does not conduct is none.
        if g == 0.0 {
            continue;
        }
        let cell = law(g);
        let CellLaw { beyond: [square, cube], selector, .. } = cell;
        if cell.is_straight() {
            line(format_args!("Rc{i}_{j} {above} {below} {:e}", 1.0 / g));
            continue;
        }
        let mut u = format!("V({above},{below})");
        if !selector.is_none() {
            let (kept, threshold) = (1.0 - selector.leak, selector.volts);
            u = format!("({u} - {kept:e}*max(min({u},{threshold:e}),-{threshold:e}))");
        }
        line(format_args!(
            "Bc{i}_{j} {above} {below} I = {u}*({g:e} + {u}*({square:e} + {u}*({cube:e})))"
        ));
    }
    text + ".ends\n"
}

/// What drives both arrays of a tile and prints the currents into the virtual grounds.
fn bench(sides: &[(&str, String)], tile: &TileFiles, what: &str, volt: f64) -> String {
    let ([first, end], [from, to]) = (tile.inputs, tile.outputs);
    let (rows, columns) = (end - first, to - from);
    let mut text = format!(
        "* {what}\n* every word line at the device's read voltage: put yours in its place\n"
    );
    for i in 0..rows {
        let _ = writeln!(text, "V{i} in{i} 0 DC {volt:e}");
    }
    for (side, file) in sides {
        let _ = writeln!(text, ".include \"{file}\"");
        let _ =
            write!(text, "X{side}\n{}{}+ array_{side}\n", nodes("in", rows), nodes(side, columns));
        for j in 0..columns {
            let _ = writeln!(text, "Vsense_{side}{j} {side}{j} 0 DC 0");
        }
    }
    text +=
        ".options reltol=1e-9 abstol=1e-18 vntol=1e-12 gmin=1e-20\n.control\nset numdgt=12\nop\n";
    for (side, _) in sides {
        for j in 0..columns {
            let _ = writeln!(text, "print i(vsense_{side}{j})");
        }
    }
    text + ".endc\n.end\n"
}
