import { readdirSync, readFileSync } from "node:fs";
import { Project } from "../rig/project.ts";
import type { World } from "./world.ts";

/** Forwards as forwards.yaml has them, by name. */
export type Forwards = Readonly<Record<string, string | Readonly<Record<string, unknown>>>>;

/** The text of a forwards.yaml. */
export function fileOf(namespace: string, forwards: Forwards, relayImage?: string): string {
  const relay = relayImage === undefined ? {} : { relay: { image: relayImage } };
  return JSON.stringify({ version: 1, namespace, ...relay, forwards }, null, 2); // which is YAML too
}

/** A project of its own as the admin, with a file, not yet up. */
export function projectOf(world: World, namespace: string, forwards: Forwards): Promise<Project> {
  return Project.create({
    kubeconfig: world.kubeconfig("admin"),
    file: fileOf(namespace, forwards, world.relayImage),
  });
}

/** The same, brought up in the background; every forward is ready. */
export async function bringUp(world: World, namespace: string, forwards: Forwards): Promise<Project> {
  const project = await projectOf(world, namespace, forwards);
  try {
    await project.ok("up", "--wait");
    return project;
  } catch (thrown) {
    await project[Symbol.asyncDispose]();
    throw thrown;
  }
}

/** The local port of every forward that is bound. */
export async function portsOf(project: Project): Promise<(name: string) => number> {
  const { entries } = await project.status();
  const ports = new Map(entries.map(({ name, localPort }) => [name, localPort]));
  return (name) => {
    const port = ports.get(name);
    if (typeof port !== "number") throw new Error(`forward ${name} has no port`);
    return port;
  };
}

/** Open file descriptors of a process, sockets included. */
export function fdsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Memory of a process that is in RAM, in MiB. */
export function rssOf(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
  return (pages * 4096) / 1024 / 1024;
}
