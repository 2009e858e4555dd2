//! One of several things, chosen by name: `optimiser = "adam"`, or its table
//! `[training.optimiser.adam]`.
//!
//! A hub lists what there is to choose from, one line each; names, tables, errors with the nearest
//! name and the methods that all have in common follow from the line.

/// Defines an enumeration of tables that are chosen by name. A name alone stands for the table's
/// default. Methods under `forward` are those of the chosen table; with `as dyn TRAIT`, `get` is the
/// table as that trait; `with schema` describes names and tables as a schema.
macro_rules! choices {
    (
        $(#[$meta:meta])*
        pub enum $choice:ident $(as dyn $hook:path)? $(, with $schema:ident)? {
            $($(#[$doc:meta])* $name:literal => $variant:ident($table:ty),)+
        }
        $(forward { $($methods:tt)* })?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $choice {
            $($(#[$doc])* $variant($table),)+
        }

        impl $choice {
            /// What there is to choose from, by name.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// What there is to choose from, with its usual numbers.
            pub fn all() -> Vec<Self> {
                vec![$(Self::$variant(Default::default())),+]
            }

            /// The name of what is chosen.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)+
                }
            }

            /// What has this name, with its usual numbers.
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant(Default::default())),)+
                    _ => None,
                }
            }
        }

        $crate::quantity::choice::choices!(@hook $choice [$($variant)+] $($hook)?);
        $crate::quantity::choice::choices!(@methods $choice [$($variant)+] $($($methods)*)?);
        $crate::quantity::choice::choices!(@schema $choice [$($name, $table;)+] $($schema)?);

        $(impl From<$table> for $choice {
            fn from(table: $table) -> Self {
                Self::$variant(table)
            }
        })+

        impl serde::Serialize for $choice {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                match self {
                    $(Self::$variant(table) => {
                        // A table without keys is its name.
                        if toml::Table::try_from(table).is_ok_and(|table| table.is_empty()) {
                            return serializer.serialize_str($name);
                        }
                        let mut map = serializer.serialize_map(Some(1))?;
                        map.serialize_entry($name, table)?;
                        map.end()
                    })+
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $choice {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl<'de> serde::de::Visitor<'de> for Visitor {
                    type Value = $choice;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(f, "one of {}, or its table", $choice::NAMES.join(", "))
                    }

                    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<$choice, E> {
                        $choice::named(name)
                            .ok_or_else(|| E::unknown_variant(name, $choice::NAMES))
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<$choice, A::Error> {
                        use serde::de::Error;
                        let Some(name) = map.next_key::<$crate::quantity::choice::Name>()? else {
                            return Err(A::Error::custom(format_args!(
                                "expected one of {}",
                                $choice::NAMES.join(", ")
                            )));
                        };
                        let chosen = match name.known($choice::NAMES)? {
                            $($name => map.next_value::<$table>().map($choice::$variant)?,)+
                            other => return Err(A::Error::unknown_variant(other, $choice::NAMES)),
                        };
                        match map.next_key::<$crate::quantity::choice::Name>()? {
                            None => Ok(chosen),
                            Some(other) => Err(A::Error::custom(format_args!(
                                "`{other}` beside `{}`: expected only one of {}",
                                chosen.name(),
                                $choice::NAMES.join(", ")
                            ))),
                        }
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }
    };
    (@schema $choice:ident $tables:tt) => {};
    (@schema $choice:ident [$($name:literal, $table:ty;)+] schema) => {
        impl schemars::JsonSchema for $choice {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($choice).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut tables = serde_json::Map::new();
                $(tables.insert($name.into(), generator.subschema_for::<$table>().into());)+
                schemars::json_schema!({
                    "enum": $choice::NAMES, "type": "object", "properties": tables,
                })
            }
        }
    };
    (@hook $choice:ident [$($variant:ident)+]) => {};
    (@hook $choice:ident [$($variant:ident)+] $hook:path) => {
        impl $choice {
            /// What is chosen.
            pub fn get(&self) -> &dyn $hook {
                match self {
                    $(Self::$variant(table) => table,)+
                }
            }
        }
    };
    // One method after another: its name, its arguments as a call, its whole head.
    (@methods $choice:ident $variants:tt) => {};
    (
        @methods $choice:ident $variants:tt
        $(#[$meta:meta])*
        $visibility:vis fn $method:ident $(<$generic:ident: $bound:path>)?
            (&self $(, $argument:ident: $type:ty)* $(,)?) $(-> $result:ty)?;
        $($others:tt)*
    ) => {
        $crate::quantity::choice::choices!(
            @forward $choice $variants self $method ($($argument),*)
            $(#[$meta])*
            $visibility fn $method $(<$generic: $bound>)? (&self $(, $argument: $type)*)
            $(-> $result)?
        );
        $crate::quantity::choice::choices!(@methods $choice $variants $($others)*);
    };
    (
        @forward $choice:ident [$($variant:ident)+]
        $this:tt $method:ident $call:tt $($head:tt)*
    ) => {
        impl $choice {
            $($head)* {
                match $this {
                    $(Self::$variant(table) => table.$method $call,)+
                }
            }
        }
    };
}
pub(crate) use choices;

/// The name of a choice.
#[derive(serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct Name(String);

impl Name {
    /// This name, if it is among `names`.
    pub fn known<E: serde::de::Error>(&self, names: &'static [&'static str]) -> Result<&str, E> {
        match names.contains(&self.0.as_str()) {
            true => Ok(&self.0),
            false => Err(E::unknown_variant(&self.0, names)),
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct Round {
        radius: f64,
    }

    impl Round {
        fn area<T: From<f32>>(&self, factor: f64) -> (f64, T) {
            (factor * self.radius * self.radius, T::from(1.0))
        }
    }

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct Square {
        side: f64,
    }

    impl Square {
        fn area<T: From<f32>>(&self, factor: f64) -> (f64, T) {
            (factor * self.side * self.side, T::from(2.0))
        }
    }

    choices! {
        /// A shape.
        pub enum Shape {
            /// Round.
            "round" => Round(Round),
            /// Square.
            "square" => Square(Square),
        }
        forward {
            fn area<T: From<f32>>(&self, factor: f64) -> (f64, T);
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Table {
        shape: Shape,
    }

    #[test]
    fn a_name_or_a_table_is_taken_and_written() {
        let read = |text: &str| toml::from_str::<Table>(text).unwrap();
        let square = Table { shape: Shape::Square(Square { side: 3.0 }) };
        assert_eq!(read("[shape.square]\nside = 3.0"), square);
        assert_eq!(read("shape = 'round'"), read("[shape.round]"));
        assert_eq!(square.shape.area::<f64>(2.0), (18.0, 2.0));
        for table in [square, read("shape = 'round'")] {
            assert_eq!(read(&toml::to_string(&table).unwrap()), table);
        }
    }

    #[test]
    fn all_of_them_are_listed_by_name() {
        let names: Vec<&str> = Shape::all().iter().map(Shape::name).collect();
        assert_eq!(names, Shape::NAMES);
    }

    #[test]
    fn what_is_none_of_them_is_refused_in_its_place() {
        let refused = |text: &str| toml::from_str::<Table>(text).unwrap_err().to_string();
        for (text, words) in [
            ("shape = 'sqare'", "unknown variant `sqare`, expected `round` or `square`"),
            ("[shape.sqare]\nside = 1", "unknown variant `sqare`"),
            ("shape.round = {}\nshape.square = {}", "expected only one of round, square"),
            ("[shape.square]\nsid = 1", "unknown field `sid`"),
            ("shape = 3", "one of round, square"),
            ("[shape]", "expected one of round, square"),
        ] {
            let refusal = refused(text);
            assert!(refusal.contains(words) && refusal.contains("line"), "{text}: {refusal}");
        }
    }
}
