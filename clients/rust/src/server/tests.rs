//! A source beside a scripted server: what becomes known reaches programs, and nothing else does.

mod connection;
mod first_answer;
mod lifetime;
mod news;
mod reports;
