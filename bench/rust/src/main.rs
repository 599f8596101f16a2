//! The crate `graphile_worker`, with the roles that `bench/programs/__init__.py` describes.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, RawJobSpec, TaskHandler, WorkerContext,
    WorkerOptions,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

static RAN: AtomicU64 = AtomicU64::new(0);
static TOTAL: AtomicU64 = AtomicU64::new(0);
static TELLS_EACH: AtomicBool = AtomicBool::new(false);

#[derive(Clone, Deserialize, Serialize)]
struct Noop {}

impl TaskHandler for Noop {
    const IDENTIFIER: &'static str = "noop";

    async fn run(self, _ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        if TELLS_EACH.load(Ordering::Relaxed) {
            say(&format!("start {}", now()));
            return Ok::<(), String>(());
        }
        let ran = RAN.fetch_add(1, Ordering::Relaxed) + 1;
        if ran == 1 {
            say(&format!("first {}", now()));
        }
        if ran == TOTAL.load(Ordering::Relaxed) {
            say(&format!("last {}", now()));
        }
        Ok(())
    }
}

/// The monotonic clock that all processes share, in nanoseconds.
fn now() -> i128 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as i128 * 1_000_000_000 + time.tv_nsec as i128
}

fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}").and_then(|()| output.flush()).expect("nobody listens");
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let options: Value = serde_json::from_str(&arguments[3]).expect("options");
    // Its library wants a host in its place, even where a socket's folder follows.
    let url = arguments[2].replace("@/", "@localhost/");
    let worker = worker_options(&url, &options).init().await.expect("no worker");
    match arguments[1].as_str() {
        "install" => {}
        "enqueue" => enqueue(&worker, &options).await,
        role => {
            TELLS_EACH.store(role == "latency", Ordering::Relaxed);
            TOTAL.store(options["jobs"].as_u64().unwrap_or(0), Ordering::Relaxed);
            worker.run().await.expect("it stopped");
        }
    }
}

/// What the options do not name is the default.
fn worker_options(url: &str, options: &Value) -> WorkerOptions {
    let mut worker = WorkerOptions::default().database_url(url).define_job::<Noop>();
    if let Some(concurrency) = options["concurrency"].as_u64() {
        worker = worker.concurrency(concurrency as usize);
    }
    if let Some(size) = options["local_queue"].as_u64() {
        worker = worker.local_queue(LocalQueueConfig::default().with_size(size as usize));
    }
    if let Some(delay) = options["batch_delay_ms"].as_u64() {
        worker = worker
            .complete_job_batch_delay(Duration::from_millis(delay))
            .fail_job_batch_delay(Duration::from_millis(delay));
    }
    worker
}

async fn enqueue(worker: &graphile_worker::Worker, options: &Value) {
    let utils = worker.create_utils();
    let (many, one) = (options["many"].as_u64().unwrap(), options["one"].as_u64().unwrap());
    utils.add_job(Noop {}, JobSpec::default()).await.expect("not added");
    let started = Instant::now();
    for _ in 0..one {
        utils.add_job(Noop {}, JobSpec::default()).await.expect("not added");
    }
    say(&format!("rate one {}", one as f64 / started.elapsed().as_secs_f64()));
    let specs: Vec<RawJobSpec> = (0..many)
        .map(|_| RawJobSpec {
            identifier: "noop".to_string(),
            payload: serde_json::json!({}),
            spec: JobSpec::default(),
        })
        .collect();
    let started = Instant::now();
    utils.add_raw_jobs(&specs).await.expect("not added");
    say(&format!("rate many {}", many as f64 / started.elapsed().as_secs_f64()));
}
