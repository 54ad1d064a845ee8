//! Lets cargo build the server anew when the console was built, so that a release holds the console that is there.

fn main() {
    // What does not exist counts as changed, each time.
    let is_built = std::path::Path::new("../vega-web/dist").exists();
    let watched = if is_built {
        "../vega-web/dist"
    } else {
        "../vega-web"
    };
    println!("cargo::rerun-if-changed={watched}");
}
