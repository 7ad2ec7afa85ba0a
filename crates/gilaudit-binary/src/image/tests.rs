//! Checks over real files, which are not in the repository. They run when asked for:
//! `GILAUDIT_FILES=FOLDER cargo test -p gilaudit-binary --release -- --ignored --nocapture measured`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Cell, Export, Image, macho_slices, open_elf, open_macho, open_pe};

fn files() -> Vec<PathBuf> {
    let Some(folder) = std::env::var_os("GILAUDIT_FILES") else { return Vec::new() };
    let mut files = Vec::new();
    let mut waiting = vec![PathBuf::from(folder)];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { waiting.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// Every image in a file, with the name of its slice.
fn images(data: &[u8]) -> Vec<(String, Result<Image<'_>, String>)> {
    if data.starts_with(b"\x7fELF") {
        vec![("elf".to_owned(), open_elf(data))]
    } else if data.starts_with(b"MZ") {
        vec![("pe".to_owned(), open_pe(data))]
    } else {
        match macho_slices(data) {
            Ok(slices) => slices.into_iter().map(|(name, slice)| (name, slice.and_then(open_macho))).collect(),
            Err(error) => vec![("?".to_owned(), Err(error))],
        }
    }
}

fn line(path: &Path, name: &str, image: &Result<Image<'_>, String>) -> String {
    let path = path.display();
    let image = match image {
        Ok(image) => image,
        Err(error) => return format!("{path}\t{name}\tERROR {error}"),
    };
    let cells = image.cells();
    let hooks = [image.exports_starting("PyInit"), image.exports_starting("PyModExport")].concat();
    let found = hooks.iter().filter(|hook| match image.export(hook) {
        Some(Export::Address(address)) => image.is_code(address),
        Some(Export::Indirect(_) | Export::Forward(_)) | None => false,
    });
    let places = cells.range(0, u64::MAX);
    let inside = places.iter().filter(|(place, _)| image.segment(*place).is_some_and(|segment| segment.writable));
    let targets = places.iter().filter(|(_, cell)| match cell {
        Cell::Address(address) => image.segment(*address).is_some(),
        _ => true,
    });
    let imports = places.iter().filter(|(_, cell)| matches!(cell, Cell::Import(..))).count();
    let init = places
        .iter()
        .filter(|(_, cell)| matches!(cell, Cell::Import(index, _) if cells.import_name(*index) == "PyModuleDef_Init"));
    format!(
        "{path}\t{name}\t{}\texports={}\thooks={}/{}\tcells={}\tinside={}\ttargets={}\timportcells={imports}\timports={}\tinit={}\ttls={:x?}\tneeded={}\tincomplete={:?}",
        image.arch.as_str(),
        image.exports_starting("").len(),
        found.count(),
        hooks.len(),
        places.len(),
        inside.count(),
        targets.count(),
        cells.import_names().len(),
        init.count(),
        image.thread_local,
        image.needed().join(","),
        cells.incomplete,
    )
}

#[test]
#[ignore = "measures files that are not in the repository"]
fn measured() {
    let mut longest = (Duration::ZERO, String::new());
    let start = Instant::now();
    for path in files() {
        let data = std::fs::read(&path).unwrap();
        let start = Instant::now();
        for (name, image) in images(&data) {
            println!("{}", line(&path, &name, &image));
        }
        longest = longest.max((start.elapsed(), path.display().to_string()));
    }
    println!("# {:?} in all, longest {longest:?}", start.elapsed());
}

/// Two readers that share nothing must agree on what a PE file imports and exports.
#[test]
#[ignore = "measures files that are not in the repository"]
fn measured_against_goblin() {
    let mut agreed = 0;
    for path in files() {
        let data = std::fs::read(&path).unwrap();
        if !data.starts_with(b"MZ") {
            continue;
        }
        let image = open_pe(&data).unwrap();
        let other = goblin::pe::PE::parse(&data).unwrap();
        let mut exports: Vec<String> =
            other.exports.iter().filter_map(|export| export.name.map(str::to_owned)).collect();
        exports.sort();
        assert_eq!(image.exports_starting(""), exports, "{}", path.display());
        for export in &other.exports {
            let Some(name) = export.name else { continue };
            let base = image.segments.first().unwrap().address;
            match image.export(name) {
                Some(Export::Address(address)) => assert_eq!(address, base + export.rva as u64),
                Some(Export::Indirect(_) | Export::Forward(_)) => assert!(export.reexport.is_some()),
                None => panic!("{name} in {}", path.display()),
            }
        }
        let cells = image.cells();
        let mut missing = 0;
        for import in &other.imports {
            let place = image.segments.first().unwrap().address + import.offset as u64;
            let Some(Cell::Import(index, 0)) = cells.get(place) else {
                missing += 1;
                continue;
            };
            if import.ordinal == 0 || !import.name.starts_with("ORDINAL") {
                assert_eq!(cells.import_name(index), import.name, "{}", path.display());
            }
        }
        let counted = cells.range(0, u64::MAX).len();
        println!("{}\tgoblin {} here {counted} missing {missing}", path.display(), other.imports.len());
        assert_eq!(missing, 0);
        assert!(counted >= other.imports.len());
        agreed += 1;
    }
    println!("# {agreed} files agree");
}

/// Damaged files: no panic, and no more time than the file's size explains.
#[test]
#[ignore = "measures files that are not in the repository"]
fn measured_damaged() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below.max(1)).unwrap()).unwrap()
    };
    let files: Vec<Vec<u8>> =
        files().iter().map(|path| std::fs::read(path).unwrap()).filter(|data| data.len() < 600_000).collect();
    let seconds = std::env::var("GILAUDIT_SECONDS").map_or(20, |text| text.parse().unwrap());
    let start = Instant::now();
    let (mut runs, mut opened, mut longest) = (0u64, 0u64, Duration::ZERO);
    while start.elapsed() < Duration::from_secs(seconds) {
        let mut data = files[random(files.len())].clone();
        let headers = data.len().min(4096);
        for _ in 0..=random(6) {
            // The headers are a small part of a file, and its end holds Mach-O's tables.
            let at = match random(3) {
                0 => random(headers),
                1 => data.len().saturating_sub(1 + random(data.len() / 4)),
                _ => random(data.len()),
            };
            let byte = match random(4) {
                0 => 0xff,
                1 => 0,
                2 => 0x80,
                _ => u8::try_from(random(256)).unwrap(),
            };
            if let Some(place) = data.get_mut(at) {
                *place = byte;
            }
        }
        if random(10) == 0 {
            data.truncate(random(data.len()));
        }
        let begin = Instant::now();
        for (name, image) in images(&data) {
            opened += u64::from(image.is_ok());
            let _ = line(Path::new(""), &name, &image);
        }
        longest = longest.max(begin.elapsed());
        runs += 1;
    }
    println!("# {runs} damaged files, {opened} images opened, longest {longest:?}");
}

/// Everything that was read, to compare with other tools.
#[test]
#[ignore = "measures files that are not in the repository"]
fn measured_dump() {
    for path in files() {
        let data = std::fs::read(&path).unwrap();
        for (name, image) in images(&data) {
            let image = image.unwrap();
            println!("@\t{}\t{name}", path.display());
            let cells = image.cells();
            for (place, cell) in cells.range(0, u64::MAX) {
                match cell {
                    Cell::Import(index, addend) => println!("I\t{place:x}\t{}\t{addend}", cells.import_name(*index)),
                    Cell::Address(target) => println!("A\t{place:x}\t{target:x}"),
                    other => println!("{other:?}\t{place:x}"),
                }
            }
            for export in image.exports_starting("") {
                match image.export(&export) {
                    Some(Export::Address(address)) => println!("E\t{export}\t{address:x}"),
                    other => println!("E\t{export}\t{other:?}"),
                }
            }
        }
    }
}
