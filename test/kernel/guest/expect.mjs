// What the tests in the guest have in common. What is expected is what test/drivers/virtual/usb expects of the user-space
// bus, so that agreement here says that that bus behaves like Linux.
import assert from "node:assert/strict";
import { run } from "./programs.mjs";

/** Asserts that a program ended well, and gives its result back. */
export function ok(result) {
  const { exitCode, signal, all } = result;
  assert.deepEqual({ exitCode, signal }, { exitCode: 0, signal: null }, all);
  return result;
}

/** Asserts that a command of the station failed with `code`, by itself. */
export function failed({ exitCode, signal, stdout, all }, { code, exit }) {
  assert.deepEqual({ exitCode, signal }, { exitCode: exit, signal: null }, all);
  assert.equal(JSON.parse(stdout).code, code);
}

/** Asserts that an object has at least these members. */
export function has(actual, expected) {
  for (const [name, value] of Object.entries(expected)) assert.deepEqual(actual[name], value, name);
}

/** Asserts that OpenOCD connects over `transport` and says every one of `texts`. */
export async function openOcdConnects(adapter, transport, serial, texts) {
  const commands = ["gdb_port disabled", "tcl_port disabled", "telnet_port disabled", "init", "shutdown"];
  const { all } = ok(
    await run(
      ...["openocd", "-f", `interface/${adapter}.cfg`, "-c", `adapter serial ${serial}`],
      ...["-f", "target/stm32h7x.cfg", ...commands.flatMap((command) => ["-c", command])],
    ),
  );
  for (const text of [transport, ...texts]) assert.ok(all.includes(text), all);
}
