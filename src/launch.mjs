// Takes a fresh clone from nothing but Node and npm to a running task: installs the packages when they are missing or
// differ from the lockfile, builds when sources changed, then runs the task. Plain JavaScript, because it runs first.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [task = "demo", ...args] = process.argv.slice(2);

const tasks = {
  demo: () => node(["dist/src/cli/main.js", "demo", ...args]),
  docs: () => node(["dist/src/cli/generate-docs.js", ...args]),
  bench: () => node(["test/bench/run.mjs", ...args]),
  campaign: () => {
    node(["node_modules/typescript/bin/tsc", "-p", "test/campaign/tsconfig.json"]);
    node(["dist/campaign/test/campaign/main.js", ...args]);
  },
  fuzz: () => fuzz(args),
  test: () => node(["node_modules/vitest/vitest.mjs", "run", ...args]),
};

if (!(task in tasks)) {
  console.error(`unknown task ${task}; known: ${Object.keys(tasks).join(", ")}`);
  process.exit(2);
}
if (!packagesMatchLockfile()) run("npm", ["ci", "--no-audit", "--no-fund"], "installing packages");
node(["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"]);
tasks[task]();

/** Broken inputs for every parser: `npm run fuzz -- [seconds for each] [first seed]`; CI runs a fixed number instead. */
function fuzz([seconds = "60", seed = String(Date.now() % 1_000_000)]) {
  console.error(`seconds for each parser: ${seconds}, first seed: ${seed}`);
  process.env.SFI_FUZZ_SECONDS = seconds;
  process.env.SFI_FUZZ_SEED = seed;
  node(["node_modules/vitest/vitest.mjs", "run", "test/fuzz"]);
}

/** npm keeps a copy of what it installed inside node_modules; it equals the lockfile when nothing changed since. */
function packagesMatchLockfile() {
  const installed = readLock("node_modules/.package-lock.json");
  const wanted = readLock("package-lock.json");
  if (installed === undefined || wanted === undefined) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === "" || entry.optional || entry.peer) return true;
    return installed[path]?.version === entry.version;
  });
}

function readLock(file) {
  const path = join(root, file);
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).packages : undefined;
}

function node(words) {
  run(process.execPath, words);
}

function run(program, words, note) {
  if (note !== undefined) console.error(note);
  const { status, error } = spawnSync(program, words, {
    cwd: root,
    stdio: note === undefined ? "inherit" : ["ignore", 2, 2],
    // npm is a .cmd file on Windows, which only a shell can start.
    shell: process.platform === "win32" && program === "npm",
  });
  if (error !== undefined) console.error(`${program}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}
