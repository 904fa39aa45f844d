import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, isAbsolute, join, resolve } from "node:path";
import { StationError } from "../../src/errors/station-error.ts";
import type { VendorTool } from "./tool.ts";

/** The vendor's programs that the station can use. */
export type ToolName = "STM32_Programmer_CLI" | "STM32TrustedPackageCreator_CLI";

/** Where ST's installers put them, below the folder of each system. */
const installed = join("STMicroelectronics", "STM32Cube", "STM32CubeProgrammer", "bin");

/**
 * Finds one of ST's programs.
 * @param given path of the program or of its folder; else PATH and ST's usual folders are searched
 * @throws VENDOR_TOOL_MISSING
 */
export function findTool(
  name: ToolName,
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): VendorTool {
  const program = process.platform === "win32" ? `${name}.exe` : name;
  const candidates =
    given === undefined
      ? searchFolders(env).map((folder) => join(folder, program))
      : [resolve(given), join(resolve(given), program), join(dirname(resolve(given)), program)];
  const file = candidates.find((path) => path.endsWith(program) && isExecutable(path));
  if (file === undefined) {
    const detail = given === undefined ? "neither on PATH nor where ST installs it" : `looked at ${given}`;
    throw StationError.of("VENDOR_TOOL_MISSING", { tool: name, detail });
  }
  return { file, folder: dirname(file) };
}

function searchFolders(env: Readonly<Record<string, string | undefined>>): string[] {
  const onPath = (env["PATH"] ?? "").split(delimiter).filter((folder) => isAbsolute(folder));
  const roots = [env["HOME"] ?? homedir(), "/opt", "/usr/local", env["ProgramFiles"] ?? "/"];
  return [...onPath, ...roots.map((root) => join(root, installed))];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
