//! Single sign-on: an issuer of our own, over HTTP on this machine, with keys of every kind.

mod issuer;
mod keys;
mod login;
mod tokens;
