//! Effects: what parts a device from an ideal one, each a struct in a file of its own.
//!
//! An effect owns its table of numbers, says when it is off (its default is), checks what no single
//! number can tell, and holds its formulas. A device is a struct of such tables, made by
//! `tables!` from one list in the order in which signals meet them; whoever assembles,
//! simplifies, compares, ablates or describes a device walks that list.

use std::fmt::Debug;

/// One imperfection of a device: a table of numbers, off by default.
pub trait Effect: Debug + Send + Sync {
    /// What it is called in reports and tables, for example "fringing fields".
    fn title(&self) -> &'static str;

    /// Whether it changes nothing.
    fn is_off(&self) -> bool;

    /// Whether the mean of many reads is free of it: noise, and the rounding of what is shown and
    /// read. The yardstick of gradients leaves it out.
    fn is_noise(&self) -> bool {
        false
    }

    /// Checks what no single number can tell.
    ///
    /// # Errors
    /// A message that begins with the key at fault.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Makes it `factor` times as large, above 0 and other than 1: deviations, times and areas are
    /// multiplied, bits fall by log2 of it. Says whether it can be; if not it is a law and no size,
    /// or there is no such device, and `self` is of no more use. What comes of it may be out of
    /// range.
    fn scale(&mut self, factor: f64) -> bool {
        let _ = factor;
        false
    }

    /// It `factor` times as large: exactly off at 0, exactly as it is at 1; none where it cannot be
    /// scaled.
    fn scaled(&self, factor: f64) -> Option<Self>
    where
        Self: Sized + Clone + Default,
    {
        if factor == 0.0 {
            return Some(Self::default());
        }
        let mut effect = self.clone();
        (factor == 1.0 || effect.is_off() || effect.scale(factor)).then_some(effect)
    }

    /// The path of the measured file that it is made of, if there is one.
    fn measured(&mut self) -> Option<&mut String> {
        None
    }
}

/// Defines a device as a struct of tables: settings, then effects in the order in which signals
/// meet them. `$hook` is the trait by which the family meets its effects; it has [`Effect`] above
/// it. A hook that is generic in the numbers of an array follows as `met as <T: Real> dyn Hook<T>`:
/// the device's `hooks` are its effects seen through it.
macro_rules! tables {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $device:ident met as <$real:ident: $bound:path> dyn $hook:path {
            settings $settings:tt
            effects { $($(#[$effect_meta:meta])* $effect:ident: $effect_type:ty,)* }
        }
    ) => {
        $crate::coupler::effect::tables! {
            $(#[$meta])*
            $visibility struct $device of dyn $crate::coupler::effect::Effect {
                settings $settings
                effects { $($(#[$effect_meta])* $effect: $effect_type,)* }
            }
        }

        impl $device {
            /// Every effect with the name of its table, as an array of such numbers meets it, in
            /// the order in which signals do.
            pub fn hooks<$real: $bound>(
                &self,
            ) -> [(&'static str, &dyn $hook); Self::EFFECTS.len()] {
                [$((stringify!($effect), &self.$effect as &dyn $hook)),*]
            }
        }
    };
    (
        $(#[$meta:meta])*
        $visibility:vis struct $device:ident of dyn $hook:path {
            settings { $($(#[$setting_meta:meta])* $setting:ident: $setting_type:ty,)* }
            effects { $($(#[$effect_meta:meta])* $effect:ident: $effect_type:ty,)* }
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize,
            schemars::JsonSchema,
        )]
        #[serde(deny_unknown_fields, default)]
        $visibility struct $device {
            /// The datasheet under these numbers: a name in `devices/` or a path.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub sheet: Option<String>,
            $($(#[$setting_meta])* pub $setting: $setting_type,)*
            $($(#[$effect_meta])* pub $effect: $effect_type,)*
        }

        impl $device {
            /// The tables of the effects, in the order in which signals meet them.
            pub const EFFECTS: &'static [&'static str] = &[$(stringify!($effect)),*];

            /// Every effect with the name of its table, in the order in which signals meet them.
            pub fn effects(&self) -> [(&'static str, &dyn $hook); Self::EFFECTS.len()] {
                [$((stringify!($effect), &self.$effect as &dyn $hook)),*]
            }

            /// This device with `change` made to it.
            #[must_use]
            pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
                change(&mut self);
                self
            }

            /// This device without the effects that are noise.
            #[must_use]
            pub fn without_noise(&self) -> Self {
                use $crate::coupler::Effect;
                let mut device = self.clone();
                $(if device.$effect.is_noise() {
                    device.$effect = Default::default();
                })*
                device
            }

            /// Checks every effect for what no single number can tell.
            ///
            /// # Errors
            /// A message that begins with the table and the key at fault.
            pub fn check_effects(&self) -> Result<(), String> {
                self.effects().into_iter().try_for_each(|(table, effect)| {
                    effect.check().map_err(|message| format!("{table}.{message}"))
                })
            }

            /// The paths of all files that this device is made of, each with the table that names
            /// it: a datasheet that is no built-in one, and what was measured.
            pub fn files(&mut self) -> Vec<(&'static str, &mut String)> {
                use $crate::coupler::Effect;
                let mut files: Vec<(&'static str, &mut String)> = Vec::new();
                let sheet = self.sheet.as_mut().filter(|sheet| sheet.ends_with(".toml"));
                files.extend(sheet.map(|sheet| ("sheet", sheet)));
                $(files.extend(self.$effect.measured().map(|file| (stringify!($effect), file)));)*
                files
            }

            /// Takes the effect of one table away; says whether there is one of that name.
            pub fn take_away(&mut self, table: &str) -> bool {
                match table {
                    $(stringify!($effect) => self.$effect = Default::default(),)*
                    _ => return false,
                }
                true
            }

            /// Gives this device the effect of one table as `other` has it; says whether there is
            /// one of that name.
            pub fn give(&mut self, table: &str, other: &Self) -> bool {
                match table {
                    $(stringify!($effect) => self.$effect = other.$effect.clone(),)*
                    _ => return false,
                }
                true
            }

            /// Makes the effect of one table `factor` times as large, by
            /// [`scaled`](crate::coupler::Effect::scaled); says whether there is one of that name
            /// that can be.
            pub fn scale(&mut self, table: &str, factor: f64) -> bool {
                use $crate::coupler::Effect;
                match table {
                    $(stringify!($effect) => match self.$effect.scaled(factor) {
                        Some(effect) => self.$effect = effect,
                        None => return false,
                    },)*
                    _ => return false,
                }
                true
            }

            /// This device without any effect.
            #[must_use]
            pub fn without_effects(&self) -> Self {
                Self { $($effect: Default::default(),)* ..self.clone() }
            }
        }
    };
}
pub(crate) use tables;
