/** `kfwd version`: what runs here, for reports and scripts. */
import { FORMAT_VERSION } from "../schema/fields.ts";
import { Output } from "./output.ts";
import type { SharedFlags, World } from "./world.ts";

export function version(world: World, flags: SharedFlags): number {
  const out = new Output(world, flags);
  const { node, platform, arch } = world.machine;
  if (flags.json)
    out.json({
      schema: "kfwd.version/1",
      version: world.version,
      node,
      platform,
      arch,
      fileVersion: FORMAT_VERSION,
    });
  else
    out.data(
      `kfwd ${world.version}, Node ${node}, ${platform} ${arch}, forwards.yaml version ${FORMAT_VERSION}`,
    );
  return 0;
}
