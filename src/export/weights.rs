//! Parameters as they are, for other programs.

use std::io;
use std::path::Path;

use half::{bf16, f16};
use nalgebra::DMatrix;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::bundle::{Bundle, file_name};
use crate::arithmetic::Real;
use crate::coupler::Parameter;
use crate::error::did_you_mean;
use crate::experiment::{Device, Experiment, Topology};
use crate::file::matrix::{Array, npy_bytes, parse_array, row_by_row};
use crate::file::npz::{Npz, npz_bytes};
use crate::file::read_bytes;
use crate::{Error, Result};

/// The highest conductance of aihwkit's fusion converter, microsiemens.
const FUSION_G_MAX: f64 = 40.0;

/// Writes the numbers of a parameter that is kept digitally; returns the file's name.
pub(super) fn write_plain(
    bundle: &mut Bundle,
    parameter: &str,
    values: &DMatrix<f64>,
) -> Result<String> {
    let what = format!("{parameter}, rows x columns");
    bundle.write_matrix(&file_name(parameter, ""), &what, "1", values)
}

/// The file that holds all parameters as tensors.
pub(super) const TENSORS: &str = "weights.safetensors";

/// The tensor `name` of the safetensors file at `path`; one of a single dimension is a column.
///
/// # Errors
/// When it cannot be read, or holds no such matrix of floating-point numbers.
pub fn read_tensor(path: &Path, name: &str) -> Result<DMatrix<f64>> {
    let bytes = read_bytes(path)?;
    let wrong = |message: String| Error::input(format!("{}: {message}", path.display()));
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| wrong(e.to_string()))?;
    let tensor = tensors.tensor(name).map_err(|_| {
        let (names, near) = (tensors.names(), did_you_mean(name, tensors.names()));
        wrong(format!("no tensor {name}: it holds {}{near}", names.join(", ")))
    })?;
    let (rows, columns) = match *tensor.shape() {
        [rows] => (rows, 1),
        [rows, columns] => (rows, columns),
        ref shape => {
            return Err(wrong(format!("{name}: expected a matrix, found shape {shape:?}")));
        }
    };
    let numbers = numbers(&tensor).map_err(|message| wrong(format!("{name}: {message}")))?;
    if let Some(number) = numbers.iter().find(|number| !number.is_finite()) {
        return Err(wrong(format!("{name}: expected finite numbers, found {number}")));
    }
    row_by_row(rows, columns, numbers).map_err(|e| wrong(format!("{name}: {e}")))
}

/// All tensors of the file at `path`, by name: `.safetensors`, `.npz`, or `.npy` with a single one,
/// called as the file.
///
/// # Errors
/// When it is none of these, cannot be read, or holds what are no real numbers.
pub(super) fn read_tensors(path: &Path) -> Result<Vec<(String, Array)>> {
    let wrong = |message: String| Error::input(format!("{}: {message}", path.display()));
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("safetensors") => {
            let bytes = read_bytes(path)?;
            let tensors = SafeTensors::deserialize(&bytes).map_err(|e| wrong(e.to_string()))?;
            let mut named = tensors.tensors();
            named.sort_by(|a, b| a.0.cmp(&b.0));
            let array = |(name, tensor): (String, TensorView)| {
                let values =
                    numbers(&tensor).map_err(|message| wrong(format!("{name}: {message}")))?;
                Ok((name, Array { shape: tensor.shape().to_vec(), values }))
            };
            named.into_iter().map(array).collect()
        }
        Some("npz") => {
            let mut archive = Npz::open(path)?;
            let names = archive.names().into_iter();
            names.map(|name| archive.array(&name).map(|array| (name, array))).collect()
        }
        Some("npy") => {
            let array = parse_array(&read_bytes(path)?).map_err(wrong)?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Ok(vec![(name, array)])
        }
        _ => {
            Err(wrong("expected weights in a file that ends in .safetensors, .npz or .npy".into()))
        }
    }
}

/// The numbers of a tensor, row-major.
fn numbers(tensor: &TensorView) -> Result<Vec<f64>, String> {
    match tensor.dtype() {
        Dtype::F32 => Ok(floats(tensor.data(), |b: [u8; 4]| f32::from_le_bytes(b).into())),
        Dtype::F64 => Ok(floats(tensor.data(), f64::from_le_bytes)),
        Dtype::F16 => Ok(floats(tensor.data(), |b: [u8; 2]| f16::from_le_bytes(b).into())),
        Dtype::BF16 => Ok(floats(tensor.data(), |b: [u8; 2]| bf16::from_le_bytes(b).into())),
        Dtype::I64 => Ok(floats(tensor.data(), |b: [u8; 8]| i64::from_le_bytes(b) as f64)),
        other => Err(format!("expected F16, BF16, F32 or F64, found {other:?}")),
    }
}

/// Numbers of N bytes each.
fn floats<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.as_chunks::<N>().0.iter().map(|bytes| number(*bytes)).collect()
}

/// Writes all parameters into one file, row-major.
pub(super) fn write_safetensors<T: Real>(
    bundle: &mut Bundle,
    parameters: &[Parameter<T>],
) -> Result<()> {
    let dtype = if T::NAME == "f32" { Dtype::F32 } else { Dtype::F64 };
    let bytes = |parameter: &Parameter<T>| {
        parameter.values.transpose().iter().flat_map(|value| value.bytes()).collect::<Vec<u8>>()
    };
    let tensors: Vec<(&str, Vec<usize>, Vec<u8>)> = parameters
        .iter()
        .map(|parameter| {
            (
                parameter.name.as_str(),
                vec![parameter.values.nrows(), parameter.values.ncols()],
                bytes(parameter),
            )
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (
            *name,
            TensorView::new(dtype, shape.clone(), bytes).expect("as many bytes as the shape says"),
        )
    });
    let file =
        safetensors::serialize(views, None).expect("tensors of one type with distinct names");
    bundle.write(TENSORS, "all parameters, rows x columns, row-major", None, |writer| {
        writer.write_all(&file)
    })
}

/// Writes all parameters into one archive of numpy arrays, float64, rows x columns.
pub(super) fn write_npz<T: Real>(bundle: &mut Bundle, parameters: &[Parameter<T>]) -> Result<()> {
    let arrays = parameters
        .iter()
        .map(|parameter| Ok((parameter.name.clone(), npy_bytes(&parameter.values.map(T::f64))?)));
    let arrays: io::Result<Vec<(String, Vec<u8>)>> = arrays.collect();
    bundle.write("weights.npz", "all parameters, rows x columns, by name", None, |writer| {
        writer.write_all(&npz_bytes(&arrays?)?)
    })
}

/// Writes what aihwkit's `fusion_import` reads: `fusion.csv`, the magnitudes of conductances in
/// microsiemens of each layer, outputs x inputs row by row. Their signs are those of `weights.npz`,
/// its `original_weights`.
///
/// # Errors
/// When the machine is no feedforward chain of arrays.
pub(super) fn write_fusion<T: Real>(
    bundle: &mut Bundle,
    parameters: &[Parameter<T>],
    experiment: &Experiment,
) -> Result<()> {
    let layers: Vec<DMatrix<f64>> = parameters
        .iter()
        .filter(|parameter| parameter.name.ends_with(".weights"))
        .map(|parameter| parameter.values.map(T::f64))
        .collect();
    if experiment.network.topology != Topology::OneWay
        || layers.len() + 1 != experiment.network.layers.len()
    {
        return Err(Error::input(
            "--to aihwkit: its models are feedforward chains of arrays; expected network.topology one-way",
        ));
    }
    let conductances = |weights: &DMatrix<f64>| match &experiment.device {
        Device::Crossbar(device) => weights.map(|weight| {
            let [plus, minus] = device.cells.conductances(device.nearest_weight(weight));
            (plus - minus).abs().min(FUSION_G_MAX)
        }),
        _ => {
            let largest = weights.amax().max(f64::MIN_POSITIVE);
            weights.map(|weight| weight.abs() / largest * FUSION_G_MAX)
        }
    };
    // In AnalogSequential(AnalogLinear, activation, AnalogLinear, ...) layer l is module 2 l, and
    // module number 2 l + 1 from 1.
    let head = |field: &dyn Fn(usize, &DMatrix<f64>) -> String| {
        layers.iter().enumerate().map(|(l, w)| field(l, w)).collect::<Vec<_>>()
    };
    let heads = [
        head(&|layer, _| (2 * layer + 1).to_string()),
        head(&|_, _| "AnalogLinear".into()),
        head(&|_, weights| weights.len().to_string()),
        head(&|_, weights| weights.nrows().to_string()),
        head(&|_, weights| weights.ncols().to_string()),
        head(&|layer, _| (2 * layer).to_string()),
    ];
    bundle.write(
        "fusion.csv",
        "magnitudes of conductances for aihwkit's fusion_import",
        Some("uS"),
        |file| {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(file);
            for head in &heads {
                writer.write_record(head).map_err(io::Error::other)?;
            }
            for weights in &layers {
                writer
                    .write_record(conductances(weights).transpose().iter().map(f64::to_string))
                    .map_err(io::Error::other)?;
            }
            writer.flush()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_of_every_precision_are_numbers() {
        let expected = [1.0, -2.5, 2f64.powi(-9)];
        let half: Vec<u8> =
            [0x3c00u16, 0xc100, 0x1800].iter().flat_map(|b| b.to_le_bytes()).collect();
        let brain: Vec<u8> =
            [0x3f80u16, 0xc020, 0x3b00].iter().flat_map(|b| b.to_le_bytes()).collect();
        let single: Vec<u8> = expected.iter().flat_map(|x| (*x as f32).to_le_bytes()).collect();
        let double: Vec<u8> = expected.iter().flat_map(|x| x.to_le_bytes()).collect();
        for (dtype, bytes) in
            [(Dtype::F16, half), (Dtype::BF16, brain), (Dtype::F32, single), (Dtype::F64, double)]
        {
            let tensor = TensorView::new(dtype, vec![3], &bytes).unwrap();
            assert_eq!(numbers(&tensor).unwrap(), expected, "{dtype:?}");
        }
        let bytes = [1, 0, 1];
        let wrong = numbers(&TensorView::new(Dtype::BOOL, vec![3], &bytes).unwrap());
        assert!(wrong.unwrap_err().contains("expected F16, BF16, F32 or F64"));
    }
}
