//! Authentication and authorization of calls. Access keys and console sessions themselves are kept elsewhere.

pub(crate) mod middleware;
pub(crate) mod route_permissions;
