//! Opens a link in the system's browser without naming it on a command line, where every user of the machine could read
//! its `state`: the browser is sent to an address of Vega's own, which leads on to the link once. Whoever reads that
//! address and is quicker than the browser has the link; the browser then comes second, and the operator is told.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use vega_domain::event::Event;
use vega_domain::ids::ApiName;
use vega_domain::ports::EventSink;
use vega_domain::secret::AuthorizeLink;
use vega_domain::sign_in::{Notice, SignInLink};

use crate::callback::only_get;
use crate::result_page::{HEADERS, page};

/// A program that has not failed by then has opened the browser, or is the browser.
const FAILS_WITHIN: Duration = Duration::from_secs(3);

/// An address that leads to a link once, as long as this lives.
pub(crate) struct Door {
    address: String,
    _serving: AbortOnDropHandle<()>,
}

/// What is behind a door.
struct Way {
    link: Mutex<Option<AuthorizeLink>>,
    api: ApiName,
    events: Arc<dyn EventSink>,
    was_told: AtomicBool,
}

impl Door {
    /// Whoever comes second is told of in `events`.
    pub(crate) async fn to(link: &SignInLink, events: Arc<dyn EventSink>) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let path = format!("/{}", uuid::Uuid::new_v4().simple());
        let address = format!("http://{}{path}", listener.local_addr()?);
        let way = Way {
            link: Mutex::new(Some(link.link.clone())),
            api: link.api.clone(),
            events,
            was_told: AtomicBool::new(false),
        };
        let router = Router::new()
            .route(&path, only_get(lead_on))
            .with_state(Arc::new(way));
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::warn!(%error, "the address that leads to the link ended");
            }
        });
        Ok(Self {
            address,
            _serving: AbortOnDropHandle::new(serving),
        })
    }

    /// Starts the system's browser there; whether one was started.
    pub(crate) async fn open(&self, environment: &[(OsString, OsString)]) -> bool {
        for command in open::commands(&self.address) {
            let mut command = tokio::process::Command::from(command);
            command
                .env_clear()
                .envs(environment.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            // The browser is the operator's: Ctrl-C at Vega is not meant for it.
            #[cfg(unix)]
            command.process_group(0);
            let Ok(mut child) = command.spawn() else {
                continue;
            };
            match tokio::time::timeout(FAILS_WITHIN, child.wait()).await {
                Ok(Ok(status)) if !status.success() => {}
                _ => return true,
            }
        }
        false
    }
}

async fn lead_on(State(way): State<Arc<Way>>) -> Response {
    let link = way.link.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(link) = link else {
        if !way.was_told.swap(true, Ordering::Relaxed) {
            let (api, notice) = (way.api.clone(), Notice::LinkOpenedTwice);
            way.events.emit(Event::Noticed { api, notice });
        }
        let words = "This address was opened before. If that was not you, cancel the run (Ctrl-C in Vega's terminal, or \
                     the button in the console) and generate again. If it was, use the link that Vega shows there.";
        return page(StatusCode::GONE, "Opened before", words);
    };
    let to = [(header::LOCATION, link.expose())];
    (StatusCode::SEE_OTHER, HEADERS, to).into_response()
}
