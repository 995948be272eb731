//! stub
mod file;
mod out;
fn main(){ println!("{:?}", file::check("a: 1")); }
