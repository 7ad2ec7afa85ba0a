//! What a wheel's RECORD says of its members, compared with the members.
//!
//! pip installs what is in the archive and writes a RECORD of its own, so a wrong one hides nothing from it. But it is what people and
//! tools look at who want to know what a wheel has, and a wheel whose RECORD is wrong was changed after it was made.

use std::collections::{BTreeMap, BTreeSet};

use gilaudit_model::{Origin, Stage};

use crate::collector::Collector;
use crate::inventory::MemberKind;
use crate::names::{inside, shared_library};
use crate::problems::notice;
use crate::zip::{Entry, quoted};

/// A row of RECORD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) size: Option<u64>,
}

/// Every row, by path with `/`.
pub(crate) fn rows(record: &[u8], most: usize) -> BTreeMap<String, Row> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(record);
    let mut row = csv::ByteRecord::new();
    let mut rows = BTreeMap::new();
    while rows.len() < most
        && let Ok(true) = reader.read_byte_record(&mut row)
    {
        let Some(path) = row.get(0) else { continue };
        let path = String::from_utf8_lossy(path).replace('\\', "/");
        let path = inside(&path).map(std::borrow::Cow::into_owned).unwrap_or(path);
        let size = row.get(2).and_then(|size| std::str::from_utf8(size).ok()).and_then(|size| size.trim().parse().ok());
        rows.insert(path, Row { size });
    }
    rows
}

/// Says where RECORD and the archive differ: about extensions one by one, about other files with how many there are.
pub(crate) fn compare(
    collector: &mut Collector,
    rows: &BTreeMap<String, Row>,
    entries: &[(String, Entry)],
    folder: &str,
    origin: &Origin,
) {
    let at_record = origin.member(format!("{folder}/RECORD"));
    if rows.is_empty() {
        return collector.problem(notice(at_record, Stage::Metadata, "it is empty: nothing says what the wheel has"));
    }
    let present: BTreeSet<&str> = entries.iter().map(|(path, _)| path.as_str()).collect();
    let gone: Vec<&str> = rows.keys().map(String::as_str).filter(|path| !present.contains(path)).collect();
    // RECORD itself is not always in it, and its signatures never are.
    let own = |path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with("/RECORD"));
    let unlisted: Vec<&str> = present.iter().copied().filter(|path| !own(path) && !rows.contains_key(*path)).collect();
    let differs = |(path, entry): &&(String, Entry)| {
        rows.get(path).and_then(|row| row.size).is_some_and(|size| size != entry.size)
    };
    let sizes: Vec<&str> = entries.iter().filter(differs).map(|(path, _)| path.as_str()).collect();
    let differences = [
        (gone, "lists it, but the archive does not have it", "lists {}, which the archive does not have"),
        (unlisted, "does not list it", "does not list {}"),
        (sizes, "gives it another size", "gives another size for {}"),
    ];
    for (paths, of_one, of_many) in differences {
        let (candidates, others): (Vec<&str>, Vec<&str>) = paths.into_iter().partition(|path| is_candidate(path));
        for path in candidates {
            let error = format!("{folder}/RECORD {of_one}");
            collector.problem(notice(origin.member(path), Stage::Metadata, error));
        }
        if let [first, rest @ ..] = others.as_slice() {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            let error = of_many.replace("{}", &format!("'{}'{more}", quoted(first)));
            collector.problem(notice(at_record.clone(), Stage::Metadata, error));
        }
    }
}

fn is_candidate(path: &str) -> bool {
    shared_library(path.rsplit('/').next().unwrap_or_default()) == Some(MemberKind::Candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_normalised() {
        let text = b"a/./b.py,sha256=x,12\n\"c,d.py\",,\nx\\y.so,,oops\n";
        let rows = rows(text, 10);
        assert_eq!(rows.keys().collect::<Vec<_>>(), ["a/b.py", "c,d.py", "x/y.so"]);
        assert_eq!((rows["a/b.py"].size, rows["x/y.so"].size), (Some(12), None));
        assert_eq!(super::rows(text, 1).len(), 1);
    }
}
