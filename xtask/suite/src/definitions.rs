//! The `$defs` of `docs/suite.schema.json`, for parameters of cases: `#[schemars(schema_with = "definitions::set")]`.

use schemars::{Schema, SchemaGenerator, json_schema};

macro_rules! definitions {
    ($($name:ident),*) => {$(
        #[doc = concat!("`$defs/", stringify!($name), "`.")]
        pub fn $name(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "$ref": concat!("#/$defs/", stringify!($name)) })
        }
    )*};
}

definitions!(
    address, changes, content, key, object, pointer, port, quantity, request, set, value, values, variable, words
);
