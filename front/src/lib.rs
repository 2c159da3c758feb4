//! `quotad_front`: the fast front of quotad, a thin layer between HTTP/2's library and Python.
//!
//! One thread of its own moves bytes (`serve`, `connection`, `proxy`); calls wait in the `inbox`
//! until a decision thread takes all of them, and answers come back as one list.

mod accept;
mod calls;
mod connection;
mod counters;
mod details;
mod held;
mod inbox;
mod link;
mod listen;
mod message;
mod proxy;
mod python;
mod reply;
mod request;
mod serve;
mod settings;
mod shared;
mod socket;
mod tls;

use pyo3::prelude::*;

/// Which way of working together the server must expect; raised with every change of it.
const INTERFACE: u32 = 2;

#[pymodule]
fn quotad_front(module: &Bound<'_, PyModule>) -> PyResult<()> {
    std::panic::set_hook(Box::new(end_process));
    module.add("INTERFACE", INTERFACE)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(fail_on_purpose, module)?)?;
    module.add_class::<python::Front>()
}

/// Without its I/O thread a worker would hang; whoever watches it starts another one.
fn end_process(panic: &std::panic::PanicHookInfo<'_>) {
    let message = panic.to_string().replace('\n', " ");
    eprintln!("quotad-front: {message}; this is a bug, and the process ends");
    std::process::abort();
}

/// Does what a bug of the front would do; for the test of that.
#[pyfunction]
fn fail_on_purpose() {
    let thread = std::thread::spawn(|| panic!("on purpose"));
    let _ = thread.join();
}
