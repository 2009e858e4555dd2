//! Layouts and masks of any size: what is written comes back.

use std::collections::HashSet;
use std::f64::consts::PI;

use equilux::coupler::spim::Panel;
use equilux::coupler::spim::optics::layout::Layout;
use equilux::coupler::spim::optics::levels::Levels;
use equilux::coupler::spim::optics::mask::Mask;
use proptest::prelude::*;

/// A panel with room for the nodes, a number of nodes and of regions.
fn layouts() -> impl Strategy<Value = Layout> {
    let sizes = (1usize..4, 1usize..4, 1usize..30, 1usize..5, 0usize..40, 0usize..40);
    sizes.prop_filter_map("they fit", |(checker, fields, nodes, regions, wider, higher)| {
        let side = 2 * checker * fields;
        let panel = |width_px, height_px| Panel {
            width_px,
            height_px,
            macro_pixel_px: side,
            checker_px: checker,
            ..Panel::default()
        };
        let tight = Layout::new(&panel(0, 0), nodes, 0, regions).ok()?;
        let loose = panel(tight.width + wider, tight.height + higher);
        Layout::new(&loose, nodes, 0, regions).ok()
    })
}

/// A layout and a value for each node of each region.
fn values() -> impl Strategy<Value = (Layout, Vec<Vec<f64>>)> {
    layouts().prop_flat_map(|layout| {
        let region = prop::collection::vec(-1.0f64..=1.0, layout.nodes);
        let values = prop::collection::vec(region, layout.regions.len());
        (Just(layout), values)
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_pixel_belongs_to_two_nodes(layout in layouts()) {
        let mut taken = HashSet::new();
        for region in &layout.regions {
            for node in 0..layout.nodes {
                let pixels: Vec<_> = layout.pixels(region, node).collect();
                prop_assert_eq!(pixels.len(), layout.macro_pixel * layout.macro_pixel);
                // Both colours of the checkerboard cover the same area.
                let is_first = |&&(row, column, _): &&(usize, usize, usize)| {
                    layout.is_first_colour(row as isize, column as isize)
                };
                prop_assert_eq!(2 * pixels.iter().filter(is_first).count(), pixels.len());
                for (_, _, at) in pixels {
                    prop_assert!(at < layout.width * layout.height && taken.insert(at));
                }
            }
        }
    }

    #[test]
    fn exact_masks_give_their_values_back((layout, values) in values()) {
        let shown: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
        let decoded = Mask::encode(&layout, &shown, &Levels::exact()).decode(&layout, &Levels::exact()).unwrap();
        for (decoded, value) in decoded.iter().flatten().zip(values.iter().flatten()) {
            // arccos has no slope at its ends: a phase known to 1e-15 is a value known to 1e-7.
            prop_assert!((decoded - value).abs() < 1e-7, "{} {}", decoded, value);
        }
    }

    #[test]
    fn masks_of_levels_come_back_from_files((layout, values) in values(), bits in 2u32..=12) {
        let shown: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
        let mask = Mask::encode(&layout, &shown, &Levels::even(bits));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mask.png");
        mask.write_png(&path).unwrap();
        let read = Mask::read(&path, bits, Some((layout.height, layout.width))).unwrap();
        prop_assert_eq!(&read, &mask);
        let decoded = read.decode(&layout, &Levels::even(bits)).unwrap();
        // Half a level of phase; a whole one where a carrier moves phases between levels.
        let carried = layout.regions.len() > 1;
        let phase = PI / f64::from(1u32 << bits) * if carried { 2.0 } else { 1.0 };
        for (decoded, value) in decoded.iter().flatten().zip(values.iter().flatten()) {
            prop_assert!((decoded.acos() - value.acos()).abs() < phase + 1e-9);
        }
    }
}
