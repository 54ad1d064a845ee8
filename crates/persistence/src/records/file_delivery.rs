//! A row of `file_deliveries`, and the delivery in it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use chrono::{DateTime, Utc};
use vega_domain::file_delivery::{
    ContentDigest, DeliveryFailure, DeliveryProblem, DeliveryState, FailedTry, FileDelivery, TokenVersion,
};
use vega_domain::ids::{ApiName, Generation};
use vega_domain::ports::StoreError;
use vega_domain::token_file::OnExpiry;

use crate::sql::record;
use crate::stored::unreadable;

record! {
    pub(crate) struct FileDeliveryRow {
        path: Vec<u8>,
        api: String,
        generation: u32,
        version: String,
        on_expiry: String,
        held: Option<Vec<u8>>,
        written: Option<Vec<u8>>,
        state: String,
        since: DateTime<Utc>,
        tried_at: Option<DateTime<Utc>>,
        tries: Option<u32>,
        problem: Option<String>,
        detail: Option<String>,
    }
}

impl FileDeliveryRow {
    pub(crate) fn into_delivery(self) -> Result<FileDelivery, StoreError> {
        let failed = match (self.tried_at, self.tries, self.problem) {
            (Some(at), Some(tries), Some(problem)) => Some(FailedTry {
                at,
                tries,
                failure: DeliveryFailure::new(
                    DeliveryProblem::parse(&problem).map_err(unreadable)?,
                    self.detail.unwrap_or_default(),
                ),
            }),
            _ => None,
        };
        Ok(FileDelivery {
            path: OsString::from_vec(self.path).into(),
            api: ApiName::stored(self.api).map_err(unreadable)?,
            version: TokenVersion::new(self.version),
            generation: Generation::new(self.generation).map_err(unreadable)?,
            on_expiry: OnExpiry::parse(&self.on_expiry).map_err(unreadable)?,
            held: digest(self.held)?,
            written: digest(self.written)?,
            state: DeliveryState::parse(&self.state).map_err(unreadable)?,
            since: self.since,
            failed,
        })
    }
}

fn digest(bytes: Option<Vec<u8>>) -> Result<Option<ContentDigest>, StoreError> {
    let digest = bytes.map(|bytes| bytes.try_into().map(ContentDigest));
    digest
        .transpose()
        .map_err(|bytes: Vec<u8>| unreadable(format!("a digest has {} bytes", bytes.len())))
}
