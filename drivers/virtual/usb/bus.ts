import { mkdirSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { UsbDeviceModel } from "./device-model.ts";
import { PollGate } from "./poll-gate.ts";
import { preloadLibrary, requirePreload } from "./preload-library.ts";
import { notHandled } from "./preload-protocol.ts";
import { runPreloadSession, type ServeCall } from "./preload-session.ts";
import { rootHub } from "./root-hub.ts";
import { nodeName, removeSysfs, sysfsName, type UsbPlace, writeSysfs } from "./sysfs.ts";
import { UsbfsDevice } from "./usbfs-device.ts";

/** Longest path of a unix socket (struct sockaddr_un without the final 0). */
const socketPathBytes = 107;
const busNumber = 1;

/** A device on the bus. */
export interface PluggedDevice {
  /** Where: `<bus>-<port>`, as in a `usb@` selector. */
  readonly path: string;
  /** Numbers of the interfaces that programs hold. */
  heldInterfaces(): number[];
  /** Pulls it out. What was under way ends; the device stays open in programs that have it open. */
  unplug(): void;
}

/** What a bus needs to know besides its devices. */
export interface UsbBusOptions {
  /** Told when serving a program failed, which is a mistake in a device model or in the bus. The program is cut off. */
  readonly onFailure: (thrown: unknown) => void;
}

interface OpenDevice {
  readonly device: UsbfsDevice;
  readonly gate: PollGate;
  readonly server: Server;
}

/**
 * A USB bus in user space. Programs started with its environment variables find the bus's devices where they look for
 * the operating system's; everything else they see as it is. The devices live in this process: a program on the bus must
 * be another one, since its calls wait for answers.
 */
export class UsbBus {
  /** Private folder that stands for / in what programs see of /sys and /dev. */
  readonly directory: string;
  readonly #options: UsbBusOptions;
  readonly #sockets = new Set<Socket>();
  readonly #devices: OpenDevice[] = [];
  readonly #servers: Server[] = [];
  #closed = false;

  private constructor(directory: string, options: UsbBusOptions) {
    this.directory = directory;
    this.#options = options;
  }

  /**
   * An empty bus.
   * @throws USB_BENCH_MISSING
   */
  static async open(options: UsbBusOptions): Promise<UsbBus> {
    await requirePreload();
    const bus = new UsbBus(await privateFolder(), options);
    for (const name of ["sys/bus/usb/devices", "sys/class", "dev/bus/usb", "ioctl", "proc"]) {
      mkdirSync(join(bus.directory, name), { recursive: true });
    }
    // Calls on nodes that are not the bus's go to the real system.
    await bus.#listen("ioctl/_default", () => ({
      serve: async () => ({ result: notHandled, errno: 0 }),
      close: async () => {},
    }));
    await bus.#add(rootHub(), { bus: busNumber, device: 1, port: 0 });
    return bus;
  }

  /**
   * The variables that put a program, and every program it starts, on the bus.
   * @param inherited the environment the program would have otherwise
   */
  environment(inherited: NodeJS.ProcessEnv): Record<string, string> {
    const others = inherited["LD_PRELOAD"];
    return {
      LD_PRELOAD: others === undefined || others === "" ? preloadLibrary : `${preloadLibrary}:${others}`,
      UMOCKDEV_DIR: this.directory,
      // libudev otherwise insists on a real sysfs (systemd 251).
      SYSTEMD_DEVICE_VERIFY_SYSFS: "0",
    };
  }

  /** Puts a device on the next free port. Programs that are running already are not told. */
  async plug(model: UsbDeviceModel): Promise<PluggedDevice> {
    const port = this.#devices.length;
    const place = { bus: busNumber, device: port + 1, port };
    const { device } = await this.#add(model, place);
    return {
      path: sysfsName(place),
      heldInterfaces: () => device.heldInterfaces,
      unplug: () => {
        device.unplug();
        this.#vanish(place);
      },
    };
  }

  /** Takes the bus down. Only after every program on it has ended: the preload library aborts those that have not. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const ended = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(ended);
    for (const { gate } of this.#devices) gate.dispose();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #add(model: UsbDeviceModel, place: UsbPlace): Promise<OpenDevice> {
    const node = join(this.directory, "dev", nodeName(place));
    mkdirSync(dirname(node), { recursive: true });
    const gate = await PollGate.create(node);
    const device = new UsbfsDevice(model, {
      endedChanged: (any) => {
        if (!this.#closed) gate.set(any);
      },
      left: () => this.#vanish(place),
    });
    const server = await this.#listen(join("ioctl/dev", nodeName(place)), () => {
      const handle = device.open();
      return { serve: (request, memory) => handle.serve(request, memory), close: () => handle.close() };
    });
    writeSysfs(this.directory, place, model);
    const open = { device, gate, server };
    this.#devices.push(open);
    return open;
  }

  /** Programs do not find the device any more. Its socket stays: the preload library aborts programs that lose it. */
  #vanish(place: UsbPlace): void {
    removeSysfs(this.directory, place);
    rmSync(join(this.directory, "dev", nodeName(place)), { force: true });
  }

  /** Serves a unix socket below the bus's folder. */
  async #listen(
    name: string,
    open: () => { readonly serve: ServeCall; readonly close: () => Promise<void> },
  ): Promise<Server> {
    const path = join(this.directory, name);
    mkdirSync(dirname(path), { recursive: true });
    const server = createServer((socket) => {
      const { serve, close } = open();
      this.#sockets.add(socket);
      runPreloadSession(socket, serve)
        .finally(() => {
          this.#sockets.delete(socket);
          return close();
        })
        .catch(this.#options.onFailure);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
    this.#servers.push(server);
    return server;
  }
}

/** A folder for its owner only, with a path short enough for the sockets in it. */
async function privateFolder(): Promise<string> {
  const longest = nodeName({ bus: busNumber, device: 127, port: 127 });
  const fits = (parent: string) => `${parent}/sfi-usb-XXXXXX/ioctl//dev/${longest}`.length <= socketPathBytes;
  const temporary = tmpdir();
  return mkdtemp(join(fits(temporary) ? temporary : "/tmp", "sfi-usb-"));
}
