//! What a caller at the local socket may do, by the kernel's word alone: the user that the server runs as reads tokens and status;
//! another one has what the rules say. Nothing that it sends changes that.

use std::sync::Arc;

use vega_bootstrap::SocketRule;
use vega_domain::access::Scope;
use vega_domain::consumer::LocalProgram;
use vega_listening::LocalCaller;

/// A caller that may do something.
#[derive(Debug, Clone)]
pub(crate) struct LocalPrincipal {
    /// Its user.
    pub(crate) uid: u32,
    /// Which program it is, for its name and for the operator's stop. It grants nothing.
    pub(crate) program: LocalProgram,
    grants: Grants,
}

#[derive(Debug, Clone)]
enum Grants {
    /// The server's own user: it could read the database and the key itself.
    OfOwnUser,
    /// What each rule that fits grants.
    OfRules(Arc<[Scope]>),
}

impl LocalPrincipal {
    /// `None` where this caller may do nothing.
    pub(crate) fn of(caller: &LocalCaller, rules: &[SocketRule], machine: Option<&str>) -> Option<Self> {
        let grants = if caller.is_own_user() {
            Grants::OfOwnUser
        } else {
            let rules = rules
                .iter()
                .filter(|rule| rule.callers.include(caller.uid, caller.gid));
            let scopes: Arc<[Scope]> = rules.flat_map(|rule| rule.scopes.clone()).collect();
            if scopes.is_empty() {
                return None;
            }
            Grants::OfRules(scopes)
        };
        Some(Self {
            uid: caller.uid,
            program: LocalProgram::new(caller.uid, caller.program.as_deref(), machine),
            grants,
        })
    }

    /// Whether it has what a call needs.
    pub(crate) fn may(&self, needed: &Scope) -> bool {
        match &self.grants {
            Grants::OfOwnUser => matches!(needed, Scope::Status | Scope::Token(_) | Scope::Read(_)),
            Grants::OfRules(scopes) => scopes.iter().any(|scope| scope.allows(needed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use vega_bootstrap::SocketCallers;
    use vega_domain::ids::ApiName;

    use super::*;

    fn token(api: &str) -> Scope {
        Scope::Token(ApiName::new(api).unwrap())
    }

    fn caller(uid: u32, gid: u32) -> LocalCaller {
        LocalCaller {
            uid,
            gid,
            pid: Some(1),
            program: Some("strategy.service".into()),
        }
    }

    fn own() -> LocalCaller {
        let folder = tempfile::tempdir().unwrap();
        let uid = std::os::unix::fs::MetadataExt::uid(&folder.path().metadata().unwrap());
        caller(uid, 4_000_000)
    }

    #[test]
    fn the_own_user_reads_and_begins_nothing() {
        let own = LocalPrincipal::of(&own(), &[], None).unwrap();
        let may = |scope: &Scope| own.may(scope);
        assert!(may(&Scope::Status) && may(&token("PRIMARY")));
        assert!(may(&Scope::Read(ApiName::new("PRIMARY").unwrap())));
        assert!(!may(&Scope::Runs) && !may(&Scope::Admin));
    }

    #[rstest]
    #[case::nobody(4_000_001, 1, None)]
    #[case::a_user(4_000_002, 1, Some([true, false]))]
    #[case::a_group(4_000_001, 7, Some([false, true]))]
    #[case::both(4_000_002, 7, Some([true, true]))]
    fn others_have_what_the_rules_grant(
        #[case] uid: u32,
        #[case] gid: u32,
        #[case] expected: Option<[bool; 2]>,
    ) {
        let rules = [
            SocketRule {
                callers: SocketCallers::User(4_000_002),
                scopes: vec![token("PRIMARY")],
            },
            SocketRule {
                callers: SocketCallers::Group(7),
                scopes: vec![Scope::Status],
            },
        ];
        let found = LocalPrincipal::of(&caller(uid, gid), &rules, None);
        let may = found.map(|found| {
            assert!(!found.may(&token("SECOND")), "{found:?}");
            [token("PRIMARY"), Scope::Status].map(|scope| found.may(&scope))
        });
        assert_eq!(may, expected);
    }
}
