use std::collections::BTreeMap;

use clap::{Args, Command};
use serde_json::{Map, Value, json};

use super::file::{CERTIFICATE, Form, INCLUDE, KEY, PROGRAM, SETTINGS};
use crate::run::RunArgs;

/// Print the JSON schema of policy files, for editors
///
/// An editor that knows TOML completes and checks the keys with it. Some take it from a comment in
/// the first line of a policy file: `#:schema ./policy.schema.json`.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {}

impl SchemaArgs {
    pub(crate) fn execute(&self) -> anyhow::Result<u8> {
        println!("{:#}", schema());
        Ok(0)
    }
}

/// The schema, made of the settings that the parser knows, and of the help of their options.
fn schema() -> Value {
    let settings = settings();
    let mut common = settings.clone();
    let strings = json!({"anyOf": strings()});
    common.insert(
        INCLUDE.to_owned(),
        described("Other files to read first", strings),
    );
    let program = json!({
        "type": "object",
        "properties": settings,
        "additionalProperties": false,
    });
    let programs = json!({"type": "object", "additionalProperties": program});
    let help = "The settings of single programs, by the names for --policy-program";
    common.insert(PROGRAM.to_owned(), described(help, programs));
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Policy file of asyncio-streams",
        "type": "object",
        "properties": common,
        "additionalProperties": false,
    })
}

fn settings() -> Map<String, Value> {
    let help = help();
    let setting = |(name, form): &(&str, Form)| {
        let schema = match form {
            Form::List => json!({"anyOf": strings()}),
            Form::Named => {
                let mut forms = strings();
                forms.push(json!({"type": "object", "additionalProperties": named()}));
                json!({"anyOf": forms})
            }
            Form::Value => json!({"type": ["string", "integer"]}),
            Form::Switch => json!({"type": "boolean"}),
        };
        let help = help.get(*name).map_or("", String::as_str);
        ((*name).to_owned(), described(help, schema))
    };
    SETTINGS.iter().map(setting).collect()
}

/// The first lines of the help of the options of `run`, by their names.
fn help() -> BTreeMap<String, String> {
    let command = RunArgs::augment_args(Command::new("run"));
    let options = command.get_arguments();
    options
        .filter_map(|option| {
            Some((
                option.get_long()?.to_owned(),
                option.get_help()?.to_string(),
            ))
        })
        .collect()
}

/// A string, or an array of them.
fn strings() -> Vec<Value> {
    vec![
        json!({"type": "string"}),
        json!({"type": "array", "items": {"type": "string"}}),
    ]
}

/// The value of a name: a string, or the files of an identity.
fn named() -> Value {
    json!({"anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {CERTIFICATE: {"type": "string"}, KEY: {"type": "string"}},
            "required": [CERTIFICATE],
            "additionalProperties": false,
        },
    ]})
}

fn described(help: &str, mut schema: Value) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), help.into());
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_of_the_parser_is_in_the_schema_with_the_help_of_its_option() {
        let schema = schema();
        let common = schema["properties"].as_object().unwrap();
        let program = &common[PROGRAM]["additionalProperties"]["properties"];
        let program = program.as_object().unwrap();
        for (name, _) in SETTINGS {
            for properties in [common, program] {
                let help = properties[name]["description"].as_str().unwrap();
                assert!(help.len() > 20, "{name}: {help}");
            }
        }
        // Nothing else is taken.
        assert_eq!(program.len(), SETTINGS.len());
        assert_eq!(common.len(), SETTINGS.len() + 2);
        assert!(common.contains_key(INCLUDE));
        assert_eq!(schema["additionalProperties"], false);
    }

    #[test]
    fn the_form_of_a_setting_is_that_of_the_parser() {
        let schema = schema();
        let of = |name: &str| schema["properties"][name].clone();
        assert_eq!(of("stats")["type"], "boolean");
        assert_eq!(of("max-sockets")["type"], json!(["string", "integer"]));
        assert_eq!(of("allow-connect")["anyOf"], json!(strings()));
        assert_eq!(of("env")["anyOf"][2]["additionalProperties"], named());
    }
}
