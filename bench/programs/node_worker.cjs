// graphile-worker from npm; started in the folder that it is installed in.
"use strict";
const { createRequire } = require("node:module");
const load = createRequire(process.cwd() + "/");
const { run, makeWorkerUtils } = load("graphile-worker");

const [role, connectionString, text] = process.argv.slice(2);
const options = JSON.parse(text);
const now = () => process.hrtime.bigint();
const say = (...words) => process.stdout.write(words.join(" ") + "\n");

const roles = {
  async install() {
    const utils = await makeWorkerUtils({ connectionString });
    await utils.migrate();
    await utils.release();
  },

  async work() {
    let count = 0;
    await start(async () => {
      if (count++ === 0) say("first", now());
      if (count === options.jobs) say("last", now());
    });
  },

  async latency() {
    await start(async () => say("start", now()));
  },

  async enqueue() {
    const utils = await makeWorkerUtils({ connectionString });
    await utils.addJob("noop", {});
    await rate("one", options.one, async () => {
      for (let n = 0; n < options.one; n++) await utils.addJob("noop", {});
    });
    const specs = Array.from({ length: options.many }, () => ({ identifier: "noop", payload: {} }));
    await rate("many", options.many, () => utils.addJobs(specs));
    await utils.release();
  },
};

// What `options.worker` does not name is the default.
function start(noop) {
  const preset = { worker: { connectionString, ...options.worker } };
  return run({ preset, taskList: { noop }, parsedCronItems: [], noHandleSignals: true });
}

async function rate(kind, jobs, call) {
  const started = now();
  await call();
  say("rate", kind, jobs / (Number(now() - started) / 1e9));
}

roles[role]().catch((error) => {
  console.error(error);
  process.exit(1);
});
