/** A yaml-language-server as editors run it, over its standard streams. */
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Readable, Writable } from "node:stream";

const SERVER = fileURLToPath(
  new URL("../../node_modules/yaml-language-server/bin/yaml-language-server", import.meta.url),
);

const PATIENCE_MS = 30_000;

/** What an editor underlines; lines count from 1 here. */
export interface Squiggle {
  readonly line: number;
  readonly message: string;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** Disposing ends the process. */
export class LanguageServer implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #ended: Promise<unknown>;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #squiggles = new Map<string, (squiggles: readonly Squiggle[]) => void>();
  #buffer = Buffer.alloc(0);
  #lastId = 0;

  private constructor(folder: string) {
    this.#child = spawn(process.execPath, [SERVER, "--stdio"], {
      cwd: folder,
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#ended = once(this.#child, "exit");
    this.#child.stderr.resume();
    this.#child.stdout.on("data", (chunk: Buffer) => this.#took(chunk));
  }

  static async start(folder: string): Promise<LanguageServer> {
    const server = new LanguageServer(folder);
    await server.#request("initialize", {
      processId: process.pid,
      rootUri: `file://${folder}`,
      capabilities: { textDocument: { completion: { completionItem: { snippetSupport: true } } } },
      workspaceFolders: [{ uri: `file://${folder}`, name: "test" }],
    });
    server.#notify("initialized", {});
    // Only what the file itself names: nothing is fetched.
    server.#notify("workspace/didChangeConfiguration", {
      settings: { yaml: { validate: true, completion: true, hover: true, schemaStore: { enable: false } } },
    });
    return server;
  }

  /** What is underlined in a file with this text. */
  async squiggles(path: string, text: string): Promise<readonly Squiggle[]> {
    const uri = `file://${path}`;
    const told = new Promise<readonly Squiggle[]>((resolve) => this.#squiggles.set(uri, resolve));
    this.#notify("textDocument/didOpen", { textDocument: { uri, languageId: "yaml", version: 1, text } });
    return within(told, "diagnostics");
  }

  /** What is offered at a place, counted from 1, of a file that was opened. */
  async completion(path: string, line: number, column: number): Promise<readonly string[]> {
    const result = (await this.#request("textDocument/completion", {
      textDocument: { uri: `file://${path}` },
      position: { line: line - 1, character: column - 1 },
    })) as { readonly items: readonly { readonly label: string }[] };
    return result.items.map(({ label }) => label);
  }

  /** What is shown for the word at a place, counted from 1. */
  async hover(path: string, line: number, column: number): Promise<string> {
    const result = await this.#request("textDocument/hover", {
      textDocument: { uri: `file://${path}` },
      position: { line: line - 1, character: column - 1 },
    });
    return JSON.stringify(result);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  async #request(method: string, params: object): Promise<unknown> {
    const id = ++this.#lastId;
    const answered = new Promise<Message>((resolve) => this.#waiting.set(id, resolve));
    this.#send({ id, method, params });
    const { result, error } = await within(answered, method);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  #notify(method: string, params: object): void {
    this.#send({ method, params });
  }

  #send(message: object): void {
    const body = JSON.stringify({ jsonrpc: "2.0", ...message });
    this.#child.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }

  #took(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    for (;;) {
      const head = this.#buffer.indexOf("\r\n\r\n");
      const length = Number(
        /Content-Length: (\d+)/i.exec(this.#buffer.toString("latin1", 0, Math.max(0, head)))?.[1],
      );
      const end = head + 4 + length;
      if (head < 0 || this.#buffer.length < end) return;
      const message = JSON.parse(this.#buffer.toString("utf8", head + 4, end)) as Message;
      this.#buffer = this.#buffer.subarray(end);
      this.#heard(message);
    }
  }

  #heard({ id, method, params, ...rest }: Message): void {
    if (method === undefined && id !== undefined) this.#waiting.get(id)?.(rest);
    else if (method === "textDocument/publishDiagnostics") {
      const { uri, diagnostics } = params as {
        uri: string;
        diagnostics: readonly { range: { start: { line: number } }; message: string }[];
      };
      this.#squiggles.get(uri)?.(
        diagnostics.map(({ range, message }) => ({ line: range.start.line + 1, message })),
      );
    } else if (id !== undefined) {
      this.#send({ id, result: method === "workspace/configuration" ? [{}] : null }); // the server asks for settings
    }
  }
}

async function within<T>(wanted: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the language server gives no ${what}`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([wanted, late]);
  } finally {
    clearTimeout(timer);
  }
}
