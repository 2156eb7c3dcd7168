/** Serves a supervisor on its socket. Whatever clients do, nothing is thrown out of here. */
import { lstatSync, renameSync } from "node:fs";
import { utimes } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { KfwdError } from "../../errors.ts";
import { ControlPeer, type ServeDeps } from "./controlpeer.ts";
import { errnoOf, fileTrouble } from "../../errno.ts";
import { makePrivateFolder } from "./place.ts";
import { SOCKET_PATH_MAX_BYTES } from "./projectfiles.ts";
import { removeFile } from "./publish.ts";

/** Clients served at once; one more is disconnected. A person has a few shells, a script a few loops. */
const CLIENTS_MAX = 64;

/** Between being closed and being cut off, clients have this long to take their last answers, in milliseconds. */
const FAREWELL_MS = 500;

/** Another process may remove the folder, or sweep the socket, in the instant before its publication. */
const BIND_TRIES = 10;

/**
 * A supervisor's socket, mode 0600, and there all at once. Its path is a new one each time. Disposing stops
 * listening, lets answers on their way arrive, and removes the socket if it is still ours.
 */
export class ControlServer implements AsyncDisposable {
  readonly path: string;
  readonly #deps: ServeDeps;
  readonly #peers = new Set<ControlPeer>();
  #server: Server | undefined;
  #inode: string | undefined;
  #dropped = 0;

  constructor(deps: ServeDeps, path: string) {
    this.#deps = deps;
    this.path = path;
  }

  /** Clients that are connected. */
  get clients(): number {
    return this.#peers.size;
  }

  /** Clients that were disconnected: one too many, or too slow to take what they asked for. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Starts to listen, making the folder if need be. @throws KfwdError `RUNTIME_FOLDER`. */
  async open(): Promise<void> {
    if (process.platform === "win32") {
      this.#server = await this.#listen(this.path); // a pipe has no file, and goes with its process
      return;
    }
    if (Buffer.byteLength(this.path) > SOCKET_PATH_MAX_BYTES)
      throw this.#cannotListen(`the path is longer than ${SOCKET_PATH_MAX_BYTES} bytes`);
    const folder = dirname(this.path);
    for (let tries = 1; ; tries++) {
      makePrivateFolder(folder, this.#deps.uid);
      try {
        const server = await this.#listenAndPublish();
        this.#server?.close();
        this.#server = server;
        return;
      } catch (thrown) {
        // The last owner may have removed the empty folder under us; libuv then says that binding is forbidden.
        const mayWorkNow = ["ENOENT", "EACCES"].includes(errnoOf(thrown) ?? "");
        if (!mayWorkNow || tries === BIND_TRIES) throw this.#cannotListen(fileTrouble(thrown), thrown);
      }
    }
  }

  /**
   * To be called each 15 s, as the lock's check: touches the socket, and listens anew when it has been removed or
   * replaced. Clients that are connected stay. Never rejects: `lost` may be better at the next check.
   */
  async check(): Promise<
    { readonly kind: "held" | "restored" } | { readonly kind: "lost"; readonly why: string }
  > {
    if (process.platform === "win32") return { kind: "held" };
    if (inodeAt(this.path) === this.#inode) {
      const seconds = this.#deps.clock.wall() / 1000;
      await utimes(this.path, seconds, seconds).catch(() => {}); // see the next check
      return { kind: "held" };
    }
    try {
      await this.open();
      return { kind: "restored" };
    } catch (thrown) {
      return { kind: "lost", why: KfwdError.from(thrown).message };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server === undefined) return;
    const closed = new Promise<void>((resolve) => this.#server?.close(() => resolve()));
    this.#server = undefined;
    if (this.#inode !== undefined && inodeAt(this.path) === this.#inode) removeFile(this.path);
    const cutOff = this.#deps.clock.timer(FAREWELL_MS, () => {
      for (const peer of this.#peers) peer.cut();
    });
    for (const peer of this.#peers) peer.farewell();
    await closed;
    cutOff[Symbol.dispose]();
  }

  /**
   * The socket is bound under this name and then renamed: closing a server unlinks the name it was bound under, even
   * if another socket has it by then, and a name never shows a socket that does not listen yet.
   */
  get #bindPath(): string {
    return this.path.replace(/\.sock$/, "") + ".bind";
  }

  #listen(path: string): Promise<Server> {
    const server = createServer((socket) => this.#welcome(socket));
    server.maxConnections = CLIENTS_MAX;
    server.on("drop", () => this.#countDrop("too many clients"));
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      // listen() binds before it returns, so nothing else is made under this mask.
      const mask = process.umask(0o177);
      try {
        server.listen({ path }, () => {
          server.off("error", reject);
          server.on("error", (error) => this.#deps.log.warn("control.accept", { error: errnoOf(error) }));
          resolve(server);
        });
      } finally {
        process.umask(mask);
      }
    });
  }

  async #listenAndPublish(): Promise<Server> {
    const server = await this.#listen(this.#bindPath);
    try {
      const stat = lstatSync(this.#bindPath);
      if (!stat.isSocket() || (stat.mode & 0o077) !== 0)
        throw this.#cannotListen("others could connect to it");
      renameSync(this.#bindPath, this.path);
      this.#inode = `${stat.dev}:${stat.ino}`;
      return server;
    } catch (thrown) {
      server.close();
      throw thrown;
    }
  }

  #welcome(socket: Socket): void {
    const peer = new ControlPeer(this.#deps, socket, (why) => this.#countDrop(why));
    this.#peers.add(peer);
    socket.once("close", () => this.#peers.delete(peer));
  }

  #countDrop(why: string): void {
    this.#dropped++;
    this.#deps.log.warn("control.dropped", { why, dropped: this.#dropped });
  }

  #cannotListen(why: string, cause?: unknown): KfwdError {
    if (cause instanceof KfwdError) return cause;
    return new KfwdError("RUNTIME_FOLDER", `cannot listen at "${this.path}": ${why}`, { cause });
  }
}

function inodeAt(path: string): string | undefined {
  try {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    return stat && `${stat.dev}:${stat.ino}`;
  } catch {
    return undefined;
  }
}
