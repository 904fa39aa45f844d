import assert from "node:assert/strict";
import { copyFileSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { failed, ok, openOcdConnects } from "./expect.mjs";
import {
  attach,
  detach,
  deviceNode,
  ended,
  expectedOutcomes,
  portClient,
  program,
  run,
  serials,
  settleUdev,
  sfi,
  started,
  work,
} from "./programs.mjs";
import { compare } from "./sysfs.mjs";

const { scenarios, commands, openocd } = expectedOutcomes;
let v21Place;

/** Runs `sfi inspect` of the V2-1 as a user who is nobody but for the groups in a word of setpriv. */
function inspectAsNobody(groups) {
  return run(
    ...["setpriv", "--reuid=65534", "--regid=65534", groups, process.execPath, sfi.program],
    ...["inspect", "--json", "--probe", `usb@${v21Place}`],
  );
}

describe("probes on a real kernel", () => {
  it("a V2-1 is described in /sys as on the user-space bus", async () => {
    v21Place = await attach(serials.v21);
    const { different } = await compare(v21Place, `virtual:h743,probe=v2-1,serial=${serials.v21}`);
    assert.deepEqual(different, []);
  });

  it("a V2-1 and its target are known to st-info", async () => {
    const { stdout } = ok(await run("st-info", "--probe"));
    assert.match(
      stdout,
      /version: +V2J45S31\n +serial: +0{22}BB\n +flash: +2097152 .*\n.*\n +chipid: +0x0450/,
    );
  });

  it("a V2-1 lets OpenOCD connect over dapdirect_swd", async () => {
    await openOcdConnects("stlink-dap", "dapdirect_swd", serials.v21, openocd["v2-1"]);
  });

  it("the station lists a V2-1 and a V3", async () => {
    await attach(serials.leaving);
    const { probes } = JSON.parse(ok(await sfi("list", "--json")).stdout);
    assert.deepEqual(
      probes.map(({ selector, productId }) => `${selector} ${productId}`).sort(),
      [`usb:${serials.v21} 0x374B`, `usb:${serials.leaving} 0x374F`].sort(),
    );
  });

  it("a V3 is lost that leaves the bus during an inspection", async () => {
    failed(await sfi("inspect", "--json", "--probe", `usb:${serials.leaving}`), commands.leavesTheBus);
  });

  it("a V2-1 is busy while another program holds it, and free when that one was killed", async () => {
    const holder = program(process.execPath, portClient, "hold", serials.v21);
    await started(holder);
    failed(await sfi("inspect", "--json", "--probe", `usb:${serials.v21}`), commands.heldByAnother);
    holder.kill("SIGKILL");
    await ended(holder);
    ok(await run(process.execPath, portClient, "version", serials.v21));
  });

  it("a user without a udev rule may not open a probe", async () => {
    failed(await inspectAsNobody("--clear-groups"), { code: "USB_PERMISSION", exit: 3 });
  });

  it("members of plugdev may, with the rules that `sfi doctor` prints", async () => {
    copyFileSync(join(work, "udev.rules"), "/etc/udev/rules.d/60-sfi-st-link.rules");
    await settleUdev("control", "--reload");
    await settleUdev("trigger", "--subsystem-match=usb");
    const plugdev = Number(/^plugdev:[^:]*:(\d+)/m.exec(readFileSync("/etc/group", "utf8"))[1]);
    const { mode, gid } = statSync(deviceNode(v21Place));
    assert.deepEqual({ mode: mode & 0o777, gid }, { mode: 0o660, gid: plugdev });
    ok(await inspectAsNobody(`--groups=${plugdev}`));
  });

  it("a V2-1 is lost when it is unplugged in the middle of a transfer", async () => {
    const client = program(process.execPath, portClient, "pendingRead", serials.v21);
    await started(client);
    await detach(v21Place);
    const { stdout } = ok(await ended(client));
    assert.deepEqual(JSON.parse(stdout.split("\n")[1]), scenarios.unplugged);
  });
});
