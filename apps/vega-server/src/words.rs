//! The closed lists of words in JSON. Each is the domain's own list, so that the OpenAPI file names every word, and a
//! console that goes through them all misses none. What a word means is the domain's to say.

use std::borrow::Cow;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};
use vega_domain::audit;

/// The schema of a string that is one of these words.
fn one_of(words: impl IntoIterator<Item = &'static str>, description: &str) -> RefOr<Schema> {
    let schema = ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .enum_values(Some(words))
        .description(Some(description));
    RefOr::T(Schema::Object(schema.build()))
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AuditKind(pub(crate) audit::AuditKind);

impl Serialize for AuditKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.code())
    }
}

impl<'de> Deserialize<'de> for AuditKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        audit::AuditKind::parse(&code).map(Self).map_err(D::Error::custom)
    }
}

impl PartialSchema for AuditKind {
    fn schema() -> RefOr<Schema> {
        one_of(
            audit::AuditKind::ALL.iter().map(|kind| kind.code()),
            "What happened.",
        )
    }
}

impl ToSchema for AuditKind {
    fn name() -> Cow<'static, str> {
        "AuditKind".into()
    }
}
