//! A disk with one file and commands that do what a test says, and the processes that deliver to it.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;
use vega_domain::audit::AuditKind;
use vega_domain::file_delivery::{
    ContentDigest, DeliveryFailure, DeliveryProblem, FileDelivery, FileStanding,
};
use vega_domain::ids::{AccountId, Generation};
use vega_domain::ports::{FollowUpRunner, Found, TokenFileInspector, TokenFileWriter};
use vega_domain::token::StoredToken;
use vega_domain::token_file::{FileAccess, FileFormat, FileMode, OnExpiry, TokenFile};
use vega_domain::token_kind::WantedKind;
use vega_testing::MemoryStore;

use super::super::{FileDeliveryPorts, FileDeliveryService, Inspection};
use crate::hot_token_registry::HotTokenRegistry;
use crate::test_builders::{PausedClock, api, at, stored};

pub(super) const PATH: &str = "/run/token";

/// A disk with one file, and commands that fail as often as they are told to. Notes what is done.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) file: Mutex<Option<ContentDigest>>,
    pub(super) draft: Mutex<Option<ContentDigest>>,
    pub(super) deeds: Mutex<Vec<String>>,
    pub(super) failures: Mutex<VecDeque<(&'static str, DeliveryProblem)>>,
    /// The row says something else now of the file, and a delivery puts that right.
    pub(super) is_named_otherwise: AtomicBool,
    /// A command that does not end.
    pub(super) hangs: AtomicBool,
    /// What happens while the next file is prepared: a check may take its time.
    pub(super) meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Disk {
    pub(super) fn does(&self, deed: &'static str) -> Result<(), DeliveryFailure> {
        self.deeds.lock().unwrap().push(deed.to_owned());
        let mut failures = self.failures.lock().unwrap();
        match failures.front() {
            Some((of, problem)) if *of == deed => {
                let failure = DeliveryFailure::new(*problem, "as told");
                failures.pop_front();
                Err(failure)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn fails(&self, deed: &'static str, times: usize, problem: DeliveryProblem) {
        self.failures
            .lock()
            .unwrap()
            .extend(std::iter::repeat_n((deed, problem), times));
    }

    pub(super) fn deeds(&self) -> Vec<String> {
        std::mem::take(&mut *self.deeds.lock().unwrap())
    }
}

pub(super) fn content(token: &StoredToken) -> ContentDigest {
    content_of(token.access_token.expose())
}

pub(super) fn content_of(text: &str) -> ContentDigest {
    let mut digest = [0; 32];
    for (place, byte) in digest.iter_mut().zip(text.bytes()) {
        *place = byte;
    }
    ContentDigest(digest)
}

#[async_trait]
impl TokenFileInspector for Disk {
    async fn look(&self, _path: &Path) -> Found {
        self.file.lock().unwrap().map_or(Found::Nothing, Found::File)
    }

    async fn is_as_named(&self, _file: &TokenFile, token: &StoredToken) -> bool {
        !self.is_named_otherwise.load(Ordering::SeqCst) && *self.file.lock().unwrap() == Some(content(token))
    }

    async fn examine(&self, _file: &TokenFile) -> Result<(), DeliveryFailure> {
        Ok(())
    }
}

#[async_trait]
impl TokenFileWriter for Disk {
    async fn prepare(
        &self,
        _file: &TokenFile,
        token: &StoredToken,
    ) -> Result<ContentDigest, DeliveryFailure> {
        self.does("prepare")?;
        if let Some(meanwhile) = self.meanwhile.lock().unwrap().take() {
            meanwhile();
        }
        *self.draft.lock().unwrap() = Some(content(token));
        Ok(content(token))
    }

    async fn put(&self, _file: &TokenFile) -> Result<(), DeliveryFailure> {
        self.does("put")?;
        *self.file.lock().unwrap() = self.draft.lock().unwrap().take();
        self.is_named_otherwise.store(false, Ordering::SeqCst);
        Ok(())
    }

    async fn discard(&self, _path: &Path) {
        *self.draft.lock().unwrap() = None;
    }

    async fn remove(&self, _path: &Path) -> Result<(), DeliveryFailure> {
        self.does("remove")?;
        *self.file.lock().unwrap() = None;
        Ok(())
    }
}

#[async_trait]
impl FollowUpRunner for Disk {
    async fn follow_up(&self, _file: &TokenFile, _token: &StoredToken) -> Result<(), DeliveryFailure> {
        if self.hangs.load(Ordering::SeqCst) {
            self.deeds.lock().unwrap().push("hang".to_owned());
            std::future::pending::<()>().await;
        }
        self.does("follow")
    }
}

pub(super) struct Fixture {
    pub(super) ports: FileDeliveryPorts,
    pub(super) disk: Arc<Disk>,
    pub(super) store: Arc<MemoryStore>,
}

pub(super) fn file(on_expiry: OnExpiry) -> TokenFile {
    TokenFile {
        account: AccountId::new("default").unwrap(),
        kind: WantedKind::Trade,
        api: api("PRIMARY"),
        path: PATH.into(),
        format: FileFormat::Raw,
        access: FileAccess {
            mode: FileMode::PRIVATE,
            owner: None,
            group: None,
        },
        check: None,
        then: None,
        on_expiry,
    }
}

pub(super) fn generation(number: u32) -> Generation {
    Generation::new(number).unwrap()
}

impl Fixture {
    pub(super) fn new(on_expiry: OnExpiry) -> Self {
        let clock = PausedClock::at(at(0));
        let (disk, store) = (Arc::<Disk>::default(), Arc::<MemoryStore>::default());
        Self {
            ports: FileDeliveryPorts {
                files: vec![file(on_expiry)],
                registry: Arc::new(HotTokenRegistry::new(clock.clone())),
                deliveries: store.clone(),
                inspector: disk.clone(),
                writer: disk.clone(),
                follow_ups: disk.clone(),
                clock,
            },
            disk,
            store,
        }
    }

    /// As one process has it, which ends when this is dropped.
    pub(super) fn service(&self) -> FileDeliveryService {
        FileDeliveryService::new(self.ports.clone())
    }

    /// A process that runs for so long, and dies.
    pub(super) async fn runs_for(&self, time: Duration) {
        let service = self.service();
        let ran = timeout(time, service.follow()).await;
        assert!(ran.is_err());
    }

    pub(super) fn publish(&self, number: u32) {
        assert!(self.ports.registry.publish(&stored("PRIMARY", number)));
    }

    pub(super) async fn standing(&self) -> FileStanding {
        self.service().overview(Inspection::OfRecords).await.unwrap()[0].standing
    }

    pub(super) fn kinds(&self) -> Vec<AuditKind> {
        self.store
            .read(|tables| tables.audit.iter().map(|entry| entry.kind).collect())
    }

    pub(super) fn row(&self) -> FileDelivery {
        self.store
            .read(|tables| tables.deliveries[Path::new(PATH)].clone())
    }
}

pub(super) const A_MOMENT: Duration = Duration::from_millis(100);
pub(super) const REPLACED: [&str; 3] = ["prepare", "put", "follow"];
