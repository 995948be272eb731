//! Takes the files of the web page, `web/dist`, into the build, each as it is and, where that saves
//! something, compressed. Without Node.js there are none: the server then says at `/ui` how the page is
//! built.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() -> io::Result<()> {
    let of = |name| env::var_os(name).map(PathBuf::from).ok_or_else(|| io::Error::other(name));
    let (built, out) = (of("CARGO_MANIFEST_DIR")?.join("../../web/dist"), of("OUT_DIR")?);
    println!("cargo::rerun-if-changed=build.rs");
    let mut files = Vec::new();
    // Cargo would run this, and compile the crate, each time while a path to watch is missing. In a tree that
    // is read only the page is taken as it is now.
    if built.is_dir() || fs::create_dir_all(&built).is_ok() {
        println!("cargo::rerun-if-changed={}", built.display());
        find(&built, "", &mut files)?;
    }
    files.sort();
    let mut table = String::from("[\n");
    for (n, (name, path)) in files.iter().enumerate() {
        let bytes = fs::read(path)?;
        let (plain, packed) = (out.join(format!("{n}")), out.join(format!("{n}.gz")));
        fs::write(&plain, &bytes)?;
        let smaller = gzip(&bytes)?;
        // Pictures and fonts are compressed already.
        let packed = if smaller.len() < bytes.len() / 10 * 9 {
            fs::write(&packed, smaller)?;
            format!("Some(include_bytes!({packed:?}))")
        } else {
            "None".to_owned()
        };
        let file = format!("File {{ name: {name:?}, plain: include_bytes!({plain:?}), packed: {packed} }},");
        writeln!(table, "{file}").map_err(io::Error::other)?;
    }
    fs::write(out.join("page.rs"), table + "]")
}

/// Finds the files of a folder and of those in it, each by the name that addresses have for it.
fn find(folder: &Path, within: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if path.is_dir() {
            find(&path, &format!("{within}{name}/"), files)?;
        } else {
            files.push((format!("{within}{name}"), path));
        }
    }
    Ok(())
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}
