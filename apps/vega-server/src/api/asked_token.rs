//! Which token a request asks for, and whether whoever sends it may have that kind. What there is of it, its caller looks up.

use vega_api_types::ProblemCode;
use vega_domain::access::Scope;
use vega_domain::ids::ApiName;
use vega_domain::token_kind::{TokenKind, WantedKind};

use crate::auth::principal::Principal;
use crate::http::problem::Problem;
use crate::server::Server;

/// What a program asks for and may have.
pub(crate) struct Asked {
    /// The name that it asks with.
    pub(crate) api: ApiName,
    pub(crate) wanted: WantedKind,
    /// The names under which the tokens are kept that it may get, the preferred one first.
    pub(crate) names: Vec<ApiName>,
}

impl Asked {
    /// Who may not have each kind that it asks for is refused, and told what lets it.
    pub(crate) fn of(
        server: &Server,
        principal: &Principal,
        api: ApiName,
        kind: Option<&str>,
        accept: Option<&str>,
    ) -> Result<Self, Problem> {
        let wanted = WantedKind::of(kind, accept);
        let wanted = wanted.map_err(|error| Problem::new(ProblemCode::BadRequest, format!("{error}.")))?;
        for kind in wanted.kinds() {
            let needed = match kind {
                TokenKind::Trade => Scope::Token(api.clone()),
                TokenKind::Read => Scope::Read(api.clone()),
            };
            if !principal.may(&needed) {
                server.audit_refusal(format!("{} lacks the scope {needed}", principal.name()));
                return Err(principal.not_allowed(&[needed.to_string()]));
            }
        }
        Self::unchecked(server, api, wanted)
    }

    /// For who may see how every token stands.
    pub(crate) fn unchecked(server: &Server, api: ApiName, wanted: WantedKind) -> Result<Self, Problem> {
        let (account, _) = server
            .vega
            .settings
            .accounts
            .find(&api)
            .ok_or_else(|| unknown_api(server))?;
        let names = wanted.names(&account.id, &api);
        Ok(Self { api, wanted, names })
    }

    /// The name under which the token is kept that it asks for in the first place.
    pub(crate) fn preferred(&self) -> &ApiName {
        &self.names[0]
    }
}

/// The API of this name, if it is configured.
pub(crate) fn known_api(server: &Server, name: String) -> Result<ApiName, Problem> {
    let name = ApiName::new(name).map_err(|_| unknown_api(server))?;
    let mut apis = server.vega.settings.accounts.apis();
    if apis.any(|(_, api)| api.name == name) {
        return Ok(name);
    }
    Err(unknown_api(server))
}

pub(crate) fn unknown_api(server: &Server) -> Problem {
    let apis = server.vega.settings.accounts.apis();
    let names: Vec<&str> = apis.map(|(_, api)| api.name.as_str()).collect();
    Problem::new(
        ProblemCode::UnknownApi,
        format!("There are {}.", names.join(", ")),
    )
}
