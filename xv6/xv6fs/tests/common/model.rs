//! A file system in a few maps: what xv6fs should be, seen from outside. Operations run on both and must agree.

use std::collections::{BTreeMap, BTreeSet};

use xv6fs::{Disk, Error, Fs, Ino, Kind, NewNode, ROOT_INO, RenameFlags, Result};

use super::{DIR, FILE, symlink};

/// One operation; numbers pick among what is there.
#[derive(Clone, Debug)]
pub enum Op {
    Create(usize, usize, u8),
    Link(usize, usize, usize, usize),
    Unlink(usize, usize),
    Rmdir(usize, usize),
    Rename(usize, usize, usize, usize, u8),
    Write(usize, u32, u16, u8),
    Truncate(usize, u32),
    Punch(usize, u32, u32),
    Hold(usize),
    Release,
    Commit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub kind: Kind,
    pub nlink: u32,
    pub data: Vec<u8>,
    pub entries: BTreeMap<Vec<u8>, Ino>,
    pub parent: Ino,
}

/// The model. Inode numbers are the real ones, taken over when a node is made.
#[derive(Clone)]
pub struct Model {
    pub nodes: BTreeMap<Ino, Node>,
    /// Files whose present contents were written over in place since the last commit.
    pub overwritten: BTreeSet<Ino>,
    held: Vec<Ino>,
}

/// What a cut volume is compared by: path, kind, links, size and contents.
pub type Snapshot = BTreeMap<Vec<u8>, (Ino, Kind, u32, Vec<u8>)>;

fn name(n: usize) -> Vec<u8> {
    match n % 10 {
        9 => vec![b'z'; 200 + n % 50],
        n => format!("n{n}").into_bytes(),
    }
}

fn new_node(kind: u8) -> NewNode<'static> {
    match kind % 6 {
        0 | 1 => DIR,
        2 => symlink(b"short target"),
        3 => symlink(&[b't'; 1000]),
        _ => FILE,
    }
}

impl Model {
    pub fn new() -> Model {
        let root = Node { kind: Kind::Dir, nlink: 2, data: Vec::new(), entries: BTreeMap::new(), parent: ROOT_INO };
        Model { nodes: BTreeMap::from([(ROOT_INO, root)]), overwritten: BTreeSet::new(), held: Vec::new() }
    }

    fn pick(&self, kind: Kind, n: usize) -> Option<Ino> {
        let list: Vec<_> = self.nodes.iter().filter(|(_, node)| node.kind == kind).map(|(&i, _)| i).collect();
        if list.is_empty() { None } else { Some(list[n % list.len()]) }
    }

    fn dir(&self, n: usize) -> Ino {
        self.pick(Kind::Dir, n).expect("the root is always there")
    }

    fn node(&mut self, ino: Ino) -> &mut Node {
        self.nodes.get_mut(&ino).expect("a node of the model")
    }

    fn find(&self, dir: Ino, name: &[u8]) -> Option<Ino> {
        self.nodes[&dir].entries.get(name).copied()
    }

    fn below(&self, mut dir: Ino, top: Ino) -> bool {
        while dir != top && dir != ROOT_INO {
            dir = self.nodes[&dir].parent;
        }
        dir == top
    }

    fn drop_if_unused(&mut self, ino: Ino) {
        if self.nodes[&ino].nlink == 0 && !self.held.contains(&ino) {
            self.nodes.remove(&ino);
        }
    }

    fn lose_name(&mut self, ino: Ino, parent: Ino) {
        if self.nodes[&ino].kind == Kind::Dir {
            self.node(ino).nlink = 0;
            self.node(parent).nlink -= 1;
        } else {
            self.node(ino).nlink -= 1;
        }
        self.drop_if_unused(ino);
    }

    /// Runs `op` on both and compares what comes back.
    pub fn apply<D: Disk>(&mut self, fs: &mut Fs<D>, op: &Op) {
        match *op {
            Op::Create(d, n, kind) => {
                let (dir, name, node) = (self.dir(d), name(n), new_node(kind));
                let want = match (self.nodes[&dir].nlink, self.find(dir, &name)) {
                    (0, _) => Some(Error::NotFound),
                    (_, Some(_)) => Some(Error::Exists),
                    _ => None,
                };
                let got = fs.create(dir, &name, &node, 1);
                assert_eq!(got.err(), want, "{op:?}");
                if let Ok(ino) = got {
                    let is_dir = node.kind == Kind::Dir;
                    let data = node.target.to_vec();
                    let nlink = if is_dir { 2 } else { 1 };
                    let made = Node { kind: node.kind, nlink, data, entries: BTreeMap::new(), parent: dir };
                    assert!(self.nodes.insert(ino, made).is_none(), "inode {ino} is in use");
                    self.node(dir).entries.insert(name, ino);
                    self.node(dir).nlink += u32::from(is_dir);
                }
            }
            Op::Link(f, _, d, n) => {
                let Some(ino) = self.pick(Kind::File, f) else { return };
                let (dir, name) = (self.dir(d), name(n));
                let want = match (self.nodes[&dir].nlink, self.find(dir, &name), self.nodes[&ino].nlink) {
                    (0, ..) => Err(Error::NotFound),
                    (_, Some(_), _) => Err(Error::Exists),
                    (_, _, 0) => Err(Error::NotFound),
                    _ => Ok(()),
                };
                assert_eq!(fs.link(ino, dir, &name, 2), want, "{op:?}");
                if want.is_ok() {
                    self.node(dir).entries.insert(name, ino);
                    self.node(ino).nlink += 1;
                }
            }
            Op::Unlink(d, n) => {
                let (dir, name) = (self.dir(d), name(n));
                let want = match self.find(dir, &name) {
                    None => Err(Error::NotFound),
                    Some(ino) if self.nodes[&ino].kind == Kind::Dir => Err(Error::IsDir),
                    Some(ino) => Ok(ino),
                };
                assert_eq!(fs.unlink(dir, &name, 3), want, "{op:?}");
                if let Ok(ino) = want {
                    self.node(dir).entries.remove(&name);
                    self.lose_name(ino, dir);
                }
            }
            Op::Rmdir(d, n) => {
                let (dir, name) = (self.dir(d), name(n));
                let want = match self.find(dir, &name) {
                    None => Err(Error::NotFound),
                    Some(ino) if self.nodes[&ino].kind != Kind::Dir => Err(Error::NotDir),
                    Some(ino) if !self.nodes[&ino].entries.is_empty() => Err(Error::NotEmpty),
                    Some(ino) => Ok(ino),
                };
                assert_eq!(fs.rmdir(dir, &name, 3), want, "{op:?}");
                if let Ok(ino) = want {
                    self.node(dir).entries.remove(&name);
                    self.lose_name(ino, dir);
                }
            }
            Op::Rename(d, n, e, m, flags) => self.rename(fs, (self.dir(d), name(n)), (self.dir(e), name(m)), flags),
            Op::Write(f, at, len, byte) => {
                let Some(ino) = self.pick(Kind::File, f) else { return };
                let data = vec![byte; usize::from(len)];
                fs.write_at(ino, u64::from(at), &data, 0).expect("write");
                let (start, end) = (at as usize, at as usize + data.len());
                let node = self.node(ino);
                if data.is_empty() {
                    return;
                }
                let over = start < node.data.len();
                if node.data.len() < end {
                    node.data.resize(end, 0);
                }
                node.data[start..end].copy_from_slice(&data);
                if over {
                    self.overwritten.insert(ino);
                }
            }
            Op::Truncate(f, size) => {
                let Some(ino) = self.pick(Kind::File, f) else { return };
                fs.truncate(ino, u64::from(size)).expect("truncate");
                if (size as usize) < self.nodes[&ino].data.len() {
                    // The last block stays: what is written there now lies over what a cut may bring back.
                    self.overwritten.insert(ino);
                }
                self.node(ino).data.resize(size as usize, 0);
            }
            Op::Punch(f, at, len) => {
                let Some(ino) = self.pick(Kind::File, f) else { return };
                fs.punch(ino, u64::from(at), u64::from(len)).expect("punch");
                let data = &mut self.node(ino).data;
                let end = (at as usize + len as usize).min(data.len());
                data[(at as usize).min(end)..end].fill(0);
                self.overwritten.insert(ino);
            }
            Op::Hold(f) => {
                if let Some(ino) = self.pick(Kind::File, f) {
                    fs.hold(ino);
                    self.held.push(ino);
                }
            }
            Op::Release => {
                if let Some(ino) = self.held.pop() {
                    fs.release(ino).expect("release");
                    self.drop_if_unused(ino);
                }
            }
            Op::Commit => fs.commit().expect("commit"),
        }
    }

    fn rename<D: Disk>(&mut self, fs: &mut Fs<D>, from: (Ino, Vec<u8>), to: (Ino, Vec<u8>), flags: u8) {
        let flags = [RenameFlags::Replace, RenameFlags::NoReplace, RenameFlags::Exchange][usize::from(flags % 3)];
        let want = self.rename_result(&from, &to, flags);
        assert_eq!(fs.rename(from.0, &from.1, to.0, &to.1, flags, 4), want, "{from:?} {to:?} {flags:?}");
        let (Ok(()), Some(ino)) = (want, self.find(from.0, &from.1)) else { return };
        let target = self.find(to.0, &to.1);
        if target == Some(ino) {
            return;
        }
        let mut moved = vec![(ino, from.0, to.0)];
        self.node(to.0).entries.insert(to.1, ino);
        match target {
            Some(other) if flags == RenameFlags::Exchange => {
                self.node(from.0).entries.insert(from.1, other);
                moved.push((other, to.0, from.0));
            }
            Some(other) => {
                self.node(from.0).entries.remove(&from.1);
                self.lose_name(other, to.0);
            }
            None => {
                self.node(from.0).entries.remove(&from.1);
            }
        }
        for (ino, old, new) in moved {
            if self.nodes[&ino].kind == Kind::Dir {
                self.node(ino).parent = new;
                self.node(old).nlink -= 1;
                self.node(new).nlink += 1;
            }
        }
    }

    fn rename_result(&self, from: &(Ino, Vec<u8>), to: &(Ino, Vec<u8>), flags: RenameFlags) -> Result<()> {
        let ino = self.find(from.0, &from.1).ok_or(Error::NotFound)?;
        if self.nodes[&to.0].nlink == 0 {
            return Err(Error::NotFound);
        }
        let is_dir = |ino: Ino| self.nodes[&ino].kind == Kind::Dir;
        if is_dir(ino) && self.below(to.0, ino) {
            return Err(Error::Invalid);
        }
        match (self.find(to.0, &to.1), flags) {
            (Some(_), RenameFlags::NoReplace) => Err(Error::Exists),
            (None, RenameFlags::Exchange) => Err(Error::NotFound),
            (None, _) => Ok(()),
            (Some(other), _) if other == ino => Ok(()),
            (Some(other), RenameFlags::Exchange) if is_dir(other) && self.below(from.0, other) => Err(Error::Invalid),
            (Some(_), RenameFlags::Exchange) => Ok(()),
            (Some(other), _) => match (is_dir(ino), is_dir(other)) {
                (true, false) => Err(Error::NotDir),
                (false, true) => Err(Error::IsDir),
                (true, true) if !self.nodes[&other].entries.is_empty() => Err(Error::NotEmpty),
                _ => Ok(()),
            },
        }
    }

    /// What a mount should show.
    pub fn snapshot(&self) -> Snapshot {
        let mut all = Snapshot::new();
        let mut todo = vec![(Vec::new(), ROOT_INO)];
        while let Some((path, ino)) = todo.pop() {
            let node = &self.nodes[&ino];
            for (name, &child) in &node.entries {
                todo.push(([&path[..], b"/", name].concat(), child));
            }
            all.insert(path, (ino, node.kind, node.nlink, node.data.clone()));
        }
        all
    }
}

/// What a volume shows.
pub fn snapshot<D: Disk>(fs: &mut Fs<D>) -> Snapshot {
    let mut all = Snapshot::new();
    let mut todo = vec![(Vec::new(), ROOT_INO)];
    while let Some((path, ino)) = todo.pop() {
        let st = fs.stat(ino).expect("stat");
        let data = match st.kind {
            Kind::File => super::read_all(fs, ino),
            Kind::Symlink => fs.read_link(ino).expect("read_link"),
            _ => Vec::new(),
        };
        if st.kind == Kind::Dir {
            for name in super::names(fs, ino) {
                let child = fs.lookup(ino, &name).expect("lookup of what read_dir showed");
                todo.push(([&path[..], b"/", &name].concat(), child));
            }
        }
        all.insert(path, (ino, st.kind, st.nlink, data));
    }
    all
}
