//! Every JSON shape that programs and the console read, once: for `vega … --json`, the server's answers, its event stream and
//! the OpenAPI file, from which the console's types are generated. Objects carry `"v": 1`; fields are only ever added. Times
//! are RFC 3339 with +05:30, with Unix seconds beside those that programs compare. Only `TokenView`,
//! `AnsweredTokenView`, `WatchedTokenView` and `ReceivedToken` hold a secret.
//!
//! Holds shapes and how they are filled from the domain; reads nothing and decides nothing.

mod apis;
mod audit;
pub mod codes;
mod consumers;
mod database;
mod events;
mod evidence;
mod failures;
mod files;
mod health;
mod keys;
mod machines;
mod maintenance;
mod plans;
mod problems;
mod prompts;
mod received;
mod rejections;
mod runs;
mod session;
mod settings;
mod system;
mod token_state;

pub use apis::{
    AccountView, AnalyticsView, AnsweredTokenView, ApiView, ApisView, ClosedAccountView, ClosedAccountsView,
    ClosedView, StatusView, TokenView, VerdictView,
};
pub use audit::{
    AuditFaultView, AuditFile, AuditVerdictView, AuditView, EntryOrder, EntryView, ExportFormat,
};
pub use consumers::{ConsumerStopView, ConsumerView, ConsumersView, OpenConsumerBody, StopConsumerBody};
pub use database::{DatabaseFaultsView, RowView};
pub use events::{Snapshot, StepChange, StreamEvent};
pub use evidence::{EvidenceView, EvidencesView, FactView};
pub use failures::{FailureView, LastFailureView};
pub use files::{DeliveryFailureView, DeliveryView, FileView, FilesView};
pub use health::{LiveView, ReadyView, TokensReadyView};
pub use keys::{KeyView, KeysView, UnfitKeyView};
pub use machines::{LeaseView, MachineView, MachinesView};
pub use maintenance::{BackupView, MoveView, PreparedKeyView, RestoreView, RotationView};
pub use plans::{PlanView, PlannedView, StoppedView, TakenUpView};
pub use problems::{ProblemCode, ProblemView};
pub use prompts::{AnswerBody, PromptView, PromptsView};
pub use received::{ReceivedFailure, ReceivedProblem, ReceivedRejection, ReceivedToken, ReceivedTokenState};
pub use rejections::{RejectionBody, RejectionView};
pub use runs::{AcceptedView, NoticeView, Outcome, RunBody, RunView, StepView, VerificationBody, WaitView};
pub use session::{LinkBody, OpenedView, SessionView};
pub use settings::{ConfigView, SettingView};
pub use system::{
    CertificateView, DatabaseView, HealthView, KeySourceKind, KeySourceView, SignInView, SystemView,
};
pub use token_state::{StreamEndView, TokenStateView, TokenStreamEvent, WatchedTokenView};
