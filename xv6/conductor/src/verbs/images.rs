//! `conductor images`: the images on the volume.

use crate::args::Images;
use crate::error::Result;
use crate::image;

/// Runs the verb.
pub fn run(args: &Images) -> Result<u8> {
    let images = image::list()?;
    if args.quiet {
        images.iter().for_each(|image| println!("{}", short(&image.id)));
        return Ok(0);
    }
    println!("{:24}  {:12}  {:>6}  {:>9}", "NAME", "IMAGE ID", "LAYERS", "SIZE");
    for image in images {
        let size = format!("{:.1} MB", image.size as f64 / 1e6);
        println!("{:24}  {:12}  {:>6}  {size:>9}", image.name, short(&image.id), image.layers.len());
    }
    Ok(0)
}

fn short(id: &str) -> &str {
    &id[..id.len().min(12)]
}
