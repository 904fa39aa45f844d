/** One part of a form. */
export interface FormPart {
  readonly name: string;
  readonly data: Uint8Array;
}

/**
 * Takes a multipart/form-data body apart (RFC 7578): what `curl -F` sends.
 * @param contentType the request's Content-Type, which names the boundary
 * @returns undefined when the body is no such form
 */
export function parseMultipart(contentType: string, body: Uint8Array): FormPart[] | undefined {
  const boundary = /^multipart\/form-data\s*;.*\bboundary="?([^";]{1,70})"?/i.exec(contentType)?.[1];
  if (boundary === undefined) return undefined;
  // One character a byte, so that positions in the text are positions in the body.
  const text = latin1(body);
  const mark = `--${boundary}`;
  const parts: FormPart[] = [];
  let at = text.indexOf(mark);
  for (;;) {
    if (at < 0) return undefined;
    at += mark.length;
    if (text.startsWith("--", at)) return parts;
    const headEnd = text.indexOf("\r\n\r\n", at);
    const end = headEnd < 0 ? -1 : text.indexOf(`\r\n${mark}`, headEnd + 2);
    if (end < 0) return undefined;
    const name = /content-disposition:\s*form-data;[^\r\n]*?\bname="([^"]*)"/i.exec(
      text.slice(at, headEnd),
    )?.[1];
    if (name === undefined) return undefined;
    parts.push({ name, data: body.slice(headEnd + 4, Math.max(headEnd + 4, end)) });
    at = end + 2;
  }
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }
  return text;
}
