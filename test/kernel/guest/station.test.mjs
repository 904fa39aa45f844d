import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { has, ok, openOcdConnects } from "./expect.mjs";
import { attach, expectedOutcomes, portClient, run, serials, sfi, work } from "./programs.mjs";
import { compare } from "./sysfs.mjs";

const { scenarios, inspected, openocd } = expectedOutcomes;
const probe = ["--probe", `usb:${serials.v3}`];
/** The longest transfer in here waits 150 ms; with libusb's own time-outs it would be a minute. */
const longMs = 30_000;

describe("an STLINK-V3 on a real kernel", () => {
  it("is described in /sys as on the user-space bus", async () => {
    const place = await attach(serials.v3);
    const { same, different } = await compare(place, `virtual:h753,serial=${serials.v3}`);
    assert.deepEqual(different, []);
    for (const name of ["descriptors", "uevent", "serial", "speed"]) assert.ok(same.includes(name), name);
  });

  it("lets the station inspect its target, as a real one", async () => {
    const facts = JSON.parse(ok(await sfi("inspect", "--json", ...probe)).stdout);
    has(facts.probe, { ...inspected.probe, serial: serials.v3, real: true });
    has(facts.target, inspected.target);
  });

  it("ends transfers as on the user-space bus, a silent one in time", async () => {
    const names = ["silence", "stall", "overflow", "readFirst", "reset", "exitOpen"];
    const begunMs = performance.now();
    const { stdout } = ok(await run(process.execPath, portClient, names.join(","), serials.v3));
    assert.ok(performance.now() - begunMs < longMs);
    const said = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      said,
      names.map((name) => scenarios[name]),
    );
  });

  it("lets OpenOCD connect over hla_swd", async () => {
    await openOcdConnects("stlink", "hla_swd", serials.v3, openocd.v3);
  });

  it("takes an install to its proven end", async () => {
    // A real /sys cannot say that a probe is virtual.
    const mark = join(import.meta.dirname, "mark-virtual.mjs");
    const file = (name) => join(work, name);
    const { stdout } = ok(
      await run(
        ...[process.execPath, "--import", mark, sfi.program, "install", "--json", ...probe],
        ...["--package", file("job.sfi"), "--development-license"],
        ...["--key", file("key.bin"), "--nonce", file("nonce.bin"), "--expect", file("options.csv")],
        ...["--license-dir", "/run/tmp/licenses", "--log-dir", "/run/tmp/runs"],
      ),
    );
    const last = JSON.parse(stdout.trim().split("\n").at(-1));
    has(last, { event: "run_end", outcome: "installed", exit: 0 });
  });
});
