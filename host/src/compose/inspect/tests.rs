use std::iter;

use wasm_encoder::{
    CodeSection, Component, ComponentImportSection, ComponentInstanceSection, ComponentTypeRef,
    ConstExpr, CoreTypeSection, EntityType, Function, FunctionSection, GlobalSection, GlobalType,
    InstanceSection, MemorySection, MemoryType, Module, ModuleArg, ModuleSection, ModuleType,
    NestedComponentSection, TagKind, TagSection, TagType, TypeSection, ValType,
};

use super::*;
use crate::compose::prepare;

fn refused(component: &Component) -> String {
    match prepare(component.as_slice(), None) {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.to_string(),
    }
}

fn module_with_globals(count: u32) -> Module {
    let mut globals = GlobalSection::new();
    let ty = GlobalType {
        val_type: ValType::I64,
        mutable: true,
        shared: false,
    };
    for _ in 0..count {
        globals.global(ty, &ConstExpr::i64_const(1));
    }
    let mut module = Module::new();
    module.section(&globals);
    module
}

fn module_with_memory(memory64: bool, shared: bool) -> Module {
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: Some(1),
        memory64,
        shared,
        page_size_log2: None,
    });
    let mut module = Module::new();
    module.section(&memories);
    module
}

/// A component with this module and this many instances of it.
fn instances(module: &Module, count: usize) -> Component {
    let mut component = Component::new();
    component.section(&ModuleSection(module));
    let mut instances = InstanceSection::new();
    for _ in 0..count {
        instances.instantiate::<_, &str>(0, iter::empty::<(_, ModuleArg)>());
    }
    component.section(&instances);
    component
}

/// A component around this one, which it instantiates this many times.
fn around(inner: &Component, count: usize) -> Component {
    let mut component = Component::new();
    component.section(&NestedComponentSection(inner));
    let mut instances = ComponentInstanceSection::new();
    for _ in 0..count {
        instances.instantiate::<_, &str>(0, iter::empty());
    }
    component.section(&instances);
    component
}

#[test]
fn many_instances_with_many_globals_are_refused() {
    let module = module_with_globals(100_000);
    let error = refused(&instances(&module, 60));
    assert!(error.contains("the limit is 32 MiB"), "{error}");
    assert!(prepare(instances(&module, 10).as_slice(), None).is_ok());
}

#[test]
fn instances_that_double_with_each_level_are_counted_without_making_them() {
    let mut component = instances(&module_with_globals(1), 1);
    for _ in 0..5 {
        component = around(&component, 2);
    }
    assert!(prepare(component.as_slice(), None).is_ok());
    for _ in 0..60 {
        component = around(&component, 2);
    }
    let error = refused(&component);
    assert!(error.contains("the limit is 1000"), "{error}");
}

#[test]
fn a_module_of_unknown_size_cannot_be_instantiated() {
    let mut types = CoreTypeSection::new();
    types.ty().module(&ModuleType::new());
    let mut imports = ComponentImportSection::new();
    imports.import("module", ComponentTypeRef::Module(0));
    let mut instances = InstanceSection::new();
    instances.instantiate::<_, &str>(0, iter::empty::<(_, ModuleArg)>());
    let mut inner = Component::new();
    inner.section(&types);
    inner.section(&imports);
    inner.section(&instances);
    let error = refused(&inner);
    assert!(error.contains("size is not known"), "{error}");
}

#[test]
fn a_function_of_megabytes_is_refused() {
    let module = module_with_function(|body| {
        for _ in 0..3 << 20 {
            body.instructions().nop();
        }
    });
    let error = refused(&instances(&module, 1));
    assert!(error.contains("function of more than 2 MiB"), "{error}");
}

#[test]
fn a_program_that_is_too_large_is_refused_before_it_is_read() {
    let error = check_size("application", &vec![0; MOST_BYTES + 1]).unwrap_err();
    assert!(
        error.to_string().contains("the limit is 256 MiB"),
        "{error}"
    );
}

#[test]
fn a_feature_that_is_off_is_named() {
    for (module, feature) in [
        (module_with_memory(true, false), "memory64"),
        (module_with_memory(false, true), "threads"),
    ] {
        let error = refused(&instances(&module, 1));
        let words = format!("uses the feature `{feature}` of WebAssembly, which is off");
        assert!(error.contains(&words), "{error}");
    }
    let module = module_with_memory(false, false);
    assert!(prepare(instances(&module, 1).as_slice(), None).is_ok());
}

#[test]
fn a_type_that_the_composer_does_not_know_is_an_error() {
    let mut module = ModuleType::new();
    module.ty().function([], []);
    module.import("a", "f", EntityType::FunctionExact(0));
    let mut types = CoreTypeSection::new();
    types.ty().module(&module);
    let mut imports = ComponentImportSection::new();
    imports.import("module", ComponentTypeRef::Module(0));
    let mut component = Component::new();
    component.section(&types).section(&imports);
    let error = refused(&component);
    assert!(error.contains("custom-descriptors"), "{error}");
}

/// A module with one function of these instructions.
fn module_with_function(write: impl FnOnce(&mut Function)) -> Module {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut body = Function::new([]);
    write(&mut body);
    body.instructions().end();
    let mut code = CodeSection::new();
    code.function(&body);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    module
}

#[test]
fn an_instruction_of_a_feature_that_is_off_is_named_too() {
    let module = module_with_function(|body| {
        body.instructions().return_call(0);
    });
    let component = instances(&module, 1);
    let engine = crate::engine().unwrap();
    let error = crate::compile(&engine, component.as_slice(), None).err();
    let error = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("the feature `tail-call`"), "{error}");
}

#[test]
fn the_engine_has_no_other_feature() {
    let mut pages_of_a_byte = MemorySection::new();
    let memory = MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    };
    pages_of_a_byte.memory(MemoryType {
        page_size_log2: Some(0),
        ..memory
    });
    let mut structs = TypeSection::new();
    structs.ty().struct_([]);
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut tags = TagSection::new();
    tags.tag(TagType {
        kind: TagKind::Exception,
        func_type_idx: 0,
    });
    let with = |add: &dyn Fn(&mut Module)| {
        let mut module = Module::new();
        add(&mut module);
        module
    };
    let modules = [
        ("memory64", module_with_memory(true, false)),
        ("threads", module_with_memory(false, true)),
        (
            "custom-page-sizes",
            with(&|module| {
                module.section(&pages_of_a_byte);
            }),
        ),
        (
            "gc",
            with(&|module| {
                module.section(&structs);
            }),
        ),
        (
            "exceptions",
            with(&|module| {
                module.section(&types).section(&tags);
            }),
        ),
        (
            "tail-call",
            module_with_function(|body| {
                body.instructions().return_call(0);
            }),
        ),
        (
            "relaxed-simd",
            module_with_function(|body| {
                body.instructions()
                    .v128_const(0)
                    .v128_const(0)
                    .i8x16_relaxed_swizzle()
                    .drop();
            }),
        ),
        (
            "threads",
            module_with_function(|body| {
                body.instructions()
                    .atomic_fence(wasm_encoder::Ordering::SeqCst);
            }),
        ),
    ];
    let engine = crate::engine().unwrap();
    for (feature, module) in modules {
        let component = instances(&module, 1);
        let compiled = wasmtime::component::Component::from_binary(&engine, component.as_slice());
        assert!(compiled.is_err(), "{feature} is on");
    }
}
