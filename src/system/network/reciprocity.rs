//! How far the couplings between nodes are from reciprocal.

use std::ops::Range;

use nalgebra::DMatrix;

use super::{CouplingKind, Network};
use crate::arithmetic::Real;

/// A block of the nodes' W.
struct Block<T: Real> {
    from: Range<usize>,
    to: Range<usize>,
    kind: CouplingKind,
    weights: DMatrix<T>,
}

impl<T: Real> Network<T> {
    /// |W - W^T| / |W + W^T| of the couplings that were asked for; none without couplings.
    pub fn non_reciprocity(&self) -> Option<f64> {
        let clipped = |rows: &Range<usize>| rows.start.max(self.inputs())..rows.end;
        let between_nodes =
            self.couplings().iter().filter(|coupling| coupling.from.end > self.inputs());
        let block = |coupling: &super::Coupling<T>| {
            let (from, to) = (clipped(&coupling.from), clipped(&coupling.to));
            let first = (to.start - coupling.to.start, from.start - coupling.from.start);
            let whole = coupling.coupler.intended();
            let weights = whole.view(first, (to.len(), from.len())).into_owned();
            Block { from, to, kind: coupling.kind, weights }
        };
        let mut left: Vec<Block<T>> = between_nodes.map(block).collect();
        let (mut odd, mut even) = (0.0, 0.0);
        while let Some(Block { from, to, kind, weights: forward }) = left.pop() {
            // The array the other way, if there is one: then two blocks of W meet, else a block
            // meets none.
            let back = left.iter().position(|other| other.from == to && other.to == from);
            let back = match (kind, back) {
                (CouplingKind::Reciprocal, _) => forward.clone(),
                (CouplingKind::OneWay, _) if from == to => forward.transpose(),
                (CouplingKind::OneWay, Some(index)) => left.swap_remove(index).weights.transpose(),
                (CouplingKind::OneWay, None) => forward.map(|_| T::zero()),
            };
            odd += (&forward - &back).norm_squared().f64();
            even += (&forward + &back).norm_squared().f64();
        }
        (even > 0.0).then(|| (odd / even).sqrt())
    }
}
