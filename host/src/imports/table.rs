//! Values in the guest's table whose handles have a type of the bindings.
//!
//! A handle is a `Resource<N>`, where `N` is the bindings' name of the resource. The
//! table holds a `T` of this crate; a handle of another type is a trap.

use wasmtime::component::{Resource, ResourceTable};

/// The value that a handle stands for.
pub(super) fn get<'a, T: Send + 'static, N: 'static>(
    table: &'a mut ResourceTable,
    handle: &Resource<N>,
) -> wasmtime::Result<&'a mut T> {
    Ok(table.get_mut(&Resource::<T>::new_borrow(handle.rep()))?)
}

/// Puts a value into the table and makes a handle for it.
pub(super) fn push<T: Send + 'static, N: 'static>(
    table: &mut ResourceTable,
    value: T,
) -> wasmtime::Result<Resource<N>> {
    Ok(Resource::new_own(table.push(value)?.rep()))
}

/// Takes the value out of the table: the guest has given its handle away.
pub(super) fn take<T: Send + 'static, N: 'static>(
    table: &mut ResourceTable,
    handle: &Resource<N>,
) -> wasmtime::Result<T> {
    Ok(table.delete(Resource::<T>::new_own(handle.rep()))?)
}
