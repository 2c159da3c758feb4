//! The front as Python sees it: calls out, answers in, both in batches.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::calls::Answer;
use crate::details::{Asks, Describer};
use crate::inbox::Waiting;
use crate::listen::Listening;
use crate::reply::{self, Failure};
use crate::serve;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::tls;

/// Listens from its creation on, accepts connections from `start` on.
#[pyclass(frozen, module = "quotad_front")]
pub struct Front {
    shared: Arc<Shared>,
    listening: Mutex<Option<Listening>>,
    port: u16,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Class of calls: of id, method and request.
    call: Py<PyAny>,
    /// Function from an error to its status code, message and trailing metadata.
    describe: Py<PyAny>,
    describer: Describer,
}

#[pymethods]
impl Front {
    #[new]
    fn new(
        target: &str,
        settings: Settings,
        call: Py<PyAny>,
        describe: Py<PyAny>,
        py: Python<'_>,
    ) -> PyResult<Front> {
        let asks =
            Asks::new(&settings).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let describer = Describer::new(py, &settings)?;
        let listening = Listening::new(target, settings.reuse_port)
            .map_err(|error| PyOSError::new_err((error.raw_os_error(), error.to_string())))?;
        Ok(Front {
            shared: Arc::new(Shared::new(settings, asks)),
            port: listening.port(),
            listening: Mutex::new(Some(listening)),
            thread: Mutex::default(),
            call,
            describe,
            describer,
        })
    }

    /// The port that it really got; 0 for a Unix socket.
    #[getter]
    fn port(&self) -> u16 {
        self.port
    }

    /// Serves TLS to connections that come from here on; raises ValueError with the setting that
    /// is wrong.
    #[pyo3(signature = (cert, key, client_ca=None))]
    fn use_tls(&self, cert: &[u8], key: &[u8], client_ca: Option<&[u8]>) -> PyResult<()> {
        let config = tls::configure(cert, key, client_ca).map_err(PyValueError::new_err)?;
        self.shared.use_tls(config);
        Ok(())
    }

    /// Accepts connections from here on.
    fn start(&self) -> PyResult<()> {
        let Some(listening) = locked(&self.listening).take() else {
            return Err(PyRuntimeError::new_err("the front was started before"));
        };
        let shared = self.shared.clone();
        let thread = std::thread::Builder::new()
            .name("quotad-front-io".into())
            .spawn(move || {
                serve::run(shared, listening).expect("the I/O thread could not start")
            })?;
        *locked(&self.thread) = Some(thread);
        Ok(())
    }

    /// Waits for calls and returns all that wait, at most `calls_max`; None: drained and empty.
    fn recv_batch<'py>(
        &self,
        py: Python<'py>,
        calls_max: usize,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        loop {
            if !py.detach(|| self.shared.inbox.wait()) {
                return Ok(None);
            }
            let mut calls = self.shared.inbox.take(calls_max);
            self.leave_out(&mut calls);
            if !calls.is_empty() {
                let class = self.call.bind(py);
                let calls = calls
                    .iter()
                    .map(|call| self.made(py, class, call))
                    .collect::<PyResult<Vec<_>>>()?;
                return PyList::new(py, calls).map(Some);
            }
        }
    }

    /// Ends calls with bytes or errors; those that are gone are ignored.
    fn answer(&self, py: Python<'_>, answers: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut out = Vec::with_capacity(answers.len()?);
        let done = answers.try_iter()?.try_for_each(|item| {
            let item = item?.cast_into::<PyTuple>()?;
            let id = item.get_item(0)?.extract()?;
            let answer = item.get_item(1)?;
            out.push((
                id,
                match answer.cast::<PyBytes>() {
                    Ok(message) => Answer::Message(reply::framed(message.as_bytes())),
                    Err(_) => Answer::Failed(Box::new(self.failure(py, &answer)?)),
                },
            ));
            Ok(())
        });
        // Also when one of them is none: the others are.
        self.shared.outbox.put(&mut out);
        done
    }

    /// Refuses calls that come from here on, and asks clients to go elsewhere.
    fn drain(&self) {
        self.shared.drain();
    }

    /// Refuses the calls that were not answered, and ends every connection as soon as its answers
    /// have left, after `grace_s` seconds at the latest.
    fn close(&self, py: Python<'_>, grace_s: f64) {
        self.shared.close(Duration::from_secs_f64(grace_s));
        locked(&self.listening).take();
        let thread = locked(&self.thread).take();
        if let Some(thread) = thread {
            // A panic of that thread has ended the process.
            py.detach(|| thread.join()).ok();
        }
    }

    /// What was counted so far, by name.
    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counters = PyDict::new(py);
        for (name, count) in self.shared.counters.all() {
            counters.set_item(name, count)?;
        }
        Ok(counters)
    }
}

impl Front {
    fn made<'py>(
        &self,
        py: Python<'py>,
        class: &Bound<'py, PyAny>,
        call: &Waiting,
    ) -> PyResult<Bound<'py, PyAny>> {
        let request = PyBytes::new(py, &call.payload);
        let Some(details) = &call.details else {
            return class.call1((call.id, call.method, request));
        };
        let described = self.describer.describe(py, details)?;
        class.call1((
            call.id,
            call.method,
            request,
            &described.peer,
            self.describer.deadline_s(call.deadline),
            &described.metadata,
            &described.names,
        ))
    }

    /// Takes out what no thread need look at any more.
    fn leave_out(&self, calls: &mut Vec<Waiting>) {
        let outbox = &self.shared.outbox;
        let mut now = None;
        calls.retain(|call| {
            if call.ticket.is_gone() {
                outbox.put_one(call.id, Answer::GivenUp);
                return false;
            }
            let is_late = call
                .deadline
                .is_some_and(|deadline| deadline <= *now.get_or_insert_with(Instant::now));
            if is_late {
                outbox.put_one(call.id, Answer::Late);
            }
            !is_late
        });
    }

    fn failure(&self, py: Python<'_>, error: &Bound<'_, PyAny>) -> PyResult<Failure> {
        let (code, message, metadata): (u16, String, Vec<(String, String)>) =
            self.describe.bind(py).call1((error,))?.extract()?;
        Ok(Failure {
            code,
            message: message.into(),
            metadata,
        })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|error| error.into_inner())
}
