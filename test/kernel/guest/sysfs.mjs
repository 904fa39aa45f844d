// Compares what the kernel says of a probe in /sys with what the user-space bus makes of the same probe.
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const { PROJECT: project, TMPDIR: temporary } = process.env;
const built = (name) => import(join(project, "dist/drivers/virtual", name));
const { parseVirtualSelector } = await built("bench.js");
const { openUsbProbe } = await built("usb/usb-probe.js");
const { sysfsName, writeSysfs } = await built("usb/sysfs.js");

/** The only thing of its own that the user-space bus adds. */
const ownAttribute = "sfi_virtual_probe";

/** Compares every attribute: in `same` the names of those with equal values, in `different` the others with both. */
export async function compare(placeName, selector) {
  const real = join("/sys/bus/usb/devices", placeName);
  const read = (folder, name) => readFileSync(join(folder, name)).toString("latin1").trimEnd();
  const [busNumber, port] = placeName.split("-").map(Number);
  const place = { bus: busNumber, port, device: Number(read(real, "devnum")) };
  const { model, bench } = await openUsbProbe(parseVirtualSelector(selector), (thrown) => {
    throw thrown;
  });
  const root = mkdtempSync(join(temporary, "sysfs-"));
  writeSysfs(root, place, model);
  await bench.close();
  const made = join(root, "sys/bus/usb/devices", sysfsName(place));
  const attributes = readdirSync(made, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== ownAttribute)
    .map(({ name }) => ({ name, kernel: read(real, name), bus: read(made, name) }));
  return {
    same: attributes.filter(({ kernel, bus }) => kernel === bus).map(({ name }) => name),
    different: attributes.filter(({ kernel, bus }) => kernel !== bus),
  };
}
