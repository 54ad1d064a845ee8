//! Authentication and authorization of calls: who calls, and whether they may. Keys and sessions themselves are kept in
//! the crates below.

pub(crate) mod local_access;
pub(crate) mod middleware;
pub(crate) mod principal;
pub(crate) mod route_permissions;
