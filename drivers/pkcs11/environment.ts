/** Variables that a module may need; everything else of the station's environment stays with the station. */
const allowed = [
  "PATH",
  "HOME",
  "LANG",
  "TMPDIR",
  "TZ",
  "SOFTHSM2_CONF",
  "PCSCLITE_CSOCK_NAME",
  "P11_KIT_SERVER_ADDRESS",
  "LD_LIBRARY_PATH",
  "SystemRoot",
  "TEMP",
  "USERPROFILE",
];

/** Environment of a module's process: an allow list, so that no secret of the station's reaches a foreign library. */
export function childEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    allowed.flatMap((name) => {
      const value = env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
