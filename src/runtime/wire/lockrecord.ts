/** The lock: one JSON document that says which process keeps a project's forwards, and how to reach it. */
import * as z from "zod/mini";
import { parsedJson } from "../../plain.ts";
import { KfwdError } from "../../errors.ts";
import type { Owner, StatusReport } from "../core/status.ts";
import { agree } from "./agree.ts";
import { protocolRange, type ProtocolRange } from "./control.ts";

/** Longest lock read or written, in bytes. */
export const LOCK_MAX_BYTES = 64 * 1024;

/** Changes only when older versions must not read it at all. */
const LOCK_SCHEMA = 1;

/** Largest process id there is: Linux stops at 4194304, the others below this. */
const PID_MAX = 2 ** 31 - 1;

/**
 * What tells one process from every other one on every machine. A null is a fact the platform does not give.
 * proc(5) describes the sources; namespaces are compared as text.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks since boot (`/proc/PID/stat`, field 22): clock changes do not touch it. */
  readonly startTicks: number | null;
  /** `/proc/sys/kernel/random/boot_id`: changes with each boot, and is the same in all containers of a machine. */
  readonly bootId: string | null;
  /** `/proc/self/ns/pid`: where `pid` counts. */
  readonly pidNs: string | null;
  /** `/proc/self/ns/time`: where `startTicks` counts. */
  readonly timeNs: string | null;
  /** `/proc/self/ns/net`: where the forwards' ports are. */
  readonly netNs: string | null;
  readonly host: string;
}

/** A forward as the lock shows it, to people who look for the owner of a port. */
export interface LockedForward {
  readonly name: string;
  readonly protocol: "tcp" | "udp";
  readonly bind: readonly string[];
  readonly port: number;
}

/**
 * A relay pod of the owner's. Whoever finds the lock of a dead owner deletes that pod: the one of this UID and no other,
 * whatever its labels say.
 */
export interface LockedRelay {
  /** Absolute path; null for `$KUBECONFIG` and `~/.kube/config`. */
  readonly kubeconfig: string | null;
  readonly context: string;
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
}

/** More than one a namespace and context are only there while one is replaced. */
const RELAYS_MAX = 100;

/** As many as a supervisor has clients. */
const OWNERS_MAX = 64;

/**
 * The lock's content. Holds no secret but `instance`, which is worth the same as the file. A field that a later
 * version adds must be optional to read, or a supervisor could not be found any more after an upgrade.
 */
export interface LockRecord extends ProcessIdentity {
  readonly schema: typeof LOCK_SCHEMA;
  /** 128 random bits in hex, new for each supervisor: it names this owner, and is the key of the greeting. */
  readonly instance: string;
  /** Effective user id; null on Windows. */
  readonly uid: number | null;
  readonly kfwdVersion: string;
  readonly nodeVersion: string;
  readonly protocol: ProtocolRange;
  /** Display name. */
  readonly project: string;
  readonly config: Pick<StatusReport["config"], "path" | "sha256">;
  /** Absolute path of the control socket; on Windows the name of a pipe. */
  readonly socket: string;
  /** Absolute path of the log. */
  readonly log: string;
  /** ISO 8601, UTC; for show only. */
  readonly startedAt: string;
  readonly mode: "foreground" | "detached";
  readonly state: "starting" | "ready" | "stopping";
  readonly forwards: readonly LockedForward[];
  /** Names of forwards that somebody has stopped, and that hold no port. */
  readonly stopped: readonly string[];
  /** Who needs forwards for as long as it runs, for show. */
  readonly owners: readonly Owner[];
  readonly relays: readonly LockedRelay[];
  /** Why it ended, when it could still tell before it crashed. */
  readonly lastWords: string | null;
}

/** Who removes a dead owner's lock writes this: the part of a lock that says who it is. */
export type Claim = Pick<LockRecord, "schema" | "instance"> & ProcessIdentity;

/** Longest name, and longest path or sentence, in UTF-16 units. */
const NAME_MAX = 256;
const TEXT_MAX = 4096;

const text = z.string().check(z.maxLength(TEXT_MAX));
const name = z.string().check(z.maxLength(NAME_MAX));
const fact = z.nullable(name);

const claimFields = {
  schema: z.literal(LOCK_SCHEMA),
  instance: z.string().check(z.regex(/^[0-9a-f]{32}$/)),
  pid: z.int().check(z.gte(1), z.lte(PID_MAX)), // 1 when it is a container's main process
  startTicks: z.nullable(z.int().check(z.gte(0))),
  bootId: fact,
  pidNs: fact,
  timeNs: fact,
  netNs: fact,
  host: name,
};

const claim = agree<Claim>()(z.object(claimFields));

const lockRecord = agree<LockRecord>()(
  z.object({
    ...claimFields,
    uid: z.nullable(z.int().check(z.gte(0))),
    kfwdVersion: z.string().check(z.maxLength(64)),
    nodeVersion: z.string().check(z.maxLength(64)),
    protocol: protocolRange,
    project: name,
    config: z.object({ path: z.nullable(text), sha256: z.string().check(z.maxLength(128)) }),
    socket: text,
    log: text,
    startedAt: z.string().check(z.maxLength(64)),
    mode: z.enum(["foreground", "detached"]),
    state: z.enum(["starting", "ready", "stopping"]),
    forwards: z.array(
      z.object({
        name,
        protocol: z.enum(["tcp", "udp"]),
        bind: z.array(name),
        port: z.int().check(z.gte(0), z.lte(65_535)),
      }),
    ),
    stopped: z._default(z.array(name), []),
    owners: z._default(z.array(z.object({ pid: z.nullable(z.int()), names: z.array(name) })), []),
    relays: z._default(
      z.array(
        z.object({ kubeconfig: z.nullable(text), context: name, namespace: name, pod: name, uid: name }),
      ),
      [],
    ),
    lastWords: z.nullable(text),
  }),
);

/** A decoded value, or what is wrong with the text, to follow "it": `it is empty`. */
export type Decoded<T> =
  | { readonly kind: "value"; readonly value: T }
  | { readonly kind: "bad"; readonly why: string };

export function decodeLock(bytes: Buffer): Decoded<LockRecord> {
  return decode(bytes, lockRecord);
}

export function decodeClaim(bytes: Buffer): Decoded<Claim> {
  return decode(bytes, claim);
}

/**
 * The lock's bytes. Where they do not fit, the names that owners need are left out; of more forwards than fit, the last are left out, and words that are too long are cut: they are
 * there for show.
 * @throws KfwdError `INTERNAL` for a record that could not be read again.
 */
export function encodeLock(record: LockRecord): Buffer {
  let shown = {
    ...record,
    owners: record.owners.slice(0, OWNERS_MAX),
    project: record.project.slice(0, NAME_MAX),
    relays: record.relays.slice(-RELAYS_MAX),
    lastWords: record.lastWords?.slice(0, TEXT_MAX) ?? null,
  };
  let bytes = encode(shown);
  if (bytes.length > LOCK_MAX_BYTES) {
    shown = { ...shown, owners: shown.owners.map(({ pid }) => ({ pid, names: [] })) };
    bytes = encode(shown);
  }
  const most = Math.max(record.forwards.length, record.stopped.length);
  for (let count = most; bytes.length > LOCK_MAX_BYTES && count > 0;) {
    count = Math.floor(count / 2);
    const [forwards, stopped] = [record.forwards.slice(0, count), record.stopped.slice(0, count)];
    bytes = encode({ ...shown, forwards, stopped });
  }
  const again = bytes.length > LOCK_MAX_BYTES ? bad("is too long") : decodeLock(bytes);
  if (again.kind === "bad") throw new KfwdError("INTERNAL", `cannot write such a lock: it ${again.why}`);
  return bytes;
}

export function encodeClaim(value: Claim): Buffer {
  return encode(value);
}

function encode(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`, "utf8");
}

function decode<T>(bytes: Buffer, schema: z.ZodMiniType<T>): Decoded<T> {
  if (bytes.length === 0) return bad("is empty");
  const json = parsedJson(bytes.toString("utf8"));
  if (json === undefined) return bad("is not JSON");
  const parsed = schema.safeParse(json);
  if (parsed.success) return { kind: "value", value: parsed.data };
  if (isNewer(json)) return bad("was written by a later version of kfwd");
  const field = parsed.error.issues[0]?.path[0];
  return bad(field === undefined ? "is not a lock" : `has no usable "${String(field)}"`);
}

function isNewer(json: unknown): boolean {
  const versioned = z.object({ schema: z.int().check(z.gt(LOCK_SCHEMA)) });
  return versioned.safeParse(json).success;
}

function bad(why: string): { readonly kind: "bad"; readonly why: string } {
  return { kind: "bad", why };
}
