// The station's part of beside.mjs, as a program of its own on the virtual USB bus:
// `node beside-client.mjs connect | ram FILE | flash FILE`. It does what the other tools are made to do, and no more.
import { readFileSync } from "node:fs";
import { libusbOpener, listUsbProbes } from "../../dist/drivers/stlink/libusb.js";
import { openStlink } from "../../dist/drivers/stlink/probe.js";
import { selectProbe } from "../../dist/drivers/stlink/select.js";
import { loadManifests } from "../../dist/src/cli/manifests.js";
import { nodeClock } from "../../dist/src/cli/node-clock.js";
import { connectDebug } from "../../dist/src/dap/connect.js";
import { programFlash } from "../../dist/src/target/flash.js";
import { identifyTarget } from "../../dist/src/target/identify.js";

const [action, file] = process.argv.slice(2);
const manifests = await loadManifests();
const probe = await openStlink(libusbOpener(selectProbe(await listUsbProbes(), undefined)), nodeClock);
await probe.readTargetMillivolts();
const debug = await connectDebug(probe, nodeClock, {
  mode: "normal",
  clockKilohertz: 24_000,
  ap: 0,
  halt: true,
});
const { manifest } = await identifyTarget(debug, manifests);
if (action === "ram") await debug.memory().write(0x24000000, readFileSync(file));
if (action === "flash")
  await programFlash(debug.memory(), nodeClock, manifest, 0x08020000, readFileSync(file));
await probe.close();
