// Lends the station's libusb port to the process that started it: `node port-server.mjs <serial>`, with messages
// {id, call, words} answered by {id, value} or {id, code, parameters}.
import { libusbOpener, listUsbProbes } from "../../../../../dist/drivers/stlink/libusb.js";
import { selectProbe } from "../../../../../dist/drivers/stlink/select.js";

const opener = libusbOpener(selectProbe(await listUsbProbes(), `usb:${process.argv[2]}`));
let port;

const calls = {
  async open(options) {
    port = await opener.open(options);
  },
  send: (data, timeoutMs) => port.send(data, timeoutMs),
  receive: (sizeBytes, timeoutMs) => port.receive(sizeBytes, timeoutMs),
  close: () => port.close(),
};

process.on("message", async ({ id, call, words }) => {
  try {
    process.send({ id, value: await calls[call](...words) });
  } catch ({ code, parameters, message }) {
    process.send({ id, code, parameters, message });
  }
});
process.send({ id: 0 });
