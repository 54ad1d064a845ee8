//! The page object before real pages in a real Chromium: small documents in, what Vega sees of them out.

mod alerts;
mod broker;
mod browser;
mod dialog_answers;
mod documents;
mod evidence;
mod places;
mod redirects;
mod refusals;
mod screens;
mod sign_in;
mod waits;
