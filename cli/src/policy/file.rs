use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, anyhow, bail};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The form that a setting's value has in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A string, or an array of them. The settings of several files add up.
    List,
    /// The same, where each string begins with `NAME=`; or a table by the names.
    Named,
    /// A string or an integer.
    Value,
    /// `true` or `false`.
    Switch,
}

/// The settings of a file: options of `run` under their own names.
pub(super) const SETTINGS: [(&str, Form); 34] = [
    ("allow-connect", Form::List),
    ("allow-listen", Form::List),
    ("allow-resolve", Form::List),
    ("deny-connect", Form::List),
    ("deny-listen", Form::List),
    ("deny-resolve", Form::List),
    ("search-domains", Form::Switch),
    ("listen-fds", Form::Switch),
    ("listen-fds-any-process", Form::Switch),
    ("tls-identity", Form::Named),
    ("tls-roots", Form::List),
    ("allow-tls-guest-roots", Form::Switch),
    ("allow-tls-unverified", Form::Switch),
    ("max-sockets", Form::Value),
    ("close-idle", Form::Value),
    ("max-memory", Form::Value),
    ("max-handles", Form::Value),
    ("max-concurrent", Form::Value),
    ("max-resources", Form::Value),
    ("max-cpu", Form::Value),
    ("timeout", Form::Value),
    ("startup-timeout", Form::Value),
    ("max-connections", Form::Value),
    ("max-connections-per-peer", Form::Value),
    ("max-accept-rate", Form::Value),
    ("max-connect-rate", Form::Value),
    ("max-lookup-rate", Form::Value),
    ("max-receive-rate", Form::Value),
    ("max-send-rate", Form::Value),
    ("max-bytes", Form::Value),
    ("env", Form::Named),
    ("linger", Form::Value),
    ("grace", Form::Value),
    ("stats", Form::Switch),
];

/// The key of other files to read first, relative to the file's folder.
pub(super) const INCLUDE: &str = "include";

/// The table with the settings of single programs, by their names.
pub(super) const PROGRAM: &str = "program";

/// The keys of an identity's files.
pub(super) const CERTIFICATE: &str = "certificate";
pub(super) const KEY: &str = "key";

/// One value of one option, as a file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The name of the option, without `--`.
    pub(crate) option: &'static str,
    /// Its value, as on the command line: `true` or `false` for a switch.
    pub(crate) value: String,
    /// Its place.
    pub(crate) origin: Origin,
}

impl Setting {
    /// Parses the value. An error names the place and the option.
    pub(crate) fn parse<T: FromStr<Err: fmt::Display>>(&self) -> anyhow::Result<T> {
        self.parse_by(T::from_str)
    }

    /// Parses the value by a function, as [`parse`](Self::parse) does.
    pub(crate) fn parse_by<T, E: fmt::Display>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> anyhow::Result<T> {
        let Self { option, origin, .. } = self;
        parse(&self.value).map_err(|error| anyhow!("{origin}: {option}: {error}"))
    }
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The file, as it was named.
    pub(crate) file: PathBuf,
    /// The line, from 1.
    pub(crate) line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// The content of policy files, those included first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PolicyFile {
    /// The settings for every program, in order.
    pub(crate) common: Vec<Setting>,
    /// The settings of single programs, in order, with the programs' names.
    pub(crate) programs: Vec<(String, Vec<Setting>)>,
}

impl PolicyFile {
    /// Reads a file and those that it includes.
    ///
    /// # Errors
    ///
    /// Fails with the place of the mistake.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let mut content = Self::default();
        content.add(path, &mut Vec::new())?;
        Ok(content)
    }

    /// Returns the settings of one program, after those for every program. Without a name,
    /// only the latter.
    ///
    /// # Errors
    ///
    /// Fails if there is no such program.
    pub(crate) fn settings(&self, program: Option<&str>) -> anyhow::Result<Vec<Setting>> {
        let mut settings = self.common.clone();
        if let Some(name) = program {
            let mut found = self.programs.iter().filter(|(own, _)| own == name);
            let first = found.next().with_context(|| {
                let names = self.program_names().join(", ");
                format!("there is no program `{name}` in the policy files (there are: {names})")
            })?;
            for (_, own) in std::iter::once(first).chain(found) {
                settings.extend_from_slice(own);
            }
        }
        Ok(settings)
    }

    /// Returns the names of the programs, each once.
    pub(crate) fn program_names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self
            .programs
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Adds another file's content after this one's.
    pub(crate) fn extend(&mut self, other: Self) {
        self.common.extend(other.common);
        self.programs.extend(other.programs);
    }

    fn add(&mut self, path: &Path, including: &mut Vec<PathBuf>) -> anyhow::Result<()> {
        let shown = path.display();
        let real = path
            .canonicalize()
            .with_context(|| format!("{shown}: cannot read the policy file"))?;
        if including.contains(&real) {
            bail!("{shown}: the file includes itself");
        }
        let text = fs::read_to_string(path)
            .with_context(|| format!("{shown}: cannot read the policy file"))?;
        including.push(real);
        File { path, text: &text }.read(self, including)?;
        including.pop();
        Ok(())
    }
}

/// One file while it is read.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn read(&self, content: &mut PolicyFile, including: &mut Vec<PathBuf>) -> anyhow::Result<()> {
        let table = DeTable::parse(self.text)
            .map_err(|error| self.mistake(error.span().unwrap_or_default(), error.message()))?;
        let table = table.get_ref();
        if let Some(files) = table.get(INCLUDE) {
            for (file, _) in self.strings(files)? {
                content.add(&self.beside(&file), including)?;
            }
        }
        let common = table
            .iter()
            .filter(|(key, _)| ![INCLUDE, PROGRAM].contains(&key.get_ref().as_ref()));
        for (key, value) in common {
            content.common.extend(self.setting(key, value)?);
        }
        let Some(programs) = table.get(PROGRAM) else {
            return Ok(());
        };
        let wrong = "programs are tables: [program.NAME]";
        for (name, settings) in self.table(programs, wrong)? {
            let mut own = Vec::new();
            for (key, value) in self.table(settings, wrong)? {
                own.extend(self.setting(key, value)?);
            }
            content.programs.push((name.get_ref().to_string(), own));
        }
        Ok(())
    }

    fn setting(
        &self,
        key: &Spanned<impl AsRef<str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> anyhow::Result<Vec<Setting>> {
        let name = key.get_ref().as_ref();
        let Some((option, form)) = SETTINGS.iter().find(|(own, _)| *own == name) else {
            let names: Vec<_> = SETTINGS.iter().map(|(name, _)| *name).collect();
            let names = names.join(", ");
            let problem = format!("there is no setting `{name}` (there are: {names})");
            return Err(self.mistake(key.span(), &problem));
        };
        let values = match (form, value.get_ref()) {
            (Form::Named, DeValue::Table(entries)) => self.entries(entries)?,
            (Form::List | Form::Named, _) => self.strings(value)?,
            (Form::Value, DeValue::String(text)) => vec![(text.to_string(), value.span())],
            (Form::Value, DeValue::Integer(number)) if number.radix() == 10 => {
                vec![(number.as_str().to_owned(), value.span())]
            }
            (Form::Switch, DeValue::Boolean(on)) => vec![(on.to_string(), value.span())],
            (Form::Value, _) => {
                return Err(self.mistake(value.span(), "expected a string or a number"));
            }
            (Form::Switch, _) => return Err(self.mistake(value.span(), "expected true or false")),
        };
        let setting = |(value, span): (String, Range<usize>)| Setting {
            option,
            value: self.with_paths(option, value),
            origin: self.origin(span),
        };
        Ok(values.into_iter().map(setting).collect())
    }

    /// Makes paths in a value relative to the file's folder, instead of the command's.
    fn with_paths(&self, option: &str, value: String) -> String {
        match option {
            "tls-identity" => match value.split_once('=') {
                Some((name, files)) => {
                    let files = files.split(',').map(|file| match file {
                        "" => String::new(),
                        file => self.beside(file).display().to_string(),
                    });
                    format!("{name}={}", files.collect::<Vec<_>>().join(","))
                }
                None => value,
            },
            "tls-roots" if !["webpki", "platform", "none"].contains(&value.as_str()) => {
                self.beside(&value).display().to_string()
            }
            _ => value,
        }
    }

    fn beside(&self, file: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(file)
    }

    /// The strings of a list, with their places. One string is a list of one.
    fn strings(&self, value: &Spanned<DeValue<'_>>) -> anyhow::Result<Vec<(String, Range<usize>)>> {
        let one = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
            DeValue::String(text) => Ok((text.to_string(), value.span())),
            _ => Err(self.mistake(value.span(), "expected a string, or an array of strings")),
        };
        match value.get_ref() {
            DeValue::Array(values) => values.iter().map(one).collect(),
            _ => Ok(vec![one(value)?]),
        }
    }

    /// The entries of a table, as `NAME=VALUE`. The value is a string, or a table with the
    /// files of an identity.
    fn entries(&self, table: &DeTable<'_>) -> anyhow::Result<Vec<(String, Range<usize>)>> {
        let entry = |(name, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
            let own = name.get_ref();
            if own.is_empty() || own.contains('=') {
                return Err(self.mistake(name.span(), "a name is not empty, and has no `=` in it"));
            }
            let value = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Table(files) => self.identity(files, value.span())?,
                _ => return Err(self.mistake(value.span(), "expected a string or a table")),
            };
            Ok((format!("{own}={value}"), name.span()))
        };
        table.iter().map(entry).collect()
    }

    /// The files of an identity: `certificate`, and `key` unless the same file has it.
    fn identity(&self, files: &DeTable<'_>, span: Range<usize>) -> anyhow::Result<String> {
        let (mut certificate, mut key) = (None, None);
        for (name, value) in files {
            let file = match value.get_ref() {
                DeValue::String(text) => Some(text.to_string()),
                _ => return Err(self.mistake(value.span(), "expected a string")),
            };
            match name.get_ref().as_ref() {
                CERTIFICATE => certificate = file,
                KEY => key = file,
                other => {
                    let problem = format!("there is no `{other}` (there are: certificate, key)");
                    return Err(self.mistake(name.span(), &problem));
                }
            }
        }
        match (certificate, key) {
            (Some(certificate), Some(key)) => Ok(format!("{certificate},{key}")),
            (Some(both), None) => Ok(both),
            (None, _) => Err(self.mistake(span, "`certificate` is missing")),
        }
    }

    fn table<'t, 'i>(
        &self,
        value: &'t Spanned<DeValue<'i>>,
        wrong: &str,
    ) -> anyhow::Result<&'t DeTable<'i>> {
        value
            .get_ref()
            .as_table()
            .ok_or_else(|| self.mistake(value.span(), wrong))
    }

    fn origin(&self, span: Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or_default();
        Origin {
            file: self.path.to_owned(),
            line: 1 + before.matches('\n').count(),
        }
    }

    fn mistake(&self, span: Range<usize>, problem: &str) -> anyhow::Error {
        anyhow!("{}: {problem}", self.origin(span))
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn read(text: &str) -> anyhow::Result<PolicyFile> {
        let folder = folder(&[("a.toml", text)]);
        PolicyFile::read(&folder.path().join("a.toml"))
    }

    fn problem(text: &str) -> String {
        let error = format!("{:#}", read(text).unwrap_err());
        error.split_once("a.toml").unwrap().1.to_owned()
    }

    fn shown(settings: &[Setting]) -> Vec<String> {
        let shown = |setting: &Setting| {
            let Setting {
                option,
                value,
                origin,
            } = setting;
            format!("{option} {value} {}", origin.line)
        };
        settings.iter().map(shown).collect()
    }

    #[test]
    fn settings_keep_their_lines() {
        let file = read(
            "allow-connect = [\n  'tcp://a:1',\n  'tcp://b:2',\n]\n\
             max-sockets = 10\nstats = true\ngrace = '1s'\n",
        );
        let settings = file.unwrap().settings(None).unwrap();
        let mut shown = shown(&settings);
        shown.sort();
        assert_eq!(
            shown,
            [
                "allow-connect tcp://a:1 2",
                "allow-connect tcp://b:2 3",
                "grace 1s 7",
                "max-sockets 10 5",
                "stats true 6"
            ]
        );
    }

    #[test]
    fn a_program_has_the_common_settings_and_then_its_own() {
        let file = read(
            "max-sockets = 10\n[program.web]\nmax-sockets = 20\n[program.batch]\nenv = 'A=1'\n",
        );
        let file = file.unwrap();
        assert_eq!(file.program_names(), ["batch", "web"]);
        let settings = |program| shown(&file.settings(program).unwrap());
        assert_eq!(settings(None), ["max-sockets 10 1"]);
        assert_eq!(
            settings(Some("web")),
            ["max-sockets 10 1", "max-sockets 20 3"]
        );
        assert_eq!(settings(Some("batch")), ["max-sockets 10 1", "env A=1 5"]);
        let error = file.settings(Some("wep")).unwrap_err().to_string();
        assert!(error.contains("batch, web"), "{error}");
    }

    #[test]
    fn included_files_come_first_and_lie_beside_the_file() {
        let folder = folder(&[
            ("a.toml", "include = 'b.toml'\nmax-sockets = 1\n"),
            ("b.toml", "max-sockets = 2\n"),
        ]);
        let file = PolicyFile::read(&folder.path().join("a.toml")).unwrap();
        let settings = file.settings(None).unwrap();
        assert_eq!(shown(&settings), ["max-sockets 2 1", "max-sockets 1 2"]);
        assert!(settings[0].origin.file.ends_with("b.toml"));
    }

    #[test]
    fn a_file_that_includes_itself_is_refused() {
        let folder = folder(&[
            ("a.toml", "include = ['b.toml']"),
            ("b.toml", "include = ['a.toml']"),
        ]);
        let error = PolicyFile::read(&folder.path().join("a.toml")).unwrap_err();
        assert!(error.to_string().contains("includes itself"), "{error}");
    }

    #[test]
    fn files_of_identities_and_roots_lie_beside_the_file() {
        let folder = folder(&[(
            "a.toml",
            "tls-identity = ['web=c.pem,/etc/k.pem']\ntls-roots = ['platform', 'ca.pem']\n",
        )]);
        let file = PolicyFile::read(&folder.path().join("a.toml")).unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let values: Vec<_> = file.common.iter().map(|own| own.value.clone()).collect();
        let identity = format!("web={},/etc/k.pem", at("c.pem"));
        assert_eq!(values, [identity, "platform".to_owned(), at("ca.pem")]);
    }

    #[test]
    fn identities_and_variables_may_be_tables() {
        let folder = folder(&[(
            "a.toml",
            "[tls-identity.web]\ncertificate = '/c.pem'\nkey = '/k.pem'\n\
             [tls-identity.all]\ncertificate = '/all.pem'\n[env]\nA = 'b=c'\n\
             [program.web.env]\nD = ''\n",
        )]);
        let file = PolicyFile::read(&folder.path().join("a.toml")).unwrap();
        let mut settings = shown(&file.settings(Some("web")).unwrap());
        settings.sort();
        assert_eq!(
            settings,
            [
                "env A=b=c 7",
                "env D= 9",
                "tls-identity all=/all.pem 4",
                "tls-identity web=/c.pem,/k.pem 1",
            ]
        );
        for (text, message) in [
            (
                "[tls-identity.web]\nkey = 'k.pem'",
                "`certificate` is missing",
            ),
            ("[tls-identity.web]\ncert = 'c.pem'", "there is no `cert`"),
            ("[env]\n'A=B' = 'c'", "a name is not empty"),
            ("[env]\nA = 1", "expected a string or a table"),
        ] {
            assert!(problem(text).contains(message), "{text}: {}", problem(text));
        }
    }

    #[test]
    fn each_mistake_is_named_with_its_line() {
        assert!(problem("a = ").starts_with(":1: "));
        assert!(problem("\nallow-conect = []\n").starts_with(":2: there is no setting `allow-con"));
        assert_eq!(
            problem("\n\nallow-connect = [1]"),
            ":3: expected a string, or an array of strings"
        );
        assert_eq!(problem("stats = 1"), ":1: expected true or false");
        assert_eq!(
            problem("max-sockets = 1.5"),
            ":1: expected a string or a number"
        );
        assert_eq!(
            problem("max-sockets = 1\n[program]\nweb = 1"),
            ":3: programs are tables: [program.NAME]"
        );
        let within = problem("[program.web]\ninclude = 'b.toml'");
        assert!(
            within.starts_with(":2: there is no setting `include`"),
            "{within}"
        );
    }
}
