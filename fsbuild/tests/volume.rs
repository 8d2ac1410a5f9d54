//! The image volume end to end: recipes and imports in, a FAT volume out, read back, checked by fsck.fat.

use assert_cmd::Command;
use fsbuild::oci::{Layout, blob_path};
use fsbuild::recipe::{Contexts, build_all, flatten};
use fsbuild::tree::Node;
use fsbuild::{import, layer, tree, volume};
use std::io::Write;
use std::path::Path;
use tempfile::TempDir;

fn put(dir: &TempDir, name: &str, contents: &str) {
    let file = dir.path().join(name);
    std::fs::create_dir_all(file.parent().expect("a parent")).expect("folder made");
    std::fs::write(file, contents).expect("file written");
}

/// Two recipes, the second on the first, and a context for programs.
fn recipes() -> (TempDir, Contexts) {
    let dir = tempfile::tempdir().expect("a folder");
    put(&dir, "programs/bin/sh", "#!shell");
    put(&dir, "programs/bin/ls", "#!ls");
    put(&dir, "images/zbase/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    put(
        &dir,
        "images/zbase/Conductorfile",
        "FROM scratch\nCOPY --from=programs bin/* /bin/\nCOPY etc /etc\nWORKDIR /proc\nWORKDIR /\nENV PATH=/bin A=1\nCMD [\"sh\"]\n",
    );
    put(&dir, "images/app/hello.txt", "hello\n");
    put(
        &dir,
        "images/app/Conductorfile",
        "FROM zbase\nENV A=\"$A 2\"\nWORKDIR /srv\nCOPY hello.txt .\nCOPY --from=zbase --chmod=700 /bin/sh /srv/tool\nENTRYPOINT [\"/srv/tool\"]\nLABEL by=test\n",
    );
    let contexts = Contexts::from([("programs".to_string(), dir.path().join("programs"))]);
    (dir, contexts)
}

fn built() -> (TempDir, Layout) {
    let (dir, contexts) = recipes();
    let mut layout = Layout::default();
    build_all(&mut layout, &dir.path().join("images"), &contexts).expect("built");
    (dir, layout)
}

fn text(tree: &tree::Tree, path: &str) -> String {
    match &tree.get(path).unwrap_or_else(|| panic!("{path} is missing")).node {
        Node::File(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("{path} is {other:?}"),
    }
}

#[test]
fn recipes_become_images() {
    let (_dir, layout) = built();
    let (config, layers) = layout.image("app:latest").expect("there");
    assert_eq!(layers.len(), 2, "one layer per recipe");
    assert_eq!(config.rootfs.diff_ids, layers.iter().map(|layer| layer.digest.clone()).collect::<Vec<_>>());
    assert_eq!(config.config.env, Some(vec!["PATH=/bin".into(), "A=1 2".into()]));
    assert_eq!(config.config.entrypoint, Some(vec!["/srv/tool".into()]));
    assert_eq!(config.config.cmd, None, "a new entry point drops the base's command");
    assert_eq!(config.config.working_dir.as_deref(), Some("/srv"));
    let tree = flatten(&layout, "app").expect("flat");
    assert_eq!(text(&tree, "srv/hello.txt"), "hello\n");
    assert_eq!(text(&tree, "srv/tool"), "#!shell");
    assert_eq!(tree.get("srv/tool").map(|entry| entry.mode), Some(0o700));
    assert_eq!(text(&tree, "bin/ls"), "#!ls");
    assert!(tree.is_dir("proc"));
}

#[test]
fn the_volume_is_the_same_each_time_and_clean() {
    let (dir, layout) = built();
    let (one, two) = (dir.path().join("one.img"), dir.path().join("two.img"));
    volume::write(&layout, &one).expect("written");
    volume::write(&built().1, &two).expect("written");
    assert!(std::fs::read(&one).expect("readable") == std::fs::read(&two).expect("readable"), "the bytes differ");
    assert_eq!(volume::read(&one).expect("read back"), layout);
    assert_eq!(volume::check(&one).expect("checked"), Vec::<String>::new());
    Command::new("fsck.fat").arg("-n").arg(&one).env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").assert().success();
}

#[test]
fn a_damaged_blob_is_found() {
    let (dir, mut layout) = built();
    let digest = layout.image("app").expect("there").1[0].digest.clone();
    layout.blobs.get_mut(&digest).expect("the layer")[0] ^= 1;
    let file = dir.path().join("bad.img");
    volume::write(&layout, &file).expect("written");
    let run = Command::cargo_bin("fsbuild").expect("built").arg("check").arg(&file).assert().code(1);
    let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert!(stderr.contains(&blob_path(&digest)), "{stderr}");
}

#[test]
fn errors_name_file_and_line() {
    let (dir, contexts) = recipes();
    let fails = |recipe: &str| {
        put(&dir, "images/app/Conductorfile", recipe);
        build_all(&mut Layout::default(), &dir.path().join("images"), &contexts).expect_err("refused").to_string()
    };
    let file = dir.path().join("images/app/Conductorfile");
    let file = file.display();
    assert_eq!(
        fails("FROM zbase\nRUN make\n"),
        format!("{file}:2: RUN is not supported when images are built on the host; COPY what it would make")
    );
    assert_eq!(fails("FROM zbase\n\nCOPY none /\n"), format!("{file}:3: COPY none: no such file or folder"));
    assert_eq!(fails("FROM nothing\n"), format!("{file}:1: image nothing: no such image"));
    assert!(fails("FROM app\n").ends_with("these need each other: app"));
}

/// A root file system, as `docker export` would write it.
fn exported() -> Vec<u8> {
    let mut tree = tree::Tree::default();
    tree.put("bin/sh", tree::Entry::file(*b"#!", 0o755)).expect("put");
    layer::pack(&tree).expect("packed")
}

fn import_bytes(name: &str, bytes: &[u8], dir: &Path) -> fsbuild::Result<Layout> {
    let file = dir.join(name);
    std::fs::write(&file, bytes).expect("written");
    let mut layout = Layout::default();
    import::import(&mut layout, "alien", &file).map(|()| layout)
}

#[test]
fn images_are_imported_in_every_form() {
    let dir = tempfile::tempdir().expect("a folder");
    let export = import_bytes("export.tar", &exported(), dir.path()).expect("imported");
    assert_eq!(text(&flatten(&export, "alien").expect("flat"), "bin/sh"), "#!");

    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(&exported()).expect("zipped");
    let zipped = zipped.finish().expect("zipped");
    assert_eq!(import_bytes("export.tar.gz", &zipped, dir.path()).expect("imported"), export);

    // docker save: manifest.json, a config, a layer.
    let mut saved = tree::Tree::default();
    let mut add = |name: &str, bytes: &[u8]| saved.put(name, tree::Entry::file(bytes, 0o644)).expect("put");
    add("manifest.json", br#"[{"Config":"c.json","RepoTags":["alien:latest"],"Layers":["l/layer.tar"]}]"#);
    add(
        "c.json",
        br#"{"architecture":"amd64","os":"linux","config":{"Cmd":["x"]},"rootfs":{"type":"layers","diff_ids":[]}}"#,
    );
    add("l/layer.tar", &exported());
    let saved = import_bytes("save.tar", &layer::pack(&saved).expect("packed"), dir.path()).expect("imported");
    assert_eq!(saved.image("alien").expect("there").0.config.cmd, Some(vec!["x".into()]));
    assert_eq!(text(&flatten(&saved, "alien").expect("flat"), "bin/sh"), "#!");

    // An OCI layout, as a folder.
    let (_dir, layout) = built();
    let folder = dir.path().join("layout");
    for (name, bytes) in layout.files().expect("files") {
        let file = folder.join(name);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("folder made");
        std::fs::write(file, bytes).expect("written");
    }
    let mut imported = Layout::default();
    import::import(&mut imported, "app", &folder).expect("imported");
    assert_eq!(imported.image("app").expect("there"), layout.image("app").expect("there"));

    // A folder that is a root file system.
    let root = dir.path().join("root");
    std::fs::create_dir_all(root.join("bin")).expect("made");
    std::fs::write(root.join("bin/sh"), "#!").expect("written");
    let mut folder = Layout::default();
    import::import(&mut folder, "alien", &root).expect("imported");
    assert_eq!(text(&flatten(&folder, "alien").expect("flat"), "bin/sh"), "#!");
}

#[test]
fn a_bad_import_names_the_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let error = import_bytes("junk.tar", &[b'x'; 2000], dir.path()).expect_err("refused").to_string();
    assert!(error.starts_with("image alien: ") && error.contains("junk.tar"), "{error}");
    let mut layout = Layout::default();
    let error = import::import(&mut layout, "a b", dir.path()).expect_err("refused").to_string();
    assert!(error.contains("image name \"a b\""), "{error}");
}

#[test]
fn the_command_line_refuses_what_it_does_not_know() {
    let fsbuild = || Command::cargo_bin("fsbuild").expect("built");
    fsbuild().arg("--frobnicate").assert().code(2);
    fsbuild().args(["images", "x", "--image", "nopath"]).assert().code(2);
    let run = fsbuild().args(["ls", "/does/not/exist"]).assert().code(1);
    let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert_eq!(stderr, "fsbuild: /does/not/exist: No such file or directory (os error 2)\n");
}
