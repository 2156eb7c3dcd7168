/**
 * node:fs for puppets that may die at any step: before or after each call that reads or changes a file the process
 * kills itself, with the chance `KFWD_PUPPET_DEATH`. The bundler puts it in the place of node:fs in the daemon room.
 */
import * as fs from "node:fs";

const chance = Number(process.env["KFWD_PUPPET_DEATH"] ?? 0);

function maybeDie(): void {
  if (Math.random() < chance) process.kill(process.pid, "SIGKILL");
}

function mortal<A extends unknown[], R>(call: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    maybeDie();
    const result = call(...args);
    maybeDie();
    return result;
  };
}

export * from "node:fs";
export const openSync = mortal(fs.openSync);
export const closeSync = mortal(fs.closeSync);
export const writeSync = mortal((fd: number, bytes: Buffer, at?: number) => fs.writeSync(fd, bytes, at));
export const fsyncSync = mortal(fs.fsyncSync);
export const linkSync = mortal(fs.linkSync);
export const unlinkSync = mortal(fs.unlinkSync);
export const renameSync = mortal(fs.renameSync);
export const rmdirSync = mortal(fs.rmdirSync);
export const mkdirSync = mortal((path: string, options: fs.MakeDirectoryOptions) =>
  fs.mkdirSync(path, options),
);
