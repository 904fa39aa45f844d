import { optionalKoffi } from "./native.ts";

/**
 * Makes a module's call of exit() end this process with the module's exit code. Without this, Node's threads still run
 * while its memory is torn down, and one exit in a few becomes a crash (measured) and would be reported as one. Works
 * where `on_exit` exists (glibc) and koffi is there; elsewhere such an exit may show as a crash.
 */
export function endCleanlyOnExit(): void {
  const koffi = process.platform === "linux" ? optionalKoffi() : undefined;
  if (koffi === undefined) return;
  const library = openLibc(koffi);
  if (library === undefined) return;
  const onExit = library.func("int on_exit(void *function, void *argument)");
  // `_exit` takes the status that on_exit's functions are given first. Functions run last registered first, so those
  // of the module itself still run.
  onExit(library.symbol("_exit", "void *"), null);
}

/** glibc by the name it has on every distribution; undefined on systems with another C library. */
function openLibc(koffi: NonNullable<ReturnType<typeof optionalKoffi>>) {
  try {
    return koffi.load("libc.so.6", { lazy: true });
  } catch {
    return undefined;
  }
}
