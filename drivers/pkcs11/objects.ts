import { ck } from "./constants.ts";
import type { Attribute, Cryptoki, Handle } from "./native.ts";

/** A session of one token and the module it belongs to. */
export interface Session {
  readonly cryptoki: Cryptoki;
  readonly handle: Handle;
}

/** Runs `work` in a session of its own, which is closed whatever happens: a failed operation may stay active in it. */
export function withSession<Result>(
  cryptoki: Cryptoki,
  slot: Handle,
  work: (session: Session) => Result,
): Result {
  const handle = cryptoki.C_OpenSession(slot, ck.CKF_SERIAL_SESSION | ck.CKF_RW_SESSION);
  try {
    return work({ cryptoki, handle });
  } finally {
    cryptoki.C_CloseSession(handle);
  }
}

/** Objects that match a template. */
export function findObjects({ cryptoki, handle }: Session, template: readonly Attribute[]): Handle[] {
  cryptoki.C_FindObjectsInit(handle, template);
  try {
    const found: Handle[] = [];
    for (;;) {
      const [object] = cryptoki.C_FindObjects(handle, 1);
      if (object === undefined) return found;
      found.push(object);
    }
  } finally {
    cryptoki.C_FindObjectsFinal(handle);
  }
}

/** An object's attribute as bytes. */
export function readAttribute({ cryptoki, handle }: Session, object: Handle, type: number): Uint8Array {
  return Uint8Array.from(cryptoki.C_GetAttributeValue(handle, object, [{ type }])[0]?.value ?? []);
}

/** Data objects with this label; only those of an application when one is named. */
export function findData(session: Session, label: string, application?: string): Handle[] {
  return findObjects(session, [
    { type: ck.CKA_CLASS, value: ck.CKO_DATA },
    { type: ck.CKA_LABEL, value: label },
    ...(application === undefined ? [] : [{ type: ck.CKA_APPLICATION, value: application }]),
  ]);
}
