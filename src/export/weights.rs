//! Parameters as they are.

use nalgebra::DMatrix;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::bundle::Bundle;
use super::{Holder, file_name};
use crate::Result;
use crate::coupler::Parameter;
use crate::real::Real;

/// Writes the numbers of a parameter that is kept digitally.
pub(super) fn write_plain(bundle: &mut Bundle, parameter: &str, values: &DMatrix<f64>) -> Result<Holder> {
    let file = bundle.write_matrix(&file_name(parameter, ""), &format!("{parameter}, rows x columns"), "1", values)?;
    Ok(Holder::Plain { parameter: parameter.into(), file })
}

/// Writes all parameters into one file, row-major.
pub(super) fn write_safetensors<T: Real>(bundle: &mut Bundle, parameters: &[Parameter<T>]) -> Result<()> {
    let dtype = if T::NAME == "f32" { Dtype::F32 } else { Dtype::F64 };
    let bytes = |parameter: &Parameter<T>| parameter.values.transpose().iter().flat_map(|value| value.bytes()).collect::<Vec<u8>>();
    let tensors: Vec<(&str, Vec<usize>, Vec<u8>)> = parameters
        .iter()
        .map(|parameter| (parameter.name.as_str(), vec![parameter.values.nrows(), parameter.values.ncols()], bytes(parameter)))
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (*name, TensorView::new(dtype, shape.clone(), bytes).expect("as many bytes as the shape says")));
    let file = safetensors::serialize(views, None).expect("tensors of one type with distinct names");
    bundle.write("weights.safetensors", "all parameters, rows x columns, row-major", None, |writer| writer.write_all(&file))
}
