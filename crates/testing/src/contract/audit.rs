//! The contract of `AuditTrail`, as far as every store can break it.

use vega_domain::audit::AuditKind;
use vega_domain::secret::AccessToken;

use super::installation::Installation;
use super::world::World;
use crate::builders::{entry, token};

/// A token that is stored nowhere is told apart by the same mark as one that is.
pub async fn an_entry_about_a_token_tells_it_apart_and_does_not_show_it<I: Installation>() {
    let world = World::<I>::new().await;
    let run = world.running(&["PRIMARY"]).await;
    let attempt = world.answered(run, "PRIMARY", 1).await;
    let stored = token(attempt, "PRIMARY", 1);
    world.store(&stored).await.unwrap();
    let other = AccessToken::new("CANARY-another-token");
    let audit = entry(AuditKind::TokenStored);
    for token in [&stored.token.access_token, &other] {
        world.audit.append_about(&audit, token).await.unwrap();
    }
    let trail = world.audit().await;
    let mut about = trail.iter().filter(|entry| entry.kind == AuditKind::TokenStored);
    let mut detail = || about.next().unwrap().detail.as_str();
    let (stored, same, another) = (detail(), detail(), detail());
    assert_eq!(stored, same);
    assert_ne!(stored, another);
    for entry in &trail {
        assert!(!entry.detail.contains("CANARY"), "{entry:?}");
    }
}
