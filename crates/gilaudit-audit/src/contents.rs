//! Between the files that gilaudit-input opens and their readers, which ask for parts of them.

use std::cell::RefCell;

use gilaudit_binary::{Data, Failure, Parts};
use gilaudit_input::{Contents, Inventory, Member};
use gilaudit_model::Problem;

/// What looking at a member gave.
pub(crate) struct Looked<T> {
    pub(crate) result: T,
    /// Where it was asked for.
    pub(crate) sha256: Option<String>,
    pub(crate) size: u64,
}

/// Lets `work` look at the contents of a member: a second time, with all of it in memory, when it looks at more of a file than is kept in
/// parts. The problem of a file that cannot be read to its end, or that was changed meanwhile, comes instead of what was made of it.
pub(crate) fn look<T>(
    inventory: &Inventory,
    member: &Member,
    contents: Contents,
    hash: bool,
    work: impl Fn(Data<'_>) -> T,
) -> Result<Looked<T>, Problem> {
    let file = match contents {
        Contents::Memory(bytes) => return Ok(in_memory(&bytes, hash, work)),
        Contents::File(file) => file,
    };
    let fault = RefCell::new(None);
    let read = |offset: u64, buffer: &mut [u8]| match file.read_at(buffer, offset) {
        Ok(()) => true,
        Err(error) => {
            fault.replace(Some(error));
            false
        }
    };
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let parts = Parts::new(size(file.len()), size(file.kept()), read);
    let result = work(Data::from(&parts));
    let failure = parts.failure();
    drop(parts);
    if failure == Some(Failure::TooMuch) {
        // The budget is given back before the whole is asked for.
        drop(file);
        return inventory.read(member).map(|bytes| in_memory(&bytes, hash, work));
    }
    let fault = fault.into_inner();
    let sha256 = match fault {
        Some(error) => Err(error),
        None if hash => file.sha256_hex().map(Some),
        None => Ok(None),
    };
    let sha256 = sha256.and_then(|sha256| file.unchanged().map(|()| sha256));
    sha256.map(|sha256| Looked { result, sha256, size: file.len() }).map_err(|error| inventory.not_read(member, &error))
}

fn in_memory<T>(bytes: &[u8], hash: bool, work: impl Fn(Data<'_>) -> T) -> Looked<T> {
    let result = work(Data::from(bytes));
    let sha256 = hash.then(|| gilaudit_input::sha256_hex(bytes));
    Looked { result, sha256, size: u64::try_from(bytes.len()).unwrap_or(u64::MAX) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gilaudit_input::{Given, Limits, collect};

    use super::*;

    fn inventory(file: &Path) -> Inventory {
        collect(&[Given::parse(file.to_str().unwrap()).unwrap()], None, &Limits::default())
    }

    fn looked<T>(inventory: &Inventory, work: impl Fn(Data<'_>) -> T) -> Result<Looked<T>, Problem> {
        let member = &inventory.members[0];
        look(inventory, member, inventory.contents(member, |_| true)?, true, work)
    }

    #[test]
    fn parts_or_the_whole_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.so");
        let bytes: Vec<u8> = (0..60_000_000u32).map(|at| (at % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let inventory = inventory(&path);
        let part = looked(&inventory, |data| data.get(30_000_000..30_100_000).map(<[u8]>::to_vec)).unwrap();
        assert_eq!(part.result.as_deref(), Some(&bytes[30_000_000..30_100_000]));
        assert_eq!((part.size, part.sha256.as_deref()), (60_000_000, Some(&*gilaudit_input::sha256_hex(&bytes))));
        let all = looked(&inventory, |data| data.whole() == bytes).unwrap();
        assert!(all.result);
    }

    #[test]
    fn a_file_that_changes_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.so");
        let write = |size: usize| std::fs::write(&path, vec![7; size]).unwrap();
        write(200_000);
        let inventory = inventory(&path);
        let shorter = looked(&inventory, |data| {
            write(1000);
            data.window(150_000).len()
        });
        let longer = looked(&inventory, |data| {
            write(200_000);
            data.window(0).len()
        });
        for looked in [shorter, longer] {
            let problem = looked.err().unwrap();
            assert!(problem.unread);
            assert_eq!(problem.error, "it changed while it was read");
        }
    }
}
