//! What the list of a crossbar's effects is asked.

use super::effects::{CrossbarDevice, Direction};
use super::hook::{ArrayEffect, Path};
use super::settings::Mapping;
use super::{CellLaw, Crossbar, RemoteArray};
use crate::arithmetic::Real;
use crate::coupler::{Coupler, Effect, Family, Site, Span, chip_key};
use crate::error::did_you_mean;
use crate::{Error, Result};

impl CrossbarDevice {
    /// It as the array `name` of a network has it.
    #[must_use]
    pub fn of_array(&self, name: &str) -> Self {
        Self { cells: self.cells.of_array(name), ..self.clone() }
    }

    /// The effects that are on, as an array of numbers `T` meets them.
    pub fn active<T: Real>(&self) -> impl DoubleEndedIterator<Item = &dyn ArrayEffect<T>> {
        self.hooks::<T>().into_iter().map(|(_, effect)| effect).filter(|effect| !effect.is_off())
    }

    /// What all its effects together make of the current of a cell of some siemens.
    pub fn law(&self) -> impl Fn(f64) -> CellLaw + '_ {
        let effects: Vec<_> = self.active::<f64>().collect();
        move |g| effects.iter().fold(CellLaw::straight(g), |law, effect| effect.carry(law))
    }

    /// Whether what is worked out on `path` shows every effect that is on, and every cost.
    pub fn follows(&self, path: Path) -> bool {
        self.cost.follows(path) && self.active::<f64>().all(|effect| effect.follows(path, self))
    }

    /// Seconds that a read of some `span` takes: a clocked array its own time.
    pub(super) fn seconds_of(&self, span: Span) -> f64 {
        let continuous = self.noise.bandwidth_hz > 0.0 && span.lasts_s > 0.0;
        if continuous { span.lasts_s } else { self.cost.read_time_us * 1e-6 }
    }

    /// Whether reads ask for conductances beside weights.
    pub(super) fn shows_conductances(&self) -> bool {
        self.cost.counts_heat()
            || [Path::EvenNoise, Path::StraightCurrents].iter().any(|path| !self.follows(*path))
    }

    /// Standard deviations from read to read of cells of the conductances `cells`, asked to be
    /// `written`, all in microsiemens.
    pub(super) fn cell_noise(&self, cells: &[f64], written: &[f64]) -> Vec<f64> {
        let mut deviations = vec![0.0; cells.len()];
        for effect in self.active::<f64>() {
            effect.add_cell_noise(cells, written, &mut deviations, self);
        }
        deviations
    }

    /// The nearest weight that the range and the levels can stand for.
    pub fn nearest_weight(&self, weight: f64) -> f64 {
        let bound = self.cells.weight_max;
        let mut weights = [weight.clamp(-bound, bound)];
        self.active::<f64>().for_each(|effect| effect.round(&mut weights, self));
        weights[0]
    }
}

impl Family for CrossbarDevice {
    fn describe(&self) -> String {
        format!("resistive crossbars{}", self.of_sheet())
    }

    fn holds(&self) -> String {
        let hooks = self.hooks::<f64>().into_iter().map(|(_, effect)| effect);
        let of_writes = hooks.filter(|effect| !effect.follows(Path::ExactWrites, self));
        format!("{:?} {:?}", self.cells, of_writes.collect::<Vec<_>>())
    }

    fn sheet(&self) -> Option<&str> {
        self.sheet.as_deref()
    }

    fn check(&self) -> Result<(), String> {
        self.cells.check().map_err(|message| format!("cells.{message}"))?;
        self.check_effects()?;
        let (cells, levels) = (&self.cells, &self.levels.values_us);
        if !levels.is_empty() && cells.mapping == Mapping::Balanced {
            return Err(
                "levels.values_uS: both cells of a balanced pair would have to be at levels; \
                        expected cells.mapping = \"differential\" or \"offset\""
                    .into(),
            );
        }
        if let Some(level) = levels.iter().find(|g| **g < cells.g_min_us || **g > cells.g_max_us) {
            let (low, high) = (cells.g_min_us, cells.g_max_us);
            return Err(format!(
                "levels.values_uS: {level}: expected conductances from cells.g_min_uS = {low} to \
                 cells.g_max_uS = {high}"
            ));
        }
        let not_shown = |path: Path, by: &str, expected: &str| {
            for (table, effect) in self.hooks::<f64>() {
                if !effect.is_off() && !effect.follows(path, self) {
                    let title = effect.title();
                    return Err(format!("{table}: {by} cannot show {title}; expected {expected}"));
                }
            }
            Ok(())
        };
        let pulses = &self.pulses;
        if !pulses.is_off() {
            let mapping = self.cells.mapping;
            if pulses.direction == Direction::Up && mapping != Mapping::Differential {
                return Err(format!(
                    "pulses.direction = \"up\": a weight of cells that only step up is a pair of \
                     them; expected cells.mapping = \"differential\", found {mapping:?}"
                ));
            }
            let expected = "none of it, or pulses.model = \"none\"";
            not_shown(Path::Pulses, "pulsed cells", expected)?;
        }
        if !self.wires.is_off() && self.wires.refresh > 1 && !self.follows(Path::StraightCurrents) {
            return Err(format!(
                "wires.refresh = {}: cells that are not linear are worked out anew at every programming; \
                 expected 1",
                self.wires.refresh
            ));
        }
        Ok(())
    }

    fn array<T: Real>(&self, site: &Site<T>) -> Result<Box<dyn Coupler<T>>> {
        let unknown = |name: &&String| !site.arrays.contains(name);
        if let Some(name) = self.cells.weight_max_of.keys().find(unknown) {
            let near = did_you_mean(name, site.arrays.iter().map(String::as_str));
            return Err(Error::input(format!(
                "cells.weight_max_of.{name}: expected one of the arrays {}{near}",
                site.arrays.join(", ")
            )));
        }
        let own = self.of_array(&site.arrays[site.index as usize]);
        if let Some(laboratory) = site.laboratory {
            let (weights, laboratory) = ((site.weights)(), laboratory.clone());
            let array = RemoteArray::new(own, weights, laboratory, site.index)?;
            return Ok(Box::new(array));
        }
        let key = chip_key(site.seed, site.chip, "first programming").with(site.index);
        let weights = (site.weights)();
        let measured = self.map.read(site.arrays, site.index as usize, weights.shape())?;
        if measured.has_errors() && !(self.programming.is_off() && self.pulses.is_off()) {
            return Err(Error::input(
                "map.file: errors of writes, cell by cell, beside those of [device.crossbar.programming] or \
                 [device.crossbar.pulses]: expected one of them",
            ));
        }
        Ok(Box::new(Crossbar::of_cells(own, weights, key, measured)?))
    }
}
