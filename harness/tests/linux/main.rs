//! Linux's own programs, unmodified, in containers: Debian's busybox and bash, and a C program of musl's.
//!
//! [`images`] makes the images. [`batch`] runs scripts in them and on the host's Linux, and compares what they print;
//! [`views`] looks at what a container's programs say of it, and at what it refuses; [`typing`] types at the two shells.

mod batch;
mod images;
mod typing;
mod views;
