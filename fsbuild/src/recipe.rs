//! recipe: executing a Conductorfile.
//!
//! [`build`] runs the steps of a recipe against a [`Layout`] and adds the image. All files that a recipe adds become one
//! layer on top of its base's: fewer layers mean fewer mounts at each container start, and without `RUN` nobody can
//! tell the difference. [`build_all`] builds a folder of recipes, each after the one it stands on.

use crate::conductorfile::{Instruction, Step, expand, parse};
use crate::error::{Context, Error, Result};
use crate::layer::{apply, pack};
use crate::oci::{Config, Descriptor, History, LAYER, Layout, Run};
use crate::tree::{Entry, Modes, Node, Tree, join, normalize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file name of a recipe.
pub const FILE_NAME: &str = "Conductorfile";

/// Named folders that `COPY --from` can name.
pub type Contexts = BTreeMap<String, PathBuf>;

/// A recipe, parsed.
#[derive(Clone, Debug)]
struct Recipe {
    name: String,
    dir: PathBuf,
    file: PathBuf,
    steps: Vec<Step>,
}

impl Recipe {
    fn read(name: &str, dir: &Path) -> Result<Self> {
        let file = dir.join(FILE_NAME);
        let text = std::fs::read_to_string(&file).about(file.display())?;
        let steps = parse(&text).map_err(|e| Error::new(format_args!("{}:{}", file.display(), e.line), e.message))?;
        Ok(Self { name: name.into(), dir: dir.into(), file, steps })
    }

    /// The images that must be there first.
    fn needs(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match &step.instruction {
            Instruction::From(image) => Some(image.as_str()),
            Instruction::Copy { from, .. } => from.as_deref(),
            _ => None,
        })
    }
}

/// Builds the recipe in `dir` as image `name`.
///
/// # Errors
/// `file:line` of the step that failed, and why.
pub fn build(layout: &mut Layout, name: &str, dir: &Path, contexts: &Contexts) -> Result<()> {
    execute(layout, &Recipe::read(name, dir)?, contexts)
}

/// Builds every folder of `dir` that has a Conductorfile as an image named like the folder.
///
/// # Errors
/// As [`build`]; recipes that need each other.
pub fn build_all(layout: &mut Layout, dir: &Path, contexts: &Contexts) -> Result<()> {
    let mut recipes = BTreeMap::new();
    for entry in std::fs::read_dir(dir).about(dir.display())? {
        let path = entry.about(dir.display())?.path();
        if let (true, Some(name)) = (path.join(FILE_NAME).is_file(), path.file_name().and_then(|name| name.to_str())) {
            recipes.insert(name.to_string(), Recipe::read(name, &path)?);
        }
    }
    while !recipes.is_empty() {
        let ready = |recipe: &Recipe| !recipe.needs().any(|need| recipes.contains_key(need));
        let next = recipes.values().find(|recipe| ready(recipe)).map(|recipe| recipe.name.clone());
        let Some(recipe) = next.and_then(|name| recipes.remove(&name)) else {
            let names: Vec<&str> = recipes.keys().map(String::as_str).collect();
            return Err(Error::new(dir.display(), format_args!("these need each other: {}", names.join(", "))));
        };
        execute(layout, &recipe, contexts)?;
    }
    Ok(())
}

/// A build in progress.
struct Build<'a> {
    layout: &'a Layout,
    contexts: &'a Contexts,
    recipe: &'a Recipe,
    config: Config,
    layers: Vec<Descriptor>,
    /// Everything that is in the image so far.
    whole: Tree,
    /// What this recipe adds.
    added: Tree,
    own_cmd: bool,
}

fn execute(layout: &mut Layout, recipe: &Recipe, contexts: &Contexts) -> Result<()> {
    let mut build = Build {
        layout,
        contexts,
        recipe,
        config: Config::scratch(),
        layers: Vec::new(),
        whole: Tree::default(),
        added: Tree::default(),
        own_cmd: false,
    };
    for step in &recipe.steps {
        build.step(&step.instruction).about(format_args!("{}:{}", recipe.file.display(), step.line))?;
    }
    let Build { mut config, mut layers, added, .. } = build;
    config.history.push(History { created_by: Some(recipe.file_label()), empty_layer: added.is_empty() });
    if !added.is_empty() {
        let layer = layout.add_blob(LAYER, pack(&added)?);
        config.rootfs.diff_ids.push(layer.digest.clone());
        layers.push(layer);
    }
    let config = serde_json::to_vec(&config).about(format_args!("image {}", recipe.name))?;
    layout.add_image(&recipe.name, config, layers)
}

impl Recipe {
    /// The recipe's name for an image's history: the same wherever the checkout lies.
    fn file_label(&self) -> String {
        format!("{FILE_NAME} of {}", self.name)
    }
}

impl Build<'_> {
    fn step(&mut self, instruction: &Instruction) -> Result<()> {
        match instruction {
            Instruction::From(image) if image == "scratch" => {}
            Instruction::From(image) => {
                (self.config, self.layers) = self.layout.image(image)?;
                self.whole = flatten(self.layout, image)?;
            }
            Instruction::Copy { from, chmod, sources, destination } => {
                let (sources, destination) =
                    (sources.iter().map(|s| self.expand(s)).collect::<Vec<_>>(), self.expand(destination));
                self.copy(from.as_deref(), *chmod, &sources, &destination)?;
            }
            Instruction::Env(pairs) => {
                for (name, value) in pairs {
                    let value = self.expand(value);
                    set_env(self.config.config.env.get_or_insert_default(), name, &value);
                }
            }
            Instruction::Label(pairs) => {
                for (name, value) in pairs {
                    let value = self.expand(value);
                    self.config.config.labels.get_or_insert_default().insert(name.clone(), value);
                }
            }
            Instruction::Workdir(path) => {
                let path = self.absolute(&self.expand(path));
                self.make_dir(&path)?;
                self.config.config.working_dir = Some(format!("/{path}"));
            }
            Instruction::User(user) => self.config.config.user = Some(self.expand(user)),
            Instruction::Expose(ports) => {
                for port in ports {
                    let port = if port.contains('/') { port.clone() } else { format!("{port}/tcp") };
                    self.config.config.exposed_ports.get_or_insert_default().insert(port, serde_json::json!({}));
                }
            }
            Instruction::Cmd(form) => {
                self.config.config.cmd = Some(form.words());
                self.own_cmd = true;
            }
            Instruction::Entrypoint(form) => {
                let run = &mut self.config.config;
                run.entrypoint = Some(form.words());
                // A new entry point does not go with the base's arguments.
                if !self.own_cmd {
                    run.cmd = None;
                }
            }
        }
        Ok(())
    }

    fn copy(&mut self, from: Option<&str>, chmod: Option<u16>, sources: &[String], destination: &str) -> Result<()> {
        let context = match from {
            None => Source::Folder(self.recipe.dir.clone()),
            Some(name) => match self.contexts.get(name) {
                Some(dir) => Source::Folder(dir.clone()),
                None => Source::Image(flatten(self.layout, name)?),
            },
        };
        let target = self.absolute(destination);
        let into = destination.ends_with('/') || sources.len() > 1 || self.whole.is_dir(&target);
        for source in sources {
            let found = context.find(source)?;
            if found.is_empty() {
                return Err(Error::new(format_args!("COPY {source}"), "no such file or folder"));
            }
            let into = into || found.len() > 1;
            for (name, tree) in found {
                // A folder's contents are copied, a file goes under its own name when the destination is a folder.
                let to = if into && !tree.is_folder() { join(&target, &name) } else { target.clone() };
                for (path, entry) in tree.entries() {
                    let mut entry = entry.clone();
                    if let (Some(mode), Node::File(_)) = (chmod, &entry.node) {
                        entry.mode = mode;
                    }
                    self.put(&normalize(&join(&to, path)), entry).about(format_args!("COPY {source}"))?;
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, path: &str, entry: Entry) -> Result<()> {
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.make_dir(parent)?;
        }
        // A folder that is there already keeps its attributes, as with cp(1).
        if path.is_empty() || (entry.node == Node::Dir && self.whole.is_dir(path)) {
            return Ok(());
        }
        self.whole.put(path, entry.clone())?;
        self.added.put(path, entry)
    }

    /// Makes a directory and its parents. The layer repeats those of the base, with their attributes.
    fn make_dir(&mut self, path: &str) -> Result<()> {
        self.whole.make_dirs(path)?;
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for prefix in ends.map(|end| &path[..end]).filter(|prefix| !prefix.is_empty()) {
            if let (None, Some(entry)) = (self.added.get(prefix), self.whole.get(prefix)) {
                self.added.put(prefix, entry.clone())?;
            }
        }
        Ok(())
    }

    /// `path` from the root, seen from the working directory.
    fn absolute(&self, path: &str) -> String {
        let base = self.config.config.working_dir.as_deref().filter(|_| !path.starts_with('/')).unwrap_or("/");
        normalize(&format!("{base}/{path}"))
    }

    fn expand(&self, text: &str) -> String {
        let Run { env, .. } = &self.config.config;
        expand(text, |name| {
            let mut pairs = env.iter().flatten().filter_map(|pair| pair.split_once('='));
            pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
        })
    }
}

/// Where a COPY takes its sources from.
enum Source {
    Folder(PathBuf),
    Image(Tree),
}

/// One match of a COPY source: below `""` for a folder, at `""`... as a single entry for anything else.
struct Found(Vec<(String, Entry)>);

impl Found {
    fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    fn is_folder(&self) -> bool {
        self.0.first().is_some_and(|(_, entry)| entry.node == Node::Dir)
    }
}

impl Source {
    /// What `pattern` (`*` and `?` in its last part) matches: names, and what they stand for with the root at `""`.
    fn find(&self, pattern: &str) -> Result<Vec<(String, Found)>> {
        let pattern = normalize(pattern);
        let (dir, last) = pattern.rsplit_once('/').unwrap_or(("", &pattern));
        match self {
            Self::Folder(root) => {
                let mut names: Vec<String> = Vec::new();
                if last.contains(['*', '?']) {
                    let dir = root.join(dir);
                    for entry in std::fs::read_dir(&dir).about(dir.display())? {
                        let name = entry.about(dir.display())?.file_name().to_string_lossy().into_owned();
                        names.extend(Some(name).filter(|name| matches(last, name)));
                    }
                    names.sort();
                } else if root.join(&pattern).symlink_metadata().is_ok() {
                    names.push(last.to_string());
                }
                let read = |name: String| {
                    let mut tree = Tree::default();
                    tree.add_host(&root.join(dir).join(&name), "x", Modes::Unshared)?;
                    Ok((name, Found::below(&tree, "x")))
                };
                names.into_iter().map(read).collect()
            }
            Self::Image(tree) if pattern.is_empty() => {
                let mut all = vec![(String::new(), Entry::dir())];
                all.extend(tree.entries().map(|(path, entry)| (path.to_string(), entry.clone())));
                Ok(vec![(String::new(), Found(all))])
            }
            Self::Image(tree) => {
                let siblings = tree.entries().filter(|(path, _)| {
                    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
                    parent == dir && matches(last, name)
                });
                Ok(siblings
                    .map(|(path, _)| (path[path.rfind('/').map_or(0, |at| at + 1)..].into(), Found::below(tree, path)))
                    .collect())
            }
        }
    }
}

impl Found {
    fn below(tree: &Tree, root: &str) -> Self {
        let inside = |path: &str| match path.strip_prefix(root) {
            Some("") => Some(String::new()),
            Some(rest) => rest.strip_prefix('/').map(String::from),
            None => None,
        };
        Self(tree.entries().filter_map(|(path, entry)| Some((inside(path)?, entry.clone()))).collect())
    }
}

/// Whether `name` matches `pattern`, with `*` and `?`.
fn matches(pattern: &str, name: &str) -> bool {
    match (pattern.chars().next(), name.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            let rest = &pattern[1..];
            name.char_indices().map(|(at, _)| at).chain([name.len()]).any(|at| matches(rest, &name[at..]))
        }
        (Some('?'), Some(c)) => matches(&pattern[1..], &name[c.len_utf8()..]),
        (Some(p), Some(c)) if p == c => matches(&pattern[p.len_utf8()..], &name[c.len_utf8()..]),
        _ => false,
    }
}

fn set_env(env: &mut Vec<String>, name: &str, value: &str) {
    let pair = format!("{name}={value}");
    match env.iter_mut().find(|old| old.split_once('=').is_some_and(|(known, _)| known == name)) {
        Some(old) => *old = pair,
        None => env.push(pair),
    }
}

/// All layers of image `name`, one over the other.
///
/// # Errors
/// No such image, or a damaged layer.
pub fn flatten(layout: &Layout, name: &str) -> Result<Tree> {
    let mut tree = Tree::default();
    for layer in layout.image(name)?.1 {
        apply(&mut tree, layout.blob(&layer.digest)?).about(format_args!("image {name}, layer {}", layer.digest))?;
    }
    Ok(tree)
}
