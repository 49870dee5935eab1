//! Types and signatures in the notation of WIT, for messages and for comparing: equal
//! ones are written in the same way.

use wit_parser::{Function, Handle, Resolve, Type, TypeDefKind, TypeId};

/// Writes a method as `reader.read`, and a function as `connect`.
pub(super) fn function_name(function: &Function) -> String {
    match function.name.split_once(']') {
        Some(("[constructor", resource)) => format!("{resource}.constructor"),
        Some((_, name)) => name.to_owned(),
        None => function.name.clone(),
    }
}

/// Writes a signature, such as `async func(limit: u32) -> list<u8>`.
pub(super) fn signature(resolve: &Resolve, function: &Function) -> String {
    let is_async = if function.kind.is_async() {
        "async "
    } else {
        ""
    };
    let params: Vec<String> = function
        .params
        .iter()
        .map(|param| format!("{}: {}", param.name, ty(resolve, &param.ty)))
        .collect();
    let result = function
        .result
        .as_ref()
        .map(|result| format!(" -> {}", ty(resolve, result)))
        .unwrap_or_default();
    format!("{is_async}func({}){result}", params.join(", "))
}

/// Writes a definition, such as `record { a: u8, b: string }`.
pub(super) fn definition(resolve: &Resolve, id: TypeId) -> String {
    let Some(def) = resolve.types.get(id) else {
        return "?".to_owned();
    };
    let typed = |name: &str, payload: Option<&Type>| match payload {
        Some(payload) => format!("{name}({})", ty(resolve, payload)),
        None => name.to_owned(),
    };
    let (keyword, items): (_, Vec<String>) = match &def.kind {
        TypeDefKind::Record(record) => (
            "record",
            record
                .fields
                .iter()
                .map(|field| format!("{}: {}", field.name, ty(resolve, &field.ty)))
                .collect(),
        ),
        TypeDefKind::Variant(variant) => (
            "variant",
            variant
                .cases
                .iter()
                .map(|case| typed(&case.name, case.ty.as_ref()))
                .collect(),
        ),
        TypeDefKind::Enum(of) => ("enum", of.cases.iter().map(|c| c.name.clone()).collect()),
        TypeDefKind::Flags(flags) => (
            "flags",
            flags.flags.iter().map(|f| f.name.clone()).collect(),
        ),
        kind => return anonymous(resolve, kind),
    };
    format!("{keyword} {{ {} }}", items.join(", "))
}

/// Writes a type where it is used: by its name, if it has one.
fn ty(resolve: &Resolve, ty: &Type) -> String {
    let Type::Id(id) = ty else {
        return primitive(ty).to_owned();
    };
    match resolve.types.get(*id) {
        Some(def) => match &def.name {
            Some(name) => name.clone(),
            None => anonymous(resolve, &def.kind),
        },
        None => "?".to_owned(),
    }
}

fn anonymous(resolve: &Resolve, kind: &TypeDefKind) -> String {
    let show = |of: &Type| ty(resolve, of);
    let named = |id: &TypeId| ty(resolve, &Type::Id(*id));
    let optional = |of: &Option<Type>| of.as_ref().map_or_else(|| "_".to_owned(), show);
    match kind {
        TypeDefKind::Type(of) => show(of),
        TypeDefKind::Option(of) => format!("option<{}>", show(of)),
        TypeDefKind::List(of) => format!("list<{}>", show(of)),
        TypeDefKind::Map(key, value) => format!("map<{}, {}>", show(key), show(value)),
        TypeDefKind::FixedLengthList(of, length) => format!("list<{}, {length}>", show(of)),
        TypeDefKind::Future(of) => format!("future<{}>", optional(of)),
        TypeDefKind::Stream(of) => format!("stream<{}>", optional(of)),
        TypeDefKind::Result(result) => {
            format!(
                "result<{}, {}>",
                optional(&result.ok),
                optional(&result.err)
            )
        }
        TypeDefKind::Tuple(tuple) => {
            let types: Vec<String> = tuple.types.iter().map(show).collect();
            format!("tuple<{}>", types.join(", "))
        }
        TypeDefKind::Handle(Handle::Own(id)) => named(id),
        TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", named(id)),
        other => other.as_str().to_owned(),
    }
}

fn primitive(ty: &Type) -> &'static str {
    match ty {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(_) => "?",
    }
}
