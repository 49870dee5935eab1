use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::*;
use crate::engine;

/// A component with nothing in it, and another one.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";
const NAMED: &[u8] = b"\0asm\x0d\0\x01\0\0\x02\x01x";

fn folder() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("made").join("here");
    (parent, path)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The one file, after this program was asked for.
fn file_of(cache: &Cache, program: &[u8]) -> PathBuf {
    let engine = engine().unwrap();
    cache.component(&engine, program, None).unwrap();
    let key = Key::new(&engine, program, None);
    cache.folder.path().join(key.file_name())
}

#[test]
fn the_folder_is_made_for_its_user_only() {
    let (_parent, path) = folder();
    let cache = Cache::open(&path).unwrap();
    let file = file_of(&cache, EMPTY);
    for (path, mode) in [
        (path.parent().unwrap(), 0o700),
        (&path, 0o700),
        (&file, 0o600),
    ] {
        let permissions = fs::metadata(path).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, mode, "{}", path.display());
    }
    assert_eq!(files(&path), [file]);
}

#[test]
fn a_kept_program_is_taken_and_its_file_stays() {
    let (_parent, path) = folder();
    let first = file_of(&Cache::open(&path).unwrap(), EMPTY);
    let inode = fs::metadata(&first).unwrap().ino();
    assert_eq!(file_of(&Cache::open(&path).unwrap(), EMPTY), first);
    assert_eq!(fs::metadata(&first).unwrap().ino(), inode);
}

#[test]
fn programs_streams_components_and_engines_have_names_of_their_own() {
    let engine = engine().unwrap();
    let mut config = wasmtime::Config::new();
    config.wasm_component_model_async(true);
    config.consume_fuel(true);
    let other = Engine::new(&config).unwrap();
    let mut names = [
        Key::new(&engine, EMPTY, None),
        Key::new(&engine, NAMED, None),
        Key::new(&engine, EMPTY, Some(NAMED)),
        Key::new(&engine, NAMED, Some(EMPTY)),
        Key::new(&other, EMPTY, None),
    ]
    .map(|key| key.file_name().to_owned());
    names.sort();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let (_parent, path) = folder();
    fs::create_dir_all(&path).unwrap();
    for mode in [0o777, 0o775, 0o722, 0o1777] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let refused = Cache::open(&path).unwrap_err();
        assert!(
            matches!(refused, CacheError::OthersMayWrite { mode: found, .. } if found & 0o777 == mode & 0o777),
            "{refused:?}"
        );
    }
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    Cache::open(&path).unwrap();
}

#[test]
fn a_folder_that_cannot_be_made_is_refused_with_its_name() {
    let (parent, _) = folder();
    let file = parent.path().join("file");
    File::create(&file).unwrap();
    let refused = Cache::open(file.join("cache")).unwrap_err();
    assert!(matches!(refused, CacheError::Unusable { .. }));
    assert!(refused.to_string().contains("file/cache"), "{refused}");
}

/// Replaces the file, and says whether the cache replaced it in turn.
fn replaced(change: impl FnOnce(&Path)) -> bool {
    let (_parent, path) = folder();
    let cache = Cache::open(&path).unwrap();
    let file = file_of(&cache, EMPTY);
    let whole = fs::read(&file).unwrap();
    change(&file);
    let changed = fs::symlink_metadata(&file).unwrap().ino();
    file_of(&cache, EMPTY);
    let metadata = fs::symlink_metadata(&file).unwrap();
    assert!(metadata.is_file());
    metadata.ino() != changed && fs::read(&file).unwrap() == whole
}

#[test]
fn a_file_that_is_damaged_or_not_ours_is_replaced() {
    assert!(!replaced(|_| ()));
    assert!(replaced(|file| fs::write(file, "").unwrap()));
    assert!(replaced(|file| fs::write(file, "print('hello')").unwrap()));
    assert!(replaced(|file| {
        let mut bytes = fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(file, bytes).unwrap();
    }));
    assert!(replaced(|file| {
        let bytes = fs::read(file).unwrap();
        fs::write(file, &bytes[..bytes.len() - 1]).unwrap();
    }));
    // Whole, and from an engine that is not this one.
    assert!(replaced(|file| {
        let mut config = wasmtime::Config::new();
        config.wasm_component_model_async(true);
        config.consume_fuel(true);
        let other = Engine::new(&config).unwrap();
        let native = other.precompile_component(EMPTY).unwrap();
        let bytes = [&entry::header(&native)[..], &native].concat();
        fs::write(file, bytes).unwrap();
    }));
    assert!(replaced(|file| {
        fs::set_permissions(file, Permissions::from_mode(0o606)).unwrap();
    }));
    // Even one that would be good.
    assert!(replaced(|file| {
        let elsewhere = file.with_extension("elsewhere");
        fs::rename(file, &elsewhere).unwrap();
        std::os::unix::fs::symlink(elsewhere, file).unwrap();
    }));
}

#[test]
fn the_files_with_the_oldest_use_go_beyond_the_capacity() {
    let (_parent, path) = folder();
    let cache = Cache::open(&path).unwrap();
    let (old, new) = (file_of(&cache, EMPTY), file_of(&cache, NAMED));
    let touch = |file: &Path, past: u64| {
        let time = SystemTime::now() - Duration::from_secs(past);
        File::open(file).unwrap().set_modified(time).unwrap();
    };
    let stranger = path.join("notes.txt");
    let left = path.join(format!("{}.1.0.tmp", "0".repeat(64)));
    let under_way = path.join(format!("{}.2.0.tmp", "0".repeat(64)));
    for file in [&stranger, &left, &under_way] {
        File::create(file).unwrap();
    }
    touch(&stranger, 100_000);
    touch(&left, 100_000);
    touch(&old, 90_000);
    touch(&new, 80_000);

    // Being taken is being used.
    file_of(&cache, EMPTY);
    let size = fs::metadata(&old).unwrap().len();
    let third = b"\0asm\x0d\0\x01\0\0\x02\x01y";
    let newest = file_of(&cache.capacity(2 * size + size / 2), third);
    let mut left = files(&path);
    left.sort();
    let mut expected = [old, newest, stranger, under_way];
    expected.sort();
    assert_eq!(left, expected);
}
