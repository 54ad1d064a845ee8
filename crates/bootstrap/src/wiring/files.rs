//! Wires deliveries to files: what is on record, the files of this machine, and the commands around them.

use std::path::Path;
use std::sync::Arc;

use vega_domain::ports::Clock;
use vega_persistence::{DataSource, Place, SqlFileDeliveries, refuse_if_others_may_change};
use vega_services::{FileDeliveryPorts, FileDeliveryService, HotTokenRegistry};
use vega_token_files::{OthersMayChange, SystemFollowUpRunner, SystemTokenFileWriter};

use crate::settings::Settings;
use crate::settings::environment::Environment;

/// How it is found out who else may change a place.
const OTHERS_MAY_CHANGE: OthersMayChange = OthersMayChange {
    folder: |path| changeable(path, Place::Folder),
    file: |path| changeable(path, Place::File),
};

pub(crate) fn file_deliveries(
    settings: &Settings,
    environment: &Environment,
    data: &DataSource,
    registry: &Arc<HotTokenRegistry>,
    clock: &Arc<dyn Clock>,
) -> FileDeliveryService {
    let files = Arc::new(SystemTokenFileWriter::new(
        OTHERS_MAY_CHANGE,
        environment.for_children(),
    ));
    FileDeliveryService::new(FileDeliveryPorts {
        files: settings.files.clone(),
        registry: Arc::clone(registry),
        deliveries: Arc::new(SqlFileDeliveries::new(data.clone())),
        inspector: files.clone(),
        writer: files,
        follow_ups: Arc::new(SystemFollowUpRunner::new(
            OTHERS_MAY_CHANGE,
            environment.for_children(),
        )),
        clock: Arc::clone(clock),
    })
}

fn changeable(path: &Path, place: Place) -> Result<(), String> {
    refuse_if_others_may_change(path, place).map_err(|error| error.to_string())
}
