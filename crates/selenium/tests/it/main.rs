//! The page object before real pages in a real Chromium: small documents in, what Vega sees of them out.

mod alerts;
mod browser;
mod documents;
mod evidence;
mod screens;
