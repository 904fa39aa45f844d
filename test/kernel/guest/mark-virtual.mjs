// Loaded into the station in front of an install (node --import): makes it find the mark of virtual probes, which the
// user-space bus puts into its /sys and nobody can put into a kernel's.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const { existsSync } = fs;
fs.existsSync = (path) => String(path).endsWith("/sfi_virtual_probe") || existsSync(path);
syncBuiltinESMExports();
