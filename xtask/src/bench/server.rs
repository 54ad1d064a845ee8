//! `vega-server`, or another program that listens, while the bench looks at it: when it is ready, how much memory it has,
//! and how much of a core and how many switches it takes.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::bench::home::{Home, example, release};
use crate::demo_desk::Companion;

const READY_WITHIN: Duration = Duration::from_mins(1);
/// How often the server is asked whether it is ready.
const PAUSE: Duration = Duration::from_millis(2);

/// A server that ends with its handle.
pub(crate) struct Server {
    pub(crate) address: String,
    /// Milliseconds from its start until it was ready.
    pub(crate) ready_after: f64,
    process: Companion,
}

/// What the system has counted of a process so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Effort {
    /// Seconds on a core.
    pub(crate) busy: f64,
    /// Context switches, wanted or not.
    pub(crate) switches: f64,
}

impl Server {
    /// `vega-server` at this home, once it is ready.
    pub(crate) fn start(home: &Home) -> Result<Self> {
        let is_ready = |address: &str| ureq::get(format!("http://{address}/readyz")).call().is_ok();
        Self::start_with(&mut home.program(&release("vega-server")), is_ready)
    }

    /// The same, and it speaks TLS with this certificate and key.
    pub(crate) fn start_over_tls(home: &Home, certificate: &str, key: &str) -> Result<Self> {
        let is_ready = |address: &str| {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--fail", "--cacert", certificate, "--output"]);
            let asked = curl
                .args(["/dev/null", &format!("https://{address}/readyz")])
                .status();
            asked.is_ok_and(|status| status.success())
        };
        let mut program = home.program(&release("vega-server"));
        program.env("VEGA__SERVER__TLS_CERT", certificate);
        Self::start_with(program.env("VEGA__SERVER__TLS_KEY", key), is_ready)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "how long a server takes to be ready is what is asked"
    )]
    fn start_with(program: &mut Command, is_ready: impl Fn(&str) -> bool) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let began = Instant::now();
        let process = program
            .env("VEGA__SERVER__LISTEN", &address)
            .stderr(Stdio::null())
            .spawn()
            .context("vega-server cannot be started")?;
        let process = Companion::of(process);
        while !is_ready(&address) {
            ensure!(began.elapsed() < READY_WITHIN, "vega-server is not ready");
            std::thread::sleep(PAUSE);
        }
        Ok(Self {
            address,
            ready_after: began.elapsed().as_secs_f64() * 1e3,
            process,
        })
    }

    /// An axum handler that does nothing. It says in its first line where it listens.
    pub(crate) fn empty_handler() -> Result<Self> {
        let mut child = Command::new(example("empty_handler"))
            .stdout(Stdio::piped())
            .spawn()
            .context("the empty handler cannot be started")?;
        let output = child.stdout.take().context("its output")?;
        let process = Companion::of(child);
        let mut address = String::new();
        BufReader::new(output).read_line(&mut address)?;
        Ok(Self {
            address: address.trim().to_owned(),
            ready_after: 0.0,
            process,
        })
    }

    /// Ends it as an operator does: the next start has nothing to clear up.
    pub(crate) fn stop(self) -> Result<()> {
        self.process.stop()
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Resident memory, in MiB.
    pub(crate) fn memory(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let kib = number_behind("VmRSS:", &status).context("no resident memory in /proc")?;
        Ok(kib / 1024.0)
    }

    /// What all its threads have done so far.
    pub(crate) fn effort(&self) -> Result<Effort> {
        let mut effort = Effort {
            busy: 0.0,
            switches: 0.0,
        };
        for task in std::fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let task = task?.path();
            let of_a_thread = effort_of(
                &std::fs::read_to_string(task.join("schedstat"))?,
                &std::fs::read_to_string(task.join("status"))?,
            )?;
            effort.busy += of_a_thread.busy;
            effort.switches += of_a_thread.switches;
        }
        Ok(effort)
    }
}

/// From a thread's `schedstat`, whose first number are nanoseconds on a core, and its `status`.
fn effort_of(schedstat: &str, status: &str) -> Result<Effort> {
    let busy = schedstat.split_whitespace().next();
    let busy: f64 = busy.context("an empty schedstat")?.parse()?;
    let count = |name: &str| number_behind(name, status).with_context(|| format!("no {name} in /proc"));
    Ok(Effort {
        busy: busy / 1e9,
        switches: count("voluntary_ctxt_switches:")? + count("nonvoluntary_ctxt_switches:")?,
    })
}

fn number_behind(name: &str, status: &str) -> Option<f64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threads_effort_is_read_as_the_system_writes_it() {
        let status = "Name:\tvega-server\nVmRSS:\t   20480 kB\nvoluntary_ctxt_switches:\t700\n\
                      nonvoluntary_ctxt_switches:\t40\n";
        let effort = Effort {
            busy: 1.5,
            switches: 740.0,
        };
        assert_eq!(effort_of("1500000000 63522554 1514\n", status).unwrap(), effort);
        assert_eq!(number_behind("VmRSS:", status), Some(20_480.0));
        assert!(effort_of("", status).is_err());
        assert!(effort_of("1 2 3", "Name:\tvega-server\n").is_err());
    }
}
