import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes of memory in use after all that can be freed has been. */
export function memoryInUse(): number {
  collect();
  collect(); // the memory of buffers is given back only by the collection after the one that finds them unused
  const { heapUsed, external } = process.memoryUsage(); // external has the buffers in it
  return heapUsed + external;
}

/** How much more memory is in use once `push` has been given the chunk that many times. */
export function growth(push: (chunk: Buffer) => void, chunk: Buffer, times: number): number {
  for (let i = 0; i < times / 10; i++) push(chunk);
  const before = memoryInUse();
  for (let i = 0; i < times; i++) push(chunk);
  return memoryInUse() - before;
}
