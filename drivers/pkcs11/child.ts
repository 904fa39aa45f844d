import { Socket } from "node:net";
import { wireErrorOf } from "./failure.ts";
import { createHost } from "./operations.ts";
import { watchParent } from "./orphan-watch.ts";
import { type Answer, lineReader, type OperationName, protocolDescriptor, type Request } from "./protocol.ts";

// The program that hosts one PKCS#11 module. Requests and answers go over a pipe of their own, so that the module may
// print what it likes. Started by bridge.ts with its parent's process id as the only argument.

watchParent(Number(process.argv[2]));
const pipe = new Socket({ fd: protocolDescriptor, readable: true, writable: true });
const host = createHost();

pipe.setEncoding("utf8");
pipe.on(
  "data",
  lineReader((line) => {
    const request = JSON.parse(line) as Request;
    pipe.write(`${JSON.stringify(answer(request))}\n`);
  }),
);
pipe.on("error", end);
pipe.on("end", end);

function answer<Op extends OperationName>({ id, op, args }: Request<Op>): Answer {
  try {
    return { id, ok: true, result: host.handlers[op](args) };
  } catch (thrown) {
    return { id, ok: false, error: wireErrorOf(thrown, op, host.binding()) };
  }
}

/** The parent closed the pipe: the module may tidy up. If that hangs, the parent or the watch ends this process. */
function end(): void {
  try {
    host.finalize();
  } finally {
    process.exit(0);
  }
}
